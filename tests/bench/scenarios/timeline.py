"""A plot of one second: how busy each process is, and how many requests wait."""

import time
from typing import Any

from contender import Contender
from context import BURN, CPU_MS, UPSTREAM_MS, Context
from recorder import Recorder
from sampler import Sampler, busy_bars, count_bars
from systems import OURS, PYTHON, WORKERS, end, roles

TITLE = "a second of each"
RATE = round(0.8 * WORKERS * 1000 / CPU_MS, 2)
SHOWN_S = 1.0
STEP_S = 0.004
AT_MOST = 12  # fetches that fill a row
ABOUT = f"""`fetch_burn` at {RATE:.0f} requests a second, Poisson, the same arrivals for all. A
row for each process shows how busy it was, each {1000 * STEP_S:.0f} ms, by the scheduler's account.
The row above them shows how many requests waited for the upstream: {AT_MOST} are a full bar. The
upstream takes {UPSTREAM_MS} ms for each, and records when it was asked."""
SETTLE_S = 1.5


def record(context: Context, system: Contender, upstream: Recorder) -> dict[str, Any]:
    """The plot of one system under load."""
    role_of = roles(system)
    seconds = SETTLE_S + SHOWN_S + 0.5
    with context.background(system, "fetch_burn", BURN, rate=RATE, seconds=seconds):
        time.sleep(SETTLE_S)
        begin = time.monotonic()
        with Sampler(list(role_of)) as sampler:
            samples = sampler.run(SHOWN_S, STEP_S)
        time.sleep(2 * UPSTREAM_MS / 1e3)  # until the fetches under way are recorded
    waiting = {"label": "fetches", "color": 1,
               "bars": count_bars(list(upstream.intervals), begin, SHOWN_S, AT_MOST)}
    busy = [{"label": role, "color": 0, "bars": busy_bars(samples[pid], begin)}
            for pid, role in role_of.items()]
    return {"kind": "timeline", "name": f"timeline_{system.name}", "x": "seconds", "y": "",
            "range": [0, SHOWN_S],
            "title": f"{system.name}: CPU of each process (red), fetches under way (blue)",
            "series": [waiting, *(each for each in busy if each["bars"])]}


def run(context: Context) -> dict[str, Any]:
    plots = []
    for name in (OURS, *PYTHON):
        with Recorder(UPSTREAM_MS) as upstream:
            if system := context.start(name, upstream.url):
                plot = context.attempt(name, lambda: record(context, system, upstream))
                plots += [plot] if plot else []
                end(system)
    return {"plots": plots, "text": context.missing_text()}
