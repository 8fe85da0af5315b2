"""Container: a systemd of our own, booted on a copy of this machine's root, with a network of its
own in which the usual ports are free.

    with boot(stage, folder) as container:
        container.run("systemctl", "start", "ringmaster")
        with container.connect("127.0.0.1:7070") as client:
            assert client.call("echo", [1]) == [1]

Processes: processes inside have other pids outside, and can be killed from outside.
Death:     the container dies with the test run, and its mounts and files with it.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from client import DEADLINE_S, Client
from manager import Manager
from network import set_network
from proc import wait_until
from processes import Process

SCRIPT = Path(__file__).parent / "container.sh"
# The container's own namespaces of processes and mounts, which end with unshare(1). Without them, a
# systemd-nspawn that is killed would leave behind the processes that it has started.
UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

# In a chroot a container boots, but the kernel lets no process in it have user namespaces, which
# the unit's PrivateUsers= needs.
NEEDS = pytest.mark.needs("root", "cgroups", "namespaces", "systemd")


class Container:
    def __init__(self, group: Path):
        self.group = group
        (self.leader,) = self._processes("init.scope")

    def run(self, *argv: str) -> str:
        """The command's output. It must exit with 0."""
        done = subprocess.run(
            ["nsenter", f"--target={self.leader}", "--all", "--root", "--wd", "--", *argv],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.returncode}\n{done.stderr}"
        return done.stdout

    def path(self, inside: str) -> Path:
        """The outside path of a file inside."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def processes(self, unit: str) -> list[int]:
        """The outside pids of the unit's processes."""
        return self._processes(f"system.slice/{unit}")

    def connect(self, address: str) -> Client:
        """A client of a server inside: a socket stays in the network in which it was created."""
        inside, outside = f"/proc/{self.leader}/ns/net", "/proc/thread-self/ns/net"
        with _open(inside) as theirs, _open(outside) as ours:
            set_network(theirs)
            try:
                return Client(address)
            finally:
                set_network(ours)

    def _processes(self, group: str) -> list[int]:
        procs = self.group / "payload" / group / "cgroup.procs"
        with suppress(OSError):  # a unit that has ended has no group
            return [int(pid) for pid in procs.read_text().split()]
        return []


@contextmanager
def _open(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _groups(name: str) -> list[Path]:
    """A cgroup in each hierarchy that a systemd may manage; version 2's first."""
    roots = [Path("/sys/fs/cgroup", part) for part in ("", "unified", "systemd")]
    return [root / name for root in roots if (root / "cgroup.procs").exists()]


def _make(groups: list[Path]):
    try:
        for group in groups:
            group.mkdir()
    except OSError as error:
        pytest.skip(f"no container can be booted: {error}")


def _remove_group(group: Path) -> bool:
    """Removes the cgroup. False: the kernel refuses while a process in it is still ending."""
    if not group.exists():
        return True
    try:
        for folder in sorted(group.rglob("*/"), reverse=True):  # inner folders first
            folder.rmdir()
        group.rmdir()
    except OSError:
        return False
    return True


def _wait_for_boot(manager: Manager, process: Process) -> str:
    """Empty once the container has booted, or else why it has not: its last output."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.returncode is None:
        if any("READY" in message for message in manager.receive_all()):
            return ""
        time.sleep(0.01)
    process.kill()
    return " / ".join((process.output + process.lines)[-3:]) or "it said nothing"


@contextmanager
def boot(stage: Path, folder: Path) -> Iterator[Container]:
    """A container with the files of `stage`; its output and its journal go to `folder`. Skips the
    test, with the reason, if this machine cannot boot one."""
    groups = _groups(f"ringmaster-test-{os.getpid()}")
    manager = Manager(folder / "notify.sock")
    try:
        _make(groups)
        with Process.start([*UNSHARE, SCRIPT, stage, *groups], log=folder / "container.log",
                           env={"NOTIFY_SOCKET": manager.path}) as process:
            if why := _wait_for_boot(manager, process):
                pytest.skip(f"no container can be booted: {why}")
            container = Container(groups[0])
            try:
                yield container
            finally:
                journal = container.run("journalctl", "--no-pager", "-o", "short-precise")
                (folder / "journal").write_text(journal)
    finally:
        manager.socket.close()
        for group in groups:
            wait_until(lambda: _remove_group(group), f"{group} to be empty")
