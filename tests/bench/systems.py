"""Starts and ends the systems that the scenarios measure: ringmaster and its rivals.

A rival that cannot be had on this machine is left out, and the report says why.
"""

import re
import subprocess
from pathlib import Path

import baselines
from contender import Contender
from proc import title
from processes import ProcessError
from ringmaster import Ringmaster

OURS = "ringmaster"
PYTHON = ("flask_gunicorn", "flask_threads", "aiohttp_alone", "aiohttp_flask", "aiohttp_pool")
POOL, GO, NODE = "aiohttp_pool", "go_net_rpc", "node_piscina"
# The pool, but it refuses requests beyond 60 at once: a measurement found that it serves so many
# within its deadline.
POOL_LIMITED, POOL_LIMIT = "aiohttp_pool, limited", 60
WORKERS = 2
TIMEOUT_MS = 1000  # the deadline, in systems that have deadlines


class Unavailable(Exception):
    """A system cannot be had on this machine. The text says why."""


def start_baseline(name: str, features_url: str, build: Path, timeout_ms: int) -> Contender:
    try:
        if name == POOL_LIMITED:
            limited = baselines.start(POOL, features_url, build, WORKERS, timeout_ms, POOL_LIMIT)
            limited.name = POOL_LIMITED
            return limited
        return baselines.start(name, features_url, build, WORKERS, timeout_ms)
    except (OSError, ProcessError, subprocess.SubprocessError) as error:
        raise Unavailable(str(error).partition("\n")[0][:200]) from error


def end(system: Contender) -> None:
    """May be called again. Kills rivals: with a backlog they would not end in time."""
    if not isinstance(system, Ringmaster):
        for process in system.processes:
            process.kill()
    system.stop()


def roles(system: Contender) -> dict[int, str]:
    """pid -> what the process is there for."""
    if isinstance(system, Ringmaster):
        return {pid: _ringmaster_role(pid) for pid in system.pids()}
    return {pid: f"process {index}" for index, pid in enumerate(system.pids())}


def _ringmaster_role(pid: int) -> str:
    found = re.match(r"ringmaster: (master|fork server|worker \d+)", title(pid))
    return found.group(1) if found else "other"
