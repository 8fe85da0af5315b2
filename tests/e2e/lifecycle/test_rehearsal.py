"""A rehearsed reload: the next generation runs recent jobs before it serves, and is refused if
it does them worse. The scenario `rehearsal` of tests/bench tries all of score_changes.py."""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from client import DEADLINE_S
from metrics import by
from proc import is_alive, parent
from score_changes import HARMLESS, REGRESSIONS, SCORE, changed
from status_port import ON, ask, status_of

JOBS = 50

# The worker of a rehearsal runs at idle priority: other tests would leave it no CPU time.
pytestmark = pytest.mark.alone


@pytest.fixture
def scoring(python):
    """scoring(code, **sections): the sections of a server whose method `score` is this code."""
    def sections(code=SCORE, **more):
        return {"handlers": {"score": python(code)}, "reload": {"rehearse": JOBS},
                "methods": {"score": {"timeout_ms": 20_000}}} | more

    return sections


def ask_all(running, count=JOBS):
    with running.connect() as client:
        for user_id in range(count):
            client.call("score", {"user_id": user_id})


@contextlib.contextmanager
def calling(running):
    """Calls the method `score` for one user after the other until the block ends. A failed call
    fails the test."""
    is_over = Event()

    def call():
        with running.connect() as client:
            for user_id in itertools.cycle(range(JOBS)):
                if is_over.is_set():
                    return
                assert client.call("score", {"user_id": user_id})["user_id"] == user_id

    with ThreadPoolExecutor(1) as thread:
        calls = thread.submit(call)
        try:
            yield
        finally:
            is_over.set()
        calls.result(DEADLINE_S)


def test_regressions_are_refused_and_a_harmless_change_is_not(server, scoring):
    """No client's request fails meanwhile."""
    running = server(**scoring(), may_crash=True)
    ask_all(running)
    workers = running.workers().values()
    with calling(running):
        for name, says in [("a crash for one user", "the worker died (exit 1)"),
                           ("three times slower", "times the CPU time in the median"),
                           ("NaN", f"{JOBS} of {JOBS} jobs fail")]:
            line = running.reload(**scoring(changed(REGRESSIONS[name])))
            assert line.startswith("event=reload_failed"), name
            assert "the rehearsal of method score: " in line and says in line
            assert all(map(is_alive, workers))
        line = running.reload(**scoring(changed(HARMLESS["trained again"])))
    assert line.startswith("event=reloaded")
    running.wait_for_line("event=rehearsed .*passed=yes")
    assert len(running.workers()) == 2


