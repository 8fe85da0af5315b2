"""The predictions of `ringmaster plan` about a server, beside measurements of that server."""

import itertools
import json
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bounds.ideal_queue import latencies_of, percentile
from client import DEADLINE_S, connect
from context import UPSTREAM_MS, Context, LoadFailed
from cpu import machine_stolen_s
from ringmaster import FETCH, Ringmaster
from status_port import ON, status_of
from systems import TIMEOUT_MS, end
from targets import number, target

T = TypeVar("T")
TITLE = "the plan and what became of it"
WORKERS = 8
BASE = 0.5  # the load that the planner sees, as a part of the capacity
CANDIDATES = 200
ABOUT = f"""A server with {WORKERS} workers has {BASE:.0%} of the load that these can do. Meanwhile
`ringmaster plan --from` takes rates and times from it, and predicts the figures at other loads.
Then the server gets these loads. The handler sleeps, so that a machine with few cores can have so
many workers, and each run takes as long as it should. Latency counts from the intended start;
requests that are refused, or late, are "without a result". The error is the planner's, relative to
the measured figure; for requests without a result it is the difference. The p99 of one minute of
random arrivals varies by chance alone: its standard deviation is 5 % at 70 % load, and 40 % at 90 %
in batches. So the arrivals are typical. Of {CANDIDATES} random sequences it is the one whose p50
and p99 in an ideal queue are nearest to those of all together. At overload that queue grows without
end: there, and for the planner, it is the one with the median of the workers' time.
While the host gives time to other machines ("stolen"), each sleep lasts longer. At 90 % load
that counts: where 2.4 % were stolen, the median was 41 ms instead of 29. A run during which more
than 1 % was stolen is measured again, whatever it found."""
HANDLER = """
import time
def run(ms: float, user_id: int = 0, users: dict = {}) -> float:
    time.sleep(ms / 1e3)
    return ms
"""
SOURCES = ("formula", "simulated")
LIMIT = 0.1  # the largest error
STOLEN_LIMIT = 0.01
TRIES = 4
LEAD_S = 6  # at 120 %, the queue has its full length by then, and the server notices the overload


@dataclass
class Mix:
    title: str
    methods: dict[str, float]  # name -> run time in ms
    weights: tuple[int, ...] = (1,)  # how often each is asked
    at_once: int = 1

    def capacity(self) -> float:
        """Requests a second."""
        run_ms = sum(weight * ms for weight, ms in zip(self.weights, self.methods.values()))
        return WORKERS * 1000 * sum(self.weights) / run_ms


MIXES = (
    Mix("30 ms", {"hold": 30}),
    Mix(f"{UPSTREAM_MS} ms of a fetch, 30 ms", {"fetch_hold": 30}),
    # At 70 %, two thirds of the requests of 5 ms do not wait. With more requests of 55 ms the
    # median would be where waiting begins, or between 5 and 125 ms: it would say little.
    Mix("5 ms, every tenth a fetch with 55 ms", {"hold": 5, "fetch_hold": 55}, (9, 1)),
    Mix("batches of 8, 30 ms", {"hold": 30}, at_once=8),
)


def start(context: Context) -> Ringmaster:
    file = context.folder / "hold.py"
    file.write_text(HANDLER)
    handler = {"python": f"{file}:run"}
    return context.ringmaster(
        workers=WORKERS, listen=ON, handlers={"hold": handler, "fetch_hold": handler},
        methods={"fetch_hold": {"steps": [FETCH, {"run": "fetch_hold"}]}})


# Requests that arrive together: when, in seconds, and their methods.
Arrivals = list[tuple[float, list[str]]]


