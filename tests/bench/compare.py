"""compare.py BUILD BASELINE: measures the ringmaster of two builds, pair by pair.

ONLY=NAME[,NAME] in the environment: only those scenarios. FULL=1: more and longer measurements.
For each pair both servers are started anew, since where their memory lies differs from start to
start. The machine's speed varies within seconds. So a scenario with TOGETHER measures both at the
same time, on the same CPUs. Otherwise they are measured in turn, as often as the
scenario's TURNS says, and a figure is the median of its turns. The two take turns in being started
and in being measured first. The `ringmaster bench` of BUILD puts the load on both.

Prints for each figure the medians, and the ratio of BUILD to BASELINE: the median of the pairs'
ratios, and its 95 % confidence interval. Exits with 1 if a figure is more than 3 % worse at both
ends of this interval, or if a scenario could not be measured.
"""

import argparse
import importlib
import math
import os
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "bench"), str(TESTS / "e2e/support")]

from context import Context, LoadFailed, chosen  # noqa: E402
from figure import Figure  # noqa: E402
from ringmaster import Ringmaster  # noqa: E402
from systems import end  # noqa: E402
from targets import number  # noqa: E402

# The scenarios that have figures().
SCENARIOS = ("saturated", "hop", "latency")
PAIRS, PAIRS_FULL = 9, 21
CONFIDENCE = 0.95
WORSE_MAX = 1.03


@dataclass
class Compared:
    name: str
    ours: list[Figure]
    baseline: list[Figure]  # of the same pairs

    def ratios(self) -> list[float]:
        return [a.value / b.value for a, b in zip(self.ours, self.baseline, strict=True)]

    def is_worse(self) -> bool:
        low, high = interval(self.ratios())
        return 1 / high > WORSE_MAX if self.ours[0].is_more_better else low > WORSE_MAX

    def row(self) -> list[str]:
        low, high = interval(self.ratios())
        values = [number(median(f.value for f in each)) for each in (self.ours, self.baseline)]
        return [self.name, *values, f"{median(self.ratios()):.3f}", f"{low:.3f} to {high:.3f}",
                "worse" if self.is_worse() else ""]


def middle(figures: list[Figure]) -> Figure:
    return Figure(median(each.value for each in figures), figures[0].is_more_better)


def interval(values: list[float]) -> tuple[float, float]:
    """The confidence interval of the median, for any distribution. Its ends are two of the values:
    the least and the greatest if there are too few."""
    ordered, count = sorted(values), len(values)
    outside, skipped = 0.0, 0
    while True:
        outside += 2 * math.comb(count, skipped) / 2**count
        if outside > 1 - CONFIDENCE:
            break
        skipped += 1
    skipped = max(skipped - 1, 0)
    return ordered[skipped], ordered[count - 1 - skipped]


def table(rows: list[list[str]]) -> str:
    head = ["figure", "this build", "baseline", "ratio", "95 % interval", ""]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    line = lambda row: "  ".join(  # noqa: E731
        [row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 5)), row[5]]).rstrip()
    return "\n".join(map(line, [head, *rows]))


def measure(name: str, systems: list[Ringmaster], context: Context,
            pair: int) -> list[dict[str, Figure]]:
    """The figures of each system."""
    scenario = importlib.import_module(f"scenarios.{name}")
    if getattr(scenario, "TOGETHER", False):
        with ThreadPoolExecutor(len(systems)) as threads:
            return list(threads.map(lambda each: scenario.figures(context, each, pair), systems))
    made: list[list[dict[str, Figure]]] = [[] for _ in systems]
    for turn in range(getattr(scenario, "TURNS", 1)):
        order = range(len(systems))
        for i in order if (pair + turn) % 2 else reversed(order):
            made[i].append(scenario.figures(context, systems[i], pair))
    return [{each: middle([one[each] for one in turns]) for each in turns[0]} for turns in made]


def compare(name: str, build: Path, baseline: Path, folder: Path, is_full: bool) -> list[Compared]:
    found: dict[str, Compared] = {}
    with Context(build, folder, folder, is_full) as context:
        for pair in range(1, context.pick(PAIRS, PAIRS_FULL) + 1):
            builds = (build, baseline) if pair % 2 else (baseline, build)
            systems = {each: context.ringmaster(build=each) for each in builds}
            ours, theirs = measure(name, [systems[build], systems[baseline]], context, pair)
            for system in systems.values():
                end(system)
            for each, value in ours.items():
                entry = found.setdefault(each, Compared(f"{name}: {each}", [], []))
                entry.ours.append(value)
                entry.baseline.append(theirs[each])
            context.say(f"pair {pair}: " + ", ".join(
                f"{each} {entry.ratios()[-1]:.3f}" for each, entry in found.items()))
    return list(found.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("baseline", type=Path)
    given = parser.parse_args()
    build, baseline = given.build.resolve(), given.baseline.resolve()
    for program in ("ringmaster", "handlers/echo.so", "handlers/burn.so", "handlers/interests.so"):
        if not (baseline / program).exists():
            sys.exit(f"bench: BASELINE={given.baseline}: expected {program} of a build there")
    if baseline == build:
        sys.exit(f"bench: BASELINE={given.baseline}: expected the folder of another build")
    names, is_full = chosen(SCENARIOS), bool(os.environ.get("FULL"))
    for number_of_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number_of_signal, lambda *unused: sys.exit(130))  # ends all that was started
    compared: list[Compared] = []
    has_failed = False
    for name in names:
        print(name, file=sys.stderr, flush=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
                compared += compare(name, build, baseline, Path(folder), is_full)
        except LoadFailed as error:
            print(f"bench: {name} was not compared: {error}", file=sys.stderr)
            has_failed = True
    print(table([each.row() for each in compared]))
    return 1 if has_failed or any(each.is_worse() for each in compared) else 0


if __name__ == "__main__":
    sys.exit(main())
