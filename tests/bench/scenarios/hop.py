"""The time that a request takes to a worker and back on an idle server, beside a bare futex
ping-pong."""

from statistics import median
from typing import Any

from contender import Contender
from context import Context
from figure import Figure
from targets import number, ratio, target

TITLE = "the hop to a worker, idle server"
ABOUT = """One request at a time on one connection. The hop is the p50 of `echo`, which a worker
answers, minus the p50 of an unknown method, which the master answers itself (-32601). It is
compared with the p50 of a round trip between two processes by futexes alone. The scheduler chooses
the cores of these two, as it does for the server's processes. Whether they share a core matters, so
the p50 with both on one core is stated, too. All are measured in turn, several times."""
BOUND = "bounds/futex_ping_pong"
TURNS = 3  # of two builds, see compare.py


def p50_us(context: Context, system: Contender, method: str, kind: str) -> float:
    made = context.load(system, method, [1], seconds=context.pick(0.8, 3), warm_up_s=0.2)
    return made[kind]["p50"]


def figures(context: Context, system: Contender, seed: int) -> dict[str, Figure]:
    through = p50_us(context, system, "echo", "latency_us")
    alone = p50_us(context, system, "no_such_method", "error_latency_us")
    return {"p50 µs through a worker": Figure(through), "p50 µs by the master": Figure(alone)}


def run(context: Context) -> dict[str, Any]:
    system = context.ringmaster()
    rounds = []
    for _ in range(context.pick(5, 15)):
        through = p50_us(context, system, "echo", "latency_us")
        alone = p50_us(context, system, "no_such_method", "error_latency_us")
        bare = context.program(BOUND)
        together = context.program(BOUND, on_one_core=True)
        rounds.append({"worker": through, "master": alone, "hop": through - alone,
                       "futex": bare and bare["p50_ns"] / 1e3,
                       "one core": together and together["p50_ns"] / 1e3})
    medians = {key: None if rounds[0][key] is None else median(one[key] for one in rounds)
               for key in rounds[0]}
    return {
        "targets": [target("hop ≤ 1.5 × futex ping-pong", ratio(medians["hop"], medians["futex"]),
                           "<=", 1.5, why_none=context.missing.get(BOUND, ""))],
        "tables": [{
            "title": "p50 in µs, each round and the median",
            "columns": ["round", "through a worker", "by the master", "hop", "futex ping-pong",
                        "the same on one core"],
            "rows": [[name, *(number(one[key]) for key in rounds[0])]
                     for name, one in [*enumerate(rounds, 1), ("median", medians)]],
        }],
        "raw": {"rounds": rounds},
    }
