"""Context: what a scenario has at hand: systems, loads, durations. It ends all that it started.

    with Context(...) as context:
        ours = context.ringmaster()
        made = context.load(ours, "echo", [1], seconds=2, concurrency=64, connections=8)
        made["results_per_s"], made["latency_us"]["p99"], made["cpu_s"]["master"]

A load is one run of `ringmaster bench` behind a short one that warms up and is not counted. What is
added to its report: the system, the CPU seconds of each of the system's processes, the time it took.
"""

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cpu import CpuMeter
from feature_client import FeatureService
from processes import Process
from systems import System, Unavailable, configuration, start_baseline, start_ringmaster

UPSTREAM_MS = 70
CPU_MS = 30
BURN = {"user_id": "$i", "cpu_ms": CPU_MS}
SEED = 1
WARM_UP_S = 0.5
HTTP_CONNECTIONS = 256  # of an open loop: HTTP asks one thing at a time on each


class Context:
    def __init__(self, build: Path, folder: Path, results: Path, is_full: bool):
        self.build = build
        self.folder = folder  # of files that are not kept
        self.configurations = results / "configurations"
        self.configurations.mkdir(exist_ok=True)
        self.is_full = is_full
        self.commands: list[dict[str, str]] = []
        self.missing: dict[str, str] = {}  # system -> why it was not measured
        self._stack = ExitStack()
        self._upstream = ""
        self._upstream_roles: dict[int, str] = {}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._stack.close()

    def pick(self, short: Any, full: Any) -> Any:
        return full if self.is_full else short

    def say(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    def upstream(self) -> str:
        """The URL of the feature service, started for the first who asks."""
        if not self._upstream:
            command = [self.build / "feature_service", "--listen", "127.0.0.1:0"]
            process = Process.start([*command, "--delay-ms", UPSTREAM_MS])
            self._stack.callback(process.kill)
            self._upstream = FeatureService(process).url
            self._upstream_roles = {process.pid: "feature service"}
        return self._upstream

    def ringmaster(self, upstream: str = "", **sections: dict[str, Any]) -> System:
        whole = configuration(upstream or self.upstream(), **sections)
        system = start_ringmaster(self.build, self.configurations, **whole)
        self._stack.callback(system.stop)
        return system

    def others(self, names: tuple[str, ...], upstream: str = "") -> list[System]:
        """Those of them that can be had; `missing` says why others cannot."""
        return [system for name in names if (system := self.other(name, upstream))]

    def other(self, name: str, upstream: str = "") -> System | None:
        if name in self.missing:
            return None
        try:
            system = start_baseline(name, self.build, upstream or self.upstream())
        except Unavailable as error:
            self.missing[name] = str(error)
            self.say(f"without {name}: {error}")
            return None
        self._stack.callback(system.stop)
        return system

    def start(self, name: str, upstream: str = "") -> System | None:
        """Any of them, ringmaster too."""
        is_ours = name == "ringmaster"
        return self.ringmaster(upstream) if is_ours else self.other(name, upstream)

    def program(self, name: str, *arguments: Any) -> dict[str, Any] | None:
        """The JSON that a program of build/release/bench prints; None when it is not there."""
        path = self.build / "bench" / name
        if not path.exists():
            self.missing[name] = f"there is no {path}"
            return None
        command = [str(path), *map(str, arguments)]
        self.commands.append({"system": name, "command": " ".join(command)})
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def load(self, system: System, method: str, params: Any, *, seconds: float,
             rate: float = 0, concurrency: int = 1, connections: int = 1, seed: int = SEED,
             in_time_ms: float = 0, drain_s: float = 10, warm_up_s: float = WARM_UP_S,
             ) -> dict[str, Any]:
        """`params`: a value, in which "$i" stands for the request's number, or the path of a file.
        `connections` of a system with HTTP: as many as it takes, whatever was given."""
        if rate:
            options = ["--rate", f"{rate:.6g}", "--seed", seed]
            connections = HTTP_CONNECTIONS if system.http_path else connections
        else:
            options = ["--concurrency", concurrency]
            connections = concurrency if system.http_path else connections
        if in_time_ms:
            options += ["--in-time-ms", in_time_ms]
        options += ["--connections", connections, "--drain-s", drain_s]
        options += _asked(system, method, params)
        if warm_up_s:
            self._bench(system, ["--duration-s", warm_up_s, *options])
        meter, begin = CpuMeter(system.roles()), time.monotonic()
        upstream = CpuMeter(self._upstream_roles)
        made = self._bench(system, ["--duration-s", seconds, *options])
        made |= {"system": system.name, "wall_s": time.monotonic() - begin, "cpu_s": meter.read(),
                 "upstream_cpu_s": sum(upstream.read().values()),
                 "offered_per_s": rate, "duration_s": seconds}
        self._note(system, ["--duration-s", seconds, *options])
        return made

    @contextmanager
    def background(self, system: System, method: str, params: Any, *, rate: float,
                   seconds: float):
        """A load whose report nobody reads; ended with the block."""
        options = ["--duration-s", seconds, "--rate", f"{rate:.6g}", "--seed", SEED,
                   "--connections", HTTP_CONNECTIONS if system.http_path else 4,
                   *_asked(system, method, params)]
        self._note(system, options)
        with Process.start(self._command(system, options)):
            yield

    def _command(self, system: System, options: list[Any]) -> list[str]:
        command = [self.build / "ringmaster", "bench", "--json", "--to", system.address, *options]
        return [str(word) for word in command]

    def _bench(self, system: System, options: list[Any]) -> dict[str, Any]:
        done = subprocess.run(self._command(system, options), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{system.name}: bench {options}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def _note(self, system: System, options: list[Any]) -> None:
        words = [f"'{word}'" if "{" in str(word) or "[" in str(word) else str(word)
                 for word in options]
        command = " ".join(["ringmaster bench --to $ADDRESS", *words])
        self.commands.append({"system": system.name, "command": command})


def _asked(system: System, method: str, params: Any) -> list[Any]:
    words = ["--http", system.http_path] if system.http_path else []
    words += ["--warm-up-s", 0, system.method(method)]
    if isinstance(params, Path):
        return [*words, f"@{params}"]
    return [*words, json.dumps(params, separators=(",", ":")).replace('"$i"', "$i")]


def cpu_us_per_request(made: dict[str, Any], role: str = "") -> float | None:
    """Of all processes, or of those whose role begins so. None when nothing was answered."""
    answered = made["results"] + sum(made["errors"].values())
    used = sum(s for name, s in made["cpu_s"].items() if name.startswith(role))
    return used * 1e6 / answered if answered else None
