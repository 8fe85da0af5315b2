"""mutants.py OUT [--rest] [--minutes N] [NAME...]: puts single faults into copies of the source and
counts the faults that the tests find.

tests/mutants/ROOM.toml lists the faults; tests/mutants/README.md says how. A NAME is a room
("base") or one fault of it ("base:3"). OUT is a complete build, unit tests included. A fault is put
into a copy of the tree and built there; then its own tests run. If these do not find the fault,
--rest runs all other tests, too. Two faults are tried at a time.

The last line is "N of N faults found (N%), N survivors explained, N not, N invalid, N not tried".
The exit status is 0 if all faults were tried, at least 90% were found, each survivor is explained
and no fault is invalid.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

LANES = 2
FOUND_MIN = 0.9
BUILD_DEADLINE_S = 600
TEST_DEADLINE_S = 300
REST_DEADLINE_S = 1200
REST = ["*", "test_*"]
SERVER_USERS = ("fork server kill", "generation", "*")  # unit tests that run the server

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ROOT / "tests" / "mutants"
COPIED = ("src", "include", "tests", "scripts", "conf", "docs", "Makefile", "README.md",
          "CHANGELOG.md", ".clang-format", ".github")
CASES = re.compile(r"\[doctest\] test cases: *(\d+)")
NO_TESTS = (4, 5)  # pytest's exit statuses


@dataclass
class Fault:
    name: str  # "base:3"
    old: str
    new: str
    tests: list[str]  # patterns of unit test cases; files and tests of tests/e2e
    survives: str = ""  # why no test can find the fault
    file: Path = Path()


class Invalid(Exception):
    """The fault cannot be applied or built, or a test of it is missing or fails without it."""


def is_e2e(test: str) -> bool:
    return test.startswith("test_")


class Tree:
    """A copy of the source and its build, to which faults are applied and undone."""

    def __init__(self, folder: Path, source: Path, build: Path):
        self.folder = folder
        self.out = build.relative_to(ROOT)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / self.out).parent.mkdir(parents=True)
        for name in [*COPIED, self.out]:
            subprocess.run(["cp", "-a", source / name, folder / name], check=True)
        self.times = {path: path.stat().st_mtime_ns for path in self._files()}

    def put_in(self, fault: Fault):
        path = self.folder / fault.file
        path.write_text(path.read_text().replace(fault.old, fault.new))

    def reset(self, pristine: "Tree"):
        """Restores the files and their times, so that make has nothing to do."""
        for path in self._files():
            if path not in self.times:
                path.unlink()
            elif path.stat().st_mtime_ns != self.times[path]:
                shutil.copy2(pristine.folder / path.relative_to(self.folder), path)

    def make(self, test: str):
        """Builds what the test needs: for most unit tests only unit_tests."""
        targets = [] if is_e2e(test) else [str(self.out / "unit_tests")]
        if is_e2e(test) or test.startswith(SERVER_USERS):
            targets.append("all")
        status, output = self._run(BUILD_DEADLINE_S, "make", "-s", "-j1",
                                   f"BUILD={self.out.name}", *targets)
        if status != 0:
            raise Invalid(f"it does not compile:\n{output}")

    def passes(self, test: str, deadline_s: int) -> bool:
        if is_e2e(test):
            name, _, case = test.partition("::")
            files = [f"{file}::{case}" if case else file
                     for file in sorted((self.folder / "tests" / "e2e").glob(f"*/{name}"))]
            status, _ = self._run(deadline_s, "/usr/bin/python3", "-m", "pytest", "-qx",
                                  "-p", "no:cacheprovider", *(files or [test]))
            has_test = status not in NO_TESTS
        else:
            unit_tests = self.folder / self.out / "unit_tests"
            status, output = self._run(deadline_s, unit_tests, f"--test-case={test}")
            counts = CASES.findall(output)
            has_test = not counts or int(counts[-1]) > 0
        if not has_test:
            raise Invalid(f"no test is called {test}")
        return status == 0

    def _files(self) -> list[Path]:
        return [path for part in ("src", self.out) for path in (self.folder / part).rglob("*")
                if path.is_file() and not path.is_symlink() and "test-results" not in path.parts]

    def _run(self, deadline_s: int, *argv) -> tuple[int, str]:
        """The command's status and output; the status is 1 if it is late or leaves a process."""
        result = self.folder / "result.json"
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        env |= {"RINGMASTER_BUILD": str(self.out), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, ROOT / "scripts" / "suite.py", result, str(deadline_s), *argv],
            cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        ended = json.loads(result.read_text())
        return ended["status"] or int(bool(ended["faults"])), done.stdout.decode(errors="replace")


