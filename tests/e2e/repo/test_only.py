"""`make test ONLY=NAME` runs the tests of that name, and no others."""

import subprocess

import pytest

# Stands for the unit tests: prints its arguments, and that one case of 300 has run.
UNIT_TESTS = """#!/bin/bash
echo "asked for $*"
echo "[doctest] test cases: 1 | 1 passed | 0 failed | 299 skipped"
"""


@pytest.mark.parametrize("name, status, cases, end", [
    ("ring", 0, "ring: *", "1 passed, 0 failed, 0 skipped\n"),
    ("ring: *empty*,arena: *", 0, "ring: *empty*,arena: *", "1 passed, 0 failed, 0 skipped\n"),
    ("ideal_queue", 0, "", "4 passed, 0 failed, 0 skipped\n"),  # a file that needs no server
    ("test_ideal_queue.py", 0, "", "4 passed, 0 failed, 0 skipped\n"),
    ("ring,no_such_thing", 1, "ring: *", "1 passed, 1 failed, 0 skipped\n"),
])  # fmt: skip
def test_the_tests_of_a_name_are_run(root, tmp_path, name, status, cases, end):
    unit_tests = tmp_path / "unit_tests"
    unit_tests.write_text(UNIT_TESTS)
    unit_tests.chmod(0o755)
    done = subprocess.run(["scripts/test.sh", tmp_path], cwd=root, capture_output=True, text=True,
                          env={"PATH": "/usr/bin:/bin", "ONLY": name}, timeout=50)
    assert (done.returncode, done.stdout.endswith(f"\n{end}" if cases else end)) == (status, True)
    asked = [line for line in done.stdout.splitlines() if line.startswith("asked for")]
    assert asked == ([f"asked for --test-case={cases}"] if cases else [])
    assert ("failed: no test is named no_such_thing: expected " in done.stdout) == bool(status)
