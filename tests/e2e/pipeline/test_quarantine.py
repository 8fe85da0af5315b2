"""A job that kills its workers fails, and its payload is kept."""

import json
import re
import signal
import subprocess

import pytest
from client import Client, RpcError, request
from proc import forget_peak, is_sanitized, peak_bytes, resident_bytes, wait_until
from server import configuration


@pytest.fixture
def poisoned(server, probe, tmp_path):
    """poisoned(...): a server that keeps crashes in tmp_path/"crashes", with a poison."""

    def start(crashes=None, **sections):
        return server(
            may_crash=True,
            crashes={"folder": tmp_path / "crashes"} | (crashes or {}),
            handlers={"echo": {}, "poison": probe("aborts")},
            methods={"poison": {"attempts": 2}} | sections.pop("methods", {}),
            **sections,
        )

    return start


def poison(running, params=None, method="poison"):
    with pytest.raises(RpcError) as died:
        running.call(method, params)
    assert died.value.code == -32014 and died.value.data["executed"] == "unknown"


def kept(folder, kind="crash") -> list:
    """The files of these jobs, oldest first."""
    return sorted(folder.glob(f"{kind}-*")) if folder.exists() else []


def test_a_job_without_attempts_left_is_kept_and_can_be_run_again(poisoned, tmp_path, build):
    running = poisoned()
    params = {"text": 'a "quoted" \\ word\u00e9', "numbers": [1, 2.50, 1e400]}
    written = json.dumps(params).replace("Infinity", "1e400").encode()
    with running.connect() as client:
        client.send(request("poison", "P", "bad").replace(b'"P"', written))
        client.send(b"".join(request("echo", [id], id) for id in range(100)))
        answers = client.answers(101)
    assert answers.pop("bad")["error"]["code"] == -32014
    assert all(answers[id]["result"] == [id] for id in range(100))
    quarantined = running.wait_for_line(r"event=crash_recorded .*").group(0)
    assert re.fullmatch(
        r'event=crash_recorded request=\d+ id="\\"bad\\"" method=poison handler=poison'
        r" attempts=2 crash=crash-\S+",
        quarantined,
    )
    file = running.wait_for_line(r"event=job_kept job=crash-\S+ file=(\S+)").group(1)
    [crash] = kept(tmp_path / "crashes")
    assert str(crash) == file
    assert (crash.stat().st_mode & 0o777, crash.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    text = crash.read_bytes()
    assert b'"params": ' + written + b",\n" in text
    job = json.loads(text)
    number = re.search(r"request=(\d+)", quarantined).group(1)
    assert crash.name.endswith(f"-{running.pid}-{number}.json")
    assert job["kept"] == "its workers died" and job["request"] == int(number)
    assert (job["method"], job["steps"], job["step"]) == ("poison", ["poison"], 1)
    assert (job["id"], job["attempts"]) == ("bad", 2)
    assert [death["how"] for death in job["deaths"]] == ["SIGABRT"] * 2
    assert len({death["pid"] for death in job["deaths"]}) == 2
    for death in job["deaths"]:
        frames = [line for line in death["backtrace"] if line.startswith("misbehave+0x")]
        assert re.fullmatch(r"misbehave\+0x\w+ \(probe\.so\+0x\w+\)", frames[0])

    assert job["replay"] == f"ringmaster replay -c '{running.config}' '{crash}'"
    done = subprocess.run(
        ["sh", "-c", job["replay"].replace("ringmaster", str(build / "ringmaster"), 1)],
        cwd="/", capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode in (134, -signal.SIGABRT), done.stderr
    assert running.call("echo", [1]) == [1]


def test_a_kept_crash_names_its_configuration_from_anywhere(build, start, tmp_path, probe):
    """The kept job names the whole path of the configuration."""
    (tmp_path / "here").mkdir()
    config = tmp_path / "here" / "server.toml"
    config.write_text(configuration(
        crashes={"folder": tmp_path / "crashes"}, handlers={"poison": probe("aborts")},
        methods={"poison": {"attempts": 1}},
    ))
    running = start([build / "ringmaster", "serve", "-c", "./here/../here/server.toml"],
                    cwd=tmp_path)
    address = running.wait_for_line(r"event=ready address=(\S+)").group(1)
    with Client(address) as client, pytest.raises(RpcError):
        client.call("poison")
    running.wait_for_line("event=job_kept")
    [crash] = kept(tmp_path / "crashes")
    again = json.loads(crash.read_text())["replay"]
    assert again == f"ringmaster replay -c '{config}' '{crash}'"


def test_fetched_bodies_are_kept_too(poisoned, feature_service, tmp_path):
    fetch = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}
    running = poisoned(
        upstreams={"users": {"url": feature_service().url}},
        methods={
            "features": {"attempts": 1, "steps": [fetch, {"run": "poison"}]},
            "bodies": {"steps": [fetch]},
        },
    )
    body = running.call("bodies", {"user_id": 7})
    poison(running, {"user_id": 7}, "features")
    running.wait_for_line("event=job_kept")
    [crash] = kept(tmp_path / "crashes")
    job = json.loads(crash.read_text())
    assert (job["params"], job["output_1"]) == ({"user_id": 7}, body)
    assert (job["steps"], job["step"]) == (["users", "poison"], 2)


def test_a_job_without_params(poisoned, tmp_path):
    running = poisoned()
    poison(running)
    running.wait_for_line("event=job_kept")
    [crash] = kept(tmp_path / "crashes")
    assert "params" not in json.loads(crash.read_text())


def test_the_folder_is_bounded(poisoned, tmp_path):
    running = poisoned(crashes={"count": 3}, methods={"poison": {"attempts": 1}})
    for number in range(5):
        poison(running, [number])
    running.wait_for_lines("event=job_kept", 5)
    params = [json.loads(crash.read_text())["params"] for crash in kept(tmp_path / "crashes")]
    assert params == [[2], [3], [4]]


def test_a_payload_that_does_not_fit_is_not_copied(server, probe, gate, tmp_path):
    megabytes = 32
    running = server(
        may_crash=True,
        workers={"count": 1},
        limits={"request_bytes": "40MiB", "response_bytes": "40MiB"},
        crashes={"folder": tmp_path / "crashes", "total_bytes": "1MiB"},
        handlers={"hold": probe("hold"), "poison": probe("aborts")},
        methods={"both": {"attempts": 1, "steps": [{"run": "hold"}, {"run": "poison"}]}},
    )
    if is_sanitized(running.pid):
        pytest.skip("a sanitizer's allocator keeps what was freed")
    held = gate()
    with running.connect() as client:
        client.send(held.request(1, "both", text="x" * (megabytes << 20)))
        held.wait_for_runs(1)
        if not forget_peak(running.pid):
            pytest.skip("/proc/PID/clear_refs cannot forget a peak")
        before = resident_bytes(running.pid)
        held.open()
        assert client.answer()["error"]["code"] == -32014
        running.wait_for_line("event=job_not_kept .*crashes.total_bytes is 1048576")
    # The result, where the worker wrote it and as the second step's input.
    grown = (peak_bytes(running.pid) - before) >> 20
    assert grown < 2.5 * megabytes, grown


def test_a_folder_that_cannot_be_made_is_told(poisoned, tmp_path):
    (tmp_path / "file").write_text("")
    running = poisoned(
        crashes={"folder": tmp_path / "file" / "x"}, methods={"poison": {"attempts": 1}}
    )
    poison(running, [1])
    assert "Not a directory" in running.wait_for_line("event=job_not_kept .*").group(0)
    assert running.call("echo", [1]) == [1]


def test_without_a_folder_a_lost_job_is_only_logged(poisoned, tmp_path):
    running = poisoned(crashes={"folder": ""}, methods={"poison": {"attempts": 1}})
    poison(running, [1])
    recorded = running.wait_for_line("event=crash_recorded request=.*").group(0)
    assert " attempts=1" in recorded and " crash=" not in recorded  # no file is there to name
    assert running.stop() == 0
    assert not [line for line in running.lines if "_kept" in line]


def test_what_is_left_to_write_is_written_before_the_master_ends(poisoned, tmp_path):
    running = poisoned(methods={"poison": {"attempts": 1}})
    with running.connect() as client:
        client.send(request("poison", ["x" * 1_000_000]))
        running.wait_for_line("event=crash_recorded")
        assert running.stop() == 0
    [crash] = kept(tmp_path / "crashes")
    assert json.loads(crash.read_text())["params"] == ["x" * 1_000_000]


SLOW = {"handlers": {"burn": {}}, "workers": {"count": 1}}


def test_a_slow_job_is_kept_once_a_second(server, feature_service, tmp_path):
    fetch = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}
    running = server(
        crashes={"folder": tmp_path / "crashes"},
        upstreams={"users": {"url": feature_service().url}},
        methods={
            "burn": {"slow_ms": 20},
            "after": {"slow_ms": 20, "steps": [fetch, {"run": "burn"}]},
            "other": {"steps": [{"run": "burn"}]},
            "fetched": {"slow_ms": 1, "steps": [fetch]},
        },
        **SLOW,
    )
    params = {"user_id": 7, "cpu_ms": 40}
    for method in ("fetched", "other", "after", "after"):
        running.call(method, params)
    assert running.call("burn", {"cpu_ms": 0}) == {"cpu_ms": 0}
    running.call("burn", {"cpu_ms": 60})
    running.wait_for_lines("event=job_kept job=slow-", 2)
    # What is still to be written is written before the end.
    assert running.stop() == 0
    jobs = [json.loads(path.read_text()) for path in kept(tmp_path / "crashes", "slow")]
    # Two calls of `after` may be a second apart on a slow machine.
    after, *again, burn = jobs
    assert [job["method"] for job in [after, *again]] in (["after"], ["after"] * 2)
    assert after["kept"] == "it was slow" and after["slow_ms"] == 20 <= after["took_ms"]
    assert (after["params"], after["step"]) == (params, 2)
    assert after["output_1"]["user_id"] == 7
    assert burn["method"] == "burn" and burn["params"] == {"cpu_ms": 60}
    assert not kept(tmp_path / "crashes")


def test_a_job_that_overran_its_deadline_is_slow(server, probe, gate, tmp_path):
    running = server(
        crashes={"folder": tmp_path / "crashes"},
        handlers={"hold": probe("hold")},
        methods={"hold": {"timeout_ms": 100, "slow_ms": 50}},
        may_crash=True,
    )
    held = gate()
    assert running.error_of("hold", held.params()).code == -32012
    running.wait_for_line("event=job_kept job=slow-")
    [job] = [json.loads(path.read_text()) for path in kept(tmp_path / "crashes", "slow")]
    assert job["params"] == held.params() and job["took_ms"] >= 100


def test_without_a_folder_no_slow_job_is_kept(server, tmp_path):
    running = server(methods={"burn": {"slow_ms": 1}}, **SLOW)
    running.call("burn", {"cpu_ms": 20})
    assert running.stop() == 0
    assert not [line for line in running.lines if "_kept" in line]
