"""`serve --inline`: one process runs the handlers, for a debugger."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from client import Client, request
from proc import children, descendants, stopped, title, wait_until
from server import configuration

HANDLER = """
    import os
    def run(number: int = 0):
        if number == 1:
            breakpoint()
        return {"number": number, "pid": os.getpid()}
"""


@pytest.fixture
def inline(server):
    return lambda **options: server(arguments=["--inline"], **options)


def process_of(running) -> int:
    """The process that runs the handlers."""
    [pid] = children(running.pid)
    return pid


def test_one_process_runs_the_handlers_and_says_what_it_is_not_for(inline, python, probe, gate):
    running = inline(workers={"count": 4}, handlers={"f": python(HANDLER), "hold": probe("hold")})
    assert "not for production" in running.wait_for_line("event=inline .*").group(0)
    pid = process_of(running)
    assert running.call("f", {"number": 5}) == {"number": 5, "pid": pid}
    held = gate()
    held.open()
    running.call("hold", held.params())
    assert held.runs() == [pid]
    running.send(signal.SIGTTIN)  # no second process is started
    assert running.call("f") == {"number": 0, "pid": pid}
    assert (running.worker_count, descendants(running.pid)) == (1, [pid])
    assert title(pid).startswith("ringmaster: worker 0 gen=1")


def test_no_job_is_ended_for_its_deadline(inline, probe, gate):
    """Neither the method's deadline nor the client's ends a job, even while another job waits."""
    running = inline(
        handlers={"echo": {}, "hold": probe("hold")},
        methods={"hold": {"timeout_ms": 1}, "echo": {"timeout_ms": 1}},
    )
    pid = process_of(running)
    held, client, other = gate(), running.connect(), running.connect()
    client.send(held.request(1, _meta={"timeout_ms": 100}))
    held.wait_for_runs(1)
    other.send(request("echo", [1], 2))
    assert client.answer()["error"]["code"] == -32012
    # Without --inline the server would end the worker now, since a job waits. Here a debugger may
    # even stop the process.
    begun = time.monotonic()
    with stopped(pid):
        wait_until(lambda: time.monotonic() > begun + 1.5, "longer than a worker may be frozen")
    held.open()
    assert other.answer()["result"] == [1]
    assert process_of(running) == pid
    assert not [line for line in running.lines if "level=error" in line]


def test_an_idle_process_that_a_debugger_stops_is_left_alone(inline):
    running = inline()
    pid = process_of(running)
    begun = time.monotonic()
    with stopped(pid), running.connect() as client:
        client.send(request("echo", [1]))
        wait_until(lambda: time.monotonic() > begun + 6.5, "longer than one may be frozen")
        os.kill(pid, signal.SIGCONT)
        assert client.answer()["result"] == [1]
    assert process_of(running) == pid


def test_breakpoint_reads_the_terminal(inline, python, tmp_path):
    (tmp_path / "typed").write_text("number = 20\ncontinue\n")
    running = inline(
        handlers={"f": python(HANDLER)},
        before=["sh", "-c", f'exec "$0" "$@" < {tmp_path}/typed'],
    )
    assert running.call("f", {"number": 1})["number"] == 20


def test_a_crash_ends_it_and_another_one_serves_on(inline, probe, tmp_path):
    """The job is kept, and its client is told not to try again, as by a server with workers."""
    running = inline(may_crash=True, handlers={"echo": {}, "poison": probe("aborts")},
                     crashes={"folder": tmp_path / "crashes"})
    pid = process_of(running)
    error = running.error_of("poison")
    assert (error.code, error.data["retryable"]) == (-32014, False)
    running.wait_for_line(r"event=fork_server_died .*SIGABRT")
    file = running.wait_for_line(r"event=job_kept job=crash-\S+ file=(\S+)").group(1)
    (death,) = json.loads(Path(file).read_text())["deaths"]
    assert (death["pid"], death["how"]) == (pid, "SIGABRT")
    running.wait_for_line("event=worker_ready worker=0 gen=2")
    assert running.call("echo", [1]) == [1]
    assert process_of(running) != pid


def test_a_reload_starts_another_process(inline, python):
    handlers = {"f": python("def run(): return 1")}
    running = inline(handlers=handlers)
    pid = process_of(running)
    assert running.call("f") == 1
    python("def run(): return 2")
    assert running.reload(handlers=handlers).startswith("event=reloaded")
    assert running.call("f") == 2
    running.assert_one_generation()
    assert process_of(running) != pid


@pytest.mark.needs("gdb")
def test_gdb_stops_where_it_was_told_before_the_handler_was_loaded(build, start, probe, tmp_path):
    config = tmp_path / "server.toml"
    config.write_text(configuration(handlers={"probe": probe("prints")}))
    commands = ["set breakpoint pending on", "set follow-fork-mode child", "break misbehave", "run",
                "backtrace", "continue"]
    argv = ["gdb", "-batch", "-nx", *[word for command in commands for word in ("-ex", command)]]
    gdb = start([*argv, "--args", build / "ringmaster", "serve", "--inline", "-c", config],
                env={"ASAN_OPTIONS": "detect_leaks=0"})  # gdb prevents leak detection
    address = gdb.wait_for_line(r"event=ready address=(\S+)").group(1)
    with Client(address) as client:
        client.send(request("probe", [1], 1))
        assert client.answer()["result"] == "written"
    [master] = [pid for pid in descendants(gdb.pid) if "ringmaster: master" in title(pid)]
    os.kill(master, signal.SIGTERM)
    assert gdb.wait() == 0
    shown = "\n".join(gdb.output)
    assert re.search(r"#0 +(0x\w+ in )?misbehave \(", shown), shown
    assert "/src/worker/desk.cc:" in shown, shown
