"""The systems that ringmaster is compared with: README.md says what each of them is.

    running = baselines.start("flask_gunicorn", "http://127.0.0.1:7080/features", build)

Needs scripts/setup.sh bench. Compiled programs and installed packages lie in BUILD/bench.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from contender import MODEL, Contender, Process

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[2]
PYTHON = "/usr/bin/python3"
# Each process of flask_threads has enough to overlap 70 ms of waiting with 30 ms of computing.
THREADS = 16
KEEP_ALIVE_S = 75
GO_METHODS = {"echo": "Ringmaster.Echo", "burn": "Ringmaster.Burn",
              "fetch_burn": "Ringmaster.FetchBurn"}  # fmt: skip


@dataclass
class Wanted:
    """The settings with which a contender is started."""

    features_url: str
    build: Path
    workers: int
    timeout_ms: int  # for a request; ignored by systems without a timeout
    in_flight_max: int  # 0: no limit; ignored by systems without one

    @property
    def folder(self) -> Path:
        return self.build / "bench"


def start(name: str, features_url: str, build: Path, workers: int = 2, timeout_ms: int = 1000,
          in_flight_max: int = 0) -> Contender:  # fmt: skip
    """Starts a contender, and waits until it serves. Its log is BUILD/bench/NAME.log. Fails
    (AssertionError) at a deadline."""
    wanted = Wanted(features_url, build.resolve(), workers, timeout_ms, in_flight_max)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        run = lambda argv, env=None, cwd=FOLDER: stack.enter_context(  # noqa: E731
            Process.start(argv, env=env, cwd=cwd, log=wanted.folder / f"{name}.log")
        )
        running = STARTERS[name](name, wanted, run)
        stack.pop_all()
    return running


Run = Callable[..., Process]


def _wait_for_address(process: Process) -> str:
    return process.wait_for_line(r"listening address=(\S+)").group(1)


def _start_gunicorn(app: str, wanted: Wanted, run: Run, threads: int) -> tuple[Process, str]:
    argv = [PYTHON, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", wanted.workers]
    if threads > 1:
        argv += ["--worker-class", "gthread", "--threads", threads, "--keep-alive", KEEP_ALIVE_S]
    env = {"FEATURES_URL": wanted.features_url, "MODEL": MODEL, "THREADS": threads}
    process = run([*argv, app], env)
    address = process.wait_for_line(r"Listening at: http://(\S+)").group(1)
    seen = 0
    for _ in range(wanted.workers):
        line = process.wait_for_line(r"^ready pid=", after=seen).string
        seen = process.lines.index(line, seen) + 1
    return process, address


def _start_flask(name: str, wanted: Wanted, run: Run) -> Contender:
    threads = THREADS if name == "flask_threads" else 1
    process, address = _start_gunicorn("flask_service:app", wanted, run, threads)
    return Contender(name, address, [process], "/rpc")


def _start_aiohttp(name: str, wanted: Wanted, run: Run) -> Contender:
    processes, options = [], []
    if name == "aiohttp_flask":
        cpu_service, cpu_address = _start_gunicorn("flask_cpu:app", wanted, run, threads=1)
        processes, options = [cpu_service], ["--cpu-url", f"http://{cpu_address}"]
    process = run([PYTHON, f"{name}.py", "--features-url", wanted.features_url, "--model", MODEL,
                   "--workers", wanted.workers, "--timeout-ms", wanted.timeout_ms,
                   "--in-flight-max", wanted.in_flight_max, *options])  # fmt: skip
    return Contender(name, _wait_for_address(process), [process, *processes], "/rpc")


def _start_go(name: str, wanted: Wanted, run: Run) -> Contender:
    program = wanted.folder / name
    env = {"GOFLAGS": "-mod=mod -buildvcs=false", "GOPROXY": "off",
           "GOCACHE": wanted.folder / "go_cache", "GOPATH": wanted.folder / "go_path"}  # fmt: skip
    subprocess.run(["go", "build", "-o", program, "."], cwd=FOLDER / "go", check=True,
                   env={**os.environ, **{key: str(value) for key, value in env.items()}},
                   timeout=300)  # fmt: skip
    process = run([program, wanted.features_url])
    return Contender(name, _wait_for_address(process), [process], method_names=GO_METHODS)


def _start_node(name: str, wanted: Wanted, run: Run) -> Contender:
    folder = wanted.folder / "node"
    subprocess.run([ROOT / "scripts/npm_install.sh", FOLDER / "node", folder], check=True,
                   timeout=300)  # fmt: skip
    process = run(["node", "--no-warnings", "server.js", wanted.features_url, wanted.workers,
                   wanted.timeout_ms, wanted.in_flight_max], cwd=folder)  # fmt: skip
    return Contender(name, _wait_for_address(process), [process], "/rpc")


STARTERS: dict[str, Callable[[str, Wanted, Run], Contender]] = {
    "flask_gunicorn": _start_flask,
    "flask_threads": _start_flask,
    "aiohttp_alone": _start_aiohttp,
    "aiohttp_flask": _start_aiohttp,
    "aiohttp_pool": _start_aiohttp,
    "go_net_rpc": _start_go,
    "node_piscina": _start_node,
}
NAMES = tuple(STARTERS)
# The methods that a system lacks, since there is no XGBoost for its language.
MISSING = {"go_net_rpc": {"interests.predict"}, "node_piscina": {"interests.predict"}}
