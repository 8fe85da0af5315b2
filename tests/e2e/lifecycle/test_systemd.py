"""The service manager: notification, inherited sockets, priorities in the journal."""

import os
import re
import signal

import pytest
from manager import Manager
from proc import descendants, is_stopped, wait_until


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify.sock")
    yield made
    made.socket.close()


def test_ready_only_after_all_workers_are(server, probe, gate, manager):
    held = gate()
    running = server(
        wait=False,
        workers={"count": 3},
        env={"NOTIFY_SOCKET": manager.path},
        handlers={"echo": {}, "slow": probe("hold", gate=held.path)},
    )
    held.wait_for_runs(1)
    assert not [message for message in manager.receive_all() if "READY" in message]
    held.open()
    message = manager.receive_until("READY")[-1]
    assert message["READY"] == "1" and "3 workers" in message["STATUS"]
    running.wait_until_ready()
    assert len(running.workers()) == 3
    assert running.call("echo", [1]) == [1]
    running.send(signal.SIGTERM)
    *between, message = manager.receive_until("STOPPING")
    assert not [other for other in between if "READY" in other]
    assert message["STOPPING"] == "1" and "stopping" in message["STATUS"]
    assert int(message["EXTEND_TIMEOUT_USEC"]) > 10_000_000  # shutdown.grace_ms
    assert running.wait() == 0


def watched(manager, usec: int, pid: str = "$$") -> dict:
    """Arguments for server(), as with WatchdogSec=; `pid`: the watched process."""
    script = f'export WATCHDOG_USEC={usec} WATCHDOG_PID={pid}; exec "$@"'
    return {"env": {"NOTIFY_SOCKET": manager.path}, "before": ["sh", "-c", script, "sh"]}


def test_the_watchdog_is_told_that_the_loop_turns(server, manager):
    running = server(**watched(manager, 100_000))
    for _ in range(10):
        assert manager.receive_until("WATCHDOG")[-1] == {"WATCHDOG": "1"}
    os.kill(running.pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(running.pid), "the master to be frozen")
    manager.receive_all()
    assert manager.is_silent_for(0.5)  # ten times as long as between two messages
    os.kill(running.pid, signal.SIGCONT)
    manager.receive_until("WATCHDOG")


def test_a_watchdog_of_another_process_is_not_ours(server, manager):
    running = server(**watched(manager, 2, pid="1"))
    assert running.stop() == 0
    told = manager.receive_all()
    assert [message for message in told if "STOPPING" in message]
    assert not [message for message in told if "WATCHDOG" in message]


def test_a_load_gets_more_time_while_it_moves(server, probe, gate, manager):
    """The handler looks for its gate again and again, and so uses CPU. A frozen fork server uses
    none."""
    held = gate()
    slow = {"slow": probe("hold", gate=held.path)}
    running = server(wait=False, handlers=slow, **watched(manager, 1_000_000))
    held.wait_for_runs(1)
    for _ in range(2):
        assert int(manager.receive_until("EXTEND_TIMEOUT_USEC")[-1]["EXTEND_TIMEOUT_USEC"]) > 0
    (fork_server,) = descendants(running.pid)
    os.kill(fork_server, signal.SIGSTOP)
    wait_until(lambda: is_stopped(fork_server), "the fork server to be frozen")
    manager.receive_all()
    # The master looks once a second. It asks for more time if CPU time was used since its last
    # look. The first look after the freeze may still find some. It comes within three pings, which
    # are half a second apart.
    for _ in range(3):
        manager.receive_until("WATCHDOG")
    for _ in range(3):
        told = manager.receive_until("WATCHDOG")
        assert not [message for message in told if "EXTEND_TIMEOUT_USEC" in message]
    os.kill(fork_server, signal.SIGCONT)
    manager.receive_until("EXTEND_TIMEOUT_USEC")
    held.open()
    manager.receive_until("READY")


def test_a_reload_that_hangs_gets_no_time_for_what_the_serving_handlers_load(
        server, probe, python, gate, manager, tmp_path):
    """The fork server of the serving configuration is killed. The next one loads its handlers while
    those of the reload hang."""
    held = gate()
    held.open()
    running = server(handlers={"slow": probe("hold", gate=held.path)},
                     **watched(manager, 1_000_000))
    before = len(held.runs())
    held.path.unlink()
    os.kill(running.fork_server(), signal.SIGKILL)
    held.wait_for_runs(before + 1)
    hung = tmp_path / "hung"
    code = f"""
        import pathlib, time
        pathlib.Path("{hung}").touch()
        time.sleep(3600)
    """
    running.configure(handlers={"hangs": python(code)})
    running.send(signal.SIGHUP)
    wait_until(hung.exists, "the reload to hang")
    # The first look, which comes within a second, may find CPU time that it used before.
    manager.receive_all()
    for _ in range(3):
        manager.receive_until("WATCHDOG")
    for _ in range(4):
        told = manager.receive_until("WATCHDOG")
        assert not [message for message in told if "EXTEND_TIMEOUT_USEC" in message]
    assert running.stop(signal.SIGINT) == 0