class Trial:
    def __init__(self, build: Path, with_rest: bool, end: float):
        lanes = ROOT / "build" / "mutants"
        self.pristine = Tree(lanes / "pristine", ROOT, build)
        self.trees: SimpleQueue[Tree] = SimpleQueue()
        for number in range(LANES):
            self.trees.put(Tree(lanes / str(number), self.pristine.folder, build))
        self.with_rest = with_rest
        self.end = end
        self._lock = Lock()

    @cache
    def _is_sound(self, test: str) -> bool:
        return self.pristine.passes(test, REST_DEADLINE_S)

    def outcome(self, fault: Fault) -> tuple[str, str]:
        """The fault's outcome, and the test that found it or the reason."""
        if time.monotonic() > self.end:
            return "not tried", "no time left"
        tree = self.trees.get()
        try:
            if test := self._find(fault, tree):
                return "found", test
            return ("explained", fault.survives) if fault.survives else ("SURVIVED", "")
        except Invalid as why:
            return "INVALID", str(why)
        finally:
            tree.reset(self.pristine)
            self.trees.put(tree)

    def _find(self, fault: Fault, tree: Tree) -> str | None:
        """The test that finds the fault."""
        tree.put_in(fault)
        for test in [*fault.tests, *(REST if self.with_rest else [])]:
            tree.make(test)
            if not tree.passes(test, REST_DEADLINE_S if test in REST else TEST_DEADLINE_S):
                return self._verified(test)
        return None

    def _verified(self, test: str) -> str:
        with self._lock:
            if not self._is_sound(test):
                raise Invalid(f"{test} fails without the fault, too")
        return test


def read_faults(names: list[str]) -> tuple[list[Fault], list[str]]:
    """The faults with these names, and a line for each whose old text is at no place or several."""
    sources = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "src").rglob("*.*")}
    faults, problems = [], []
    for room in sorted(FAULTS.glob("*.toml")):
        for number, entry in enumerate(tomllib.loads(room.read_text())["fault"], 1):
            fault = Fault(f"{room.stem}:{number}", **entry)
            if names and room.stem not in names and fault.name not in names:
                continue
            places = [path for path, text in sources.items() for _ in range(text.count(fault.old))]
            if len(places) == 1:
                fault.file = places[0]
                faults.append(fault)
            else:
                problems.append(f"{fault.name}: {len(places)} places in src/ have its old text: "
                                f"{fault.old.strip().splitlines()[0]}")
    return faults, problems


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--rest", action="store_true")
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_intermixed_args()
    end = time.monotonic() + 60 * options.minutes
    faults, problems = read_faults(options.names)
    counts = Counter({"INVALID": len(problems)})
    print("\n".join(problems), flush=True)
    trial = Trial(options.out.resolve(), options.rest, end)

    def attempt(fault: Fault):
        begun = time.monotonic()
        outcome, why = trial.outcome(fault)
        counts[outcome] += 1
        print(f"{outcome:9} {fault.name:15} {fault.file}: {time.monotonic() - begun:.0f} s: {why}",
              flush=True)

    with ThreadPoolExecutor(LANES) as lanes:
        list(lanes.map(attempt, faults))
    tried = counts["found"] + counts["explained"] + counts["SURVIVED"]
    share = counts["found"] / max(tried, 1)
    print(f"{counts['found']} of {tried} faults found ({share:.0%}), {counts['explained']} "
          f"survivors explained, {counts['SURVIVED']} not, {counts['INVALID']} invalid, "
          f"{counts['not tried']} not tried")
    is_complete = counts["SURVIVED"] + counts["INVALID"] + counts["not tried"] == 0
    return 0 if is_complete and share >= FOUND_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
