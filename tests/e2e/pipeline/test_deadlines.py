"""One deadline for everything: a job that waits past it never runs, one that runs past it is
stopped."""

import contextlib
import os
import re
import signal
import time

import pytest
from client import assert_no_wait_for_tick, request
from proc import stopped, voluntary_switches, wait_until, zombies_under
from status_port import ON, ask, status_of


def assert_expired(answer: dict, executed):
    error = answer["error"]
    assert error["code"] == -32012, answer
    assert error["data"] == {"reason": "deadline", "retryable": True, "executed": executed}


def test_a_job_that_overruns_is_stopped_and_its_worker_replaced(server, probe, gate):
    running = server(
        handlers={"echo": {}, "hold": probe("hold"), "brief": probe("hold")},
        methods={"brief": {"timeout_ms": 1500, "attempts": 5}},
    )
    other, overrun = gate("other"), gate("overrun")
    slots = {pid: slot for slot, pid in running.workers().items()}
    with running.connect() as client:
        unharmed = other.hold(client, "other")[0]
        before = len(running.lines)
        stopped = overrun.hold(client, "overrun", "brief")[0]
        answer = client.answer()
        assert answer["id"] == "overrun"
        assert_expired(answer, "unknown")
        slot = slots[stopped]
        assert running.wait_for_worker(slot, before) != stopped
        running.wait_for_line(
            rf"event=timeout worker={slot} request=\d+ id=\S+overrun\S+ method=brief waited_ms=\d+"
        )
        running.wait_for_line(rf"event=worker_died worker={slot} .*pid={stopped} how=SIGKILL")
        other.open()
        assert client.answer()["result"] == other.params()
        assert client.call("echo", [1]) == [1]
    assert other.runs() == [unharmed]
    assert overrun.runs() == [stopped]  # attempts are for workers that die by themselves
    assert running.workers()[1 - slot] == unharmed
    assert zombies_under(running.pid) == []


def test_a_worker_that_answers_and_does_not_return_is_replaced(server, probe):
    """Its job is answered, so no deadline can end the worker any more."""
    running = server(workers={"count": 1}, handlers={"echo": {}, "stays": probe("stays")})
    before = len(running.lines)
    stuck = running.workers()[0]
    assert running.call("stays", {}) == "answered"
    assert running.call("echo", [1]) == [1]
    running.wait_for_line(r"event=worker_stuck worker=0 request=1 method=stays", before)
    died = running.wait_for_line(r"event=worker_died .*", before).group(0)
    assert died.endswith(f"worker=0 gen=1 pid={stuck} how=SIGKILL")  # it had no job


def test_a_worker_that_answers_and_does_not_return_makes_nobody_wait(server, probe):
    """The stuck worker is awake, and has no job, so the master must wake the other one. If it left
    that to the slow tick, each call would take 50 ms, until the stuck worker is gone."""
    running = server(workers={"count": 2}, handlers={"echo": {}, "stays": probe("stays")})
    is_gone = lambda: any("event=worker_stuck" in line for line in running.lines)
    took = []
    with running.connect() as client:
        assert client.call("stays", {}) == "answered"
        while len(took) < 100 and not is_gone():
            sent = time.monotonic()
            assert client.call("echo", [1]) == [1]
            took.append(time.monotonic() - sent)
        assert_no_wait_for_tick(client, took)
    running.wait_for_line("event=worker_died")  # else it would end only seconds after a stop


def test_a_worker_that_is_to_end_gets_no_other_job(server, probe, gate):
    """The first job overran and has returned, but the order to end its worker is on its way."""
    running = server(
        workers={"count": 1},
        handlers={"brief": probe("hold"), "once": probe("hold")},
        methods={"brief": {"timeout_ms": 1500}, "once": {"attempts": 1}},
    )
    overrun, innocent = gate("overrun"), gate("innocent")
    with running.connect() as client:
        overrun.hold(client, "overrun", "brief")
        client.send(innocent.request("innocent", "once"))
        os.kill(running.fork_server(), signal.SIGSTOP)  # it ends the workers
        try:
            assert_expired(client.answer(), "unknown")
            overrun.open()
        finally:
            os.kill(running.fork_server(), signal.SIGCONT)
        running.wait_for_line("event=worker_died worker=0")
        innocent.open()
        assert client.answer()["result"] == innocent.params()
        assert len(innocent.runs()) == 1


