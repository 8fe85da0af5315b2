"""The costs of a large model: memory for each further worker, and time until a killed one is
replaced."""

import os
import signal
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from client import request
from context import Context
from cpu import pss_bytes
from ringmaster import Ringmaster
from server import HANDLERS, compile_handler
from systems import end
from targets import number, target

TITLE = "a model of 200 MB"
ABOUT = """A handler that reads a file of 200 MB into its memory before the workers are forked, and
whose every job reads a byte of each of its pages. Memory: the sum of the proportional set sizes
(PSS) of all of the server's processes with eight workers, each of which has run jobs, less the
sum with one worker. Kills: the only worker of a server with that model gets SIGKILL, and an `echo`
is sent at once; the time until its answer."""
SOURCE = HANDLERS / "large_model.cc"
MODEL_BYTES = 200_000_000
MANY = 8


def write_model(folder: Path) -> Path:
    path = folder / "model"
    with open(path, "wb") as file:
        for _ in range(MODEL_BYTES // 1_000_000):
            file.write(os.urandom(1_000_000))
    return path


def start(context: Context, library: Path, model: Path, workers: int) -> Ringmaster:
    handlers = {"large_model": {"library": library, "model": model}}
    return context.ringmaster(workers=workers, handlers=handlers)


def ask_all(system: Ringmaster, workers: int) -> None:
    """Sends so many jobs that each worker runs some."""
    lines = b"".join(request("large_model", [id], id) for id in range(16 * workers))
    with system.server.connect() as client:
        client.send(lines)
        for answer in client.read_many(16 * workers):
            assert b'"result":' in answer, answer


def pss_sum(system: Ringmaster) -> int:
    return sum(pss_bytes(pid) for pid in system.server.processes())


def kill_and_ask(system: Ringmaster, client, method: str, params: Any) -> float:
    """Milliseconds from SIGKILL to the answer of the worker that took over."""
    worker = system.server.workers()[0]
    seen, begin = len(system.server.lines), time.monotonic()
    os.kill(worker, signal.SIGKILL)
    client.call(method, params)
    took_ms = (time.monotonic() - begin) * 1e3
    assert system.server.wait_for_worker(0, seen) != worker
    return took_ms


def run(context: Context) -> dict[str, Any]:
    library = compile_handler(context.folder / "large_model.so", SOURCE, "-std=c++20", "-O2")
    model = write_model(context.folder)
    pss = {}
    for workers in (1, MANY):
        system = start(context, library, model, workers)
        ask_all(system, workers)
        pss[workers] = pss_sum(system)
        end(system)
    each_mb = (pss[MANY] - pss[1]) / (MANY - 1) / 1e6
    context.say(f"{each_mb:.2f} MB a worker")
    system = start(context, library, model, 1)
    with system.server.connect() as client:
        took = [kill_and_ask(system, client, "echo", [1]) for _ in range(context.pick(30, 200))]
    p50, p90 = median(took), quantiles(took, n=10)[-1]
    return {
        "targets": [
            target("PSS per additional worker ≤ 2 MB", each_mb, "<=", 2, "MB"),
            target("SIGKILL to serving again ≤ 10 ms at p50", p50, "<=", 10, "ms"),
        ],
        "tables": [
            {"title": "PSS of all processes, in MB",
             "columns": ["workers", "all", "per additional worker"],
             "rows": [[1, number(pss[1] / 1e6), "-"],
                      [MANY, number(pss[MANY] / 1e6), number(each_mb)]]},
            {"title": "From SIGKILL to the next answer, in ms",
             "columns": ["kills", "p50", "p90", "at most"],
             "rows": [[len(took), number(p50), number(p90), number(max(took))]]},
        ],
        "raw": {"pss": pss, "kill_to_answer_ms": took},
    }
