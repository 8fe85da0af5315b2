"""Systems: ringmaster and those it is compared with, started alike and asked alike.

Each serves the same methods: echo (a no-op), burn, fetch_burn (an upstream's answer, then CPU time)
and interests.predict. The others come from baselines/; one that cannot be started here is left out,
and the report says why.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proc import descendants, title
from server import Launcher

PYTHON = ("flask_gunicorn", "aiohttp_alone", "aiohttp_flask", "aiohttp_pool")
OTHERS = ("go", "node")
WORKERS = 2
MODEL = Path(__file__).resolve().parents[2] / "conf/models/interests.ubj"
FETCH = {"fetch": "users", "body": {"user_id": "$params.user_id"}}
TIMEOUT_MS = 1000  # the deadline for those methods that have one


class Unavailable(Exception):
    """A system that cannot be had on this machine, and why."""


@dataclass
class System:
    name: str
    address: str
    http_path: str | None
    method_names: dict[str, str]
    main_pids: Callable[[], list[int]]  # the first is the one that clients speak to
    end: Callable[[], Any]
    server: Any = field(default=None, repr=False)  # ringmaster's own, for scenarios about it

    def stop(self) -> None:
        """Ends all of its processes; may be called again."""
        end, self.end = self.end, lambda: None
        end()

    def method(self, name: str) -> str:
        return self.method_names.get(name, name)

    def roles(self) -> dict[int, str]:
        """pid -> what the process is there for."""
        pids: dict[int, None] = {}
        for pid in self.main_pids():
            pids |= dict.fromkeys([pid, *descendants(pid)])
        if self.server is not None:
            return {pid: _ringmaster_role(pid) for pid in pids}
        return {pid: f"process {index}" for index, pid in enumerate(pids)}


def _ringmaster_role(pid: int) -> str:
    found = re.match(r"ringmaster: (master|nursery|worker \d+)", title(pid))
    return found.group(1) if found else "other"


def configuration(upstream: str, **sections: dict[str, Any]) -> dict[str, Any]:
    """Of ringmaster, with all methods; `sections` are put over it."""
    sections.setdefault("workers", {"count": WORKERS})
    limited = {"timeout_ms": TIMEOUT_MS}
    return {
        "features": {"users": {"url": upstream, "timeout_ms": TIMEOUT_MS}},
        "handlers": {"echo": {}, "burn": {}, "interests": {"model": MODEL}},
        "methods": {
            "fetch_burn": limited | {"steps": [FETCH, {"run": "burn"}]},
            "interests.predict": limited | {"steps": [FETCH, {"run": "interests"}]},
        },
    } | sections


def start_ringmaster(build: Path, folder: Path, **sections: dict[str, Any]) -> System:
    """`folder` keeps its configuration."""
    launcher = Launcher(build, folder)
    try:
        server = launcher(name=f"ringmaster-{len(list(folder.glob('*.toml')))}", **sections)
    except BaseException:
        launcher.finish()
        raise
    return System("ringmaster", server.address, None, {}, lambda: [server.pid], launcher.finish,
                  server)


def start_baseline(name: str, build: Path, upstream: str) -> System:
    try:
        import baselines
    except ImportError as error:
        raise Unavailable(str(error)) from None
    try:
        running = baselines.start(name, upstream, WORKERS, build)
    except (OSError, RuntimeError, AssertionError) as error:
        raise Unavailable(f"{name} did not start: {error}") from error
    return System(name, running.address, running.http_path, running.method_names, running.pids,
                  running.stop)
