"""The helper Process: it reports a misbehaving process, and never waits for ever."""

import signal
import time

import pytest
from processes import ProcessError


def test_a_process_that_ends_early_is_reported_at_once(start):
    process = start(["sh", "-c", "echo going >&2; exit 3"])
    begin = time.monotonic()
    with pytest.raises(ProcessError, match="ended without a line.*return code 3") as failed:
        process.wait_for_line("never", timeout=30)
    assert time.monotonic() - begin < 20
    assert "going" in str(failed.value)


def test_a_line_that_does_not_come_has_a_deadline(start):
    process = start(["sh", "-c", "echo here >&2; exec sleep 100"])
    assert process.wait_for_line("h(.)re").group(1) == "e"
    with pytest.raises(ProcessError, match="no line like 'here' in 0.1 s"):
        process.wait_for_line("here", timeout=0.1, after=1)
    assert process.stop(signal.SIGTERM) == -signal.SIGTERM
