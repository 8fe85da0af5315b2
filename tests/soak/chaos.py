"""Chaos: random kills, stops, reloads and hostile clients, under load."""

import random
import signal
import time
from collections import Counter

from hostile import Hostile
from load import Load
from reloads import bad_change, good_change
from target import Target

PAUSE_S_MAX = 0.1


class Chaos:
    """Call step() repeatedly, then end(). `done` counts the actions."""

    def __init__(self, target: Target, load: Load, seed: int):
        self.done: Counter[str] = Counter()
        self._target = target
        self._load = load
        self._dice = random.Random(seed)
        self._hostile = Hostile(target.address, self._dice)
        self._stopped: list[int] = []  # at most one worker
        self._weights = {
            self._kill_worker: 30,
            self._hostile_client: 20,
            self._stop_worker: 5,
            self._continue_worker: 10,
            self._one_worker_more: 3,
            self._one_worker_fewer: 3,
            self._reload: 3,
            self._bad_reload: 1,
            self._kill_fork_server: 2,
            self._reopen_log: 1,
        }

    def step(self):
        [act] = self._dice.choices(list(self._weights), self._weights.values())
        act()
        self.done[act.__name__.strip("_").replace("_", " ")] += 1
        self._load.check()
        time.sleep(self._dice.uniform(0, PAUSE_S_MAX))  # actions come at any time

    def end(self):
        """Undoes everything: the server is as it was at first."""
        self._continue_worker()
        self._hostile.leave_all()
        self._target.reload()  # may return at the end of an earlier reload
        last = self._target.reload()
        assert last.name == "reloaded", last
        self._load.wait_for_answers(1000)

    def _kill_worker(self):
        self._signal_one(self._target.workers(), signal.SIGKILL)

    def _kill_fork_server(self):
        self._signal_one(self._target.fork_servers(), signal.SIGKILL)

    def _hostile_client(self):
        self._hostile.one_more()

    def _stop_worker(self):
        if not self._stopped:
            self._stopped = self._signal_one(self._target.workers(), signal.SIGSTOP)

    def _continue_worker(self):
        for pid in self._stopped:
            self._target.signal(pid, signal.SIGCONT)
        self._stopped = []

    def _one_worker_more(self):
        self._target.server.send(signal.SIGTTIN)

    def _one_worker_fewer(self):
        self._target.server.send(signal.SIGTTOU)

    def _reopen_log(self):
        self._target.server.send(signal.SIGUSR1)

    def _reload(self):
        self._target.begin_reload(**good_change(self._dice, self._target))

    def _bad_reload(self):
        self._target.begin_reload(**bad_change(self._dice, self._target))

    def _signal_one(self, pids: list[int], number: signal.Signals) -> list[int]:
        """The pid that got the signal; none if there was no process, or it was gone."""
        chosen = self._dice.sample(pids, min(1, len(pids)))
        return [pid for pid in chosen if self._target.signal(pid, number)]
