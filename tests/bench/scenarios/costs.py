"""System calls, allocations and copies of a request, counted by count_costs.py."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from context import Context

TITLE = "what a request costs the master"
ABOUT = """Counted, not timed: system calls by `strace -c` of the running master, allocations and
copied bytes by a preloaded library."""
SCRIPT = Path(__file__).resolve().parents[1] / "count_costs.py"


def run(context: Context) -> dict[str, Any]:
    done = subprocess.run([sys.executable, SCRIPT, context.build], stdout=subprocess.PIPE,
                          text=True, check=True)
    return {"text": done.stdout.strip()}
