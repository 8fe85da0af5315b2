"""run_tests.py OUT [--deadline-s N] [--only NAME[,NAME...] | E2E_FILE...]: runs OUT/unit_tests and
tests/e2e, or only these files of tests/e2e, and adds up the results.

--only NAME runs tests/e2e/*/test_NAME.py and the unit test cases whose names begin with "NAME:".
NAME may be a pattern ("http*"). A NAME with a colon ("ring: claim*") selects unit test cases only.

The last line is "N passed, N failed, N skipped". Besides a failed test, these count as failed: a
suite that crashes, cannot be run, has no tests or is not done in N seconds, and every process that
a suite leaves behind.

Three suites run at once: the unit tests and two runs that share the end-to-end tests (see
tests/e2e/support/share.py). A third such run follows the unit tests. At last come the end-to-end
tests that are marked "alone". pytest's results are in OUT/test-results.
"""

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

DEADLINE_S = 900
PYTEST_NO_TESTS = 5  # pytest's exit status
INTERRUPTED = 130

SUITE = Path(__file__).with_name("suite.py")
ROOT = Path(__file__).resolve().parents[1]

DOCTEST_SUMMARY = re.compile(
    rb"\[doctest\] test cases: *(\d+) *\| *(\d+) passed *\| *(\d+) failed *\| *(\d+) skipped")

FAILED_CASE = re.compile(rb"TEST CASE: *(.*)\n\n(?:(?!=====).*\n)*?.*: (?:FATAL )?ERROR:")

# The output of SKIP_UNLESS, see tests/support/probes.h.
SKIPPED_CASE = re.compile(rb"^skipped: .*", re.MULTILINE)


DECLARED_CASE = re.compile(r'^TEST_CASE\(\s*"([^"\\]*)', re.MULTILINE)


@dataclass
class Selection:
    """The tests to run."""
    cases: list[str] = field(default_factory=list)  # patterns of unit test cases; empty: none
    files: list[str] = field(default_factory=list)  # of tests/e2e; empty: none
    is_all: bool = False  # all unit test cases, and `files`
    deadline_s: int = DEADLINE_S  # of each suite
    unknown: list[str] = field(default_factory=list)  # names that match no test


def select(names: list[str]) -> Selection:
    """The tests that --only NAME,... selects."""
    declared = [case for file in (ROOT / "tests" / "unit").rglob("*.cc")
                for case in DECLARED_CASE.findall(file.read_text())]
    found = Selection()
    for name in names:
        stem = name.removeprefix("test_").removesuffix(".py")
        pattern = name if ":" in name else f"{stem}: *"
        cases = fnmatch.filter(declared, pattern)
        files = [] if ":" in name else sorted(ROOT.glob(f"tests/e2e/*/test_{stem}.py"))
        found.cases += [pattern] if cases else []
        found.files += [str(file.relative_to(ROOT)) for file in files]
        found.unknown += [] if cases or files else [name]
    return found


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)  # printed before the last line

    def total(self) -> int:
        return self.passed + self.failed + self.skipped

    def fail(self, why: str) -> None:
        self.failed += 1
        self.notes.append(f"failed: {why}")


class Suite:
    """A running suite of tests; see suite.py."""

    def __init__(self, name: str, results: Path, deadline_s: int, argv: list[str], **popen):
        self.name = name
        self.result = results / f"{name}.json"
        self.result.unlink(missing_ok=True)
        command = [sys.executable, SUITE, self.result, str(deadline_s), *argv]
        self.process = subprocess.Popen(command, **popen)

    def wait(self, counts: Counts) -> int:
        """The suite's exit status (-N: signal N)."""
        if self.process.wait() == INTERRUPTED:
            sys.exit(INTERRUPTED)
        result = json.loads(self.result.read_text())
        for fault in result["faults"]:
            counts.fail(f"{self.name}: {fault}")
        return result["status"]


