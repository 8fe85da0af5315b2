"""The same functions in Python, served by ringmaster and by a pool of processes."""

import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from client import request
from contender import Contender
from context import CPU_MS, Context, LoadFailed
from cpu import private_bytes, pss_bytes
from ringmaster import Ringmaster
from scenarios import latency, models, payloads, saturated
from systems import OURS, POOL, TIMEOUT_MS, WORKERS, end
from targets import number, ratio, target

TITLE = "functions in Python"
LOAD = 0.8
JOBS = 1000
SIZES = {"1 KiB": 1 << 10, "64 KiB": 1 << 16, "1 MiB": 1 << 20}
ABOUT = f"""The functions of `baselines/functions.py`, with two workers: ringmaster serves the file
as handlers, `aiohttp_pool` imports it. *No-op*: as in `saturated`. *Payloads*: as in `payloads`, a
user with events. The function returns how many events there are. Ringmaster also has a function
that takes the events as a `memoryview`, without parsing them. *Latency*: `spin` uses {CPU_MS} ms of
CPU in Python, Poisson arrivals at {LOAD:.0%} of what {WORKERS} workers can do. The ideal is as in
`latency`, without an upstream. *Model*: a class reads 200 MB into a NumPy array; each job reads a
byte of each page. Private memory: each of eight workers runs {JOBS:,} jobs; the figure is the
private dirty memory of the worker that has most. Start: from the program's start to its line
`event=ready`. Kills: as in `models`, with the model's method."""
FILE = Path(__file__).resolve().parents[1] / "baselines/functions.py"
HANDLERS = {name: {"python": f"{FILE}:{name}"} for name in ("noop", "spin", "count", "count_bytes")}
NOOP, SPIN = {"number": "$i"}, {"cpu_ms": CPU_MS}
ANSWERS = [("noop", {"number": 7}, 7), ("spin", SPIN, CPU_MS),
           ("count", {"user_id": 42, "events": [{}, {}]}, [42, 2])]
LONG_MS = 60_000  # the deadline where the latency is not measured
Part = tuple[list[dict[str, Any]], dict[str, Any], Any]  # targets, table, raw


def start(context: Context, name: str, timeout_ms: int) -> Contender | None:
    """Starts ringmaster or the pool."""
    if name == OURS:
        return context.ringmaster(handlers=HANDLERS, timeout_ms=timeout_ms)
    return context.rival(name, timeout_ms=timeout_ms)


def no_ops(context: Context, systems: list[Contender]) -> Part:
    found = {system.name: context.attempt(system.name, lambda: saturated.figures(
        context, system, 0, "noop", NOOP)) for system in systems}
    ours, rival = found[OURS], found.get(POOL) or {}
    rates = [(name, figure.value, rival[name].value if rival else None)
             for name, figure in ours.items() if figure.is_more_better]
    targets = [target(f"no-op: {name}: ≥ {limit} × the pool's", ratio(mine, pools), ">=", limit,
                      why_none=context.missing.get(POOL, ""))
               for limit, (name, mine, pools) in zip((60, 20), rates, strict=True)]
    return targets, {
        "title": "No-ops; the pool has 256 connections each time",
        "columns": ["figure", OURS, POOL, "ratio"],
        "rows": [[name, number(mine), number(pools), number(ratio(mine, pools))]
                 for name, mine, pools in rates]}, rates


def costs(context: Context, systems: list[Contender]) -> Part:
    targets, rows, raw = [], [], []
    for label, size in SIZES.items():
        path = payloads.write_params(context.folder, payloads.EVENTS, size)
        turns = [(system, "count") for system in systems]
        turns.append((systems[0], "count_bytes"))
        found = {}
        for system, method in turns:
            made = context.attempt(
                system.name, lambda: payloads.measure(context, system, path, method))
            found[system.name, method] = made and made["cpu_s_per_gb"]
        parsed, view = found[OURS, "count"], found[OURS, "count_bytes"]
        pool = found.get((POOL, "count"))
        rows.append([label, number(parsed), number(view), number(pool)])
        raw.append({"size": size, "parsed": parsed, "memoryview": view, "pool": pool})
        context.say(f"{label}: {parsed:.3g}, {view:.3g} CPU s a GB")
        targets += [target(f"{label}, {kind}: CPU seconds per GB ≤ 1/{part} of the pool's",
                           ratio(mine, pool), "<=", 1 / part,
                           why_none=context.missing.get(POOL, ""))
                    for kind, mine, part in (("parsed", parsed, 3), ("memoryview", view, 10))]
    return targets, {"title": "CPU seconds per GB",
                     "columns": ["size", "parsed", "memoryview", POOL], "rows": rows}, raw


