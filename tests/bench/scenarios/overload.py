"""Loads up to and beyond the capacity of the workers."""

from typing import Any

from contender import Contender
from context import BURN, CPU_MS, Context
from cpu import rss_bytes
from systems import NODE, OURS, POOL, POOL_LIMITED, PYTHON, TIMEOUT_MS, WORKERS, end
from targets import number, ratio, target

TITLE = "overload"
HARD_LIMIT = WORKERS * 1000 / CPU_MS
ABOUT = f"""`fetch_burn` with Poisson arrivals at a multiple of what two workers can do. Goodput is
the rate of requests that were answered within {TIMEOUT_MS} ms of their intended start. Capacity is
ringmaster's own in a closed loop: the better of two, just before and just after the run, since
other programs use these machines, too. All other rows are compared with the best capacity measured.
No client gives up: a late request is still answered. HTTP has 256 connections; further requests
wait in the load's program, and their time runs. "Limited" is the pool that refuses requests beyond
a second's work. Each run has a server of its own, and is counted from its third second on."""
TARGETED = (2, 10)
SHARE_MAX = 1.1  # of the capacity: chance may add a tenth
AT_ONCE = 12 * WORKERS  # enough to keep the workers busy
LEAD_S = 2  # queues have their full length by then: requests that fill them are no goodput


def capacity(context: Context, system: Contender) -> float:
    made = context.load(system, "fetch_burn", BURN, seconds=context.pick(3, 6),
                        concurrency=AT_ONCE, connections=4)
    return made["results_per_s"]


def measure(context: Context, system: Contender, times: float) -> dict[str, Any]:
    seconds = context.pick(4, 8)
    made = context.load(system, "fetch_burn", BURN, rate=round(times * HARD_LIMIT, 2),
                        seconds=seconds, connections=4, in_time_ms=TIMEOUT_MS, drain_s=1,
                        warm_up_s=0, lead_s=LEAD_S)
    refused = made["errors"].get("-32009", 0)
    context.say(f"{system.name}, {times:g} x: {made['in_time'] / seconds:.1f}/s")
    return {
        "system": system.name, "times": times, "goodput": made["in_time"] / seconds,
        "late": made["results"] - made["in_time"] + made["lost"], "refused": refused,
        "failed": sum(made["errors"].values()) - refused,
        "refused_p99_ms": made["error_latency_us"]["p99"] / 1e3,
        "rss_mib": rss_bytes(system.processes[0].pid) / 2**20, "bench": made,
    }


def measure_ours(context: Context, system: Contender, times: float) -> dict[str, Any]:
    before = capacity(context, system)
    made = measure(context, system, times)
    return made | {"capacity": max(before, capacity(context, system))}


def credible(share: float | None) -> float | None:
    """The share; None if it is impossible: other programs have lowered the measured capacity."""
    return None if share is None or share > SHARE_MAX else share


def run(context: Context) -> dict[str, Any]:
    factors = context.pick((0.5, 0.9, 1.2, 2, 10), (0.25, 0.5, 0.8, 1, 1.2, 2, 4, 10))
    runs = []
    for times in factors:
        for name in (OURS, *context.pick((POOL, POOL_LIMITED), (*PYTHON, POOL_LIMITED, NODE))):
            if system := context.start(name):
                is_ours = name == OURS and times in TARGETED
                how = measure_ours if is_ours else measure
                made = context.attempt(name, lambda: how(context, system, times))
                runs += [made] if made else []
                end(system)
    limit = max(made["capacity"] for made in runs if "capacity" in made)
    share = {made["times"]: credible(ratio(made["goodput"], made["capacity"])) for made in runs
             if "capacity" in made}
    names = list(dict.fromkeys(made["system"] for made in runs))
    return {
        "targets": [target(f"at {times} × capacity: goodput ≥ 95 % of capacity",
                           share[times], ">=", 0.95, "%", why_none="goodput was far above the "
                           "capacity measured beside it: the machine was busy") for times in
                    TARGETED],
        "tables": [{
            "title": f"Capacity at best {number(limit)} a second; {HARD_LIMIT:.1f} are possible",
            "columns": ["system", "offered, × 66.7/s", "goodput a second", "of capacity", "late",
                        "refused", "p99 of a refusal, ms", "other errors", "MiB"],
            "rows": [[made["system"], f"{made['times']:g}", number(made["goodput"]),
                      f"{made['goodput'] / made.get('capacity', limit):.0%}", made["late"],
                      made["refused"], number(made["refused_p99_ms"]) if made["refused"] else "-",
                      made["failed"], number(made["rss_mib"])] for made in runs],
        }],
        "plots": [{
            "kind": "lines", "name": "overload", "title": "Throughput against offered load",
            "x": "offered, requests/s", "y": "answered within 1 s, requests/s", "log": "x",
            "series": [{"label": name, "points": [[made["times"] * HARD_LIMIT, made["goodput"]]
                                                  for made in runs if made["system"] == name]}
                       for name in names],
        }],
        "text": context.missing_text(),
        "raw": {"runs": runs},
    }
