"""Context: gives a scenario systems, loads and durations, and ends all processes that it started.

    with Context(...) as context:
        ours = context.ringmaster()
        made = context.load(ours, "echo", [1], seconds=2, concurrency=64, connections=8)
        made["results_per_s"], made["latency_us"]["p99"], made["cpu_s"]["master"]

A load is one run of `ringmaster bench`, after a short run that warms up and is not counted. Its
report also has the system, the CPU seconds of each of its processes, and the duration of the run.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ringmaster
from contender import Contender
from cpu import CpuMeter, machine_busy_s
from feature_client import FeatureService
from processes import Process
from ringmaster import Ringmaster
from systems import OURS, TIMEOUT_MS, WORKERS, Unavailable, end, roles, start_baseline

UPSTREAM_MS = 70
CPU_MS = 30
BURN = {"user_id": "$i", "cpu_ms": CPU_MS}
SEED = 1
WARM_UP_S = 0.5
HTTP_CONNECTIONS = 256  # of an open loop over HTTP, where a connection has one request at a time
NO_RESULT = 1  # exit status of `ringmaster bench` if no request had a result
TOKEN_CLIENTS = Path(__file__).with_name("token_clients.py")


class LoadFailed(Exception):
    """`ringmaster bench` could not finish a load on a system."""


def chosen(scenarios: Sequence[str]) -> list[str]:
    """The scenarios that ONLY in the environment names; without ONLY, all."""
    names = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(scenarios)
    unknown = [name for name in names if name not in scenarios]
    if unknown:
        sys.exit(f"bench: unknown scenario {unknown[0]}; known: {', '.join(scenarios)}")
    return names


class Context:
    def __init__(self, build: Path, folder: Path, results: Path, is_full: bool):
        self.build = build
        self.folder = folder  # of files that are not kept
        self.configurations = results / "configurations"
        self.is_full = is_full
        self.commands: list[dict[str, str]] = []
        self.missing: dict[str, str] = {}  # what was not measured -> why
        self.others: list[float] = []  # by load: the share of the CPU that other processes took
        self._stack = ExitStack()
        self._upstreams: dict[int, str] = {}  # delay -> URL
        self._upstream_roles: dict[int, str] = {}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._stack.close()

    def pick(self, short: Any, full: Any) -> Any:
        return full if self.is_full else short

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def upstream(self, delay_ms: int = UPSTREAM_MS) -> str:
        """The URL of a feature service, which the first call starts."""
        if delay_ms not in self._upstreams:
            service = self.feature_service("--delay-ms", delay_ms)
            self._upstreams[delay_ms] = service.url
            self._upstream_roles[service.process.pid] = "feature service"
        return self._upstreams[delay_ms]

    def feature_service(self, *options: Any) -> FeatureService:
        """A new feature service, with these options."""
        command = [self.build / "feature_service", "--listen", "127.0.0.1:0"]
        process = Process.start([*command, *options])
        self._stack.callback(process.kill)
        return FeatureService(process)

    def ringmaster(self, upstream: str = "", workers: int = WORKERS, timeout_ms: int = TIMEOUT_MS,
                   handlers: dict[str, Any] | None = None, build: Path | None = None,
                   spare: bool = False, **sections: dict[str, Any]) -> Ringmaster:
        """`build`: the server's; the load comes from the context's build. `sections`: further
        sections of the configuration."""
        number = len(list(self.configurations.glob("*.toml")))
        system = ringmaster.start(upstream or self.upstream(), build or self.build, workers,
                                  timeout_ms, self.configurations, f"{OURS}-{number}", handlers,
                                  spare, **sections)
        self._stack.callback(end, system)
        return system

    def rival(self, name: str, upstream: str = "",
              timeout_ms: int = TIMEOUT_MS) -> Contender | None:
        """None: the rival cannot be had on this machine, and `missing` says why."""
        if name in self.missing:
            return None
        try:
            system = start_baseline(name, upstream or self.upstream(), self.build, timeout_ms)
        except Unavailable as error:
            self.missing[name] = str(error)
            self.say(f"without {name}: {error}")
            return None
        self._stack.callback(end, system)
        return system

    def start(self, name: str, upstream: str = "",
              timeout_ms: int = TIMEOUT_MS) -> Contender | None:
        """ringmaster, or a rival."""
        if name == OURS:
            return self.ringmaster(upstream, timeout_ms=timeout_ms)
        return self.rival(name, upstream, timeout_ms)

    def attempt(self, name: str, measure: Callable[[], Any]) -> Any:
        """Returns what measure() returns. If the load fails on a rival, returns None, and `missing`
        says why; if it fails on ringmaster, raises LoadFailed."""
        try:
            return measure()
        except LoadFailed as error:
            if name == OURS:
                raise
            self.missing[name] = str(error)
            self.say(f"without {error}")
            return None

    def missing_text(self) -> str:
        """What was not measured, and why. Empty when all was."""
        return " ".join(f"{name} was not measured: {why}." for name, why in self.missing.items())

    def program(self, name: str, *, on_one_core: bool = False) -> dict[str, Any] | None:
        """The JSON that a program of BUILD/bench prints; None: there is no such program."""
        path = self.build / "bench" / name
        if not path.exists():
            self.missing[name] = f"there is no bench/{name} in the build"
            return None
        before = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if on_one_core else []
        self.commands.append({"system": name, "command": " ".join([*before, f"bench/{name}"])})
        done = subprocess.run([*before, path], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def load(self, system: Contender, method: str, params: Any, *, seconds: float,
             rate: float = 0, concurrency: int = 1, connections: int = 1, seed: int = SEED,
             in_time_ms: float = 0, drain_s: float = 10, warm_up_s: float = WARM_UP_S,
             lead_s: float = 0, token_file: Path | None = None,
             each_token: bool = False) -> dict[str, Any]:
        """`params`: a value, in which "$i" stands for the request's number, or the path of a file.
        `connections` is ignored for a system with HTTP, which gets as many as it needs. `lead_s`:
        how long the load runs before counting begins; the CPU time is that of the whole load.
        `token_file`: the client shows its first token. With `each_token`, each of its tokens is a
        client with one connection (token_clients.py)."""
        if rate:
            options = ["--rate", rate, "--seed", seed]
            connections = HTTP_CONNECTIONS if system.http_path else connections
        else:
            options = ["--concurrency", concurrency]
            connections = concurrency if system.http_path else connections
        if in_time_ms:
            options += ["--in-time-ms", in_time_ms]
        if not each_token:
            options += ["--connections", connections]
        options += ["--drain-s", drain_s]
        if token_file:
            options += ["--token-file", token_file]
        if warm_up_s:
            warm_up = ["--duration-s", warm_up_s, *options, "--warm-up-s", 0]
            self._bench(system, method, params, warm_up, each_token)
        options = ["--duration-s", seconds, *options, "--warm-up-s", lead_s]
        self._note(system, method, params, options, each_token)
        meter, upstream = CpuMeter(roles(system)), CpuMeter(self._upstream_roles)
        begin, busy_s = time.monotonic(), machine_busy_s()
        made = self._bench(system, method, params, options, each_token)
        made |= {
            "system": system.name, "wall_s": time.monotonic() - begin, "cpu_s": meter.read(),
            "upstream_cpu_s": sum(upstream.read().values()), "offered_per_s": rate,
            "duration_s": seconds,
        }
        made["others_share"] = others_share(made, machine_busy_s() - busy_s)
        self.others.append(made["others_share"])
        return made

    @contextmanager
    def background(self, system: Contender, method: str, params: Any, *, rate: float,
                   seconds: float):
        """A load without a report, which ends with the block. Raises LoadFailed if it failed."""
        options = ["--duration-s", seconds, "--warm-up-s", 0, "--rate", rate, "--seed", SEED,
                   "--connections", HTTP_CONNECTIONS if system.http_path else 4]
        self._note(system, method, params, options)
        with Process.start(self._command(system, method, params, options)) as process:
            yield
            if process.returncode not in (None, 0):
                raise LoadFailed(f"{system.name}, {method}: {' '.join(process.lines)}"[:200])

    def _bench(self, system: Contender, method: str, params: Any, options: list[Any],
               each_token: bool) -> dict:
        command = self._command(system, method, params, options, each_token)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, NO_RESULT):
            raise LoadFailed(f"{system.name}, {method}: {done.stderr.strip()}"[:200])
        return json.loads(done.stdout)

    def _command(self, system: Contender, method: str, params: Any, options: list[Any],
                 each_token: bool = False) -> list[str]:
        program = ([sys.executable, TOKEN_CLIENTS] if each_token else
                   [self.build / "ringmaster", "bench", "--json"])
        return [*map(str, [*program, *options]),
                *system.bench_arguments(method, params_text(params))]

    def _note(self, system: Contender, method: str, params: Any, options: list[Any],
              each_token: bool = False) -> None:
        asked = system.bench_arguments(method, params_text(params))
        shown = {system.address: "$ADDRESS"}
        if isinstance(params, Path):
            shown[f"@{params}"] = f"@{params.name}"
        words = [shown.get(word, word) for word in asked]
        quoted = [f"'{word}'" if word[0] in "{[" else word for word in map(str, [*options, *words])]
        program = TOKEN_CLIENTS.name if each_token else "ringmaster bench"
        self.commands.append({"system": system.name, "command": " ".join([program, *quoted])})


def others_share(made: dict[str, Any], busy_s: float) -> float:
    """The share of the machine's CPU time that went to processes outside of the measurement."""
    own_s = made["own_cpu_us_per_request"] * made["sent"] / 1e6
    ours_s = sum(made["cpu_s"].values()) + made["upstream_cpu_s"] + own_s
    return max(0.0, busy_s - ours_s) / (made["wall_s"] * (os.cpu_count() or 1))


def params_text(params: Any) -> str:
    if isinstance(params, Path):
        return f"@{params}"
    return json.dumps(params, separators=(",", ":")).replace('"$i"', "$i")


def cpu_us_per_request(made: dict[str, Any], role: str = "") -> float | None:
    """The CPU time of all processes, or of those whose role begins with `role`, per answer. None:
    there were no answers."""
    answered = made["results"] + sum(made["errors"].values())
    used = sum(s for name, s in made["cpu_s"].items() if name.startswith(role))
    return used * 1e6 / answered if answered else None