def latencies(context: Context) -> Part:
    """Starts each system for its run, so that no system has the backlog of another run."""
    seconds, seeds = context.pick((10, [1, 2]), (40, [1, 2, 3]))
    runs, ratios = [], []
    for seed in seeds:
        ideal = latency.ideal(context, LOAD, seconds, seed, fetch_ms=0)
        made = {}
        for name in (OURS, POOL):
            if system := start(context, name, TIMEOUT_MS):
                made[name] = context.attempt(name, lambda: latency.measure(
                    context, system, LOAD, seconds, seed, "spin", SPIN))
                end(system)
        runs += [(seed, one) for one in (*made.values(), ideal) if one]
        ratios.append(ratio(latency.at(made[OURS], 99), latency.at(ideal, 99)))
    found = None if None in ratios else median(ratios)
    text = f"{CPU_MS} ms of Python at {LOAD:.0%} of capacity: p99 ≤ 1.1 × an ideal M/D/2 queue's"
    return [target(text, found, "<=", 1.1, why_none="more than 1 % was not answered")], {
        "title": "Latency in ms",
        "columns": ["system", "load", "seed", "p50", "p90", "p99", "sent", "errors", "lost"],
        "rows": [latency.row(LOAD, seed, made) for seed, made in runs]}, runs


def start_model(context: Context, model: Path, workers: int,
                spare: bool = False) -> tuple[Ringmaster, float]:
    """The server, and how long it took to be ready, in ms."""
    begin = time.monotonic()
    handlers = {"model": {"python": f"{FILE}:Model", "model": model}}
    system = context.ringmaster(workers=workers, handlers=handlers, timeout_ms=LONG_MS,
                                spare=spare)
    return system, (time.monotonic() - begin) * 1e3


def run_jobs(system: Ringmaster) -> None:
    """Sends jobs until each worker has run JOBS."""
    at_once = 16 * models.MANY
    done: Counter[int] = Counter()
    with system.server.connect() as client:
        for _ in range(10 * JOBS // 16):
            client.send(b"".join(request("model", {}, id) for id in range(at_once)))
            done.update(answer["result"] for answer in client.answers(at_once).values())
            if len(done) == models.MANY and min(done.values()) >= JOBS:
                return
    raise LoadFailed(f"the workers have run {sorted(done.values())} jobs")


def with_model(context: Context) -> Part:
    model = models.write_model(context.folder)
    context.upstream()  # starts the upstream before the measurements
    took: dict[int, list[float]] = {1: [], models.MANY: []}
    for _ in range(context.pick(5, 15)):
        for workers, each in took.items():
            system, ms = start_model(context, model, workers)
            each.append(ms)
            end(system)
    system, _ = start_model(context, model, models.MANY)
    run_jobs(system)
    pids = system.server.workers().values()
    private_mb, pss_mb = ([read(pid) / 1e6 for pid in pids] for read in (private_bytes, pss_bytes))
    end(system)
    kills_ms = {}
    for spare in (False, True):
        system, _ = start_model(context, model, 1, spare)
        kills_ms[spare] = models.kill_times(system, "model", {}, context.pick(30, 200), spare)
    one, many = (median(each) for each in took.values())
    shown = {"private memory, MB": private_mb, "PSS, MB": pss_mb,
             "start of one worker, ms": took[1], "start of eight, ms": took[models.MANY],
             "SIGKILL to the next answer, ms": kills_ms[False],
             "the same with a spare, ms": kills_ms[True]}
    return [
        target("private memory of a worker ≤ 8 MB", max(private_mb), "<=", 8, "MB"),
        target("start of eight workers ≤ 1.2 × start of one", ratio(many, one), "<=", 1.2),
        *models.kill_targets(15, kills_ms),
    ], {"title": "A model of 200 MB", "columns": ["figure", "count", "p50", "at most"],
        "rows": [[name, len(each), number(median(each)), number(max(each))]
                 for name, each in shown.items()]}, shown


def run(context: Context) -> dict[str, Any]:
    started = [start(context, name, LONG_MS) for name in (OURS, POOL)]
    systems = [system for system in started if system]
    for system in systems:
        for method, params, due in ANSWERS:
            assert system.call(method, params) == due, (system.name, method)
    parts = [part(context, systems) for part in (no_ops, costs)]
    for system in systems:
        end(system)
    parts += [part(context) for part in (latencies, with_model)]
    targets, tables, raw = zip(*parts, strict=True)
    return {"targets": sum(targets, []), "tables": list(tables), "text": context.missing_text(),
            "raw": {"parts": raw}}
