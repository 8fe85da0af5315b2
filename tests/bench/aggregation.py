"""Aggregation: how long the features of one user take, in our C++, Python, pandas and numpy.

Each system is measured twice: from the events in the form that is natural for it, and from the
bytes of the response that has the events. Users have 100 to 100,000 events, drawn by a fixed seed.
There are many users, taken in turn, so that no user is still in the caches from its last turn.
Systems take turns, too, ROUNDS times, so that a disturbance of the machine meets all of them. All
must give the same numbers for every user.
"""

import gc
import itertools
import json
import random
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import features_of_user as features

SIZES = (100, 1_000, 10_000, 100_000)
EVENTS = 100_000  # of all users with the same size, together
ROUNDS = 7
AT_LEAST_NS = 20_000_000  # of one measurement
STAYS = 0.6  # the part of the events that repeat the category before; chance adds to it
MODEL = Path(__file__).resolve().parents[2] / "conf/models/interests.ubj"

OURS = "ours"
# For each other system: the functions that make its form of the events from a body, and the
# features from this form.
SYSTEMS = {
    "Python": (features.events_of, features.of_events),
    "pandas": (features.frame_of, features.of_frame),
    "numpy": (features.codes_of, features.of_codes),
}


class Users:
    """Some users with the same number of events, in all forms."""

    def __init__(self, histories: list[list[int]], folder: Path):
        size = len(histories[0])
        self.bodies = [body_of(codes) for codes in histories]
        self.files = [folder / f"{size}.bodies", folder / f"{size}.codes"]
        self.files[0].write_bytes(b"".join(body + b"\n" for body in self.bodies))
        self.files[1].write_bytes(b"".join(map(bytes, histories)))


def drawn_users(size: int, folder: Path) -> Users:
    chance = random.Random(size)
    return Users([draw(chance, size) for _ in range(max(EVENTS // size, 2))], folder)


def draw(chance: random.Random, size: int) -> list[int]:
    codes = [chance.randrange(features.COUNT)]
    while len(codes) < size:
        stays = chance.random() < STAYS
        codes.append(codes[-1] if stays else chance.randrange(features.COUNT))
    return codes


def body_of(codes: list[int]) -> bytes:
    """The response's body, as the feature service writes it."""
    events = [
        {"category": features.CATEGORIES[code], "ts": 1_700_000_000 + 37 * at}
        for at, code in enumerate(codes)
    ]
    return json.dumps({"user_id": 42, "events": events}, separators=(",", ":")).encode()


def ns_per_call(call, inputs) -> float:
    """The mean of calls that take AT_LEAST_NS together. The garbage collector is off, as in
    timeit."""
    gc.collect()
    gc.disable()
    begin = time.perf_counter_ns()
    for count in itertools.count(1):
        call(inputs[count % len(inputs)])
        taken = time.perf_counter_ns() - begin
        if taken >= AT_LEAST_NS:
            break
    gc.enable()
    return taken / count


def run(program: Path, *arguments) -> dict:
    argv = [str(program), *map(str, arguments)]
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)


def check_same(out: Path, users: Users, systems: Iterable[str] = SYSTEMS):
    """Checks that these systems have the same numbers as ours for every user."""
    ours = run(out / "bench/aggregation", *users.files)["features"]
    for name in systems:
        make, compute = SYSTEMS[name]
        for body, expected in zip(users.bodies, ours, strict=True):
            found = list(compute(make(body)))
            if found != expected:
                raise AssertionError(f"{name}: expected {expected}, found {found}")


def measure(out: Path, users: Users) -> tuple[dict, dict]:
    """({system: [ns, ...]} for the events alone, the same from the bytes of the body)."""
    forms = {name: [make(body) for body in users.bodies] for name, (make, _) in SYSTEMS.items()}
    alone = {name: [] for name in (OURS, *SYSTEMS)}
    from_bytes = {name: [] for name in (OURS, *SYSTEMS)}
    for _ in range(ROUNDS):
        ours = run(out / "bench/aggregation", *users.files)
        alone[OURS].append(ours["add_ns"])
        from_bytes[OURS].append(ours["read_ns"])
        for name, (make, compute) in SYSTEMS.items():
            alone[name].append(ns_per_call(compute, forms[name]))
            from_bytes[name].append(ns_per_call(lambda body: compute(make(body)), users.bodies))
    return alone, from_bytes


def measure_model(out: Path, users: Users) -> dict[int, list[float]]:
    """The time of the model, after the features: {users at once: [ns for each, ...]}."""
    rows = [run(out / "bench/prediction", MODEL, users.files[0]) for _ in range(ROUNDS)]
    return {count: [row[f"row_ns_of_{count}"] for row in rows] for count in (1, 64)}