@dataclass
class Span:
    """Arrivals from -lead_s to `seconds`, those from 0 on are counted."""

    mix: Mix
    load: float
    seconds: float
    lead_s: float

    def arrivals(self, seed: int) -> Arrivals:
        """Poisson."""
        chance, methods = random.Random(seed), list(self.mix.methods)
        rate = self.load * self.mix.capacity() / self.mix.at_once
        found, at = [], chance.expovariate(rate) - self.lead_s
        while at < self.seconds:
            found.append((at, chance.choices(methods, self.mix.weights, k=self.mix.at_once)))
            at += chance.expovariate(rate)
        return found

    def of_median_work(self) -> Arrivals:
        """The sequence that keeps the workers busy for the median time."""
        def run_ms(seed: int) -> float:
            return sum(self.mix.methods[method] for at, methods in self.arrivals(seed) if at >= 0
                       for method in methods)
        return self.arrivals(sorted(range(CANDIDATES), key=run_ms)[CANDIDATES // 2])

    def typical_in_a_queue(self) -> Arrivals:
        """The sequence whose percentiles in an ideal queue are nearest to those of all together."""
        taken = [ideal_ms(self.mix, self.arrivals(seed)) for seed in range(CANDIDATES)]
        together = sorted(itertools.chain.from_iterable(taken))

        def off(seed: int) -> float:
            return max(abs(percentile(taken[seed], percent) / percentile(together, percent) - 1)
                       for percent in (50, 99))

        return self.arrivals(min(range(CANDIDATES), key=off))


def ideal_ms(mix: Mix, arrivals: Arrivals) -> list[float]:
    """How long the requests that are counted take in an ideal queue, sorted."""
    fetches = {method: UPSTREAM_MS * method.startswith("fetch") for method in mix.methods}
    requests = [(1e3 * at, fetches[method], mix.methods[method])
                for at, methods in arrivals for method in methods]
    requests.sort(key=lambda request: request[0] + request[1])
    taken = latencies_of(requests, WORKERS)
    return sorted(ms for ms, request in zip(taken, requests, strict=True) if request[0] >= 0)


class Load:
    """An open loop on one connection. It makes the requests before and reads the answers' text
    afterwards: in between a request of 5 ms would wait for either."""

    def __init__(self, address: str, mix: Mix, arrivals: Arrivals):
        self.intended: dict[int, float] = {}  # after the first arrival; of requests that count
        self.messages: list[tuple[float, bytes]] = []  # when to send which, likewise
        self.received: list[tuple[float, bytes]] = []
        self.took_ms: list[float] = []
        self.failed: list[int] = []  # codes
        numbers = itertools.count(1)
        for at, methods in arrivals:
            after_s = at - arrivals[0][0]
            requests = {next(numbers): method for method in methods}
            if at >= 0:
                self.intended |= dict.fromkeys(requests, after_s)
            self.messages.append((after_s, b"".join(
                message(number, method, mix) for number, method in requests.items())))
        self.socket = connect(address)

    def run(self) -> dict[str, Any]:
        reader = threading.Thread(target=self._read)
        reader.start()
        begin = self._send()
        reader.join(DEADLINE_S)
        self.socket.close()
        self._understand(begin)
        answered = len(self.took_ms) + len(self.failed)
        if not self.took_ms or answered < len(self.intended):
            raise LoadFailed(f"ringmaster: {answered} of {len(self.intended)} were answered")
        self.took_ms.sort()
        return {"p50_ms": percentile(self.took_ms, 50), "p99_ms": percentile(self.took_ms, 99),
                "refused": len(self.failed) / answered, "sent": answered,
                "codes": {code: self.failed.count(code) for code in set(self.failed)}}

    def _send(self) -> float:
        begin = time.monotonic()
        for after_s, text in self.messages:
            time.sleep(max(0, begin + after_s - time.monotonic()))
            self.socket.sendall(text)
        self.socket.shutdown(socket.SHUT_WR)
        return begin

    def _read(self) -> None:
        while part := self.socket.recv(1 << 16):
            self.received.append((time.monotonic(), part))

    def _understand(self, begin: float) -> None:
        rest = b""
        for at, part in self.received:
            *lines, rest = (rest + part).split(b"\n")
            for answer in map(json.loads, lines):
                if (after_s := self.intended.get(answer["id"])) is None:
                    continue
                if "error" in answer:
                    self.failed.append(answer["error"]["code"])
                else:
                    self.took_ms.append(1e3 * (at - begin - after_s))


def message(number: int, method: str, mix: Mix) -> bytes:
    params = {"ms": mix.methods[method], "user_id": number}
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(request).encode() + b"\n"


def planned(context: Context, system: Ringmaster, mix: Mix, loads: tuple[float, ...],
            seconds: float) -> list[dict[str, Any]]:
    """The planner's predictions for each load, while the server has the base load."""
    # The planner looks for `seconds`, from about a second after the begin on.
    load = Load(system.address, mix, Span(mix, BASE, seconds + 1, 1).of_median_work())
    with_load = threading.Thread(target=load.run)
    with_load.start()
    time.sleep(1)
    planners = []
    for times in loads:
        command = [context.build / "ringmaster", "plan", "--from", status_of(system.server),
                   "--seconds", seconds, "--load", f"{times / BASE:g}x", "--at-once", mix.at_once,
                   "--timeout-ms", TIMEOUT_MS, "--simulate", "--json"]
        words = [str(word) for word in command]
        context.commands.append({"system": system.name, "command": " ".join(words[1:])})
        planners.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
    said = [planner.communicate(timeout=seconds + DEADLINE_S)[0] for planner in planners]
    with_load.join()
    return [json.loads(text)["cases"][-1] for text in said]


def undisturbed(measured: Callable[[], T]) -> tuple[T, float, int]:
    """What it found, the part of the machine's CPU time that was stolen meanwhile, and the number
    of the try: the first that meets STOLEN_LIMIT, else the last."""
    for number_of_try in range(1, TRIES + 1):
        stolen_s, begin = machine_stolen_s(), time.monotonic()
        found = measured()
        seconds = (time.monotonic() - begin) * (os.cpu_count() or 1)
        stolen = (machine_stolen_s() - stolen_s) / seconds
        if stolen <= STOLEN_LIMIT:
            break
    return found, stolen, number_of_try


def error_of(said: float | None, measured: float) -> float | None:
    return None if said is None else said / measured - 1


def errors(said: dict[str, Any], made: dict[str, Any]) -> dict[str, float | None]:
    return {"p50": error_of(said["p50_ms"], made["p50_ms"]),
            "p99": error_of(said["p99_ms"], made["p99_ms"]),
            "refused": said["refused"] - made["refused"]}


def measure(context: Context, mix: Mix) -> list[dict[str, Any]]:
    loads = context.pick((0.8, 1.2, 1.5), (0.7, 0.9, 1.2, 1.5))
    seconds = context.pick(8, 60)
    system = start(context)
    found = []
    cases, _, _ = undisturbed(lambda: planned(context, system, mix, loads, seconds))
    for times, case in zip(loads, cases):
        span = Span(mix, times, seconds, LEAD_S)
        arrivals = span.typical_in_a_queue() if times < 1 else span.of_median_work()
        made, stolen, tries = undisturbed(lambda: Load(system.address, mix, arrivals).run())
        found.append({"mix": mix.title, "load": times, "measured": made,
                      "stolen": stolen, "tries": tries,
                      **{source: case[source] for source in SOURCES},
                      "errors": {source: errors(case[source], made) for source in SOURCES}})
        context.say(f"{mix.title}, {times:.0%}: p99 {number(made['p99_ms'])} ms, the simulation"
                    f" said {number(case['simulated']['p99_ms'])}")
    end(system)
    return found


def signed(error: float | None) -> str:
    return "-" if error is None else f"{100 * error:+.1f} %"


def row(run: dict[str, Any]) -> list[Any]:
    made = run["measured"]
    cells = [run["mix"], f"{run['load']:.0%}", number(made["p50_ms"]), number(made["p99_ms"]),
             f"{made['refused']:.1%}", f"{run['stolen']:.1%}", run["tries"]]
    return cells + [signed(run["errors"][source][figure]) for figure in ("p50", "p99", "refused")
                    for source in SOURCES]


def largest(runs: list[dict[str, Any]], source: str, figure: str) -> float | None:
    known = [abs(error) for run in runs
             if (error := run["errors"][source][figure]) is not None]
    return max(known, default=None)


def run(context: Context) -> dict[str, Any]:
    runs = [made for mix in MIXES for made in measure(context, mix)]
    return {
        "targets": [target(f"the simulation's largest error: {figure} ≤ 10 %",
                           largest(runs, "simulated", figure), "<=", LIMIT, "%")
                    for figure in ("p50", "p99", "refused")],
        "tables": [{
            "title": f"{WORKERS} workers; errors of the formula and of the simulation",
            "columns": ["requests", "load", "p50 ms", "p99 ms", "without a result", "stolen",
                        "tries", *(f"{figure}, {source}" for figure in ("p50", "p99", "no result")
                          for source in SOURCES)],
            "rows": [row(run) for run in runs],
        }],
        "text": context.missing_text(),
        "raw": {"runs": runs},
    }
