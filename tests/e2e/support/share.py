"""Share: divides the files of the end-to-end tests among several pytest runs.

Each run collects every file, and claims a file before the file's first test. The first run to
claim a file runs its tests. RINGMASTER_SHARE names the folder of the claims. A run reports each
failure on stderr at once, and the outcomes of a file after its last test.
"""

import fcntl
import sys
import time
from collections import Counter
from pathlib import Path

import pytest


class Share:
    def __init__(self, folder: Path):
        self._folder = folder
        self._is_ours: dict[str, bool] = {}
        self._outcomes: Counter[str] = Counter()  # of the file whose tests run now
        self._file = ""
        self._begun = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        """True: another run has claimed the file of the test."""
        file = item.path.name
        if file not in self._is_ours:
            self._is_ours[file] = self._try_claim(file)
        if not self._is_ours[file]:
            return True
        if file != self._file:
            self._report_file()
            self._file, self._begun = file, time.monotonic()
        return None

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._report_failure(report)
        if report.failed or report.skipped or report.when == "call":
            self._outcomes[report.outcome] += 1

    def pytest_collectreport(self, report):
        if report.failed:
            self._report_failure(report)

    def pytest_sessionfinish(self):
        self._report_file()

    def _try_claim(self, file: str) -> bool:
        try:
            (self._folder / file).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _report_file(self):
        if self._outcomes:
            counts = ", ".join(f"{count} {outcome}" for outcome, count in self._outcomes.items())
            self._write(f"{self._file}: {counts} in {time.monotonic() - self._begun:.1f} s")
        self._outcomes.clear()

    def _report_failure(self, report):
        where = report.nodeid.removeprefix("tests/e2e/")
        captured = [f"--- {name}\n{text}" for name, text in report.sections]
        crash = getattr(report.longrepr, "reprcrash", None)
        why = crash.message.partition("\n")[0] if crash else report.when
        self._write("\n".join([f"FAILED {where}: {why}", report.longreprtext, *captured]))

    def _write(self, text: str):
        """Writes `text` at once, not mixed with other runs' output."""
        with open(self._folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            print(text, file=sys.stderr, flush=True)
