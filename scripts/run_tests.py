"""run_tests.py OUT [E2E_FILE...]: runs OUT/unit_tests and tests/e2e, or those files of it, and adds
them up.

The last line is "N passed, N failed". What counts as failed, beyond a failed test: a suite that
crashes, that cannot be run, that has no tests or that is not done in time, and every process that
one leaves behind.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

UNIT_DEADLINE_S = 300
E2E_DEADLINE_S = 900
LEAVE_S = 5  # what a process may still take to end when its suite is over
PR_SET_CHILD_SUBREAPER = 36

DOCTEST_SUMMARY = re.compile(
    rb"\[doctest\] test cases: *(\d+) *\| *(\d+) passed *\| *(\d+) failed *\| *(\d+) skipped")

FAILED_CASE = re.compile(rb"TEST CASE: *(.*)\n\n(?:(?!=====).*\n)*?.*: (?:FATAL )?ERROR:")


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)  # what to say before the last line

    def fail(self, why: str) -> None:
        self.failed += 1
        self.notes.append(f"failed: {why}")


class TimeIsUp(Exception):
    pass


def on_alarm(signum, frame):
    raise TimeIsUp


def children() -> list[int]:
    """Our children: with orphans coming to us, at the end whatever a suite left behind."""
    found = Path("/proc/self/task").glob("*/children")
    return [int(pid) for file in found for pid in file.read_text().split()]


def reap(wanted: int) -> int:
    """Waits for `wanted` and returns its status; reaps, as init would, whoever ends until then."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == wanted:
            return status


def end_children(grace_s: float) -> list[str]:
    """Waits for our children to end, then kills them. Returns who had to be killed."""
    killed: dict[int, str] = {}
    give_up = time.monotonic() + grace_s
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return [f"{pid} {line}" for pid, line in killed.items()]
        if pid == 0 and time.monotonic() < give_up:
            time.sleep(0.02)
        elif pid == 0:
            for child in children():
                line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                killed.setdefault(child, line.strip())
                os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def run(name: str, deadline_s: int, argv: list[str], environment: dict[str, str],
        counts: Counts) -> tuple[int, bytes]:
    """Runs a suite, passing on what it writes. Returns its exit status (-N: signal N) and that."""
    try:
        suite = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env=environment)
    except OSError as error:
        counts.fail(f"cannot run {argv[0]}: {error.strerror}")
        return 0, b""
    output = bytearray()

    def pass_on():
        while chunk := os.read(suite.stdout.fileno(), 1 << 16):
            output.extend(chunk)
            sys.stdout.buffer.write(chunk)
            sys.stdout.flush()

    reader = threading.Thread(target=pass_on, daemon=True)
    reader.start()
    signal.alarm(deadline_s)
    try:
        status = os.waitstatus_to_exitcode(reap(suite.pid))
        signal.alarm(0)
        for process in end_children(LEAVE_S):
            counts.fail(f"{name} left a process behind: {process}")
    except (TimeIsUp, KeyboardInterrupt) as reason:
        signal.alarm(0)
        os.kill(suite.pid, signal.SIGINT)  # both say then which test they were in
        end_children(LEAVE_S)
        if isinstance(reason, KeyboardInterrupt):
            sys.exit(130)
        counts.fail(f"{name}: not done after {deadline_s} s")
        status = 0
    suite.returncode = status  # so that Popen does not look for it
    reader.join()
    return status, bytes(output)


def run_unit_tests(out: Path, counts: Counts) -> None:
    before = counts.failed
    status, output = run("unit_tests", UNIT_DEADLINE_S, [str(out / "unit_tests")],
                         os.environ.copy(), counts)
    # Read from what people see, since doctest's machine-readable formats count assertions, or say
    # nothing after a crash. A forked child that crashes prints a summary, too: the last one counts.
    found = DOCTEST_SUMMARY.findall(output)
    if found:
        total, passed, failed, skipped = map(int, found[-1])
        counts.passed += passed
        counts.failed += failed
        if skipped:
            counts.notes.append(f"skipped: {skipped} unit test cases")
        if total == 0:
            counts.fail("unit_tests has no test cases")
    # A case without a fault is only named where it says something.
    for case in FAILED_CASE.findall(output):
        counts.notes.append(f"failed: {case.decode(errors='replace').strip()}")
    if counts.failed == before and (status != 0 or not found):
        counts.fail(f"unit_tests crashed: exit status {status}")


def run_e2e_tests(out: Path, files: list[str], counts: Counts) -> None:
    before = counts.failed
    report = out / "test-results" / "e2e.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    status, _ = run(
        "the e2e tests", E2E_DEADLINE_S,
        ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
         f"--junitxml={report}", *(files or ["tests/e2e"])],
        os.environ | {"RINGMASTER_BUILD": str(out)}, counts)
    if report.exists():
        for suite in ElementTree.parse(report).iter("testsuite"):
            total, failures, errors, skipped = (
                int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped"))
            counts.passed += total - failures - errors - skipped
            counts.failed += failures + errors
            for case in suite.iter("testcase"):
                if case.find("failure") is not None or case.find("error") is not None:
                    counts.notes.append(f"failed: {case.get('classname')}: {case.get('name')}")
                for skip in case.iter("skipped"):
                    counts.notes.append(f"skipped: {case.get('name')}: {skip.get('message')}")
    if counts.failed == before and (status != 0 or not report.exists()):
        why = {5: "no tests found"}.get(status, f"exit status {status}")
        counts.fail(f"the e2e tests did not run: {why}")


def main() -> int:
    out = Path(sys.argv[1]).resolve()
    # Orphans become our children: none can get away, and none stays a zombie.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, on_alarm)
    counts = Counts()
    run_unit_tests(out, counts)
    run_e2e_tests(out, sys.argv[2:], counts)
    for note in counts.notes:
        print(note)
    print(f"{counts.passed} passed, {counts.failed} failed")
    return 0 if counts.failed == 0 and counts.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
