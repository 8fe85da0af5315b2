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
a second's work. Each run has a server of its own, and is counted from its third second on. The rows
with `burn` have no upstream: their {CPU_MS} ms of CPU begin as soon as a worker is free. Their p99
is compared with that at 80 % of capacity."""
TARGETED = (2, 10)
USUAL = 0.8  # a load that the workers can do
SHARE_MAX = 1.1  # of the capacity: chance may add a tenth
AT_ONCE = 12  # for each worker: enough to keep it busy
LEAD_S = 2  # queues have their full length by then: requests that fill them are no goodput


def capacity(context: Context, system: Contender, method: str = "fetch_burn",
             workers: int = WORKERS, **options: Any) -> float:
    made = context.load(system, method, BURN, seconds=context.pick(3, 6),
                        concurrency=AT_ONCE * workers, connections=4, **options)
    return made["results_per_s"]


def measure(context: Context, system: Contender, times: float, method: str = "fetch_burn",
            workers: int = WORKERS, **options: Any) -> dict[str, Any]:
    seconds = context.pick(4, 8) if method == "fetch_burn" else context.pick(10, 40)
    made = context.load(system, method, BURN, rate=round(times * workers * 1000 / CPU_MS, 2),
                        seconds=seconds, connections=4, in_time_ms=TIMEOUT_MS, drain_s=1,
                        warm_up_s=0, lead_s=LEAD_S, **options)
    refused = made["errors"].get("-32009", 0)
    context.say(f"{system.name}, {method}, {times:g} x: {made['in_time'] / seconds:.1f}/s")
    return {
        "system": system.name, "method": method, "times": times,
        "goodput": made["in_time"] / seconds, "p99_ms": made["latency_us"]["p99"] / 1e3,
        "late": made["results"] - made["in_time"] + made["lost"], "refused": refused,
        "failed": sum(made["errors"].values()) - refused,
        "refused_p99_ms": made["error_latency_us"]["p99"] / 1e3,
        "rss_mib": rss_bytes(system.processes[0].pid) / 2**20, "bench": made,
    }


def measure_ours(context: Context, system: Contender, times: float,
                 method: str = "fetch_burn") -> dict[str, Any]:
    before = capacity(context, system, method)
    made = measure(context, system, times, method)
    return made | {"capacity": max(before, capacity(context, system, method))}


def measure_burn(context: Context, times: float) -> dict[str, Any]:
    system = context.ringmaster()
    made = measure_ours(context, system, times, "burn")
    end(system)
    return made


def credible(share: float | None) -> float | None:
    """The share; None if it is impossible: other programs have lowered the measured capacity."""
    return None if share is None or share > SHARE_MAX else share


def goodput_target(text: str, made: dict[str, Any], least: float) -> dict[str, Any]:
    share = credible(ratio(made["goodput"], made["capacity"]))
    return target(f"{text}: goodput ≥ {100 * least:g} % of capacity", share, ">=", least, "%",
                  why_none="goodput was far above the capacity measured beside it: the machine was"
                  " busy")


def burn_targets(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    usual, *overloaded = runs
    targets = []
    for made in overloaded:
        text = f"`burn` at {made['times']} × capacity"
        targets += [
            goodput_target(text, made, 0.98),
            target(f"{text}: p99 of results ≤ 1.3 × that at 80 %",
                   ratio(made["p99_ms"], usual["p99_ms"]), "<=", 1.3),
            target(f"{text}: p99 of refusals ≤ 5 ms", made["refused_p99_ms"], "<=", 5, "ms"),
        ]
    return targets


def row(made: dict[str, Any], limit: float) -> list[Any]:
    return [made["system"], made["method"], f"{made['times']:g}", number(made["goodput"]),
            f"{made['goodput'] / made.get('capacity', limit):.0%}", number(made["p99_ms"]),
            made["late"], made["refused"],
            number(made["refused_p99_ms"]) if made["refused"] else "-", made["failed"],
            number(made["rss_mib"])]


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
    burns = [measure_burn(context, times) for times in (USUAL, *TARGETED)]
    limit = max(made["capacity"] for made in runs if "capacity" in made)
    names = list(dict.fromkeys(made["system"] for made in runs))
    return {
        "targets": [goodput_target(f"at {made['times']} × capacity", made, 0.95)
                    for made in runs if "capacity" in made] + burn_targets(burns),
        "tables": [{
            "title": f"Capacity at best {number(limit)} a second; {HARD_LIMIT:.1f} are possible",
            "columns": ["system", "method", "offered, × 66.7/s", "goodput a second", "of capacity",
                        "p99 of a result, ms", "late", "refused", "p99 of a refusal, ms",
                        "other errors", "MiB"],
            "rows": [row(made, limit) for made in runs + burns],
        }],
        "plots": [{
            "kind": "lines", "name": "overload", "title": "Throughput against offered load",
            "x": "offered, requests/s", "y": "answered within 1 s, requests/s", "log": "x",
            "series": [{"label": name, "points": [[made["times"] * HARD_LIMIT, made["goodput"]]
                                                  for made in runs if made["system"] == name]}
                       for name in names],
        }],
        "text": context.missing_text(),
        "raw": {"runs": runs, "burns": burns},
    }
