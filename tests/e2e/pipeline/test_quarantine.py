"""A job that kills its workers fails, and its payload is kept."""

import json
import re
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


def kept(folder) -> list:
    """The crashes there, oldest first."""
    return sorted(path for path in folder.glob("*")) if folder.exists() else []


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
    folder = running.wait_for_line(r"event=crash_kept crash=\S+ folder=(\S+)").group(1)
    [crash] = kept(tmp_path / "crashes")
    assert str(crash) == folder
    assert sorted(file.name for file in crash.iterdir()) == ["params.json", "report.txt"]
    assert (crash / "params.json").read_bytes() == written
    report = (crash / "report.txt").read_text()
    number = re.search(r"request=(\d+)", quarantined).group(1)
    assert report.startswith(f"request: {number}\nmethod: poison\n")
    assert crash.name.endswith(f"-{running.pid}-{number}")
    assert len(re.findall(r"^worker \d of generation 1, pid \d+: SIGABRT$", report, re.M)) == 2
    assert len(re.findall(r"^misbehave\+0x\w+ \(probe\.so\+0x\w+\)$", report, re.M)) == 2

    again = re.search(r"^run it again: (.*)$", report, re.M).group(1)
    with_config = f"-c '{running.config}'"  # whose port is 0
    assert again.startswith(f"ringmaster call {with_config} 'poison' ")
    again = again.replace(with_config, f"--to {running.address}")
    done = subprocess.run(
        ["sh", "-c", again.replace("ringmaster", str(build / "ringmaster"), 1)],
        cwd=crash, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "error -32014" in done.stderr
    wait_until(lambda: len(kept(tmp_path / "crashes")) == 2, "the crash to be kept again")
    wait_until(lambda: len(running.wait_for_lines("event=crash_kept", 2)) == 2, "both to be told")
    assert [(path / "params.json").read_bytes() for path in kept(tmp_path / "crashes")] == [
        written, written
    ]  # fmt: skip


def test_a_kept_crash_names_its_configuration_from_anywhere(build, start, tmp_path, probe):
    """Whatever folder the server was started in."""
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
    running.wait_for_line("event=crash_kept")
    [crash] = kept(tmp_path / "crashes")
    assert f"\nrun it again: ringmaster call -c '{config}' 'poison'" in (
        crash / "report.txt").read_text()


def test_fetched_bodies_are_kept_too(poisoned, feature_service, tmp_path):
    fetch = {"fetch": "users", "body": {"user_id": "$params.user_id"}}
    running = poisoned(
        upstreams={"users": {"url": feature_service().url}},
        methods={
            "features": {"attempts": 1, "steps": [fetch, {"run": "poison"}]},
            "bodies": {"steps": [fetch]},
        },
    )
    body = running.call("bodies", {"user_id": 7})
    poison(running, {"user_id": 7}, "features")
    running.wait_for_line("event=crash_kept")
    [crash] = kept(tmp_path / "crashes")
    assert json.loads((crash / "params.json").read_text()) == {"user_id": 7}
    assert json.loads((crash / "input-1").read_text()) == body
    assert "\nstep: 2 of 2\n" in (crash / "report.txt").read_text()


def test_a_job_without_params(poisoned, tmp_path):
    running = poisoned()
    poison(running)
    running.wait_for_line("event=crash_kept")
    [crash] = kept(tmp_path / "crashes")
    assert [file.name for file in crash.iterdir()] == ["report.txt"]
    assert (crash / "report.txt").read_text().count("'poison'\n") == 1


def test_the_folder_is_bounded(poisoned, tmp_path):
    running = poisoned(crashes={"count": 3}, methods={"poison": {"attempts": 1}})
    for number in range(5):
        poison(running, [number])
    running.wait_for_lines("event=crash_kept", 5)
    params = [(crash / "params.json").read_text() for crash in kept(tmp_path / "crashes")]
    assert params == ["[2]", "[3]", "[4]"]


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
        running.wait_for_line("event=crash_not_kept .*crashes.total_bytes is 1048576")
    # The result, where the worker wrote it and as the second step's input.
    grown = (peak_bytes(running.pid) - before) >> 20
    assert grown < 2.5 * megabytes, grown


def test_a_folder_that_cannot_be_made_is_told(poisoned, tmp_path):
    (tmp_path / "file").write_text("")
    running = poisoned(
        crashes={"folder": tmp_path / "file" / "x"}, methods={"poison": {"attempts": 1}}
    )
    poison(running, [1])
    assert "Not a directory" in running.wait_for_line("event=crash_not_kept .*").group(0)
    assert running.call("echo", [1]) == [1]


def test_without_a_folder_it_is_only_told(poisoned, tmp_path):
    running = poisoned(crashes={"folder": ""}, methods={"poison": {"attempts": 1}})
    poison(running, [1])
    running.wait_for_line("event=crash_recorded request=")
    assert running.stop() == 0
    assert not [line for line in running.lines if "crash_kept" in line or "not_kept" in line]


def test_what_is_left_to_write_is_written_before_the_master_ends(poisoned, tmp_path):
    running = poisoned(methods={"poison": {"attempts": 1}})
    with running.connect() as client:
        client.send(request("poison", ["x" * 1_000_000]))
        running.wait_for_line("event=crash_recorded")
        assert running.stop() == 0
    [crash] = kept(tmp_path / "crashes")
    assert (crash / "params.json").stat().st_size == 1_000_004
