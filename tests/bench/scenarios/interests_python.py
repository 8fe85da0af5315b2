"""The demo's handler in Python, served by ringmaster and by a pool of processes."""

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import aggregation
from context import Context
from feature_client import FeatureService
from interests_answers import CPP, HEADER_LINES, MODEL, ask, methods, python, sessions
from processes import Process
from scenarios.interests import P99_MS, highest_rate
from systems import OURS, POOL, WORKERS, end
from targets import number, ratio

TITLE = "interests in Python"
USERS = 10_000
BATCH = 64
AT_ONCE = {OURS: 500, POOL: 128}  # requests in flight of the closed loop, for a first estimate
CLASSES = {"Interests": "C API", "PackageInterests": "package xgboost"}
ABOUT = f"""The program that many begin with: fetch a user's events, count them in Python, ask a
model of XGBoost. Ringmaster serves `src/demo/interests/interests.py` as a handler; `aiohttp_pool`
imports the same file in its processes. The model is called through XGBoost's C API, and through
its package for Python; by ringmaster also in batches of up to {BATCH}. The highest rate: as in
`interests`. *Alone*: {WORKERS} processes at once that only call the handler, without any JSON,
counted by their CPU time: no server can do more. Before all this, {USERS:,} users of the MSNBC data
(or of the feature service, where the data is not beside the project) must get the same features and
scores from Python as from C++, or the scenario fails."""
ALONE = Path(__file__).resolve().parents[1] / "bounds/handler_alone.py"
LONG_MS = 60_000
BODIES = 2000


def histories(context: Context) -> list[list[int]]:
    """The users' events as category numbers."""
    if real := sessions(context.folder, USERS):
        lines = real[1].read_text().splitlines()[HEADER_LINES:]
        return [[int(page) - 1 for page in line.split()] for line in lines]
    chance = random.Random(1)
    return [aggregation.draw(chance, 1 + user % 40) for user in range(USERS)]


def check_features(context: Context) -> None:
    """Checks that Python has the same features as C++, for every user."""
    in_order = sorted(histories(context), key=len)
    assert len(in_order) == USERS
    for _, group in itertools.groupby(in_order, len):
        users = aggregation.Users(list(group), context.folder)
        aggregation.check_same(context.build, users, ["Python"])


def check_answers(context: Context) -> None:
    """Checks that all scores, as float32, are the same as those from C++."""
    handlers = {name: python(name, batch=BATCH) for name in CLASSES}
    command = [context.build / "feature_service", "--listen", "127.0.0.1:0"]
    with Process.start([*command, *sessions(context.folder, USERS)]) as upstream:
        system = context.ringmaster(FeatureService(upstream).url, timeout_ms=LONG_MS,
                                    handlers=handlers | {"cpp": CPP},
                                    methods=methods([*handlers, "cpp"]))
        with system.server.connect() as client:
            expected = ask(client, "cpp", USERS)
            for name in handlers:
                assert ask(client, name, USERS) == expected, f"{name}: other answers than C++"
        end(system)


def write_bodies(context: Context) -> None:
    """Writes the responses for some of the load's users."""
    with Process.start([context.build / "feature_service", "--listen", "127.0.0.1:0"]) as upstream:
        service = FeatureService(upstream)
        bodies = [service.ask(user)[1] for user in range(1, BODIES + 1)]
    (context.folder / "bodies").write_bytes(b"\n".join(bodies))


def alone(context: Context, name: str, batch: int) -> float:
    """Users a second on as many cores as there are workers, all busy at once."""
    argv = [sys.executable, ALONE, name, MODEL, context.folder / "bodies", context.pick(2, 8),
            batch]
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = [subprocess.Popen([*map(str, argv)], env=env, stdout=subprocess.PIPE, text=True)
               for _ in range(WORKERS)]
    printed = [process.communicate()[0] for process in started]
    return sum(json.loads(text)["users_per_cpu_s"] for text in printed)


def measure(context: Context, system: Any, name: str) -> dict[str, Any] | None:
    found = context.attempt(system.name, lambda: highest_rate(
        context, system, name, AT_ONCE[system.name]))
    end(system)
    return found


def measure_class(context: Context, name: str) -> list[dict[str, Any]]:
    """Measures ringmaster with single users and with batches, the pool with single users."""
    found = []
    for batch in (1, BATCH):
        system = context.ringmaster(handlers={name: python(name, batch=batch)},
                                    methods=methods([name]))
        due = [system.call(name, {"user_id": user}) for user in range(1, 51)]
        found.append((batch, measure(context, system, name)))
    if pool := context.rival(POOL):
        assert [pool.call(name, {"user_id": user}) for user in range(1, 51)] == due
        found.append((1, measure(context, pool, name)))
    bounds = {batch: alone(context, name, batch) for batch in (1, BATCH)}
    return [made | {"class": name, "batch": batch, "alone": bounds[batch]}
            for batch, made in found if made]


def row(made: dict[str, Any], pools: float | None) -> list[str]:
    share = ratio(made["held"], made["alone"])
    return [made["system"], CLASSES[made["class"]], made["batch"],
            *(number(made[key]) for key in ("held", "not_held", "alone")),
            number(share), number(ratio(made["held"], pools))]


def run(context: Context) -> dict[str, Any]:
    check_features(context)
    check_answers(context)
    context.say(f"{USERS:,} users have the same features and scores in C++ and Python")
    write_bodies(context)
    found = [made for name in CLASSES for made in measure_class(context, name)]
    pools = {made["class"]: made["held"] for made in found if made["system"] == POOL}
    return {
        "tables": [{
            "title": f"Highest rate with p99 ≤ {P99_MS} ms, requests a second",
            "columns": ["system", "model by", "batch", "held", "not held", "alone",
                        "held / alone", "held / pool's"],
            "rows": [row(made, pools.get(made["class"])) for made in found]}],
        "text": context.missing_text(),
        "raw": {"found": found},
    }
