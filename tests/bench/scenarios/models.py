"""The costs of a large model: memory for each further worker, and the time until a killed worker
is replaced."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from client import request
from context import Context
from cpu import pss_bytes
from proc import children, is_asleep, title, wait_until
from ringmaster import Ringmaster
from server import HANDLERS, compile_handler
from systems import end
from targets import number, ratio, target

TITLE = "a model of 200 MB"
MANY = 8
RATE, RELOADS = 500, 20
ABOUT = f"""A handler reads a file of 200 MB into its memory before the workers are forked, and each
of its jobs reads a byte of each page. *Memory*: the sum of the proportional set sizes (PSS) of all
of the server's processes with eight workers, each of which has run jobs, less the sum with one
worker. *Kills*: the only worker of a server with that model gets SIGKILL, and an `echo` is sent at
once; the figure is the time until its answer. With `spare = true` in `[workers]`, each kill waits
until a spare worker stands by. *Reloads*: `echo` at {RATE} a second, Poisson,
without reloads and with one each second, each of which loads the model anew; the median of the
rounds."""
SOURCE = HANDLERS / "large_model.cc"
MODEL_BYTES = 200_000_000


def write_model(folder: Path) -> Path:
    path = folder / "model"
    with open(path, "wb") as file:
        for _ in range(MODEL_BYTES // 1_000_000):
            file.write(os.urandom(1_000_000))
    return path


def start(context: Context, library: Path, model: Path, workers: int,
          spare: bool = False) -> Ringmaster:
    handlers = {"large_model": {"library": library, "model": model}}
    # A worker's first job maps each page of the model: more than a second where that is slow.
    return context.ringmaster(workers=workers, handlers=handlers, timeout_ms=30_000,
                              spare=spare)


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


def spare_stands_by(system: Ringmaster) -> bool:
    spares = [pid for pid in children(system.server.fork_server())
              if title(pid).startswith("ringmaster: spare worker")]
    return bool(spares) and is_asleep(spares[0])


def kill_times(system: Ringmaster, method: str, params: Any, count: int,
               spare: bool) -> list[float]:
    """In ms."""
    took = []
    with system.server.connect() as client:
        for _ in range(count):
            if spare:
                wait_until(lambda: spare_stands_by(system), "a spare to stand by")
            took.append(kill_and_ask(system, client, method, params))
    end(system)
    return took


def kill_targets(limit_ms: float, took: dict[bool, list[float]]) -> list[dict[str, Any]]:
    return [target(f"SIGKILL to serving again ≤ {limit_ms:g} ms at p50" + ", with a spare" * spare,
                   median(each), "<=", limit_ms, "ms") for spare, each in took.items()]


def p99_with_reloads(context: Context, system: Ringmaster, count: int) -> float:
    """The p99 in ms, over `count` seconds with a reload in each, or RELOADS seconds without."""
    seconds = count or RELOADS
    with ThreadPoolExecutor(1) as threads:
        load = threads.submit(context.load, system, "echo", [1], rate=RATE, connections=4,
                              seconds=seconds)
        for _ in range(count):
            next_at = time.monotonic() + 1
            line = system.server.reload_file()
            assert line.startswith("event=reloaded"), line
            time.sleep(max(0, next_at - time.monotonic()))
        made = load.result()
    assert made["results"] == made["sent"], made["errors"]
    return made["latency_us"]["p99"] / 1e3


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
    took = {spare: kill_times(start(context, library, model, 1, spare), "echo", [1],
                              context.pick(30, 200), spare) for spare in (False, True)}
    system = start(context, library, model, 2)
    rounds = [{count: p99_with_reloads(context, system, count) for count in (0, RELOADS)}
              for _ in range(context.pick(2, 5))]
    end(system)
    without, beside = (median(one[count] for one in rounds) for count in (0, RELOADS))
    return {
        "targets": [
            target("PSS per additional worker ≤ 2 MB", each_mb, "<=", 2, "MB"),
            *kill_targets(10, took),
            target(f"p99 of `echo` beside {RELOADS} reloads ≤ 1.3 × without",
                   ratio(beside, without), "<=", 1.3),
        ],
        "tables": [
            {"title": "PSS of all processes, in MB",
             "columns": ["workers", "all", "per additional worker"],
             "rows": [[1, number(pss[1] / 1e6), "-"],
                      [MANY, number(pss[MANY] / 1e6), number(each_mb)]]},
            {"title": "From SIGKILL to the next answer, in ms",
             "columns": ["spare", "kills", "p50", "p90", "at most"],
             "rows": [[str(spare).lower(), len(each), number(median(each)),
                       number(quantiles(each, n=10)[-1]), number(max(each))]
                      for spare, each in took.items()]},
            {"title": "p99 of `echo`, in ms", "columns": ["without reloads", "with them"],
             "rows": [[number(one[0]), number(one[RELOADS])] for one in rounds]},
        ],
        "raw": {"pss": pss, "reloads": rounds,
                "kill_to_answer_ms": {str(spare).lower(): each for spare, each in took.items()}},
    }
