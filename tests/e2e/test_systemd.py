"""The service manager's side: notification, sockets that it passes, priorities in the journal."""

import os
import re
import shutil
import signal
import socket

import pytest
from client import DEADLINE_S
from proc import wait_until


class Manager:
    """Where sd_notify(3) sends to."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))

    def receive(self) -> dict[str, str]:
        self.socket.settimeout(DEADLINE_S)
        return self._parse(self.socket.recv(65536))

    def receive_all(self) -> list[dict[str, str]]:
        """What is there already."""
        self.socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self._parse(self.socket.recv(65536)))
            except BlockingIOError:
                return found

    @staticmethod
    def _parse(message: bytes) -> dict[str, str]:
        return dict(line.split("=", 1) for line in message.decode().splitlines())


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
    while "READY" not in (message := manager.receive()):
        pass
    assert message["READY"] == "1" and "3 workers" in message["STATUS"]
    running.wait_until_ready()
    assert len(running.workers()) == 3
    assert running.call("echo", [1]) == [1]
    running.send(signal.SIGTERM)
    while "STOPPING" not in (message := manager.receive()):
        assert "READY" not in message
    assert message["STOPPING"] == "1" and message["STATUS"]
    assert running.wait() == 0


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


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate is missing"
)
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
    # The socket is the manager's, who may start us again: it must not be removed.
    assert os.path.exists(path.removeprefix("unix:"))


def test_lines_for_the_journal_have_a_priority(server, tmp_path):
    """As systemd says it: stderr is the journal when JOURNAL_STREAM names it."""
    log = tmp_path / "journal"
    script = 'export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/self/fd/2)"; exec "$@"'
    with open(log, "wb"):
        pass
    running = server(wait=False, before=["sh", "-c", f'exec 2>>"{log}"; {script}', "sh"])
    wait_until(lambda: "event=ready" in log.read_text(), "the journal to say that it is ready")
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