def test_however_many_jobs_of_a_worker_expire_it_is_ended_once(server, probe, gate):
    """The fork server, which ends workers, is stopped meanwhile. Its channel would not hold an
    order for each of these jobs."""
    running = server(
        workers={"count": 8},
        handlers={"echo": {}, "first": probe("hold"), "hold": probe("hold", batch=64)},
        methods={"hold": {"timeout_ms": 1000}},
    )
    first, held, before = gate("first"), gate("held"), len(running.lines)
    with running.connect() as client:
        # All workers are busy until the whole ring is full, so they take the jobs in batches.
        client.send(b"".join(first.request(f"first {id}", "first") for id in range(8)))
        first.wait_for_runs(8)
        os.kill(running.fork_server(), signal.SIGSTOP)
        try:
            client.send(b"".join(held.request(id) for id in range(500)) + request("none", id="in"))
            assert client.answer()["id"] == "in"
            first.open()
            answers = client.answers(508)
        finally:
            os.kill(running.fork_server(), signal.SIGCONT)
        errors = [answer["error"] for answer in answers.values() if "error" in answer]
        assert len(errors) == 500 and {error["code"] for error in errors} == {-32012}
        # Workers had these jobs in hand. The machine decides how many jobs and workers these are.
        overdue = [error for error in errors if error["data"]["executed"] == "unknown"]
        timeouts = running.wait_for_lines("event=timeout", len(overdue))
        ended = {int(re.search(r"worker=(\d+)", line).group(1)) for line in timeouts}
        assert len(overdue) > len(ended) > 0
        for worker in ended:
            running.wait_for_worker(worker, before)
        assert client.call("echo", [1]) == [1]
    lines = running.lines[before:]
    assert not [line for line in lines if "fork_server_died" in line or "control_channel" in line]
    assert len([line for line in lines if "event=worker_died" in line]) == len(ended)


def test_a_job_that_expires_in_the_queue_never_runs(holding, gate):
    running = holding(workers={"count": 1})
    first, expired = gate("first"), gate("expired")
    expired.open()
    with running.connect() as client:
        first.hold(client, "first")
        # More than are ever published ahead: some expire in the ring, some in the queue.
        for id in range(10):
            client.send(expired.request(id, _meta={"timeout_ms": 20 + 10 * id}))
        for answer in client.answers(10).values():
            assert_expired(answer, False)
        first.open()
        assert client.answer()["result"] == first.params()
        assert client.call("echo", ["after"]) == ["after"]
    assert not expired.was_reached()
    assert len(set(running.workers().values())) == 1


def test_of_two_waiting_jobs_the_one_with_less_time_runs_first(holding, gate):
    running = holding(workers={"count": 1})
    first, rest = gate("first"), gate("rest")
    rest.open()
    with running.connect() as client:
        first.hold(client, "first")
        # Each has an earlier deadline than the one before it.
        urgent = [rest.request(id, _meta={"timeout_ms": 59_000 - 1000 * id}) for id in range(20)]
        client.send(b"".join(urgent) + request("no_such_method", [], "all were admitted"))
        assert client.answer()["id"] == "all were admitted"
        first.open()
        order = [client.answer()["id"] for _ in range(21)][1:]
    # Two may have been published before the more urgent ones came, and keep their places.
    assert order[2:] == sorted(order[2:], reverse=True)


@pytest.mark.parametrize("methods, clients", [(60_000, 50), (50, 60_000), (50, 10**30)])
def test_the_shorter_of_two_deadlines_counts(holding, gate, methods, clients):
    running = holding(methods={"hold": {"timeout_ms": methods}})
    expired = running.error_of("hold", gate().params(_meta={"timeout_ms": clients}))
    assert expired.code == -32012 and " 50 ms" in expired.message


def test_a_clients_own_deadline_costs_no_worker(holding, gate):
    """The client gets its error at its own deadline, and the worker goes on with the job."""
    running, held = holding(workers={"count": 1}), gate()
    with running.connect() as client:
        held.hold(client, 1, _meta={"timeout_ms": 50})
        assert_expired(client.answer(), "unknown")
        held.open()
        assert client.call("echo", [1]) == [1]
    assert not [line for line in running.lines if "worker_died" in line]


