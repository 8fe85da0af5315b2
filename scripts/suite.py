"""suite.py RESULT DEADLINE_S COMMAND...: runs a suite of tests and ends the processes that it
leaves behind.

suite.py is the subreaper of all processes that the suite starts. So it sees each process left
behind, and none of another suite that runs at the same time. RESULT is a file that gets JSON:

    {"status": the exit status (-N: signal N),
     "faults": [the deadline that was missed, and each process left behind]}
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LEAVE_S = 5  # how long a process may take to end after its suite
PR_SET_CHILD_SUBREAPER = 36


class TimeIsUp(Exception):
    pass


def on_alarm(signum, frame):
    raise TimeIsUp


def children() -> list[int]:
    """Our children; after the suite these are the processes that it left behind."""
    found = Path("/proc/self/task").glob("*/children")
    return [int(pid) for file in found for pid in file.read_text().split()]


def reap(wanted: int) -> int:
    """Waits for `wanted` and returns its status; reaps every orphan that ends before, as init
    would."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == wanted:
            return os.waitstatus_to_exitcode(status)


def end_children(grace_s: float) -> list[str]:
    """Waits for our children to end, then kills the rest. Returns the killed ones."""
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


def run(argv: list[str], deadline_s: int) -> dict:
    try:
        suite = subprocess.Popen(argv)
    except OSError as error:
        return {"status": 127, "faults": [f"cannot run {argv[0]}: {error.strerror}"]}
    signal.alarm(deadline_s)
    try:
        status = suite.returncode = reap(suite.pid)
        signal.alarm(0)
        left = end_children(LEAVE_S)
        return {"status": status, "faults": [f"left a process behind: {line}" for line in left]}
    except (TimeIsUp, KeyboardInterrupt) as reason:
        signal.alarm(0)
        os.kill(suite.pid, signal.SIGINT)  # pytest and doctest then name the running test
        end_children(LEAVE_S)
        if isinstance(reason, KeyboardInterrupt):
            sys.exit(130)
        return {"status": 0, "faults": [f"not done after {deadline_s} s"]}


def main():
    result, deadline_s, *argv = sys.argv[1:]
    # Orphans become our children, so that we see and reap all of them.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, on_alarm)
    Path(result).write_text(json.dumps(run(argv, int(deadline_s))))


if __name__ == "__main__":
    main()
