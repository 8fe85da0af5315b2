"""A job that overruns is interrupted before its worker is ended (handlers/overruns.c)."""

import time

import pytest
from client import request
from proc import wait_until
from server import HANDLERS, compile_handler


@pytest.fixture(scope="session")
def overruns(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    return {"library": compile_handler(folder / "overruns.so", HANDLERS / "overruns.c")}


@pytest.fixture
def overrunning(server, overruns):
    """overrunning(timeout_ms): a server with the methods `fast` and, with this timeout, `slow`."""

    def start(timeout_ms: int, **methods):
        return server(
            workers={"count": 1},
            handlers={"echo": {}, "fast": overruns},
            methods={"slow": {"timeout_ms": timeout_ms, "attempts": 1, "steps": [{"run": "fast"}]}}
            | methods,
        )

    return start


def test_a_job_that_stops_when_interrupted_keeps_its_worker(overrunning):
    running = overrunning(1000)
    workers = running.workers()
    failed = running.error_of("slow", {"what": "waits"})
    assert failed.code == 7 and failed.message == "interrupted"
    lines = running.wait_for_lines("event=output", 2)
    assert ["in f() of Overruns" in lines[0], "in main" in lines[1]] == [True, True]
    assert all("method=slow" in line and "role=worker" in line for line in lines)
    assert running.call("fast", {"what": "ends"}) == 1
    assert running.workers() == workers


def test_a_job_that_goes_on_loses_its_worker(overrunning):
    running = overrunning(200)
    workers = running.workers()
    assert running.error_of("slow", {"what": "hangs"}).code == -32012
    running.wait_for_lines("in f() of Overruns", 1)
    wait_until(lambda: running.workers() != workers, "a new worker")
    assert running.call("fast", {"what": "ends"}) == 0


def test_no_other_job_is_interrupted(overrunning):
    """The next job of the same handler is not interrupted, nor is one of a handler without an
    interrupt()."""
    running = overrunning(400)
    with running.connect() as client:
        assert client.call("slow", {"what": "ends"}) == 0
        assert client.call("fast", {"what": "sleeps"}) == 0
        assert client.call("slow", {"what": "ends"}) == 0
        assert client.call("echo", [1]) == [1]
        assert client.call("fast", {"what": "sleeps"}) == 0
        assert client.call("fast", {"what": "sleeps"}) == 0


def test_a_late_signal_of_the_timer_is_not_for_another_handler(server, overruns, probe):
    """The interrupt can come late if the handler has blocked its signal."""
    running = server(
        workers={"count": 1},
        handlers={"slow": overruns, "other": probe("raises_sigrtmax")},
        methods={"slow": {"timeout_ms": 400}},
    )
    assert running.error_of("slow", {"what": "waits"}).message == "interrupted"
    assert running.call("other") is None


def test_an_answered_job_does_not_interrupt_the_rest_of_its_batch(server, probe, gate, overruns):
    """The rest came a second later, and runs on after the first job's time has passed."""
    running = server(
        workers={"count": 1},
        handlers={"hold": probe("hold"), "f": overruns | {"batch": 8}},
        methods={"f": {"timeout_ms": 2000}},
    )
    held = gate()
    with running.connect() as client:
        held.hold(client, "hold")
        client.send(request("f", {"what": "ends"}, 0))
        time.sleep(1)
        client.send(b"".join(request("f", {"what": "sleeps"}, n) for n in range(1, 5)))
        client.send(request("none", id="all are in"))
        assert client.answer()["id"] == "all are in"
        held.open()
        answers = client.answers(6)
    assert [answers[n].get("result") for n in range(5)] == [0] * 5


def test_a_crash_report_has_the_stack_of_the_handlers_language(server, overruns):
    running = server(may_crash=True, handlers={"bad": overruns})
    assert running.error_of("bad", {"what": "crashes"}).code == -32014
    [line, _] = running.wait_for_lines("event=backtrace", 2)
    assert line.endswith('stack="in f() of Overruns < in main"')
