"""Target: the server under test, and its configuration."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import vitals
from client import Client, request
from event_log import Event, EventLog
from load import Kind, Load, burn, burn_long, echo, features, interests
from proc import children, cpu_ns, parent, private_bytes
from server import MEASURED, Launcher

MODEL = Path(__file__).resolve().parents[2] / "conf/models/interests.ubj"
# A handler in Python, which answers as the handler echo does.
PYTHON = """
def run(id: str, text: memoryview):
    return b'{"id":"%s","text":%s}' % (id.encode(), text)
"""
KNOWN_USERS = 50
WORKERS = 4
SPEED_DEPTH, SPEED_TRIES = 1000, 20

# The options of a feature service that make it a faulty upstream.
FAULTS = [f"--{fault}-rate=0.05" for fault in
          ("fail", "hang", "slow-drip", "garbage", "huge", "close")]  # fmt: skip
# All that an upstream can have, with times and a memory that are short for the load.
RESILIENT = {
    "idempotent": True, "attempts": 3, "breaker": True, "in_flight": "auto", "coalesce": True,
    "hedge": {"after": "p90", "budget_percent": 20},
    "cache": {"ttl_ms": 20, "negative_ttl_ms": 20, "stale_while_revalidate_ms": 50,
              "stale_if_error_ms": 500, "bytes": "256KiB"},
}  # fmt: skip
# The errors of a fetch from a faulty upstream: the fetch failed, or took too long.
UPSTREAM_ERRORS = frozenset({-32015, -32012})

# A kill costs each job in hand an attempt; no job should meet this many kills.
ATTEMPTS = 10
TIMEOUT_MS = 120_000


Urls = dict[str, str | list[str]]  # of each upstream, by name


def ports(upstreams: Urls) -> set[int]:
    urls = [url for one in upstreams.values() for url in ([one] if isinstance(one, str) else one)]
    return {port for url in urls if (port := urlsplit(url).port)}


def upstream_sections(upstreams: Urls) -> dict[str, Any]:
    sections = {name: {"url": url, "timeout_ms": 300, "body_bytes": "1MiB"}
                for name, url in upstreams.items()}  # fmt: skip
    sections["users"]["timeout_ms"] = 60_000
    sections["shared"] |= RESILIENT
    return sections


def base_sections(upstreams: Urls, folder: Path, python: Path) -> dict[str, Any]:
    """The configuration: methods with and without a fetch, for each upstream."""
    fetch = {name: {"fetch": name, "body": {"user_id": "${params.user_id}"}} for name in upstreams}
    steps = {name: [{"run": name}] for name in ("echo", "burn", "python")}
    steps["burn.long"] = [{"run": "burn"}]
    steps |= {f"echo.{name}": [step, {"run": "echo"}] for name, step in fetch.items()}
    steps |= {f"interests.{name}": [step, {"run": "interests"}] for name, step in fetch.items()}
    both = [fetch["users"], fetch["shared"] | {"optional": True}]
    steps["echo.both"] = [{"parallel": both}, {"run": "echo"}]
    lanes = {"burn": {"concurrency": 2}, "echo.users": {"reserved_workers": 1}}
    return {
        "listen": {"rpc": ["127.0.0.1:0", f"unix:{folder}/local.sock"]},
        "fair": {"weights": {f"uid {os.getuid()}": 4}},  # all others together: 1
        "workers": {"count": WORKERS},
        "limits": {"request_bytes": "1MiB", "response_bytes": "1MiB"},
        "upstreams": upstream_sections(upstreams),
        "handlers": {"echo": {"batch": 16}, "burn": {}, "interests": {"model": MODEL, "batch": 16},
                     "python": {"python": f"{python}:run"}},
        "methods": {name: {"steps": method, "attempts": ATTEMPTS, "timeout_ms": TIMEOUT_MS}
                          | lanes.get(name, {}) for name, method in steps.items()},
    }  # fmt: skip


class Target:
    def __init__(self, launcher: Launcher, upstreams: Urls):
        """`upstreams`: "users" is healthy, "faulty" is not, "shared" gets all of RESILIENT."""
        self.is_warm = False  # whether a part of a soak has run
        self.folder = launcher.folder
        python = self.folder / "python_echo.py"
        python.write_text(PYTHON)
        self.sections = base_sections(upstreams, self.folder, python)
        self.upstream_address = urlsplit(upstreams["users"]).netloc
        self.log = EventLog(self.folder / "events.log")
        self.server = launcher(wait=False, arguments=["--log-file", self.folder / "events.log"],
                               env=MEASURED, **self.sections)  # fmt: skip
        self.pid = self.server.pid
        ready = self.log.wait_for("ready", after=0)
        self.address, self.local = ready.fields["address"].split(",")
        self._upstream_ports = ports(upstreams)
        self._kinds = self._make_kinds()

    def _make_kinds(self) -> list[Kind]:
        with Client(self.address) as client:
            known = {user: client.call("interests.users", {"user_id": user})
                     for user in range(1, KNOWN_USERS + 1)}  # fmt: skip
        return [Kind("echo", 10, echo), Kind("python", 3, echo), Kind("burn", 3, burn),
                Kind("burn.long", 1, burn_long), Kind("echo.users", 3, features),
                Kind("interests.users", 3, interests(known)),
                Kind("interests.faulty", 2, interests(known), UPSTREAM_ERRORS),
                Kind("interests.shared", 4, interests(known), UPSTREAM_ERRORS),
                Kind("echo.shared", 2, features, UPSTREAM_ERRORS),
                Kind("echo.both", 2, features)]  # fmt: skip

    def load(self, seed: int) -> Load:
        return Load(self.address, self.local, self._kinds, seed)

    def vitals(self) -> vitals.Vitals:
        port = int(self.address.rpartition(":")[2])
        local = self.local.removeprefix("unix:")
        found = vitals.measure(self.pid, WORKERS, (port, local), self._upstream_ports)
        return replace(found, used_bytes=self._used_bytes())

    def _used_bytes(self) -> int:
        """The master's own memory after a reload. When a deployment has ended, the master gives all
        free memory back to the system."""
        mark = self.log.mark()
        self.reload()
        self.log.wait_for("deployment_ended", after=mark)
        with Client(self.address) as client:
            client.call("echo", {})  # answered after the memory was given back
        return private_bytes(self.pid)

    def measure_speed(self) -> int:
        """Echoes that the master serves per second of its own CPU time, the best of some tries, so
        that other programs do not count."""
        message = b"".join(request("echo", [id], id) for id in range(SPEED_DEPTH))
        spent = []
        with Client(self.address) as client:
            for _ in range(SPEED_TRIES):
                before = cpu_ns(self.pid)
                client.send(message)
                client.read_many(SPEED_DEPTH)
                spent.append(cpu_ns(self.pid) - before)
        return SPEED_DEPTH * 1_000_000_000 // min(spent)

    def fork_servers(self) -> list[int]:
        """The pids of all generations' fork servers."""
        return children(self.pid)

    def workers(self) -> list[int]:
        return [worker for fork_server in self.fork_servers() for worker in children(fork_server)]

    def signal(self, pid: int, number: signal.Signals) -> bool:
        """Signals a process of the server, but never another one that has got its pid. False: the
        process is gone."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if self.pid not in (parent(pid), parent(parent(pid))):
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def begin_reload(self, **sections: dict[str, Any]):
        """Sends SIGHUP, with these sections in place of the first ones."""
        self.server.configure(**self.sections | sections)
        self.server.send(signal.SIGHUP)

    def reload(self, **sections: dict[str, Any]) -> Event:
        """Reloads, and returns the event that ended it."""
        mark = self.log.mark()
        self.begin_reload(**sections)
        return self.log.wait_for("reloaded", "reload_failed", after=mark)
