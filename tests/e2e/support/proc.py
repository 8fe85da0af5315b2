"""Reads /proc about the processes under test."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from client import DEADLINE_S


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Polls a condition that no log line and no answer reports. Returns its value."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"after {DEADLINE_S} s: expected {what}"
        time.sleep(0.01)


def _stat(pid: int) -> list[str]:
    """The fields state, parent, ... of a process; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status(pid: int, field: str) -> str:
    """The first word of a field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split()[1]
    raise AssertionError(f"no {field} in /proc/{pid}/status")


def start_time(pid: int) -> str:
    """Identifies a process, together with the pid, which is reused. Empty: no such process."""
    stat = _stat(pid)
    return stat[19] if stat else ""


def parent(pid: int) -> int:
    """The parent's pid, or 0 if there is no such process."""
    stat = _stat(pid)
    return int(stat[1]) if stat else 0


def is_alive(pid: int) -> bool:
    """Whether the process lives. A zombie counts as dead: only its parent can reap it."""
    stat = _stat(pid)
    return bool(stat) and stat[0] not in "ZX"


def survivors(started: dict[int, str]) -> list[int]:
    """The processes of `started` (pid -> start_time) that are still alive."""
    return [pid for pid, start in started.items() if is_alive(pid) and start_time(pid) == start]


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has stopped the process."""
    return _stat(pid)[:1] == ["T"]


@contextlib.contextmanager
def stopped(*pids: int):
    """Stops these processes until the end of the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        wait_until(lambda pid=pid: is_stopped(pid), f"process {pid} to stop")
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def is_asleep(pid: int) -> bool:
    """Whether the process waits in a system call that a signal may interrupt."""
    return _stat(pid)[:1] == ["S"]


def voluntary_switches(pid: int) -> int:
    """How often the process has begun to sleep."""
    return int(_status(pid, "voluntary_ctxt_switches"))


def is_pending(pid: int, number: int) -> bool:
    """Whether the process has been sent that signal and has not begun to handle it."""
    mask = int(_status(pid, "ShdPnd"), 16)
    return bool(mask & 1 << (number - 1))


def children(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it, or a thread, has ended
        for task in os.listdir(f"/proc/{pid}/task"):
            children_of = Path(f"/proc/{pid}/task/{task}/children")
            found += [int(child) for child in children_of.read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def zombies_under(pid: int) -> list[int]:
    return [child for child in descendants(pid) if _stat(child)[:1] == ["Z"]]


def title(pid: int) -> str:
    """The process title, as in ps."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").replace(b"\0", b" ").decode()


def descriptors(pid: int) -> dict[int, str]:
    """number -> target of the /proc link."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue  # closed meanwhile
    return found


def sockets(pid: int) -> int:
    return sum(name.startswith("socket:") for name in descriptors(pid).values())


def private_bytes(pid: int) -> int:
    """The process's own resident memory: without mapped files and regions."""
    return int(_status(pid, "RssAnon")) * 1024


def resident_bytes(pid: int) -> int:
    return int(_status(pid, "VmRSS")) * 1024


def peak_bytes(pid: int) -> int:
    """The peak of resident memory since the start, or since forget_peak()."""
    return int(_status(pid, "VmHWM")) * 1024


def forget_peak(pid: int) -> bool:
    """Resets the peak. False: the kernel cannot, or does not allow it."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def cpu_ns(pid: int) -> int:
    """The CPU time of the main thread."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def is_sanitized(pid: int) -> bool:
    """Whether the process runs with a sanitizer, which takes more memory."""
    return Path(f"/proc/{pid}/exe").resolve().parent.name in ("asan", "tsan")
