"""A user's events made into the model's features: by our code, pandas, pure Python, numpy."""

from statistics import median
from typing import Any

import aggregation
from context import Context
from targets import number, ratio, target

TITLE = "aggregation of a user's events"
ABOUT = """The features of one user, alone (the events are parsed already) and from JSON (each
system also parses it). All give the same numbers, or the scenario fails.
Systems take turns."""
COUNT = 1_000  # the events of a user for which the targets are set
OURS = aggregation.OURS
AIMS = {"alone": {"pandas": 500, "Python": 50}, "from JSON": {"pandas": 100, "Python": 20}}

Times = dict[int, dict[str, list[float]]]  # events -> system -> nanoseconds, each round


def measure(context: Context) -> dict[str, Times]:
    found: dict[str, Times] = {"alone": {}, "from JSON": {}}
    for size in aggregation.SIZES:
        users = aggregation.drawn_users(size, context.folder)
        aggregation.check_same(context.build, users)
        alone, from_json = aggregation.measure(context.build, users)
        found["alone"][size], found["from JSON"][size] = alone, from_json
        context.say(f"{size:,} events: {median(alone[OURS]) / 1e3:.1f} us alone")
    return found


def times_ours(systems: dict[str, list[float]], name: str) -> float | None:
    return ratio(median(systems[name]), median(systems[OURS]))


def row(size: int, systems: dict[str, list[float]]) -> list[str]:
    cell = lambda name: number(median(systems[name]) / 1e3)  # noqa: E731
    rest = [f"{cell(name)} ({number(times_ours(systems, name))} ×)" for name in systems
            if name != OURS]
    return [f"{size:,}", cell(OURS), *rest]


def plot(way: str, times: Times) -> dict[str, Any]:
    names = next(iter(times.values()))
    return {"kind": "lines", "name": f"aggregation_{way.replace(' ', '_').lower()}",
            "title": f"Features of one user, {way}", "x": "events", "y": "µs", "log": "xy",
            "series": [{"label": name, "points": [[size, median(systems[name]) / 1e3]
                                                  for size, systems in times.items()]}
                       for name in names]}


def run(context: Context) -> dict[str, Any]:
    found = measure(context)
    users = aggregation.drawn_users(aggregation.SIZES[0], context.folder)
    model = aggregation.measure_model(context.build, users)
    return {
        "targets": [
            target(f"{COUNT:,} events, {way}: ≥ {aim} × as fast as {name}",
                   times_ours(found[way][COUNT], name), ">=", aim)
            for way, aims in AIMS.items() for name, aim in aims.items()],
        "tables": [{
            "title": f"µs a user, {way}; medians, and how many times ours",
            "columns": ["events", *next(iter(times.values()))],
            "rows": [row(size, systems) for size, systems in times.items()],
        } for way, times in found.items()] + [{
            "title": "µs a user for the model, which comes after the features",
            "columns": ["users at once", "a user"],
            "rows": [[count, number(median(times) / 1e3)] for count, times in model.items()],
        }],
        "plots": [plot(way, times) for way, times in found.items()],
        "raw": found | {"model": model},
    }