def pass_on(stream, output: bytearray) -> None:
    while chunk := os.read(stream.fileno(), 1 << 16):
        output.extend(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()


class UnitRun:
    """A run of all unit test cases, or of those that match the patterns."""

    name = "unit_tests"

    def __init__(self, results: Path, selection: Selection):
        only = [f"--test-case={','.join(selection.cases)}"] if selection.cases else []
        argv = [str(results.parent / "unit_tests"), *only]
        self.are_all = selection.is_all
        self.output = bytearray()
        self.suite = Suite(self.name, results, selection.deadline_s, argv,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=pass_on,
                                       args=(self.suite.process.stdout, self.output), daemon=True)
        self.reader.start()

    def add_to(self, counts: Counts) -> None:
        before = counts.failed
        status = self.suite.wait(counts)
        self.reader.join()
        # Parses the output for people: doctest's machine-readable formats count assertions, or are
        # empty after a crash. A forked child that crashes prints a summary, too: the last one
        # counts.
        found = DOCTEST_SUMMARY.findall(self.output)
        if found:
            total, passed, failed, filtered = map(int, found[-1])
            skipped = SKIPPED_CASE.findall(self.output)
            counts.notes += [line.decode(errors="replace") for line in skipped]
            counts.passed += passed - len(skipped)
            counts.failed += failed
            counts.skipped += len(skipped) + (filtered if self.are_all else 0)
            if total == 0:
                counts.fail("unit_tests has no test cases")
        # doctest also names a passed case that prints a message.
        for case in FAILED_CASE.findall(self.output):
            counts.notes.append(f"failed: {case.decode(errors='replace').strip()}")
        if counts.failed == before and (status != 0 or not found):
            counts.fail(f"unit_tests crashed: exit status {status}")


def add_report(report: Path, counts: Counts) -> None:
    for suite in ElementTree.parse(report).iter("testsuite"):
        total, failures, errors, skipped = (
            int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
        counts.passed += total - failures - errors - skipped
        counts.failed += failures + errors
        counts.skipped += skipped
        for case in suite.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                counts.notes.append(f"failed: {case.get('classname')}: {case.get('name')}")
            for skip in case.iter("skipped"):
                counts.notes.append(f"skipped: {case.get('name')}: {skip.get('message')}")


class E2eRun:
    """One of the pytest runs that share the files."""

    def __init__(self, name: str, results: Path, share: Path, marked: str, selection: Selection):
        self.report = results / f"{name}.xml"
        self.report.unlink(missing_ok=True)
        self.log = results / f"{name}.log"
        argv = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
                f"--junitxml={self.report}", "-m", marked, *selection.files]
        with self.log.open("wb") as log:
            self.suite = Suite(
                name, results, selection.deadline_s, argv, stdout=log,
                env=os.environ | {"RINGMASTER_BUILD": str(results.parent),
                                  "RINGMASTER_SHARE": str(share)})

    def add_to(self, counts: Counts) -> None:
        before = counts.failed
        status = self.suite.wait(counts)
        if self.report.exists():
            add_report(self.report, counts)
        if counts.failed == before and status not in (0, PYTEST_NO_TESTS):
            sys.stdout.write(self.log.read_text())
            counts.fail(f"{self.suite.name} did not run: exit status {status}")


def empty_share(results: Path) -> Path:
    """A folder for the claims of runs that share the files."""
    share = results / "share"
    shutil.rmtree(share, ignore_errors=True)
    share.mkdir()
    return share


def run_tests(results: Path, selection: Selection, counts: Counts) -> None:
    has_unit_tests = selection.is_all or selection.cases
    unit_tests = UnitRun(results, selection) if has_unit_tests else None
    share = empty_share(results)

    def begin(name: str, marked: str = "not alone") -> list[E2eRun]:
        return [E2eRun(name, results, share, marked, selection)] if selection.files else []

    runs = begin("e2e-1") + begin("e2e-2")
    if unit_tests:
        unit_tests.add_to(counts)
    before = counts.total()
    for run in runs + begin("e2e-3"):
        run.add_to(counts)
    share = empty_share(results)
    for run in begin("e2e-alone", "alone"):
        run.add_to(counts)
    if selection.files and counts.total() == before:
        counts.fail("no end-to-end tests found")


def read_arguments() -> tuple[Path, Selection]:
    parser = argparse.ArgumentParser(prog="run_tests.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--deadline-s", type=int, default=DEADLINE_S)
    parser.add_argument("--only", default="")
    parser.add_argument("files", nargs="*")
    given = parser.parse_intermixed_args()
    selection = Selection(files=given.files or ["tests/e2e"], is_all=True)
    if given.only:
        selection = select([name for name in given.only.split(",") if name])
    selection.deadline_s = given.deadline_s
    return given.out.resolve(), selection


def main() -> int:
    out, selection = read_arguments()
    results = out / "test-results"
    results.mkdir(exist_ok=True)
    counts = Counts()
    for name in selection.unknown:
        counts.fail(f"no test is named {name}: expected NAME of a tests/e2e/*/test_NAME.py, or of "
                    "unit test cases \"NAME: ...\"")
    try:
        run_tests(results, selection, counts)
    except KeyboardInterrupt:
        return INTERRUPTED
    for note in counts.notes:
        print(note)
    print(f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped")
    return 0 if counts.failed == 0 and counts.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
