"""No-op calls through a worker, as many as the server can answer."""

from statistics import median
from typing import Any

from contender import Contender
from context import Context, LoadFailed, cpu_us_per_request
from figure import Figure
from systems import GO, NODE, OURS, POOL, PYTHON
from targets import number, ratio, target

TITLE = "no-op calls, saturated"
ABOUT = """`echo` of a number through a worker, closed loop: 256 requests at once, over 16
connections that pipeline (HTTP: 256 connections), two workers. Ringmaster is also measured on 256
connections, without pipelining. The load generator runs on the same cores: its CPU time is
stated beside that of the server's processes."""
AT_ONCE = 256
CONNECTIONS = 16
TOGETHER = True  # see compare.py
OURS_ON_MANY = f"{OURS}, {AT_ONCE} connections"
RIVALS = (*PYTHON, GO, NODE)


def median_of(runs: list[dict[str, Any]], figure) -> float:
    return median(figure(made) for made in runs)


def measure(context: Context, systems: list[Contender]) -> dict[str, list[dict[str, Any]]]:
    """The runs of each system; all have their turn in each round."""
    turns = [(system.name, system, CONNECTIONS) for system in systems]
    turns.insert(1, (OURS_ON_MANY, systems[0], AT_ONCE))
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name, _, _ in turns}
    for number_of_round in range(context.pick(2, 5)):
        for name, system, connections in turns:
            if system.name in context.missing:
                continue
            made = context.attempt(system.name, lambda: context.load(
                system, "echo", ["$i"], seconds=context.pick(2, 5), concurrency=AT_ONCE,
                connections=connections, warm_up_s=0 if number_of_round else 0.5))
            if made:
                runs[name].append(made)
                context.say(f"{name}: {made['results_per_s']:,.0f}/s")
    return {name: made for name, made in runs.items() if name not in context.missing}


def figures(context: Context, system: Contender, seed: int, method: str = "echo",
            params: Any = ("$i",)) -> dict[str, Figure]:
    found = {}
    for connections in (CONNECTIONS, AT_ONCE):
        made = context.load(system, method, params, seconds=context.pick(2, 5), concurrency=AT_ONCE,
                            connections=connections, warm_up_s=0.5)
        if made["errors"] or made["lost"]:
            raise LoadFailed(f"{made['errors']} errors, {made['lost']} answers lost")
        found[f"requests/s, {connections} connections"] = Figure(made["results_per_s"], True)
        found[f"CPU µs, {connections} connections"] = Figure(cpu_us_per_request(made))
    return found


def row(name: str, runs: list[dict[str, Any]]) -> list[str]:
    us = [number(median_of(runs, lambda made: cpu_us_per_request(made, role)))
          if name in (OURS, OURS_ON_MANY) or not role else "-" for role in ("", "master", "worker")]
    return [name, number(median_of(runs, lambda made: made["results_per_s"])), *us,
            number(median_of(runs, lambda made: made["own_cpu_us_per_request"])),
            sum(sum(made["errors"].values()) + made["lost"] for made in runs)]


def run(context: Context) -> dict[str, Any]:
    found = [context.start(name) for name in (OURS, *RIVALS)]
    systems = [system for system in found if system]
    runs = measure(context, systems)
    rates = {name: median_of(made, lambda one: one["results_per_s"]) for name, made in runs.items()}
    against = lambda name, ours: ratio(rates[ours], rates.get(name))  # noqa: E731
    pool = "requests/s ≥ 50 × aiohttp + ProcessPoolExecutor"
    return {
        "targets": [
            target(f"{pool}, {CONNECTIONS} connections that pipeline", against(POOL, OURS), ">=",
                   50, why_none=context.missing.get(POOL, "")),
            target(f"{pool}, {AT_ONCE} connections for each", against(POOL, OURS_ON_MANY), ">=",
                   50, why_none=context.missing.get(POOL, "")),
            target("requests/s ≥ 2 × Go net/rpc/jsonrpc", against(GO, OURS), ">=", 2,
                   why_none=context.missing.get(GO, "")),
        ],
        "tables": [{
            "title": "Medians of the rounds; CPU in µs a request",
            "columns": ["system", "requests/s", "CPU, all", "master", "workers", "the load's own",
                        "errors and lost"],
            "rows": [row(name, made) for name, made in runs.items()],
        }],
        "text": context.missing_text(),
        "raw": {"runs": runs},
    }
