"""Kills: workers and fork servers killed at random moments, under load."""

import random
import signal
import time

from load import Load
from target import WORKERS, Target

PAUSE_S_MAX = 0.02

# A generation that ends within 2 s delays the next one, which must not be measured.
OLD_S = 2.5


class Kills:
    """After run(): the milliseconds from each kill until the successor of the killed process
    serves, by the server's times. The kill's time is rounded down, as the server's are."""

    def __init__(self, target: Target, load: Load, seed: int):
        self.worker_ms: list[int] = []
        self.fork_server_ms: list[int] = []  # until all workers serve
        self._target = target
        self._load = load
        self._dice = random.Random(seed)
        self._workers: dict[int, int] = {}  # slot -> pid
        for event in target.log.events():
            if event.name == "worker_ready":
                self._workers[event.number("worker")] = event.number("pid")
        self._generation_s = time.monotonic()  # when the serving generation began

    def run(self, workers: int, fork_servers: int):
        """Kills at least so many of each; the fork servers' kills are spread evenly."""
        while len(self.worker_ms) < workers or len(self.fork_server_ms) < fork_servers:
            self._kill_workers(self._dice.choice((1, 1, 1, 2, WORKERS)))
            is_due = len(self.fork_server_ms) * workers < len(self.worker_ms) * fork_servers
            if is_due and time.monotonic() > self._generation_s + OLD_S:
                self._kill_fork_server()
            # Workers killed before they have done a job would count as a crash loop.
            self._load.wait_for_answers(10 * WORKERS)
            time.sleep(self._dice.uniform(0, PAUSE_S_MAX))  # a kill comes at any time

    def _kill_workers(self, count: int):
        slots = self._dice.sample(sorted(self._workers), count)
        mark = self._target.log.mark()
        killed_ms = {slot: self._kill(self._workers[slot]) for slot in slots}
        self.worker_ms += [self._ready_ms(slot, mark) - killed_ms[slot] for slot in slots]

    def _kill_fork_server(self):
        [fork_server] = self._target.fork_servers()
        mark = self._target.log.mark()
        killed_ms = self._kill(fork_server)
        ready_ms = max(self._ready_ms(slot, mark) for slot in self._workers)
        self.fork_server_ms.append(ready_ms - killed_ms)
        self._generation_s = time.monotonic()

    def _kill(self, pid: int) -> int:
        now_ms = time.time_ns() // 1_000_000
        assert self._target.signal(pid, signal.SIGKILL), f"{pid} was gone before it was killed"
        return now_ms

    def _ready_ms(self, slot: int, mark: int) -> int:
        """Waits until the next worker of the slot is ready; returns its time."""
        ready = self._target.log.wait_for("worker_ready", after=mark, worker=slot)
        self._workers[slot] = ready.number("pid")
        return round(ready.at * 1000)


def percentile(values: list[int], share: float) -> int:
    return sorted(values)[round(share * (len(values) - 1))]