@pytest.mark.alone  # the worker of a rehearsal runs at idle priority
def test_a_rehearsal_gets_more_time(server, python, gate, manager):
    """The rehearsal belongs to a reload whose handlers have loaded."""
    held = gate()
    sections = {"handlers": {"hold": python("def run(user_id): return {}")},
                "reload": {"rehearse": 1}}
    running = server(env={"NOTIFY_SOCKET": manager.path}, **sections)
    running.call("hold", {"user_id": 1})
    sections["handlers"]["hold"] = python(f"""
        import os, time
        def run(user_id):
            open("{held.path}.started", "a").write(f"{{os.getpid()}}\\n")
            while not os.path.exists("{held.path}"):
                time.sleep(0.001)
            return {{}}
    """, file="holds")
    running.configure(**sections)
    running.send(signal.SIGHUP)
    held.wait_for_runs(1)
    manager.receive_all()
    for _ in range(2):
        assert int(manager.receive_until("EXTEND_TIMEOUT_USEC")[-1]["EXTEND_TIMEOUT_USEC"]) > 0
    held.open()
    running.wait_for_line("event=reloaded")
    # Once the server serves, it asks for no more time: STATUS comes from a later look.
    manager.receive_until("READY")
    running.send(signal.SIGTTIN)
    told = manager.receive_until("STATUS")
    assert not [message for message in told if "EXTEND_TIMEOUT_USEC" in message]


def wait_for_status(manager, text: str):
    while text not in (status := manager.receive_until("STATUS")[-1]["STATUS"]):
        assert "serving" in status or "degraded" in status or "starting" in status


def test_the_status_says_how_many_workers_serve(server, manager):
    running = server(env={"NOTIFY_SOCKET": manager.path})
    wait_for_status(manager, "serving: 2 of 2 workers")
    running.send(signal.SIGTTIN)
    wait_for_status(manager, "serving: 3 of 3 workers")
    os.kill(running.fork_server(), signal.SIGSTOP)  # so no worker is forked
    os.kill(running.workers()[0], signal.SIGKILL)
    running.send(signal.SIGTTIN)
    wait_for_status(manager, "degraded: 3 of 4 workers")
    os.kill(running.fork_server(), signal.SIGCONT)
    wait_for_status(manager, "serving: 4 of 4 workers")


def test_a_server_that_fails_is_never_ready(server, probe, manager):
    refused = server(
        wait=False,
        env={"NOTIFY_SOCKET": manager.path},
        handlers={"stubborn": probe("does_not_load")},
    )
    assert refused.wait() == 78
    assert not [message for message in manager.receive_all() if "READY" in message]


def test_a_manager_that_is_gone_does_not_matter(server, tmp_path):
    running = server(env={"NOTIFY_SOCKET": tmp_path / "nobody"})
    assert running.call("echo", [1]) == [1]


@pytest.mark.needs("systemd")
def test_sockets_of_the_manager_take_precedence(server, tmp_path):
    path = f"unix:{tmp_path}/passed.sock"
    activate = ["systemd-socket-activate", "-l", path.removeprefix("unix:")]
    running = server(wait=False, before=activate, listen={"rpc": ["127.0.0.1:0"]})
    running.wait_for_line("Listening on")
    with running.connect(path) as first:  # its connection starts the server
        assert first.call("echo", ["first"]) == ["first"]
        running.wait_until_ready()
        assert running.addresses == [path]
        with running.connect(path) as second:
            assert second.call("echo", [2]) == [2]
    assert running.stop() == 0
    # The manager owns the socket, and may start a server again: the server must not remove it.
    assert os.path.exists(path.removeprefix("unix:"))


def test_lines_for_the_journal_have_a_priority(server, tmp_path):
    """As systemd documents, stderr is the journal when JOURNAL_STREAM names it."""
    log = tmp_path / "journal"
    script = 'export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/self/fd/2)"; exec "$@"'
    with open(log, "wb"):
        pass
    running = server(wait=False, before=["sh", "-c", f'exec 2>>"{log}"; {script}', "sh"])
    wait_until(lambda: "event=ready" in log.read_text(), "event=ready in the journal")
    running.processes()
    os.kill(_first_worker(log.read_text()), signal.SIGKILL)
    wait_until(lambda: "event=worker_died" in log.read_text(), "a warning in the journal")
    assert running.stop() == 0
    lines = log.read_text().splitlines()
    assert all(re.match(r"<[346]>level=", line) for line in lines), lines
    priorities = {line.split("event=")[1].split()[0]: line[:3] for line in lines}
    assert priorities["ready"] == "<6>" and priorities["worker_died"] == "<4>"


def _first_worker(log: str) -> int:
    return int(re.search(r"event=worker_ready worker=0 gen=1 pid=(\d+)", log).group(1))
