"""`ringmaster replay`: a kept job is run again in one process, without a server."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from client import DEADLINE_S, request
from proc import wait_until
from scripted_upstream import ScriptedUpstream, answer
from server import configuration

HANDLER = """
    import ringmaster
    def run(users: memoryview, number: int = 0):
        job = ringmaster.job()
        if number == 1:
            breakpoint()
        return {"method": job.method, "id": job.id, "traceparent": job.traceparent,
                "number": number, "users": bytes(users).hex()}
"""
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
JOB = {"method": "m", "steps": ["users", "f"], "step": 2, "params": {"number": 7},
       "output_1": {"a": 1}}


@pytest.fixture
def sections(python):
    """The configuration of a method that fetches, and then runs a Python function."""
    return {
        "upstreams": {"users": {"url": "http://127.0.0.1:9/"}},
        "handlers": {"f": python(HANDLER), "echo": {}},
        "methods": {"m": {"steps": [{"fetch": "users"}, {"run": "f"}]}},
    }


@pytest.fixture
def replay(build, tmp_path, sections):
    """replay(job, ARGUMENT...): replays a job, given as JSON value, as bytes, or as a file."""

    def run(job, *arguments, stdin="", config=None):
        if config is None:
            config = tmp_path / "replay.toml"
            config.write_text(configuration(**sections))
        file = job if isinstance(job, Path) else tmp_path / "job.json"
        if file is not job:
            file.write_bytes(job if isinstance(job, bytes) else json.dumps(job).encode())
        return subprocess.run(
            [build / "ringmaster", "replay", file, "-c", config, *arguments], input=stdin.encode(),
            capture_output=True, timeout=DEADLINE_S,
        )

    return run


def kept(folder, kind) -> Path:
    found = lambda: sorted(folder.glob(f"{kind}-*"))
    wait_until(found, f"a {kind} job in {folder}")
    return found()[0]


def test_a_slow_job_gives_the_same_result(server, sections, tmp_path, replay):
    """The job has a fetched body that is no JSON, and an id and a trace of its client."""
    body = b"<html>\xff\0\n\"\\</html>"
    sections["methods"]["m"]["slow_ms"] = 1
    sections["crashes"] = {"folder": tmp_path / "crashes"}

    def answer_slowly(connection, _):
        time.sleep(0.01)
        connection.sendall(answer(body))

    with ScriptedUpstream(answer_slowly) as upstream:
        sections["upstreams"]["users"]["url"] = upstream.url
        running = server(**sections)
        client = running.connect()
        client.send(request("m", {"number": 7, "_meta": {"traceparent": TRACEPARENT}}, "an id"))
        result = client.answer()["result"]
    assert (result["users"], result["traceparent"]) == (body.hex(), TRACEPARENT)
    file = kept(tmp_path / "crashes", "slow")
    assert json.loads(file.read_text())["output_1_bytes"].encode("latin-1") == body
    done = replay(file, config=running.config)
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, result, b"")


@pytest.fixture(scope="module")
def crash(module_server, probe, tmp_path_factory) -> tuple[Path, Path]:
    """The file of a job that has crashed, and its server's configuration."""
    folder = tmp_path_factory.mktemp("crashes")
    running = module_server(
        may_crash=True, crashes={"folder": folder},
        handlers={"poison": probe("aborts")}, methods={"poison": {"attempts": 1}},
    )
    assert running.error_of("poison", [1]).code == -32014
    return kept(folder, "crash"), running.config


def test_a_crash_crashes_again(crash, replay):
    file, config = crash
    done = replay(file, config=config)
    assert done.returncode == -signal.SIGABRT, done.stderr


@pytest.mark.needs("gdb")
def test_gdb_stops_in_the_functions_of_the_kept_backtrace(crash, replay, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # gdb prevents leak detection
    file, config = crash
    backtrace = json.loads(file.read_text())["deaths"][0]["backtrace"]
    ours = [line.split("+")[0] for line in backtrace if "(probe.so+" in line]
    done = replay(file, "--gdb", config=config, stdin="run\nbacktrace\nkill\nquit\n")
    shown = done.stdout.decode()
    assert "SIGABRT" in shown, (shown, done.stderr)
    at = [shown.find(f" {function} (") for function in ours]
    assert ours and -1 not in at and at == sorted(at), (ours, shown)


def test_python_has_its_debugger(replay, sections, python):
    sections["handlers"]["f"] = python("def run(users, number: int = 0): breakpoint()")
    done = replay(JOB | {"params": {"number": 1}}, stdin="p number + 41\ncontinue\n")
    assert done.returncode == 0 and b"(Pdb) 42\n" in done.stdout, done.stderr


def test_an_error_is_printed_as_run_prints_it(replay):
    done = replay(JOB | {"params": {"number": "x"}})
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"error -32602: params/number: ")


def test_another_step_is_run_where_the_file_says_so(replay, sections):
    sections["methods"]["m"]["steps"].append({"run": "echo"})
    job = JOB | {"steps": ["users", "f", "echo"], "output_2": 5}
    assert json.loads(replay(job | {"step": 3}).stdout) == {"number": 7}
    assert json.loads(replay(job).stdout)["number"] == 7


def without(name):
    return {key: value for key, value in JOB.items() if key != name}


@pytest.mark.parametrize(
    "job, says",
    [
        (b"", "is no kept job: expected a JSON object: "),
        (b"\xff\xfe", "is no kept job: expected a JSON object: "),
        (json.dumps(JOB)[:-5].encode(), "is no kept job: expected a JSON object: "),
        (b"[" * 1_000_000, "is no kept job: expected a JSON object: expected at most 128 levels"),
        ([], 'is no kept job: expected "method", a string, found none'),
        (without("step"), 'expected "step", a number from 1 to 2, found none'),
        (JOB | {"step": 1e9}, 'expected "step", a number from 1 to 2, found 1000000000.0'),
        (without("output_1"), 'expected either "output_1" or "output_1_bytes", found neither'),
        (JOB | {"params": "{}"}, 'expected "params", an object or array, found "{}"'),
        (JOB | {"method": "mm"}, "the job is of the method mm, which {config} does not have; did "
                                 "you mean m?"),
        (JOB | {"steps": ["users", "g"]}, "the job is of the method m with the steps users, g, "
                                          "found users, f in {config}"),
        (JOB | {"steps": ["users"] * 1000, "step": 1}, "found users, f in {config}"),
        (JOB | {"step": 1}, "expected a step that runs a handler, found step 1 of m, which "
                            "fetches from users"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_file_that_does_not_fit_exits_64(replay, tmp_path, job, says):
    done = replay(job)
    assert (done.returncode, done.stdout) == (64, b"")
    assert says.replace("{config}", str(tmp_path / "replay.toml")) in done.stderr.decode()


def test_a_file_that_cannot_be_read_exits_64(replay, tmp_path):
    done = replay(tmp_path / "none.json")
    assert (done.returncode, done.stdout) == (64, b"")
    assert f"replay: {tmp_path}/none.json: " in done.stderr.decode()


def test_a_handler_that_does_not_load_exits_78(replay, sections, python):
    sections["handlers"]["f"] = python("import missing_module")
    done = replay(JOB)
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"No module named 'missing_module'" in done.stderr


@pytest.mark.parametrize("words, says", [
    (["replay"], "replay: expected -c FILE, the configuration, found none"),
    (["replay", "-c", "x.toml"], "replay: expected a FILE, a kept job, found none"),
])
def test_a_wrong_command_line_exits_64(build, words, says):
    done = subprocess.run([build / "ringmaster", *words], capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 64 and says in done.stderr.decode()
