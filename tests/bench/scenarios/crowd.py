"""Many clients, each with a token: beside a hostile one, beyond the capacity, and in a large
server."""

import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from client import request
from contender import ROOT
from context import BURN, CPU_MS, SEED, Context
from ringmaster import Ringmaster
from scenarios.fair import busy_part, start, together, token_files, token_of, write_tokens
from scenarios.latency import rate_of
from scenarios.overload import capacity, goodput_target, measure
from systems import TIMEOUT_MS, WORKERS, end
from targets import number, ratio, target

sys.path.insert(0, str(ROOT / "tests/soak"))
from hostile import Hostile  # noqa: E402

TITLE = "many clients"
CLIENTS, RARE = 200, 1000  # a token file has at most 1,000 tokens
LOAD, FLOOD = 0.8, 10  # of the capacity
HOSTILE_EVERY_S = 0.05
PROGRAM = "large_server"
ABOUT = f"""`burn` {CPU_MS} ms, a deadline of {TIMEOUT_MS} ms; each client has a token and a
connection of its own, and its arrivals are Poisson. *Hostile* and *rare* have two workers, and then
one, so that the master and the loads have a core of their own. *Hostile*: {CLIENTS} clients that
together offer {LOAD:.0%} of the capacity, alone and then beside one more client, with the same
arrivals. The other client offers {FLOOD} times the capacity, and every {1000 * HOSTILE_EVERY_S:g}
ms makes two connections that do what the soak's hostile clients do; one of the two shows the
client's token first. Goodput is results in time. *Rare*: {RARE} clients, together twice the
capacity, counted from the third second. Goodput is results in time, compared with what one client
gets in a closed loop on the same server: the better of two measurements, before and after. (The
load takes CPU time from the workers: 0.02 cores are 1 % of the capacity.) The p99 of results is
compared with that of the same clients at {LOAD:.0%}. *Limited*: a method with `concurrency = 1` and
another one, each in a closed loop; busy is the results' CPU time divided by the time of two
workers. *Large server*: single calls in a process without a loop (tests/bench/{PROGRAM}.cc)."""


@contextmanager
def hostile(system: Ringmaster, greeting: bytes) -> Iterator[list[Hostile]]:
    """Hostile clients come and go until the end of the block."""
    dice = random.Random(SEED)
    clients = [Hostile(system.address, dice, greeting), Hostile(system.address, dice)]
    is_over = threading.Event()

    def come_and_go():
        while not is_over.wait(HOSTILE_EVERY_S):
            for each in clients:
                each.one_more()
        for each in clients:
            each.leave_all()

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(come_and_go)
        try:
            yield clients
        finally:
            is_over.set()
        running.result()


def beside_hostile(context: Context, workers: int) -> dict[str, Any]:
    names = [f"client-{number}" for number in range(CLIENTS)]
    files = {"others": write_tokens(context, "others", names),
             "hostile": write_tokens(context, "hostile", ["hostile"]),
             "all": write_tokens(context, "all", [*names, "hostile"])}
    system = start(context, files, workers=workers)
    burn = {"method": "burn", "params": BURN, "seconds": context.pick(20, 60), "drain_s": 2}
    part = workers / WORKERS
    others = burn | {"rate": rate_of(LOAD) * part, "token_file": files["others"],
                     "each_token": True, "in_time_ms": TIMEOUT_MS}
    flood = burn | {"rate": rate_of(FLOOD) * part, "token_file": files["hostile"],
                    "connections": 4}
    [alone] = together(context, system, dict(others))
    with hostile(system, request("rpc.auth", [token_of("hostile")], 0)) as clients:
        beside, flooding = together(context, system, others, flood)
    end(system)
    loads = {"alone": alone, "beside": beside, "flooding": flooding}
    context.say(f"hostile: {beside['in_time']} in time, alone {alone['in_time']}")
    return {"workers": workers, "goodput": ratio(beside["in_time"], alone["in_time"]),
            "p99": ratio(p99_ms(beside), p99_ms(alone)),
            "connections": sum(each.count for each in clients), "loads": loads}


def rare_clients(context: Context, workers: int) -> dict[str, Any]:
    tokens = write_tokens(context, "rare", [f"rare-{number}" for number in range(RARE)])
    system = start(context, {"all": tokens}, workers=workers)
    each = {"token_file": tokens, "each_token": True, "workers": workers}
    before = capacity(context, system, "burn", workers, token_file=tokens)
    usual, beyond = (measure(context, system, times, "burn", **each) for times in (LOAD, 2))
    after = capacity(context, system, "burn", workers, token_file=tokens)
    end(system)
    return {"workers": workers, "usual": usual, "beyond": beyond | {"capacity": max(before, after)},
            "p99": ratio(beyond["p99_ms"], usual["p99_ms"])}


