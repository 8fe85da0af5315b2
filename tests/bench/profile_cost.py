"""profile_cost.py OUT: what the sampling of the tail profile costs a job of 30 ms.

Two servers with one worker each, one with `profile = false`, run the same job in turn, and
alternate in being first. The worker measures the job's CPU time, user and system (`_meta.cost`).
Prints the median of the pairs' ratios, and its 95 % confidence interval.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "e2e/support"))

from client import request  # noqa: E402
from server import Launcher, compile_handler  # noqa: E402

JOB_MS = 30


def cpu_ms(client, rounds: int, depth: int) -> float:
    params = {"rounds": rounds, "depth": depth, "_meta": {"cost": True}}
    client.send(request("work", params))
    return client.answer()["_meta"]["cpu_us"] / 1000


def interval(ratios: list[float]) -> tuple[float, float]:
    """The interval of the median, by the binomial distribution of ranks, taken as normal."""
    ordered = sorted(ratios)
    half = 0.98 * len(ordered) ** 0.5
    middle = len(ordered) / 2
    return ordered[max(0, int(middle - half))], ordered[min(len(ordered) - 1, int(middle + half))]


def measure(on, off, depth: int, pairs: int) -> list[float]:
    rounds = 1_000_000
    for _ in range(5):
        rounds = int(rounds * JOB_MS / cpu_ms(off, rounds, depth))
    ratios = []
    for pair in range(pairs):
        order = (on, off) if pair % 2 else (off, on)
        took = {client: cpu_ms(client, rounds, depth) for client in order}
        ratios.append(took[on] / took[off])
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the build")
    parser.add_argument("--pairs", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = compile_handler(Path(folder) / "work.so", Path(__file__).with_suffix(".c"), "-O2")
        launcher = Launcher(arguments.out.resolve(), Path(folder))
        start = lambda name, profile: launcher(  # noqa: E731
            name=name,
            workers={"count": 1, "profile": profile},
            handlers={"work": {"library": library}},
        )
        with start("on", True).connect() as on, start("off", False).connect() as off:
            print("| frames on the stack | CPU time with samples / without | 95 % |\n|---|---|---|")
            for depth in (5, 50):
                ratios = measure(on, off, depth, arguments.pairs)
                low, high = interval(ratios)
                print(f"| {depth} | {median(ratios):.4f} | {low:.4f} to {high:.4f} |")
        launcher.finish()


if __name__ == "__main__":
    main()
