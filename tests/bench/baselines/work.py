"""The CPU work of the Python baselines, the same for all of them.

A method's function gets the request's params and the body that was fetched for it (None: nothing
was fetched), and returns its result as JSON. Each process that does CPU work calls load() once.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import functions
import numpy
import rpc
import ujson
import xgboost

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src/demo/interests"))

import interests  # noqa: E402

CATEGORIES = (
    "frontpage news tech local opinion on-air misc weather msn-news health living business "
    "msn-sports sports summary bbs travel"
).split()
NUMBERS = {name: number for number, name in enumerate(CATEGORIES)}
COUNT = len(CATEGORIES)
NEVER_SEEN = 1000
RECENT_COUNT = 5
CPU_MS_MAX = 600_000

model: xgboost.Booster
handlers: dict[str, interests.Interests] = {}  # of the demo, by the name of the class


def load(path: str) -> None:
    global model
    for made in (interests.Interests, interests.PackageInterests):
        handlers[made.__name__] = made({"model": path})
        handlers[made.__name__].warm_up()
    model = xgboost.Booster({"nthread": 1})
    model.load_model(path)
    model.set_param({"nthread": 1})
    predict(None, b'{"user_id":0,"events":[]}')  # XGBoost sets itself up in its first prediction


def echo(params: Any, _: bytes | None) -> str:
    return rpc.dumps(params)


def burn(params: Any, _: bytes | None) -> str:
    cpu_ms = params.get("cpu_ms") if isinstance(params, dict) else None
    if type(cpu_ms) not in (int, float) or not 0 <= cpu_ms <= CPU_MS_MAX:
        raise rpc.RpcError(rpc.INVALID_PARAMS, f"cpu_ms: expected a number from 0 to {CPU_MS_MAX}")
    end = time.thread_time() + cpu_ms / 1000
    while time.thread_time() < end:
        pass
    return rpc.dumps({"cpu_ms": cpu_ms})


def features(history: list[int]) -> list[int]:
    """The vector that src/demo/interests/features.h defines."""
    size = len(history)
    counts, seen_at, followed = [0] * COUNT, [0] * COUNT, [0] * COUNT
    now = history[-1] if history else None
    previous, changes, run = None, 0, 0
    for at, category in enumerate(history, 1):
        counts[category] += 1
        seen_at[category] = at
        if category == previous:
            run += 1
        else:
            changes += 1
            run = 1
        if previous == now:
            followed[category] += 1
        previous = category
    back = [min(size - at + 1, NEVER_SEEN) if at else NEVER_SEEN for at in seen_at]
    recent = [category + 1 for category in history[: -RECENT_COUNT - 1 : -1]]
    recent += [0] * (RECENT_COUNT - len(recent))
    changes = max(changes - 1, 0)  # the first event is no change
    return counts + back + followed + recent + [size, run, changes, COUNT - counts.count(0)]


def predict(_: Any, body: bytes) -> str:
    try:
        user = ujson.loads(body)
        history = [NUMBERS[event["category"]] for event in user["events"]]
        user_id = user["user_id"]
    except (ValueError, KeyError, TypeError) as fault:
        raise rpc.RpcError(rpc.UPSTREAM_FAILED, f"body: {fault!r}") from None
    row = numpy.array([features(history)], numpy.float32)
    scores = model.inplace_predict(row, validate_features=False)[0].tolist()
    order = sorted(range(COUNT), key=scores.__getitem__, reverse=True)
    interests = [{"category": CATEGORIES[i], "score": scores[i]} for i in order]
    return rpc.dumps({"user_id": user_id, "interests": interests})


class Method(NamedTuple):
    does_fetch: bool
    run: Callable[[Any, bytes | None], str]


def python(function: Callable[..., Any]) -> Method:
    """Each parameter of `function` gets the member of params that has its name."""
    return Method(False, lambda params, _: rpc.dumps(function(**params)))


def demo(name: str) -> Method:
    return Method(True, lambda params, body: rpc.dumps(
        handlers[name].run(params["user_id"], ujson.loads(body))))


METHODS = {
    "echo": Method(False, echo),
    "burn": Method(False, burn),
    "fetch_burn": Method(True, burn),
    "interests.predict": Method(True, predict),
    "noop": python(functions.noop),
    "spin": python(functions.spin),
    "count": python(functions.count),
    "Interests": demo("Interests"),
    "PackageInterests": demo("PackageInterests"),
}


def find(name: str) -> Method:
    if name not in METHODS:
        raise rpc.RpcError(rpc.NO_SUCH_METHOD, f"no method {name}")
    return METHODS[name]


def wanted_user(params: Any) -> bytes:
    """The body of the request to the upstream."""
    if not isinstance(params, dict) or "user_id" not in params:
        raise rpc.RpcError(rpc.INVALID_PARAMS, "user_id: missing")
    return rpc.dumps({"user_id": params["user_id"]}).encode()
