"""The cost of a payload's bytes, to a worker and back."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from contender import Contender
from context import Context, LoadFailed
from systems import OURS, POOL
from targets import number, ratio, target

TITLE = "payloads of 1 KiB to 16 MiB"
ABOUT = """`echo`, closed loop with four requests at once on four connections: the bytes of the
params come in, go to a worker and back, and out. The params are an array with one string, for which
Python's parser and pickle are as fast as they get, or a user with events as the feature service
has them. A GB is of params: the answer's bytes are not counted again. CPU is that of all of the
server's processes, without the load's. The bound is the time that two `memcpy` of the bytes take,
measured in this run."""
SIZES = {"1 KiB": 1 << 10, "16 KiB": 1 << 14, "128 KiB": 1 << 17, "1 MiB": 1 << 20,
         "16 MiB": 16 << 20}
STRING, EVENTS = "string", "events"
CASES = [(STRING, label) for label in SIZES] + [(EVENTS, "16 KiB"), (EVENTS, "1 MiB")]
AT_ONCE = 4
BOUND = "bounds/memcpy_bound"


def params(kind: str, size: int) -> Any:
    """Params of about `size` bytes, as JSON."""
    if kind == STRING:
        return ["x" * (size - len('[""]'))]
    event = {"category": "msn-sports", "ts": 1700000000}
    return {"user_id": 42, "events": [event] * (size // (len(json.dumps(event)) + 2))}


def write_params(folder: Path, kind: str, size: int) -> Path:
    path = folder / f"{kind}-{size}.json"
    path.write_text(json.dumps(params(kind, size)))
    return path


def measure(context: Context, system: Contender, path: Path,
            method: str = "echo") -> dict[str, float]:
    made = context.load(
        system, method, path, seconds=context.pick(1.5, 6), concurrency=AT_ONCE,
        connections=AT_ONCE, warm_up_s=context.pick(0.3, 1), drain_s=60)
    errors = sum(made["errors"].values()) + made["lost"]
    if errors or not made["results"]:
        raise LoadFailed(f"{system.name}: {errors} errors, {path.name}: {made['errors']}")
    gigabytes = made["results"] * path.stat().st_size / 1e9
    return {"cpu_s_per_gb": sum(made["cpu_s"].values()) / gigabytes,
            "gb_per_s": gigabytes / made["measured_s"]}


def plot(name: str, title: str, y: str, series: dict[str, list[list[float]]]) -> dict[str, Any]:
    return {"kind": "lines", "name": name, "title": title, "x": "bytes of params", "y": y,
            "log": "xy", "x_labels": [[size, label] for label, size in SIZES.items()],
            "series": [{"label": label, "points": points} for label, points in series.items()]}


def run(context: Context) -> dict[str, Any]:
    started = [context.start(name, timeout_ms=60_000) for name in (OURS, POOL)]
    systems = [system for system in started if system]
    rows, raw, ratios = [], [], {}
    copied = context.program(BOUND)
    bounds = {one["bytes"]: 1 / one["s_per_gb"] for one in copied["sizes"]} if copied else {}
    for kind, label in CASES:
        size = SIZES[label]
        path = write_params(context.folder, kind, size)
        runs: dict[str, list[dict[str, float]]] = {system.name: [] for system in systems}
        for _ in range(context.pick(1, 3)):
            for system in systems:
                found = context.attempt(system.name, lambda: measure(context, system, path))
                runs[system.name] += [found] if found else []
        found = {name: {key: median(one[key] for one in made) for key in made[0]}
                 for name, made in runs.items() if made}
        ours, rival = found[OURS], found.get(POOL, {})
        ratios[f"{label}, {kind}"] = ratio(ours["cpu_s_per_gb"], rival.get("cpu_s_per_gb"))
        raw.append({"kind": kind, "size": size, "runs": runs, "bound_gb_per_s": bounds.get(size),
                    "share": ratio(ours["gb_per_s"], bounds.get(size))} | found)
        rows.append([kind, label, number(ours["cpu_s_per_gb"]), number(rival.get("cpu_s_per_gb")),
                     number(ratio(rival.get("cpu_s_per_gb"), ours["cpu_s_per_gb"])),
                     number(ours["gb_per_s"]), number(rival.get("gb_per_s")),
                     number(bounds.get(size))])
        context.say(f"{label}, {kind}: {ours['cpu_s_per_gb']:.3g} CPU s a GB")
    strings = [one for one in raw if one["kind"] == STRING]
    share = next(one["share"] for one in strings if one["size"] == SIZES["1 MiB"])
    points = lambda name, key: [  # noqa: E731
        [one["size"], one[name][key]] for one in strings if name in one]
    bound = {"two memcpy": [list(point) for point in bounds.items()]}
    names = (OURS, POOL)
    return {
        "targets": [
            *(target(f"{label}: CPU seconds per GB ≤ 1/20 of aiohttp + ProcessPoolExecutor's",
                     figure, "<=", 0.05, why_none=context.missing.get(POOL, ""))
              for label, figure in ratios.items()),
            target("1 MiB, string: throughput ≥ 50 % of what two memcpy allow", share, ">=", 0.5,
                   "%", why_none=context.missing.get(BOUND, "")),
        ],
        "tables": [{
            "title": "By size",
            "columns": ["params", "size", "CPU s a GB", "aiohttp_pool's", "times ours", "GB/s",
                        "aiohttp_pool's", "two memcpy, GB/s"],
            "rows": rows,
        }],
        "plots": [
            plot("payload_cpu", "What a GB of strings costs", "CPU s per GB",
                 {name: points(name, "cpu_s_per_gb") for name in names}),
            plot("payload_rate", "Throughput of strings", "GB/s",
                 {name: points(name, "gb_per_s") for name in names} | bound),
        ],
        "raw": {"sizes": raw},
    }
