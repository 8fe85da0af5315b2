"""A handler that forges control messages: an invalid message ends the fork server, not the
master."""

import struct

import pytest
from proc import wait_until
from server import HANDLERS, compile_handler

# The numbers of ControlType in src/ipc/control.h.
FORK, DESCRIPTION, LOADED, FORKED, FORK_FAILED, EXITED, PONG = 5, 8, 9, 11, 12, 13, 14
PID = 4242

ENDLESS = 1_000_000_000  # times: the fork server is killed long before

# type, worker, pid, status; how many times (1 by default)
FORGERIES = {
    "a worker beyond all slots was forked": (FORKED, 1 << 31, PID, 0),
    "a worker was forked that was not asked for": (FORKED, 0, PID, 0),
    "a fork failed beyond all slots": (FORK_FAILED, 1 << 20, 0, 11),
    "a fork failed that was not asked for": (FORK_FAILED, 1, 0, 11),
    "a worker beyond all slots has exited": (EXITED, 1 << 31, PID, 0),
    "a worker has exited that there is not": (EXITED, 0, 0, 0),
    "an order of the master's": (FORK, 0, 0, 0),
    "a sign of life that was not asked for": (PONG, 0, 0, 0),
    "loaded, before the handlers are described": (LOADED, 0, 0, 0, ENDLESS),
    "descriptions of more handlers than there are": (DESCRIPTION, 0, 0, 0, ENDLESS),
}


@pytest.fixture(scope="session")
def forges(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    # The handler's thread still runs when the fork server ends and unloads the library.
    library = compile_handler(folder / "forges.so", HANDLERS / "forges.c", "-Wl,-z,nodelete")
    return lambda type, worker, pid, status, times=1: {
        "library": library, "hex": struct.pack("<IIii", type, worker, pid, status).hex(),
        "times": times,
    }  # fmt: skip


@pytest.fixture(scope="module")
def running(module_server):
    return module_server()


@pytest.mark.parametrize("what", FORGERIES)
def test_the_reload_fails_and_the_old_generation_serves(running, forges, what):
    processes = running.processes()
    line = running.reload(handlers={"echo": {}, "forges": forges(*FORGERIES[what])})
    assert line.startswith("event=reload_failed") and "control message" in line
    assert running.call("echo", [1]) == [1]
    wait_until(lambda: running.processes() == processes, "the new processes to be gone")


def test_the_exit_of_a_worker_that_lives(server, forges, tmp_path):
    """The pid is another process's: the fork server is replaced, and the workers with it."""
    now = tmp_path / "now"
    forged = forges(EXITED, 0, PID, 0) | {"once": str(now)}
    running = server(handlers={"echo": {}, "forges": forged})
    workers = set(running.workers().values())
    now.touch()
    [line] = running.wait_for_lines("event=fork_server_died", 1)
    assert "control message" in line
    wait_until(lambda: not workers & set(running.workers().values()), "new workers")
    assert running.call("echo", [1]) == [1]


def test_a_server_that_starts_says_so(server, forges):
    refused = server(wait=False, handlers={"forges": forges(FORKED, 1 << 31, PID, 0)})
    assert refused.wait() == 70
    assert "event=not_started" in refused.lines[-1] and "control message" in refused.lines[-1]
