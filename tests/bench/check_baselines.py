"""check_baselines.py OUT: whether each measured system gives the same answers as ringmaster.

Asks each system the same, prints the differences, and exits with 1 if there are any. Runs before
any measurement: a comparison of systems that do different things would say nothing. A system that
this machine lacks is left out, as by the scenarios.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import baselines
import ringmaster
from contender import CallFailed, Contender, Process
from feature_client import FeatureService
from systems import Unavailable, start_baseline

LARGE_BYTES = 15 << 20
SCORE_ERROR_MAX = 1e-5
TIMEOUT_MS = 20_000  # 15 MiB on a busy machine
USERS = range(1, 51)

# Method, params, the code of the expected error; 0: a result is expected.
CALLS: list[tuple[str, Any, int]] = [
    ("echo", [1], 0),
    ("echo", {"text": 'é"/\\ \u2028', "list": [1.5, None, True, {}]}, 0),
    ("echo", ["x" * LARGE_BYTES], 0),
    ("burn", {"cpu_ms": 5}, 0),
    ("burn", {"cpu_ms": -1}, -32602),
    ("burn", {}, -32602),
    ("fetch_burn", {"user_id": 42, "cpu_ms": 5}, 0),
    ("fetch_burn", {"cpu_ms": 5}, -32602),
    ("fetch_burn", {"user_id": -1, "cpu_ms": 5}, -32015),
    *(("interests.predict", {"user_id": user}, 0) for user in USERS),
    ("interests.predict", {"user_id": -1}, -32015),
]


def ask(running: Contender) -> list[Any]:
    """The result of each call, or its failure."""
    answers = []
    for method, params, _ in CALLS:
        try:
            answers.append(running.call(method, params))
        except CallFailed as failure:
            answers.append(failure)
    return answers


def is_same(expected: Any, found: Any) -> bool:
    if not isinstance(expected, dict) or "interests" not in expected:
        return expected == found
    scores = [{entry["category"]: entry["score"] for entry in answer["interests"]}
              for answer in (expected, found)]  # fmt: skip
    ranked = [entry["score"] for entry in found["interests"]]
    return (
        expected["user_id"] == found["user_id"]
        and scores[0].keys() == scores[1].keys()
        and all(abs(scores[0][name] - scores[1][name]) <= SCORE_ERROR_MAX for name in scores[0])
        and ranked == sorted(ranked, reverse=True)
    )


def is_right(running: Contender, code: int, expected: Any, found: Any) -> bool:
    """If the system's errors have no codes, any error will do."""
    if code != 0:
        return isinstance(found, CallFailed) and (running.is_json_rpc_1 or found.code == code)
    return not isinstance(found, CallFailed) and is_same(expected, found)


def differences(running: Contender, expected: list[Any], found: list[Any]):
    for (method, params, code), wanted, answer in zip(CALLS, expected, found):
        if method in baselines.MISSING.get(running.name, ()):
            continue
        if not is_right(running, code, wanted, answer):
            shown = [repr(value)[:200] for value in (params, code or wanted, answer)]
            yield "{}: {} {}: expected {}, found {}".format(running.name, method, *shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the build")
    build = parser.parse_args().out.resolve()
    with Process.start([build / "feature_service", "--listen", "127.0.0.1:0"]) as upstream:
        url = FeatureService(upstream).url
        with ringmaster.start(url, build, timeout_ms=TIMEOUT_MS) as running:
            expected = ask(running)
            wrong = list(differences(running, expected, expected))
        asked = []
        for name in baselines.NAMES:
            try:
                running = start_baseline(name, url, build, TIMEOUT_MS)
            except Unavailable as error:
                print(f"check_baselines: without {name}: {error}", file=sys.stderr)
                continue
            with running:
                wrong += differences(running, expected, ask(running))
            asked.append(name)
    for line in wrong:
        print(f"check_baselines: {line}", file=sys.stderr)
    if not wrong:
        print(f"check_baselines: {len(CALLS)} answers of ringmaster, and the same ones of "
              f"{', '.join(asked)}", file=sys.stderr)  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
