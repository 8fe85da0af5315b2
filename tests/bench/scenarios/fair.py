"""Methods and clients that together ask for more than the workers can do."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from context import Context
from ringmaster import Ringmaster
from systems import WORKERS, end
from targets import number, ratio, target

TITLE = "fairness"
LONG_MS = 400
BURN_MS = 30
BATCH, BATCH_MS, ITEM_MS = 32, 5, 0.25
SHARES_S = 20
ABOUT = f"""Two workers, and loads at the same time. *Long and short*: clients in a closed loop of
`burn` {LONG_MS} ms, beside `echo` at 20 a second, Poisson, with a deadline of a second. A queue
that gives each free worker the earliest deadline makes `echo` wait for one long job at most.
*Flood*: two clients, each with a token, that offer 600 and 6 jobs of {BURN_MS} ms a second; and
half as much to one worker, so that the master and the loads have a core of their own.
*Shares*: two clients that always have jobs waiting, of {BURN_MS} and of {BURN_MS // 10} ms: in
closed loops with a deadline of {SHARES_S} s, so that none is refused, and in open loops that each
ask for twice what both workers can do, with a deadline of a second.
*Batches*: a handler that sleeps {BATCH_MS} ms and {ITEM_MS} ms a job, in batches of up to {BATCH}:
how many jobs a second it does in a closed loop, compared with whole batches on both workers. Then
it is offered 90 % of these, Poisson, beside `echo` at 20 a second."""
CLIENTS = ("first", "second")
CLOSED, OPEN = "closed loops", "open loops"
HANDLER = f"""
import time
class Model:
    def run_batch(self, jobs):
        end = time.monotonic() + ({BATCH_MS} + {ITEM_MS} * len(jobs)) / 1e3
        results = [None] * len(jobs)
        time.sleep(max(end - time.monotonic(), 0))
        return results
"""


def token_of(client: str) -> str:
    return f"the-token-of-{client}"


def write_tokens(context: Context, name: str, clients: Iterable[str]) -> Path:
    """Writes a file with a token for each client."""
    path = context.folder / f"{name}.tokens"
    path.touch(mode=0o600)
    path.write_text("".join(f"{client} {token_of(client)}\n" for client in clients))
    return path


def token_files(context: Context) -> dict[str, Path]:
    """Writes a token file for each client; `all` is the server's."""
    files = {name: write_tokens(context, name, [name]) for name in CLIENTS}
    return files | {"all": write_tokens(context, "all", CLIENTS)}


def start(context: Context, files: dict[str, Path], **sections: Any) -> Ringmaster:
    return context.ringmaster(listen={"token_file": files["all"]}, **sections)


def together(context: Context, system: Ringmaster, *loads: dict[str, Any]) -> list[dict[str, Any]]:
    """The reports of loads that run at the same time."""
    with ThreadPoolExecutor(len(loads)) as threads:
        running = [threads.submit(context.load, system, load.pop("method"), load.pop("params"),
                                  warm_up_s=0, lead_s=1, **load) for load in loads]
        return [load.result() for load in running]


def busy_part(*loads: dict[str, Any], workers: int = WORKERS) -> float:
    """The part of the workers' time that loads of `burn` with BURN_MS have used. It counts the
    results of requests that started in a load's counted time. These are as many as the results that
    came in that time, while as many requests wait at its end as at its beginning."""
    return sum(made["results"] / made["duration_s"] for made in loads) * BURN_MS / 1e3 / workers


def long_and_short(context: Context, files: dict[str, Path], clients: int,
                   reserved: int) -> dict[str, Any]:
    system = start(context, files, methods={"burn": {"timeout_ms": 20_000},
                                            "echo": {"reserved_workers": reserved}})
    token = {"token_file": files["first"], "seconds": context.pick(10, 40)}
    context.load(system, "echo", [1], warm_up_s=0, **token | {"seconds": 0.3})
    burn = {"method": "burn", "params": {"cpu_ms": LONG_MS}, "concurrency": clients}
    echo = {"method": "echo", "params": [1], "rate": 20}
    _, made = together(context, system, burn | token, echo | token)
    end(system)
    context.say(f"{clients} clients, {reserved} reserved: {made['latency_us']['p99'] / 1e3:.1f} ms")
    return {"clients": clients, "reserved": reserved, "served": made["results"] / made["sent"],
            "p99_ms": made["latency_us"]["p99"] / 1e3}


def flood(context: Context, files: dict[str, Path], workers: int) -> dict[str, Any]:
    system = start(context, files, workers=workers)
    burn = {"method": "burn", "params": {"cpu_ms": BURN_MS}, "seconds": context.pick(15, 60)}
    small = burn | {"rate": 3 * workers, "token_file": files["first"]}
    big = burn | {"rate": 300 * workers, "token_file": files["second"], "connections": 4,
                  "drain_s": 2}
    [alone] = together(context, system, dict(small))
    beside, flooding = together(context, system, small, big)
    end(system)
    busy = busy_part(beside, flooding, workers=workers)
    context.say(f"flood: {beside['results']} of {beside['sent']}, workers busy {busy:.1%}")
    return {"workers": workers, "served": beside["results"] / beside["sent"], "busy": busy,
            "p99_ms": beside["latency_us"]["p99"] / 1e3,
            "alone_p99_ms": alone["latency_us"]["p99"] / 1e3}


def shares(context: Context, files: dict[str, Path], weight: int, loop: str) -> dict[str, Any]:
    """The share of the first client, whose jobs are long, in the time that both got."""
    is_open = loop == OPEN
    system = start(context, files, timeout_ms=1000 if is_open else SHARES_S * 1000,
                   fair={"weights": {"second": weight}})
    loads = []
    for client, cpu_ms in zip(CLIENTS, (BURN_MS, BURN_MS // 10)):
        asked = {"rate": 2e3 * WORKERS / cpu_ms} if is_open else {"concurrency": 24}
        loads.append({"method": "burn", "params": {"cpu_ms": cpu_ms}, "connections": 2,
                      "seconds": context.pick(8, 30), "token_file": files[client]} | asked)
    first, second = together(context, system, *loads)
    end(system)
    time_of_first = first["results_per_s"] * BURN_MS
    share = time_of_first / (time_of_first + second["results_per_s"] * (BURN_MS // 10))
    context.say(f"weights 1:{weight}, {loop}: {share:.3f}")
    return {"weight": weight, "loop": loop, "share": share, "due": 1 / (1 + weight)}


def batches(context: Context, files: dict[str, Path]) -> dict[str, Any]:
    file = context.folder / "model.py"
    file.write_text(HANDLER)
    handlers = {"model": {"python": f"{file}:Model", "batch": BATCH}}
    system = start(context, files, handlers=handlers)
    most_per_s = WORKERS * BATCH / (BATCH_MS + ITEM_MS * BATCH) * 1e3
    model = {"method": "model", "params": {}, "seconds": context.pick(5, 20), "connections": 4}
    [closed] = together(context, system, model | {"concurrency": 8 * WORKERS * BATCH,
                                                  "token_file": files["first"]})
    load, urgent = together(
        context, system, model | {"rate": 0.9 * most_per_s, "token_file": files["first"]},
        model | {"method": "echo", "rate": 20, "token_file": files["second"]})
    end(system)
    made = {"capacity": closed["results"] / closed["duration_s"] / most_per_s,
            "served": load["results"] / load["sent"],
            "urgent_p99_ms": urgent["latency_us"]["p99"] / 1e3}
    context.say(f"batches: {made['capacity']:.1%} of whole ones")
    return made


def run(context: Context) -> dict[str, Any]:
    files = token_files(context)
    mixed = [long_and_short(context, files, clients, reserved)
             for clients in (4, 30) for reserved in (0, 1)]
    floods = [flood(context, files, workers) for workers in (WORKERS, 1)]
    shared = [shares(context, files, weight, loop)
              for loop in (CLOSED, OPEN) for weight in (1, 4)]
    batched = batches(context, files)
    targets = []
    for made in mixed:
        name = f"`echo` beside {made['clients']} clients" + ", a worker reserved" * made["reserved"]
        limit_ms = 10 if made["reserved"] else 1.15 * LONG_MS
        targets += [target(f"{name}: served", made["served"], ">=", 1, "%"),
                    target(f"{name}: p99", made["p99_ms"], "<=", limit_ms, "ms")]
    for made in floods:
        name = "beside a flood" + ", one worker" * (made["workers"] == 1)
        targets += [target(f"{name}: served", made["served"], ">=", 1, "%"),
                    target(f"{name}: p99, × p99 alone", ratio(made["p99_ms"], made["alone_p99_ms"]),
                           "<=", 1.8),
                    target(f"{name}: workers busy", made["busy"], ">=", 0.97, "%")]
    targets += [
        target("batches: jobs a second ≥ 97 % of whole batches'", batched["capacity"], ">=", 0.97,
               "%"),
        target("batches at 90 %: served", batched["served"], ">=", 0.99, "%"),
        target("`echo` beside batches at 90 %: p99", batched["urgent_p99_ms"], "<=", 20, "ms"),
    ]
    targets += [target(f"weights 1:{made['weight']}, {made['loop']}: off by",
                       abs(made["share"] - made["due"]), "<=", 0.02, "%") for made in shared]
    return {
        "targets": targets,
        "tables": [{
            "title": "`echo` beside long jobs",
            "columns": ["clients", "reserved", "served", "p99, ms"],
            "rows": [[made["clients"], made["reserved"], f"{made['served']:.1%}",
                      number(made["p99_ms"])] for made in mixed],
        }, {
            "title": "The first client's share of the time",
            "columns": ["weights", "loops", "due", "given"],
            "rows": [[f"1:{made['weight']}", made["loop"], f"{made['due']:.1%}",
                      f"{made['share']:.1%}"] for made in shared],
        }],
        "plots": [],
        "text": "",
        "raw": {"mixed": mixed, "floods": floods, "shares": shared, "batches": batched},
    }
