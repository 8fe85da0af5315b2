"""1000 requests a second of the real model on two cores, and the highest rate of each system."""

from typing import Any

from contender import Contender
from context import UPSTREAM_MS, Context
from systems import OURS, PYTHON, end
from targets import number, ratio, target

TITLE = "interests.predict at 1,000 requests a second"
RATE = 1000
P99_MS = 200  # the longest p99 with which a rate counts as held
CORES = 2
ABOUT = f"""The real interests model behind an upstream that takes {UPSTREAM_MS} ms; Poisson
arrivals. The feature service and the load run on the same two cores: their CPU time is stated. The
search for the highest rate is the same for each system. It begins below the rate of a closed loop,
raises the rate by half as long as rates are held, and then bisects. A rate is held when p99 is at
most {P99_MS} ms, with no error and no request lost."""
PARAMS = {"user_id": "$i"}
CLOSED = {OURS: 2000}  # requests in flight of the closed loop, with which the search begins
CLOSED_OTHERS = 32


def shares(made: dict[str, Any]) -> dict[str, float]:
    """Which share of the two cores each program used."""
    cpu, whole = made["cpu_s"], CORES * made["wall_s"]
    used = {"master": cpu["master"],
            "workers": sum(s for role, s in cpu.items() if role.startswith("worker")),
            "feature service": made["upstream_cpu_s"],
            "load": made["own_cpu_us_per_request"] * made["sent"] / 1e6}
    return {name: seconds / whole for name, seconds in used.items()}


def is_held(made: dict[str, Any]) -> bool:
    return (not made["errors"] and not made["lost"]
            and made["latency_us"]["p99"] <= P99_MS * 1000)


def highest_rate(context: Context, system: Contender, method: str = "interests.predict",
                 at_once: int = 0) -> dict[str, Any]:
    """`at_once`: requests in flight of the closed loop; 0: the system's default. `held` is the
    highest rate that was held, `not_held` the lowest that was not; None: all rates were held."""
    load = lambda seconds, **how: context.load(  # noqa: E731
        system, method, PARAMS, seconds=seconds, connections=8, warm_up_s=0, **how)
    at_once = at_once or CLOSED.get(system.name, CLOSED_OTHERS)
    closed = load(2, concurrency=at_once)["results_per_s"]
    rate, held, not_held, tried = closed * 0.8, 0.0, None, []
    for _ in range(context.pick(5, 8)):
        rate = round(rate, 1)
        made = load(context.pick(3, 8), rate=rate)
        tried.append({"rate": rate, "p99_ms": made["latency_us"]["p99"] / 1e3,
                      "held": is_held(made)})
        held, not_held = (rate, not_held) if is_held(made) else (held, rate)
        rate = next_rate(held, not_held)
    context.say(f"{system.name}: holds {number(held)}/s, not {number(not_held)}/s")
    return {"system": system.name, "closed": closed, "held": held, "not_held": not_held,
            "tried": tried}


def next_rate(held: float, not_held: float | None) -> float:
    """Raises the rate until one is not held: a system may reach more than in a closed loop."""
    return 1.5 * held if not_held is None else (held + not_held) / 2


def run(context: Context) -> dict[str, Any]:
    system = context.ringmaster()
    made = context.load(system, "interests.predict", PARAMS, seconds=context.pick(10, 30),
                        rate=RATE, connections=8, warm_up_s=2)
    used = shares(made)
    p99_ms = made["latency_us"]["p99"] / 1e3
    failed = made["lost"] + sum(made["errors"].values())
    context.say(f"p99 {p99_ms:.1f} ms, {failed} failed")
    found = [highest_rate(context, system)]
    end(system)
    for name in PYTHON:
        if system := context.rival(name):
            highest = context.attempt(name, lambda: highest_rate(context, system))
            found += [highest] if highest else []
            end(system)
    best = max((each["held"] for each in found[1:]), default=None)
    return {
        "targets": [
            target("p99 ≤ 90 ms at 1,000 requests a second", None if failed else p99_ms, "<=", 90,
                   "ms", why_none=f"{failed} requests had no result"),
            target("CPU of master and workers ≤ 50 % of the two cores",
                   used["master"] + used["workers"], "<=", 0.5, "%"),
            target("highest rate ≥ 10 × the best Python system's", ratio(found[0]["held"], best),
                   ">=", 10, why_none=context.missing_text()),
        ],
        "tables": [
            {"title": f"At {RATE} a second: latency in ms",
             "columns": ["p50", "p90", "p99", "p99.9", "at most"],
             "rows": [[number(made["latency_us"][key] / 1e3)
                       for key in ("p50", "p90", "p99", "p99.9", "max")]]},
            {"title": "CPU, of the two cores", "columns": list(used),
             "rows": [[f"{100 * share:.1f} %" for share in used.values()]]},
            {"title": f"Highest rate with p99 ≤ {P99_MS} ms, requests a second",
             "columns": ["system", "held", "not held", "closed loop"],
             "rows": [[each["system"],
                       *(number(each[key]) for key in ("held", "not_held", "closed"))]
                      for each in found]},
        ],
        "text": context.missing_text(),
        "raw": {"at_1000": made, "highest": found},
    }
