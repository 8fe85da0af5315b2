"""How busy each process was, some milliseconds at a time.

The sampler reads the scheduler's account again and again. The scheduler brings the account up to
date at its ticks (1 to 4 ms) and when a process gives up the CPU, so a single step may be a tick
off. The reading itself takes some per cent of a core: the plot shows when a process is busy, not
what it costs.
"""

import os
import time
from pathlib import Path


class Sampler:
    def __init__(self, pids: list[int]):
        self._files = {pid: [os.open(task / "schedstat", os.O_RDONLY)
                             for task in Path(f"/proc/{pid}/task").iterdir()] for pid in pids}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for files in self._files.values():
            for file in files:
                os.close(file)

    def run(self, seconds: float, step_s: float) -> dict[int, list[tuple[float, float]]]:
        """pid -> [(time.monotonic(), CPU seconds so far), ...], one a step."""
        samples: dict[int, list[tuple[float, float]]] = {pid: [] for pid in self._files}
        begin = time.monotonic()
        for step in range(round(seconds / step_s)):
            time.sleep(max(0, begin + step * step_s - time.monotonic()))
            for pid, files in self._files.items():
                samples[pid].append((time.monotonic(), sum(map(self._read_s, files))))
        return samples

    def _read_s(self, file: int) -> float:
        try:
            return int(os.pread(file, 64, 0).split()[0]) / 1e9
        except (ProcessLookupError, IndexError):  # the thread has ended
            return 0


def busy_bars(samples: list[tuple[float, float]], begin: float) -> list[list[float]]:
    """[from, to, share of a core] of the steps in which the process ran; seconds after `begin`."""
    bars = []
    for (from_s, before), (to_s, after) in zip(samples, samples[1:]):
        share = min(1.0, (after - before) / (to_s - from_s))
        if share > 0.02:
            bars.append([from_s - begin, to_s - begin, share])
    return bars


def count_bars(intervals: list[tuple[float, float]], begin: float, seconds: float,
               most: int) -> list[list[float]]:
    """[from, to, how many intervals are under way, divided by `most`], up to `seconds` after
    `begin`."""
    ends = [(at, change) for interval in intervals for at, change in zip(interval, (1, -1))]
    bars, count, last = [], 0, 0.0
    for at, change in sorted(ends):
        at = min(max(0.0, at - begin), seconds)
        if count and at > last:
            bars.append([last, at, min(1.0, count / most)])
        count, last = count + change, at
    return bars
