"""The part of a report about the machine, the commit and the versions of the measured systems."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = ("python3", "gunicorn", "python3-flask", "python3-aiohttp", "python3-uvloop",
            "python3-numpy", "python3-pandas", "python3-xgboost", "golang-go", "nodejs",
            "libuv1", "libcurl4", "libxgboost0", "gnuplot-nox")  # fmt: skip


def read_first(path: str, pattern: str) -> str:
    found = re.search(pattern, Path(path).read_text(), re.M)
    return found.group(1).strip() if found else "unknown"


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": read_first("/proc/cpuinfo", r"^model name\s*: (.*)$"),
        "memory_gib": round(int(read_first("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 2**20, 1),
        "kernel": platform.release(),
        "debian": Path("/etc/debian_version").read_text().strip(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def commit(root: Path) -> str:
    """The commit's short hash, with "-changed" if the tree differs from it; "unknown" outside a
    clone."""
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    done = subprocess.run([*git, "describe", "--always", "--dirty=-changed", "--exclude=*"],
                          capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def versions() -> dict[str, str]:
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n", *PACKAGES],
        capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    found = {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "installed"}
    lock = json.loads((Path(__file__).parent / "baselines/node/package-lock.json").read_text())
    return found | {"piscina": lock["packages"]["node_modules/piscina"]["version"]}
