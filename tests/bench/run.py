"""run.py BUILD: runs the scenarios and writes build/bench/COMMIT-DATE/: results, report, plots.

FULL=1 in the environment: longer, with more points; ONLY=NAME[,NAME]: only those scenarios.
A scenario that fails is named in the report and fails the run, after all others have run.
However the run ends, also by Ctrl-C, the processes that it started end with it. Prints its progress
on stderr, and the report.
"""

import argparse
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
sys.path[:0] = [str(TESTS / "bench"), str(TESTS / "e2e/support")]

from context import Context, chosen  # noqa: E402
from machine import commit, machine, versions  # noqa: E402
from plots import draw  # noqa: E402
from report import EXPLANATIONS, read_explanations, report  # noqa: E402

# In the order of the report.
SCENARIOS = ("latency", "overload", "fair", "crowd", "beside", "upstreams", "interests",
             "saturated", "hop", "bounds", "payloads", "aggregation", "models", "python",
             "interests_python", "growth", "idle", "timeline", "costs", "attack", "profile",
             "rehearsal", "plan", "many")  # fmt: skip


def run_one(name: str, build: Path, results: Path, is_full: bool) -> dict[str, Any]:
    """What the scenario found, or how it failed."""
    scenario = importlib.import_module(f"scenarios.{name}")
    empty = {"targets": [], "tables": [], "plots": [], "text": "", "raw": {}}
    about = " ".join(scenario.ABOUT.split())
    made = empty | {"name": name, "title": scenario.TITLE, "about": about}
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        with Context(build, Path(folder), results, is_full) as context:
            try:
                made |= scenario.run(context)
            except Exception as error:
                traceback.print_exc()
                made["failure"] = f"{type(error).__name__}: {error}"[:300]
            made |= {"commands": context.commands, "missing": context.missing,
                     "others": context.others}
    return made | {"seconds": time.monotonic() - begin}


def write(run: dict[str, Any], results: Path) -> str:
    """Writes all files anew after each scenario: a later failure loses nothing measured so far."""
    (results / "results.json").write_text(json.dumps(run, indent=1))
    text = report(run, read_explanations(EXPLANATIONS.read_text()))
    (results / "report.md").write_text(text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    build = parser.parse_args().build.resolve()
    names, is_full = chosen(SCENARIOS), bool(os.environ.get("FULL"))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *unused: sys.exit(1))  # ends all that was started
    date = time.strftime("%Y%m%d-%H%M%S")
    run = {"commit": commit(ROOT), "date": date, "mode": "full" if is_full else "short",
           "machine": machine(), "versions": versions(), "scenarios": []}
    results = ROOT / "build/bench" / f"{run['commit']}-{date}"
    results.mkdir(parents=True)
    for number, name in enumerate(names, 1):
        print(f"[{number}/{len(names)}] {name}", file=sys.stderr, flush=True)
        made = run_one(name, build, results, is_full)
        print(f"  {made['seconds']:.0f} s", file=sys.stderr, flush=True)
        run["scenarios"].append(made)
        draw(made["plots"], results)
        write(run, results)
    print(write(run, results))
    print(f"bench: {results}", file=sys.stderr)
    return 1 if any("failure" in each for each in run["scenarios"]) else 0


if __name__ == "__main__":
    sys.exit(main())
