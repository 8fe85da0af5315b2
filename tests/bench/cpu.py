"""The CPU time of processes, by the scheduler's account, and their memory, by the kernel's.

CPU time is that of all threads that live. The scheduler brings its account up to date at its ticks,
so a single reading may be some milliseconds behind: measure over a second or more.
"""

import contextlib
import os
import re
from pathlib import Path

NO_PROCESS = (FileNotFoundError, ProcessLookupError)


def cpu_s(pid: int) -> float:
    """The process's CPU time; 0: there is no such process."""
    total = 0
    with contextlib.suppress(*NO_PROCESS):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(*NO_PROCESS):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def pss_bytes(pid: int) -> int:
    """The process's memory, with its part of the memory that it shares with others."""
    return _rollup_bytes(pid, "Pss")


def private_bytes(pid: int) -> int:
    """The memory that the process has written and no other process maps."""
    return _rollup_bytes(pid, "Private_Dirty")


def _rollup_bytes(pid: int, field: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) * 1024


def rss_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M).group(1)) * 1024


def machine_busy_s() -> float:
    """The time that all CPUs were busy since the machine started, with the time that the host gave
    to other machines. Counts in steps of 10 ms."""
    times = _machine_times()
    return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")


def machine_stolen_s() -> float:
    """The time that the host gave to other machines while a CPU of this one had work, since the
    machine started. Counts in steps of 10 ms."""
    return _machine_times()[7] / os.sysconf("SC_CLK_TCK")


def _machine_times() -> list[int]:
    return [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]


class CpuMeter:
    """CPU seconds by role since the meter was made: {"master": 1.2, "worker 0": 0.8, ...}."""

    def __init__(self, roles: dict[int, str]):
        self._roles = roles
        self._before = {pid: cpu_s(pid) for pid in roles}

    def read(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for pid, role in self._roles.items():
            spent = max(0.0, cpu_s(pid) - self._before[pid])
            used[role] = round(used.get(role, 0) + spent, 6)
        return used