def test_a_job_that_nobody_waits_for_makes_nobody_wait(holding, gate):
    """The job's worker is replaced, far before the method's own deadline."""
    running, held = holding(workers={"count": 1}), gate()
    with running.connect() as client:
        client.send(held.request(1, _meta={"timeout_ms": 50}))
        assert_expired(client.answer(), "unknown")
        assert client.call("echo", [1]) == [1]
    running.wait_for_line("event=abandoned_job_ended worker=0 request=1 method=hold")
    assert len(running.wait_for_lines("event=worker_died", 1)) == 1


def test_calls_that_are_given_too_little_time_do_not_take_the_workers_away(server):
    """A client that gives a call of 2 s only 5 ms, again and again, costs at most one worker a
    second. Once the server knows what the call takes, it refuses the client."""
    running = server(
        listen=ON,
        workers={"count": 2},
        handlers={"echo": {}, "burn": {}},
        methods={"echo": {"timeout_ms": 5000}, "burn": {"timeout_ms": 10_000}},
    )
    status = status_of(running)
    began = time.monotonic()
    with running.connect() as attacker, running.connect() as honest:
        codes = set()
        for id in range(40):
            attacker.send(request("burn", {"cpu_ms": 2000, "_meta": {"timeout_ms": 5}}, id))
            codes.add(attacker.answer()["error"]["code"])
            assert honest.call("echo", [id]) == [id]
            assert ask(status, "/readyz")[0] == 200
    assert codes == {-32012, -32009}
    ended = [line for line in running.lines if "event=abandoned_job_ended" in line]
    died = [line for line in running.lines if "event=worker_died" in line]
    assert len(died) <= len(ended) <= 1 + (time.monotonic() - began)


def test_a_worker_runs_no_job_whose_time_is_over(holding, gate):
    """The worker is stopped until the deadline is over. The master, which would take the job back,
    is stopped for longer."""
    running = holding(workers={"count": 1})
    [worker] = running.workers().values()
    late = gate()
    late.open()
    with running.connect() as client:
        with contextlib.ExitStack() as master:
            with stopped(worker):
                client.send(late.request(1, _meta={"timeout_ms": 500}) + request("none", id=2))
                assert client.answer()["id"] == 2  # so the job is published
                master.enter_context(stopped(running.pid))
                time.sleep(0.6)
                sleeps = voluntary_switches(worker)
            wait_until(lambda: voluntary_switches(worker) > sleeps, "the worker to sleep again")
        assert_expired(client.answer(), False)
    assert not late.was_reached()


def test_the_deadline_of_an_answered_job_passes_unnoticed(server):
    running = server(handlers={"echo": {}, "burn": {}})
    with running.connect() as client:
        client.send(request("burn", {"cpu_ms": 0, "_meta": {"timeout_ms": 100}}))
        client.answer()
        client.call("burn", {"cpu_ms": 200})
        assert client.call("echo", [1]) == [1]


def test_without_any_time_nothing_runs(holding, gate):
    running, held = holding(), gate()
    held.open()
    with running.connect() as client:
        client.send(held.request(1, _meta={"timeout_ms": 0}))
        assert_expired(client.answer(), False)
    assert not held.was_reached()


def test_meta_reaches_the_handler(server):
    params = {"_meta": {"timeout_ms": 60_000, "traceparent": "00-0-0-00"}, "a": 1}
    assert server().call("echo", params) == params


def test_an_abandoned_job_does_not_keep_its_methods_only_place(server):
    running = server(handlers={"burn": {}},
                     methods={"burn": {"concurrency": 1, "timeout_ms": 60_000}})  # fmt: skip
    with running.connect() as client:
        long = {"cpu_ms": 50_000, "_meta": {"timeout_ms": 100}}
        client.send(request("burn", long))
        assert_expired(client.answer(), "unknown")
        assert client.call("burn", {"cpu_ms": 1}) == {"cpu_ms": 1}
    running.wait_for_line("event=abandoned_job_ended .*other jobs wait")
