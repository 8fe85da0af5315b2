"""Any process is killed at any time: every request is answered, and nothing is left behind."""

import os
import re
import signal
from pathlib import Path

import pytest
from client import RpcError, request
from proc import is_alive, is_stopped, start_time, title, wait_until, zombies_under


@pytest.fixture
def holding(server, probe):
    """holding(...): a server, by default with two workers. Its methods: `echo`; `hold`, whose jobs
    wait at a gate and have 10 attempts; `once`, the same with one attempt."""

    def start(**sections):
        handlers = {"echo": {}, "hold": probe("hold"), "once": probe("hold")}
        methods = {"hold": {"attempts": 10}, "once": {"attempts": 1}}
        return server(handlers=handlers, methods=methods, **sections)

    return start


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm"))


def test_a_killed_worker_costs_no_request(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(b"".join(held.request(id, text=f"job {id}") for id in range(8)))
        killed = held.wait_for_runs(2)[0]
        slot = next(slot for slot, pid in running.workers().items() if pid == killed)
        before = len(running.lines)
        os.kill(killed, signal.SIGKILL)
        assert running.wait_for_worker(slot, before) != killed
        died = running.wait_for_line(r"event=worker_died .*", before).group(0)
        assert re.fullmatch(
            rf"event=worker_died worker={slot} gen=1 pid={killed} how=SIGKILL"
            r" request=\d+ id=\d method=hold attempt=1",
            died,
        ), died
        held.open()
        answers = client.answers(8)
    for id in range(8):
        assert answers[id]["result"] == held.params(text=f"job {id}")
    assert len(held.runs()) == 9  # only the job of the killed worker ran twice
    assert zombies_under(running.pid) == []


def test_a_killed_worker_without_a_job_is_replaced(holding):
    running = holding()
    before = len(running.lines)
    killed = running.workers()[1]
    os.kill(killed, signal.SIGKILL)
    running.wait_for_worker(1, before)
    died = running.wait_for_line(r"event=worker_died worker=1 .*", before).group(0)
    assert died.endswith(f"pid={killed} how=SIGKILL")
    assert running.call("echo", [1]) == [1]


@pytest.mark.parametrize("dies", ["worker", "fork server"])
def test_what_was_answered_before_a_death_is_not_lost(holding, gate, dies):
    """The master is stopped while the workers answer and die, so it sees all of this together. The
    answers are longer than what it takes in one turn."""
    running, held = holding(workers={"count": 2}), gate()
    texts = ["a" * 2_000_000, "b" * 2_000_000]
    with running.connect() as client:
        client.send(b"".join(held.request(id, "once", text=texts[id]) for id in range(2)))
        client.send(request("unknown", {}, "both were read"))
        assert "error" in client.answer()
        workers = held.wait_for_runs(2)
        fork_server = running.fork_server()
        os.kill(running.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: is_stopped(running.pid), "the master to stop")
            held.open()
            for worker in workers:
                wait_until(lambda: title(worker).endswith("gen=1"), "the worker to have answered")
            for pid in workers if dies == "worker" else [fork_server]:
                os.kill(pid, signal.SIGKILL)
            for worker in workers:
                wait_until(lambda: not is_alive(worker), "the worker to be gone")
                # The master reaps the fork server; the fork server reaps its workers and reports
                # them.
                wait_until(lambda: dies == "fork server" or not start_time(worker), "its reaping")
        finally:
            os.kill(running.pid, signal.SIGCONT)
        answers = client.answers(2)
    assert [answers[id]["result"] for id in range(2)] == [held.params(text=text) for text in texts]
    assert sorted(held.runs()) == sorted(workers)


def test_a_job_that_must_not_run_twice_fails_with_its_worker(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(held.request(1, "once"))
        os.kill(held.wait_for_runs(1)[0], signal.SIGKILL)
        error = client.answer()["error"]
    assert error["code"] == -32014
    assert error["data"]["reason"] == "worker_died" and error["data"]["executed"] == "unknown"
    assert "SIGKILL" in error["message"]
    held.open()
    assert running.call("echo", [1]) == [1]
    assert len(held.runs()) == 1


def test_a_job_that_kills_its_workers_ends(server, probe):
    running = server(
        may_crash=True,
        handlers={"echo": {}, "poison": probe("aborts")},
        methods={"poison": {"attempts": 3}},
    )
    with running.connect() as client:
        client.send(request("poison", {}, "poison"))
        client.send(b"".join(request("echo", [id], id) for id in range(100)))
        answers = client.answers(101)
    error = answers.pop("poison")["error"]
    assert error["code"] == -32014 and "attempt 3 of 3" in error["message"]
    assert error["data"]["retryable"] is False
    assert all(answers[id]["result"] == [id] for id in range(100))
    died = running.wait_for_lines("event=worker_died", 3)
    assert [re.search(r"attempt=(\d)", line).group(1) for line in died] == ["1", "2", "3"]


def test_a_killed_fork_server_costs_no_request(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(b"".join(held.request(id) for id in range(8)))
        held.wait_for_runs(2)
        old = {running.fork_server(), *running.workers().values()}
        running.processes()
        before = len(running.lines)
        os.kill(running.fork_server(), signal.SIGKILL)
        running.wait_for_line(r"event=fork_server_died gen=1 .*SIGKILL", before)
        for slot in (0, 1):
            running.wait_for_line(rf"event=worker_ready worker={slot} gen=2 ", before)
        held.open()
        answers = client.answers(8)
        assert all(answers[id]["result"] == held.params() for id in range(8))
        assert client.call("echo", [1]) == [1]
    wait_until(lambda: not any(map(is_alive, old)), "the old generation to be gone")
    assert not old & {running.fork_server(), *running.workers().values()}


def test_a_killed_fork_server_fails_what_must_not_run_twice(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(held.request(1, "once"))
        held.wait_for_runs(1)
        os.kill(running.fork_server(), signal.SIGKILL)
        error = client.answer()["error"]
        assert error["code"] == -32014 and error["data"]["executed"] == "unknown"


def test_a_new_generation_that_does_not_load_is_tried_again(server, probe, gate):
    held = gate()
    held.open()
    slow = probe("hold", gate=held.path)
    running = server(workers={"start_timeout_ms": 2000}, handlers={"echo": {}, "slow": slow})
    held.path.unlink()
    os.kill(running.fork_server(), signal.SIGKILL)
    running.wait_for_line("event=fork_server_died gen=2 .*start_timeout_ms.*being loaded")
    held.open()
    running.wait_for_line(r"event=worker_ready worker=\d gen=[3-9] ")
    assert running.call("echo", [1]) == [1]


def test_a_killed_fork_server_costs_nothing_that_was_only_waiting(holding, gate):
    """Jobs that were published to the generation and claimed by no worker run once, in the next
    generation."""
    running, held = holding(workers={"count": 1}), gate()
    with running.connect() as client:
        client.send(b"".join(held.request(id, "once") for id in range(4)))
        held.wait_for_runs(1)
        os.kill(running.fork_server(), signal.SIGKILL)
        assert client.answer()["error"]["code"] == -32014
        held.open()
        assert all(a["result"] == held.params() for a in client.answers(3).values())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_master_leaves_nothing(holding, gate, number):
    before = shared_memory()
    running, held = holding(may_crash=True), gate()
    client = running.connect()
    client.send(held.request(1))
    held.wait_for_runs(1)
    assert len(running.processes()) == 4
    assert running.stop(number) != 0  # and asserts that no process is left
    assert shared_memory() == before
    # Its port is free again.
    again = holding(name="again", listen={"rpc": [running.address]})
    assert again.call("echo", [1]) == [1]


def test_a_master_killed_while_it_starts_leaves_nothing(server, probe, gate):
    held = gate()
    running = server(wait=False, handlers={"slow": probe("hold", gate=held.path)})
    held.wait_for_runs(1)  # the fork server is inside of load()
    assert len(running.processes()) == 2
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL


def test_the_shared_memory_has_no_name(holding):
    running = holding()
    assert not [name for name in shared_memory() if "ringmaster" in name]
    maps = Path(f"/proc/{running.workers()[0]}/maps").read_text()
    payload = [line for line in maps.splitlines() if "memfd:ringmaster-payload" in line]
    assert payload and all(" r--s " in line for line in payload)


def test_a_worker_that_dies_young_does_not_stop_the_others(server, probe):
    """Its slot waits longer before each new worker, and the other workers serve."""
    running = server(
        may_crash=True,
        handlers={"echo": {}, "poison": probe("exits")},
        methods={"poison": {"attempts": 1}},
    )
    for _ in range(6):
        with pytest.raises(RpcError) as died:
            running.call("poison", {})
        assert died.value.code == -32014
        assert running.call("echo", [1]) == [1]
