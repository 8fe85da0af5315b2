"""Frozen processes are noticed and replaced."""

import os
import signal

from proc import stopped, wait_until
from scribbling import ASLEEP, BELL, WORDS
from status_port import ON, ask, status_of


def wait_for_frozen(running, worker: int, pid: int):
    cause = r'state=T cause="stopped by a signal"'
    running.wait_for_line(rf"event=worker_frozen worker={worker} gen=1 pid={pid} {cause}")


def test_idle_workers_that_were_stopped_are_replaced_once_there_is_work(server):
    running = server()
    workers = running.workers()
    with stopped(*workers.values()):
        assert running.call("echo", [1]) == [1]  # within seconds: the client would give up
        for worker, pid in workers.items():
            wait_for_frozen(running, worker, pid)
    assert not [line for line in running.lines if "fork_server_died" in line]


def test_a_stopped_worker_does_not_stay_when_it_is_told_to_leave(server):
    running = server()
    leaving = running.workers()[1]
    with stopped(leaving):
        running.send(signal.SIGTTOU)
        wait_for_frozen(running, 1, leaving)
        running.wait_for_line(rf"event=worker_died worker=1 gen=1 pid={leaving} how=SIGKILL")
    assert running.call("echo", [1]) == [1]


def test_a_worker_that_pretends_to_sleep_is_replaced_once_there_is_work(
    server,
    gate,
    scribbles,  # noqa: F811
):
    """Its handler has answered, and writes that its worker has no job and sleeps."""
    running = server(workers={"count": 1}, handlers={"echo": {}, "scribbles": scribbles})
    liar = running.workers()[0]
    scribbler = gate()
    scribbler.open()
    with running.connect() as client:
        client.send(scribbler.request(
            1, "scribbles", memory="ringmaster-control", offset=WORDS,
            hex="00" * BELL + ASLEEP, times=1, pretend=True,
        ))  # fmt: skip
        assert client.answer()["result"] is None
        assert running.call("echo", [1]) == [1]
    cause = 'cause="leaves jobs unclaimed"'
    running.wait_for_line(rf"event=worker_frozen worker=0 gen=1 pid={liar} state=S {cause}")
    running.wait_for_line(rf"event=worker_died worker=0 gen=1 pid={liar} how=SIGKILL")
    assert not [line for line in running.lines if "memory_damaged" in line]


def test_a_server_whose_workers_are_all_stopped_is_not_ready(holding, gate):
    """Each worker has a job with a late deadline, so until then no worker does any work."""
    running, held = holding(listen=ON), gate()
    address = status_of(running)
    with running.connect() as client:
        client.send(held.request(1) + held.request(2))
        workers = held.wait_for_runs(2)
        assert ask(address, "/readyz") == (200, "serving: 2 of 2 workers are up\n")
        with stopped(*workers):
            running.wait_for_line('event=stalled gen=1 jobs=2 cause="no worker is at work"')
            assert ask(address, "/readyz") == (
                503,
                "stalled: 2 of 2 workers are up; there are jobs, and no worker is at work\n",
            )
            assert ask(address, "/livez")[0] == 200
        wait_until(lambda: ask(address, "/readyz")[0] == 200, "it to be ready again")
        held.open()
        assert all("result" in answer for answer in client.answers(2).values())
    assert set(running.workers().values()) == set(workers)


def test_a_worker_that_was_stopped_in_a_job_is_named_and_goes_on(holding, gate):
    """The other worker serves meanwhile, so the server does not stall."""
    running, held = holding(), gate()
    with running.connect() as client:
        (pid,) = held.hold(client, 1)
        (worker,) = [slot for slot, its in running.workers().items() if its == pid]
        which = rf"worker={worker} gen=1 pid={pid}"
        with stopped(pid):
            running.wait_for_line(
                rf'event=worker_stopped {which} cause="stopped by a signal" request=1 method=hold$')
            assert running.call("echo", [1]) == [1]
        running.wait_for_line(rf"event=worker_resumed {which}$")
        held.open()
        assert client.answer()["result"] == held.params()
    assert running.workers()[worker] == pid


def test_a_server_with_long_jobs_is_ready(server, probe, gate):
    """The jobs use no CPU time: as far as the master can tell, they wait for something."""
    running, held = server(listen=ON, handlers={"hold": probe("hold")}), gate()
    address = status_of(running)
    with running.connect() as client:
        client.send(b"".join(held.request(id) for id in range(4)))
        workers = held.wait_for_runs(2)
        # By the time that the bystander's master notices its frozen workers, the first master would
        # have noticed its own.
        bystander = server(name="bystander")
        with stopped(*bystander.workers().values()):
            assert bystander.call("echo", [1]) == [1]
        assert ask(address, "/readyz")[0] == 200
        held.open()
        assert all("result" in answer for answer in client.answers(4).values())
    assert set(running.workers().values()) == set(workers)
    assert not [line for line in running.lines if "frozen" in line or "stalled" in line]


def test_a_stopped_fork_server_is_replaced(server):
    running = server()
    fork_server, workers, before = running.fork_server(), running.workers(), len(running.lines)
    with stopped(fork_server):
        os.kill(workers[0], signal.SIGKILL)  # the fork server cannot report it
        cause = 'state=T cause="stopped by a signal"'
        frozen = rf"event=fork_server_frozen gen=1 pid={fork_server} {cause}"
        running.wait_for_line(frozen, before)
        running.wait_for_line(r"event=fork_server_died gen=1 .*did not answer", before)
        for worker in workers:
            running.wait_for_line(rf"event=worker_ready worker={worker} gen=2 ", before)
    assert running.call("echo", [1]) == [1]


def test_a_missing_model_is_tried_again_after_a_fork_server_dies(server, probe, tmp_path):
    """The log and /readyz name the missing model; the server recovers by itself."""
    model = tmp_path / "model"
    model.write_text("a model")
    running = server(listen=ON, handlers={"echo": {}, "m": probe("opens", gate=model)})
    address = status_of(running)
    model.unlink()
    os.kill(running.fork_server(), signal.SIGKILL)
    why = rf"gen=[23] .*cannot open {model}.* restart_in_ms="
    running.wait_for_line(rf"event=fork_server_died {why}")
    status, text = ask(address, "/readyz")
    assert status == 503
    assert "the handlers could not be loaded again" in text and str(model) in text
    running.wait_for_line("event=fork_server_died gen=4 ")
    waits = [
        int(line.split("restart_in_ms=")[1])
        for line in running.lines
        if "event=fork_server_died" in line and str(model) in line
    ]
    assert 0 < waits[0] < waits[1], waits
    model.write_text("a model")
    serving = (200, "serving: 2 of 2 workers are up\n")
    wait_until(lambda: ask(address, "/readyz") == serving, "both workers to be up again")
    assert running.call("echo", [1]) == [1]
