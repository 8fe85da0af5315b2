"""The helper Process: a wait for a line that does not come fails, at once if the process ended."""

import pytest
from processes import ProcessError


@pytest.mark.parametrize("script, says", [
    ("echo going >&2; exit 3", "ended without a line like 'never'.*return code 3.*\n  going"),
    ("echo here >&2; exec sleep 100", "no line like 'never' in 0.5 s.*\n  here"),
])
def test_a_line_that_does_not_come(start, script, says):
    with pytest.raises(ProcessError, match=says):
        start(["sh", "-c", script]).wait_for_line("never", timeout=0.5)
