"""The tail profile: what its samples cost a job, and whether it names what only slow jobs do."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from client import Client, request
from compare import interval
from context import Context
from server import HANDLERS, Launcher, Server, compile_handler
from status_port import ON, ask, status_of
from targets import target

TITLE = "the tail profile"
JOB_MS = 30
DEPTHS = (5, 50)
RUNS = 10
JOBS, SLOW_ONE_IN = 2000, 200
AT_ONCE = 50
BRANCH = "slow_branch"
ABOUT = f"""*Cost*: two servers with one worker each, one with `profile = false`, run the same job
of {JOB_MS} ms in turn, and alternate in being first. The worker measures the job's CPU time
(`_meta.cost`). *Planted branch*: {RUNS} servers run {JOBS} jobs of 2 ms each. One job in
{SLOW_ONE_IN}, chosen at random, takes a branch of 40 ms more. The first line of `/profile.txt` must
name the function of this branch."""


@contextmanager
def launched(context: Context, name: str, library: Path, **sections: Any) -> Iterator[Server]:
    launcher = Launcher(context.build, context.folder)
    try:
        yield launcher(name=name, handlers={"work": {"library": library}}, **sections)
    finally:
        launcher.finish()


def cpu_ms(client: Client, rounds: int, depth: int) -> float:
    params = {"rounds": rounds, "depth": depth, "_meta": {"cost": True}}
    client.send(request("work", params))
    return client.answer()["_meta"]["cpu_us"] / 1000


def cost_ratios(on: Client, off: Client, depth: int, pairs: int) -> list[float]:
    """The CPU time of a job with samples, to that without: the ratio of each pair."""
    rounds = 1_000_000
    for _ in range(5):
        rounds = int(rounds * JOB_MS / cpu_ms(off, rounds, depth))
    ratios = []
    for pair in range(pairs):
        order = (on, off) if pair % 2 else (off, on)
        took = {client: cpu_ms(client, rounds, depth) for client in order}
        ratios.append(took[on] / took[off])
    return ratios


def measure_cost(context: Context) -> dict[int, list[float]]:
    """By the number of frames on the stack."""
    library = compile_handler(context.folder / "fixed_work.so",
                              Path(__file__).parents[1] / "fixed_work.c", "-O2")
    start = lambda name, profile: launched(  # noqa: E731
        context, name, library, workers={"count": 1, "profile": profile})
    with start("on", True) as on, start("off", False) as off:
        pair = on.connect(), off.connect()
        return {depth: cost_ratios(*pair, depth, context.pick(200, 1000)) for depth in DEPTHS}


def first_function(context: Context, library: Path, seed: int) -> str:
    """What the profile of a new server names first, after JOBS jobs."""
    chance = random.Random(seed)
    with launched(context, f"planted-{seed}", library, listen=ON) as running:
        client = running.connect()
        for _ in range(JOBS // AT_ONCE):
            is_slow = [chance.random() < 1 / SLOW_ONE_IN for _ in range(AT_ONCE)]
            client.send(b"".join(request("work", {"normal_ms": 2, "slow_ms": 40 * each}, id)
                                 for id, each in enumerate(is_slow)))
            client.answers(AT_ONCE)
        profile = json.loads(ask(status_of(running), "/profile")[1])["methods"]["work"]
    return profile["differences"][0]["function"] if profile["differences"] else "nothing"


def run(context: Context) -> dict[str, Any]:
    costs = measure_cost(context)
    library = compile_handler(context.folder / "branches.so", HANDLERS / "branches.c")
    named = []
    for seed in range(RUNS):
        named.append(first_function(context, library, seed))
        context.say(f"run {seed}: {named[-1]}")
    found = sum(name.startswith(f"{BRANCH} ") for name in named)
    rows = [[depth, f"{median(ratios):.4f}", "{:.4f} to {:.4f}".format(*interval(ratios))]
            for depth, ratios in costs.items()]
    return {
        "targets": [
            *(target(f"{depth} frames: CPU time with samples ≤ 1.01 × without", median(ratios),
                     "<=", 1.01) for depth, ratios in costs.items()),
            target(f"the planted branch is the first line, of {RUNS} runs", found, ">=", RUNS, ""),
        ],
        "tables": [
            {"title": f"CPU time of a job of {JOB_MS} ms with samples, to that without",
             "columns": ["frames on the stack", "median", "95 % interval"], "rows": rows},
            {"title": "The first line", "columns": ["run", "function"],
             "rows": [[seed, name] for seed, name in enumerate(named)]},
        ],
        "raw": {"cost_ratios": costs, "named": named},
    }
