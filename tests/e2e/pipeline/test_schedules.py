"""A thousand requests of two run steps, through real processes, while workers are killed, deadlines
pass, requests are cancelled and the server is reloaded: each request is answered exactly once, and
no step runs more often than `attempts` allows.

RINGMASTER_SEED=N draws other events than the default. interleavings_test.cc (tests/unit/master/
pipeline) does the same store by store, without processes."""

import contextlib
import json
import os
import random
import re
import signal
from collections import Counter

import pytest
from client import request
from proc import children
from server import HANDLERS, compile_handler

REQUESTS = 1000
IN_FLIGHT = 20
WORKERS = 3

# What a step does (handlers/steps.c), and how often.
ACTS = "o" * 60 + "s" * 12 + "l" * 12 + "f" * 4 + "d" * 4 + "x" * 6 + "h"
METHODS = {"alone": 2, "alone_once": 1, "batches": 2, "batches_once": 1}  # and their attempts

OVERLOADED, AS_ASKED, DEADLINE, WORKER_DIED, CANCELLED = -32009, 7, -32012, -32014, -32800

pytestmark = pytest.mark.timeout(180)  # most of it is the sanitizers'


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    return compile_handler(folder / "steps.so", HANDLERS / "steps.c")


class Play:
    """One client with up to IN_FLIGHT requests, and the events around it."""

    def __init__(self, running, seed: int):
        self.answers: dict[int, dict] = {}
        self.methods: list[str] = []  # by ticket
        self.killed = 0
        self.reloads = 0
        self._running = running
        self._dice = random.Random(seed)
        self._client = running.connect()

    def run(self):
        while len(self.answers) < REQUESTS:
            if len(self.methods) < REQUESTS and len(self.methods) - len(self.answers) < IN_FLIGHT:
                self._ask()
            else:
                self._read()
            self._disturb()
        # No second answer to any of them is on its way.
        self._client.send(request("echo", ["the end"], "the end"))
        assert self._client.answer()["id"] == "the end"

    def _ask(self):
        ticket = len(self.methods)
        self.methods.append(self._dice.choice(sorted(METHODS)))
        params = {"ticket": ticket, "acts": "".join(self._dice.choices(ACTS, k=2))}
        if self._dice.random() < 0.2:
            params["_meta"] = {"timeout_ms": self._dice.randrange(40)}
        self._client.send(request(self.methods[ticket], params, ticket))

    def _read(self):
        answer = self._client.answer()
        assert answer["id"] not in self.answers, answer
        self.answers[answer["id"]] = answer

    def _disturb(self):
        event = self._dice.random()
        if event < 0.04:
            self._kill_a_worker()
        elif event < 0.09:
            in_flight = set(range(len(self.methods))) - self.answers.keys()
            ticket = self._dice.choice(sorted(in_flight) or [0])
            self._client.send(request("$/cancelRequest", {"id": ticket}, None))
        elif event < 0.1 and self.reloads < REQUESTS // 100:
            self.reloads += 1
            self._running.send(signal.SIGHUP)  # while the requests before it are in flight

    def _kill_a_worker(self):
        ready = set(map(int, re.findall(r"event=worker_ready .*pid=(\d+)",
                                        "\n".join(self._running.lines))))
        parents = children(self._running.pid)
        alive = [pid for fork_server in parents for pid in children(fork_server)]
        if workers := sorted(ready.intersection(alive)):
            with contextlib.suppress(ProcessLookupError):  # it has just died by itself
                os.kill(self._dice.choice(workers), signal.SIGKILL)
                self.killed += 1


def check_answer(answer: dict, attempts: int, runs: list[int]):
    """`runs`: how often each step was run."""
    assert max(runs) <= attempts, (answer, runs)
    if "result" in answer:
        assert answer["result"] == [answer["id"], 1] and min(runs) > 0, (answer, runs)
        return
    error = answer["error"]
    executed = error["data"]["executed"]
    assert error["code"] in (OVERLOADED, AS_ASKED, DEADLINE, WORKER_DIED, CANCELLED), answer
    assert executed in (False, "unknown"), answer
    assert executed == "unknown" or runs == [0, 0], (answer, runs)


def test_no_order_of_events_loses_a_request_or_runs_a_step_too_often(server, library, tmp_path):
    seed = int(os.environ.get("RINGMASTER_SEED", 1))
    print(f"RINGMASTER_SEED={seed}")
    log = tmp_path / "runs"
    handler = {"library": library, "log": log}
    sections = {
        "workers": {"count": WORKERS},
        "handlers": {"echo": {}} | {
            f"{name}{step}": handler | {"step": step, "batch": batch}
            for name, batch in (("alone", 1), ("batches", 4)) for step in (0, 1)
        },
        "methods": {
            method: {"timeout_ms": 400, "attempts": attempts, "steps": [
                {"run": method.removesuffix("_once") + str(step)} for step in (0, 1)
            ]}
            for method, attempts in METHODS.items()
        },
    }  # fmt: skip
    running = server(may_crash=True, **sections)
    play = Play(running, seed)
    play.run()
    running.reload(**sections)  # its end says that no former deployment holds anything
    running.assert_one_generation()

    begun = Counter(tuple(map(int, line.split()[:2])) for line in log.read_text().splitlines())
    assert sorted(play.answers) == list(range(REQUESTS))
    for ticket, method in enumerate(play.methods):
        runs = [begun[ticket, step] for step in (0, 1)]
        check_answer(play.answers[ticket], METHODS[method], runs)

    text = "\n".join(running.lines)
    for fault in ("memory_damaged", "fork_server_died", "job_unaccounted", "reload_failed"):
        assert f"event={fault}" not in text, [line for line in running.lines if fault in line]
    codes = Counter(
        answer.get("error", {}).get("code", "result") for answer in play.answers.values()
    )
    print(json.dumps({"answers": {str(code): count for code, count in codes.items()},
                      "killed": play.killed, "reloads": play.reloads, "runs": begun.total()}))
    assert play.killed > 0 and play.reloads > 0
    assert {"result", DEADLINE, WORKER_DIED, CANCELLED, AS_ASKED} <= codes.keys(), codes
