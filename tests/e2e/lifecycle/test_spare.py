"""The spare worker (`[workers] spare`): it takes the place of the next worker that ends."""

import os
import resource
import signal
from pathlib import Path

import pytest
from proc import children, descriptors, is_alive, is_sanitized, stopped, title, wait_until

TITLE = "ringmaster: spare worker gen=1"


@pytest.fixture
def running(server):
    return server(workers={"count": 1, "spare": True})


def spare_of(running) -> int:
    """The pid of the spare, once it stands by."""
    found: list[int] = []

    def stands_by() -> bool:
        found[:] = [pid for pid in children(running.fork_server()) if title(pid) == TITLE]
        return len(found) == 1

    wait_until(stands_by, "a spare to stand by")
    return found[0]


def kill_worker(running) -> int:
    """Kills the worker. Returns the pid of the one in its place."""
    before = len(running.lines)
    os.kill(running.workers()[0], signal.SIGKILL)
    return running.wait_for_worker(0, before)


def confinement(pid: int) -> dict[str, str]:
    """What the process may do, and its descriptors."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    kept = {name: status[name].strip() for name in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs",
                                                    "Seccomp", "SigBlk", "SigIgn", "SigCgt")}
    kept["fds"] = " ".join(sorted(os.listdir(f"/proc/{pid}/fd")))
    kept["limits"] = Path(f"/proc/{pid}/limits").read_text()
    kept["oom"] = Path(f"/proc/{pid}/oom_score_adj").read_text()
    return kept


def test_the_spare_takes_the_place_of_a_killed_worker(running):
    for _ in range(3):
        spare = spare_of(running)
        assert kill_worker(running) == spare
        with running.connect() as client:
            assert client.call("echo", [spare]) == [spare]
        wait_until(lambda: title(spare).startswith("ringmaster: worker 0 gen=1"), "its own title")


def test_a_former_spare_is_confined_like_other_workers(running):
    first = confinement(running.workers()[0])
    spare = spare_of(running)
    assert not [file for file in descriptors(spare).values() if "memfd" in file]
    assert kill_worker(running) == spare
    assert confinement(spare) == first


def test_without_the_spare_a_worker_is_forked(running):
    spare = spare_of(running)
    os.kill(spare, signal.SIGKILL)
    wait_until(lambda: spare not in children(running.fork_server()), "the spare to be reaped")
    running.wait_for_line(rf"level=warning .*event=spare_died gen=1 pid={spare} how=SIGKILL$")
    assert kill_worker(running) != spare
    spare = spare_of(running)
    assert kill_worker(running) == spare


def test_a_former_spare_names_itself_by_its_place(running):
    if is_sanitized(running.pid):
        pytest.skip("a sanitizer maps memory first, and fails first")
    spare = spare_of(running)
    before = len(running.lines)
    resource.prlimit(spare, resource.RLIMIT_AS, (4096, resource.RLIM_INFINITY))
    os.kill(running.workers()[0], signal.SIGKILL)
    # Without a pid, if the output came before the fork server's message that names it.
    running.wait_for_line(r'worker=0 gen=1 (pid=\d+ )?event=output text="worker 0: map ', before)
    running.wait_for_worker(0, before)


def test_a_spare_that_was_stopped_holds_up_no_end(running):
    spare, fork_server, worker = spare_of(running), running.fork_server(), running.workers()[0]
    with stopped(spare):
        running.send(signal.SIGTERM)
        wait_until(lambda: not is_alive(worker), "the worker to leave")
        # The master, which would kill the fork server after a while, cannot.
        os.kill(running.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: not is_alive(fork_server), "the fork server to end")
        finally:
            os.kill(running.pid, signal.SIGCONT)
    assert running.wait() == 0
