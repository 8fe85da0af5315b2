"""The latency of waiting and computing below capacity, beside a bound that no server can beat."""

from statistics import median
from typing import Any

from bounds.ideal_queue import NS_PER_MS, arrivals_of, latencies_ns, percentile
from contender import Contender
from context import BURN, CPU_MS, UPSTREAM_MS, Context, LoadFailed
from figure import Figure
from systems import NODE, OURS, PYTHON, WORKERS, end
from targets import number, ratio, target

TITLE = "30 ms of CPU behind 70 ms of waiting"
DRAIN_S = 3
CAPACITY = WORKERS * 1000 / CPU_MS  # a second
ABOUT = f"""`fetch_burn`: an upstream that takes {UPSTREAM_MS} ms, then {CPU_MS} ms of CPU; two
workers can do {CAPACITY:.1f} a second. Poisson arrivals, the same for all; latency counts from the
intended start. The ideal is an M/D/2 queue, fed with the same arrivals, whose hops cost nothing.
Each system is started for its run and ended after it, so that no system works off a backlog during
the run of another. A request without an answer {DRAIN_S} s after the last arrival is lost, and
counts as slower than all answered ones."""
PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9)
RIVALS = (*PYTHON, NODE)


def rate_of(load: float) -> float:
    return round(load * CAPACITY, 2)


def ideal(context: Context, load: float, seconds: float, seed: int,
          fetch_ms: int = UPSTREAM_MS) -> dict[str, Any]:
    arrivals = arrivals_of(context.build / "bench/bounds/arrivals", rate_of(load), seed, seconds)
    taken = latencies_ns(arrivals, WORKERS, fetch_ms * NS_PER_MS, CPU_MS * NS_PER_MS)
    found = sorted(ns / NS_PER_MS for ns in taken)
    return {"system": "ideal M/D/2", "sent": len(found), "lost": 0, "errors": 0,
            "ms": {str(percent): percentile(found, percent) for percent in PERCENTS}}


def measure(context: Context, system: Contender, load: float, seconds: float,
            seed: int, method: str = "fetch_burn", params: Any = BURN) -> dict[str, Any]:
    made = context.load(system, method, params, seconds=seconds, rate=rate_of(load),
                        connections=4, seed=seed, drain_s=DRAIN_S)
    return {"system": system.name, "sent": made["sent"], "lost": made["lost"],
            "ms": of_all_sent(made), "errors": sum(made["errors"].values()), "bench": made}


def figures(context: Context, system: Contender, seed: int) -> dict[str, Figure]:
    made = measure(context, system, 0.8, context.pick(10, 40), seed)
    found = {percent: at(made, percent) for percent in (50, 99)}
    if None in found.values():
        raise LoadFailed(f"{made['sent']} requests were sent, and more than 1 % not answered")
    return {f"p{percent} ms at 80 %": Figure(ms) for percent, ms in found.items()}


def of_all_sent(made: dict[str, Any]) -> dict[str, float]:
    """Percentiles of all requests in ms. Those without a result count as slower than all others, so
    the percentiles end at the share of requests with a result."""
    share = made["results"] / made["sent"]
    return {f"{percent * share:.6g}": made["latency_us"][f"p{percent:g}"] / 1e3
            for percent in PERCENTS}


def at(made: dict[str, Any], percent: float) -> float | None:
    """The nearest percentile that is not below `percent`; None: there is none."""
    return min((ms for found, ms in made["ms"].items() if float(found) >= percent), default=None)


def ours(context: Context, load: float, seconds: float, seeds: list[int]) -> list[dict]:
    """For each seed, the latencies of ringmaster and those of the ideal."""
    pairs = []
    for seed in seeds:
        system = context.ringmaster()
        made = measure(context, system, load, seconds, seed)
        bound = ideal(context, load, seconds, seed)
        end(system)
        assert made["sent"] == bound["sent"], "the bound was fed with other arrivals"
        pairs.append({"load": load, "seed": seed, OURS: made, "ideal": bound,
                      "ratio": ratio(at(made, 99), at(bound, 99))})
        context.say(f"{load:.0%}, seed {seed}: p99 {shown_ms(made, 99)} ms, ideal"
                    f" {shown_ms(bound, 99)}")
    return pairs


def shown_ms(made: dict[str, Any], percent: float) -> str:
    """Beyond the slowest answered request only a lower bound is known: "> 90.1"."""
    found = at(made, percent)
    return f"> {number(max(made['ms'].values()))}" if found is None else number(found)


def row(load: float, seed: int, made: dict[str, Any]) -> list[Any]:
    return [made["system"], f"{load:.0%}", seed, *(shown_ms(made, p) for p in (50, 90, 99)),
            made["sent"], made["errors"], made["lost"]]


def plot(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """x is N where 1 in N requests is slower: this axis spreads out the slow requests."""
    slower = lambda percent: 100 / (100 - percent)  # noqa: E731
    return {
        "kind": "lines", "name": "latency", "title": "Latency at 80 % of capacity (53 a second)",
        "x": "percentile", "y": "ms", "log": "xy",
        "x_labels": [[slower(p), f"p{p:g}"] for p in (1, 50, 75, 90, 99, 99.9)],
        "series": [{"label": each["system"], "points": [[slower(float(percent)), ms]
                                                       for percent, ms in each["ms"].items()]}
                   for each in runs],
    }


def run(context: Context) -> dict[str, Any]:
    seconds, seeds = context.pick((10, [1, 2]), (40, [1, 2, 3]))
    pairs = ours(context, 0.8, seconds, seeds)
    rivals = []
    for name in RIVALS:
        if system := context.rival(name):
            made = context.attempt(name, lambda: measure(context, system, 0.8,
                                                         context.pick(7, 20), seeds[0]))
            end(system)
            if made:
                rivals.append(made)
                context.say(f"{name}: p99 {shown_ms(made, 99)} ms")
    pairs += ours(context, 0.9, seconds, seeds)
    ratios = {load: [pair["ratio"] for pair in pairs if pair["load"] == load]
              for load in (0.8, 0.9)}
    rows = [row(pair["load"], pair["seed"], pair[who]) for pair in pairs
            for who in (OURS, "ideal")]
    rows += [row(0.8, seeds[0], made) for made in rivals]
    return {
        "targets": [target(f"at {load:.0%} of capacity: p99 ≤ 1.15 × an ideal M/D/2 queue's",
                           None if None in found else median(found), "<=", 1.15,
                           why_none="more than 1 % was not answered")
                    for load, found in ratios.items()],
        "tables": [{"title": "Latency in ms",
                    "columns": ["system", "load", "seed", "p50", "p90", "p99", "sent", "errors",
                                "lost"], "rows": rows}],
        "plots": [plot([pairs[0][OURS], pairs[0]["ideal"], *rivals])],
        "text": context.missing_text(),
        "raw": {"ours": pairs, "rivals": rivals},
    }