def limited(context: Context) -> dict[str, Any]:
    files = token_files(context)
    system = start(context, files, methods={"limited": {"concurrency": 1, "steps": [
        {"run": "burn"}]}})
    # So few that none is refused: after a refusal a closed loop sends the next request at once, and
    # such refusals take the CPU time of the workers.
    loads = [{"method": method, "params": BURN, "concurrency": 3, "connections": 2,
              "seconds": context.pick(10, 30), "token_file": files[client]}
             for client, method in (("first", "limited"), ("second", "burn"))]
    made = together(context, system, *loads)
    end(system)
    context.say(f"limited: workers busy {busy_part(*made):.1%}")
    return {"busy": busy_part(*made), "parts": [busy_part(each) for each in made], "loads": made}


def p99_ms(made: dict[str, Any]) -> float:
    return made["latency_us"]["p99"] / 1e3


def large_targets(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    slowest = max(each[key] for each in rows for key in ("admitted_us", "urgent_us"))
    largest = max(rows, key=lambda each: each["workers"])
    return [
        target("100,000 in flight, all with other deadlines: admission ≤ 3 µs", slowest, "<=", 3,
               "µs"),
        target(f"{largest['workers']} workers with {largest['batch']} of 100,000 jobs each: audit"
               " ≤ 2 ms", largest["audit_ms"], "<=", 2, "ms")]


def crowd_targets(hostile: dict[str, Any], rare: dict[str, Any]) -> list[dict[str, Any]]:
    one = ", one worker" * (hostile["workers"] == 1)
    beside, together = f"{CLIENTS} clients beside a hostile one", f"{RARE} clients at 2 × capacity"
    return [
        target(f"{beside}{one}: goodput ≥ 99 % of that without", hostile["goodput"], ">=", 0.99,
               "%"),
        target(f"{beside}{one}: p99 ≤ 1.5 × that without", hostile["p99"], "<=", 1.5),
        goodput_target(f"{together}{one}", rare["beyond"], 0.99),
        target(f"{together}{one}: p99 of results ≤ 1.5 × that at 80 %", rare["p99"], "<=", 1.5)]


def crowd_rows(hostile: dict[str, Any], rare: dict[str, Any]) -> list[list[Any]]:
    workers, loads = hostile["workers"], hostile["loads"]
    return [[f"{CLIENTS} clients", workers, *row(loads["alone"])],
            ["beside a hostile one", workers, *row(loads["beside"])],
            ["the hostile one", workers, *row(loads["flooding"])],
            [f"{RARE} clients at {LOAD:.0%}", workers, *row(rare["usual"]["bench"])],
            [f"{RARE} clients at 200 %", workers, *row(rare["beyond"]["bench"])]]


def run(context: Context) -> dict[str, Any]:
    crowds = [(beside_hostile(context, workers), rare_clients(context, workers))
              for workers in (WORKERS, 1)]
    found = {"crowds": crowds, "limited": limited(context)}
    large = (context.program(PROGRAM) or {"servers": []})["servers"]
    return {
        "targets": [
            *(each for crowd in crowds for each in crowd_targets(*crowd)),
            target("a method with `concurrency = 1` beside another: workers busy",
                   found["limited"]["busy"], ">=", 0.97, "%"),
            *(large_targets(large) if large else []),
        ],
        "tables": [{
            "title": "Loads",
            "columns": ["load", "workers", "sent", "in time", "errors", "lost", "p50, ms",
                        "p99, ms", "p99 of an error, ms", "the load's own CPU, cores"],
            "rows": [each for crowd in crowds for each in crowd_rows(*crowd)],
        }, {
            "title": "100,000 requests in flight",
            "columns": ["workers", "clients", "jobs in hand", "admitted, µs", "urgent, µs",
                        "audit, ms"],
            "rows": [[each["workers"], each["clients"], each["in_hand"],
                      *(number(each[key]) for key in ("admitted_us", "urgent_us", "audit_ms"))]
                     for each in large],
        }],
        "plots": [],
        "text": context.missing_text(),
        "raw": found | {"large": large},
    }


def row(made: dict[str, Any]) -> list[Any]:
    failed = made["error_latency_us"]["p99"] / 1e3
    own_cores = made["own_cpu_us_per_request"] * made["sent"] / made["duration_s"] / 1e6
    return [made["sent"], made["in_time"], sum(made["errors"].values()), made["lost"],
            number(made["latency_us"]["p50"] / 1e3), number(p99_ms(made)),
            number(failed) if made["errors"] else "-", number(own_cores)]