def test_the_command_the_log_and_the_status_say_why(server, scoring, build, tmp_path):
    """They name a request, but show neither its params nor its answer, which are users' data."""
    more = {"listen": {"status": f"unix:{tmp_path}/status.sock"}, "log": {"access": "all"}}
    running = server(**scoring(**more))
    ask_all(running)
    requests = [re.search(r" request=(\d+)", line)[1] for line in running.lines
                if "event=request " in line]
    running.configure(**scoring(changed(REGRESSIONS["null for one user"]), **more))
    done = subprocess.run([build / "ringmaster", "reload", "-c", running.config, "--wait"],
                          capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 78
    why = "of 50 answers have another structure: result.score has null where there was number"
    assert f"{why}; for example request {requests[37]}" in done.stderr
    example = running.wait_for_line("event=rehearsal_example .*").group(0)
    assert f"method=score request={requests[37]} " in example and why in example
    top = subprocess.run([build / "ringmaster", "top", "-c", running.config, "--count", "1"],
                         capture_output=True, text=True, timeout=DEADLINE_S)
    assert f"the last reload failed: the rehearsal of method score: 1 {why}" in top.stdout
    assert not any("user_id" in text for text in [done.stderr, top.stdout, *running.lines])


def test_a_rehearsal_is_in_no_metrics_traces_or_logs_of_requests(server, scoring):
    sections = scoring(listen=ON, log={"access": "all"},
                       methods={"score": {"timeout_ms": 20_000, "slow_ms": 1}})
    running = server(**sections)
    ask_all(running)
    address = status_of(running)
    assert running.reload(**sections).startswith("event=reloaded")
    running.wait_for_line("event=rehearsed .*passed=yes")
    assert by(address, "requests_total", "method", "code") == {("score", "0"): JOBS}
    assert by(address, "stage_duration_seconds_count", "method", "stage")["score", "run"] == JOBS
    assert not any(by(address, "worker_ends_total", "reason").values())
    begins = [event for event in json.loads(ask(address, "/trace.json")[1])["traceEvents"]
              if event["ph"] == "b" and event["cat"] == "request"]
    assert len(begins) == JOBS
    assert len([line for line in running.lines if "event=request " in line]) == JOBS
    assert not json.loads(ask(address, "/profile")[1]).get("methods")


def test_the_jobs_outlive_a_reload(server, scoring):
    """The next reload rehearses the same jobs, even if it comes at once."""
    running = server(**scoring())
    ask_all(running)
    assert running.reload(**scoring()).startswith("event=reloaded")
    line = running.reload(**scoring(changed(REGRESSIONS["null"])))
    assert line.startswith("event=reload_failed")
    # With rehearse = 0 the server accepts a change of the answers.
    wanted = scoring(changed(REGRESSIONS["null"]), reload={"rehearse": 0})
    assert running.reload(**wanted).startswith("event=reloaded")
    assert running.call("score", {"user_id": 1})["score"] is None


COUNTS = """
    def run(path):
        with open(path, "a") as file:
            file.write("x")
        return len(path)
"""


def test_jobs_that_may_run_only_once(server, python, tmp_path):
    """A job with one attempt is not rehearsed, unless its method allows it."""
    methods = {"once": {"attempts": 1}, "more": {"attempts": 1, "rehearse": True},
               "retried": {"attempts": 2}}
    sections = {"handlers": {"count": python(COUNTS)}, "reload": {"rehearse": 10},
                "methods": {name: {"steps": [{"run": "count"}]} | method
                            for name, method in methods.items()}}
    running = server(**sections)
    for name in methods:
        running.call(name, {"path": f"{tmp_path}/{name}"})
    assert running.reload(**sections).startswith("event=reloaded")
    runs = {name: len((tmp_path / name).read_text()) for name in methods}
    assert runs == {"once": 1, "more": 2, "retried": 2}


FETCHES = """
    def run(user_id, users, gone, again):
        assert gone is None and again["user_id"] == user_id
        return len(users["events"])
"""


def test_upstreams_are_not_asked_again(server, python, feature_service):
    """The rehearsal uses the former responses: of parallel fetches, of a failed fetch, and of a
    fetch whose body holds another fetch's output."""
    upstream, gone = feature_service(), feature_service(name="gone")
    gone.process.stop()
    body = {"user_id": "${params.user_id}"}
    sections = {
        "upstreams": {"users": {"url": upstream.url}, "gone": {"url": gone.url}},
        "handlers": {"count": python(FETCHES)},
        "methods": {"count": {"steps": [
            {"parallel": [{"fetch": "users", "body": body},
                          {"fetch": "gone", "body": body, "optional": True}]},
            {"fetch": "users", "body": {"user_id": "${users.user_id}"}, "as": "again"},
            {"run": "count"}]}},
        "reload": {"rehearse": 10},
    }  # fmt: skip
    running = server(**sections)
    running.call("count", {"user_id": 42})
    upstream.process.stop()
    assert running.reload(**sections).startswith("event=reloaded")
    running.wait_for_line("event=rehearsed run=1 .*passed=yes")
    sections["handlers"]["count"] = python(FETCHES.replace('users["events"]', 'users["event"]'))
    line = running.reload(**sections)
    assert line.startswith("event=reload_failed") and "error -32000 (handler_failed)" in line


def test_a_c_handler_that_fails_is_refused(server, probe):
    sections = {"handlers": {"add": probe("sum")}, "reload": {"rehearse": 10}}
    running = server(**sections, may_crash=True)
    assert running.call("add", [1, 2]) == 3
    for behave, says in [("crashes", "the worker died"), ("invalid_json", "jobs fail")]:
        line = running.reload(**sections | {"handlers": {"add": probe(behave)}})
        assert line.startswith("event=reload_failed") and says in line
    assert running.call("add", [1, 2]) == 3


HOLDS = """
    import os, time
    def run(user_id):
        with open("{gate}.started", "a") as file:
            file.write(f"{{os.getpid()}}\\n")
        while not os.path.exists("{gate}"):
            time.sleep(0.001)
        return {{}}
"""


@pytest.fixture
def held(server, python, gate):
    """held() -> (server, gate, pid): a reload is under way, and the new worker `pid` holds a
    rehearsed job at the gate."""
    def begin():
        barrier = gate()
        sections = {"handlers": {"hold": python("def run(user_id): return {}"), "echo": {}},
                    "reload": {"rehearse": 10}, "methods": {"hold": {}}}
        running = server(**sections, may_crash=True)
        running.call("hold", {"user_id": 1})
        sections["handlers"]["hold"] = python(HOLDS.format(gate=barrier.path), file="holds")
        running.configure(**sections)
        running.send(signal.SIGHUP)
        return running, barrier, barrier.wait_for_runs(1)[0]

    return begin


def test_the_old_generation_serves_meanwhile(held):
    running, barrier, pid = held()
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    assert running.call("echo", [1]) == [1]
    assert running.call("hold", {"user_id": 2}) == {}
    barrier.open()
    running.wait_for_line("event=reloaded")
    assert all(os.sched_getscheduler(pid) != os.SCHED_IDLE or
               os.sched_getscheduler(os.getpid()) == os.SCHED_IDLE
               for pid in running.workers().values())
    assert pid not in running.workers().values()


def test_the_worker_of_a_rehearsal_is_killed(held):
    running, _, pid = held()
    os.kill(pid, signal.SIGKILL)
    line = running.wait_for_line("event=(reloaded|reload_failed) .*").group(0)
    assert "reload_failed" in line and "the worker died (SIGKILL)" in line
    assert running.call("hold", {"user_id": 2}) == {}


def test_the_fork_server_of_a_rehearsal_is_killed(held):
    """The next fork server's worker runs the job again."""
    running, barrier, pid = held()
    os.kill(parent(pid), signal.SIGKILL)
    barrier.wait_for_runs(2)
    barrier.open()
    running.wait_for_line("event=reloaded")
    assert running.call("hold", {"user_id": 2}) == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_is_stopped(held, number):
    running, _, _ = held()
    assert running.stop(number) == 0
    assert any("in_flight=0" in line for line in running.lines if "event=stopping" in line)


def test_another_reload_is_asked_for(held):
    running, barrier, _ = held()
    running.send(signal.SIGHUP)
    assert running.call("echo", [1]) == [1]
    barrier.open()
    running.wait_for_lines("event=reloaded", 2)


def test_a_rehearsal_that_takes_too_long(server, python):
    """A job that sleeps on is a regression."""
    sections = {"handlers": {"wait": python("def run(user_id): return {}")},
                "reload": {"rehearse": 10}}
    running = server(**sections)
    running.call("wait", {"user_id": 1})
    sections["handlers"]["wait"] = python("""
        import time
        def run(user_id): time.sleep(99)
    """, file="waits")
    line = running.reload(**sections, workers={"start_timeout_ms": 2000})
    assert line.startswith("event=reload_failed") and "a job has not ended after" in line
