"""The user of the workers, when root starts the server."""

import os
import pwd
import signal
from pathlib import Path

import pytest
from proc import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def nobody():
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("this system has no user nobody")


def ids(pid: int) -> tuple[list[int], list[int], list[int]]:
    """The process's users (real, effective, saved, of files), groups likewise, and supplementary
    groups."""
    text = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines())
    return tuple([int(id) for id in fields[key].split()] for key in ("Uid", "Gid", "Groups"))


FULL = pytest.param(True, marks=pytest.mark.needs("landlock"))


@pytest.mark.parametrize("sandbox", [FULL, False])
def test_workers_become_nobody_unless_told_otherwise(server, tries, nobody, sandbox):
    running = server(handlers={"tries": tries}, workers={"user": None, "sandbox": sandbox})
    for pid in running.workers().values():
        assert ids(pid) == ([nobody.pw_uid] * 4, [nobody.pw_gid] * 4, [])
    assert ids(running.pid) == ids(running.fork_server()) == ids(os.getpid())
    assert running.call("tries", {"what": "read_shadow"}) == "EACCES"
    score = "done" if not sandbox else "EACCES"
    assert running.call("tries", {"what": "oom_score_of_self"}) == score
    assert running.call("tries", {"what": "oom_score_of_parent"}) == "EACCES"
    assert running.call("tries", {"what": "open_parent"}) == "EACCES"


def test_a_user_is_named_by_its_number_too(server):
    groups = ["setpriv", "--groups", "4,24"]  # which the workers must not keep
    running = server(before=groups, workers={"count": 1, "user": "54321"})
    assert ids(running.workers()[0]) == ([54321] * 4, [54321] * 4, [])


def test_root_must_be_written_out(server, tries):
    running = server(handlers={"tries": tries}, workers={"user": "root", "sandbox": False})
    assert ids(running.workers()[0]) == ids(os.getpid())
    assert running.call("tries", {"what": "read_shadow"}) == "done"


def test_an_unknown_user_is_an_error_of_the_configuration(server):
    running = server(wait=False, workers={"user": "no-such-user"})
    assert running.wait() == 78
    running.wait_for_line("workers.user: expected the name or the number of a user")


def test_workers_of_another_user_die_with_their_fork_server(server, nobody):
    """A change of user clears the death signal, which must then be set again."""
    running = server(workers={"user": None})
    workers = list(running.workers().values())
    before = len(running.lines)
    running.processes()
    os.kill(running.fork_server(), signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers),
               "the workers to die with their fork server")
    running.wait_for_line("event=fork_server_died", before)
    running.wait_for_worker(1, before)
    assert running.call("echo", [1]) == [1]
