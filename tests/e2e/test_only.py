"""`make test ONLY=NAME` runs the tests of that name, and no others."""

import subprocess

import pytest

# Stands for the unit tests: says what it was asked for, and that one case of 300 was to be run.
UNIT_TESTS = """#!/bin/bash
echo "asked for $*"
echo "[doctest] test cases: 1 | 1 passed | 0 failed | 299 skipped"
"""


@pytest.fixture
def run(root, tmp_path):
    """run(NAME) -> (exit status, output) of the tests with that name."""
    unit_tests = tmp_path / "unit_tests"
    unit_tests.write_text(UNIT_TESTS)
    unit_tests.chmod(0o755)

    def run_only(name):
        done = subprocess.run(["scripts/test.sh", tmp_path], cwd=root, capture_output=True,
                              text=True, env={"PATH": "/usr/bin:/bin", "ONLY": name}, timeout=50)
        return done.returncode, done.stdout

    return run_only


def test_unit_test_cases_are_chosen_by_what_they_test(run):
    assert run("ring") == (0, "asked for --test-case=ring: *\n"
                              "[doctest] test cases: 1 | 1 passed | 0 failed | 299 skipped\n"
                              "1 passed, 0 failed, 0 skipped\n")


def test_a_pattern_with_a_colon_chooses_unit_test_cases(run):
    status, output = run("ring: *empty*,arena: *")
    assert status == 0 and "asked for --test-case=ring: *empty*,arena: *\n" in output


def test_end_to_end_tests_are_chosen_by_their_file(run):
    status, output = run("ideal_queue")  # needs no server
    assert status == 0 and "asked for" not in output
    assert output.endswith(" passed, 0 failed, 0 skipped\n") and not output.startswith("0 ")
    assert run("test_ideal_queue.py") == (status, output)


def test_a_name_that_no_test_has_is_a_failure(run):
    status, output = run("ring,no_such_thing")
    assert status == 1
    assert "failed: no test is named no_such_thing: expected " in output
    assert output.endswith("1 passed, 1 failed, 0 skipped\n")
