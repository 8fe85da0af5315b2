"""Methods and clients that together ask for more than the workers can do."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from context import Context
from ringmaster import Ringmaster
from scenarios import payloads
from systems import WORKERS, end
from targets import number, ratio, target

TITLE = "fairness"
LONG_MS = 400
BURN_MS = 30
ABOUT = f"""Two workers, and loads at the same time. *Long and short*: clients in a closed loop of
`burn` {LONG_MS} ms, beside `echo` at 20 a second, Poisson, with a deadline of a second. A queue
that gives each free worker the earliest deadline makes `echo` wait for one long job at most.
*Flood*: two clients, each with a token, that offer 600 and 6 jobs of {BURN_MS} ms a second.
*Shares*: two clients that always have jobs waiting, of {BURN_MS} and of {BURN_MS // 10} ms. *Small
beside large*: `echo` of one number at 100 a second, Poisson, beside eight clients in a closed loop
of `echo` with 14 MB of small objects."""
CLIENTS = ("first", "second")
TOKENS = {name: f"the-token-of-{name}" for name in CLIENTS}


def token_files(context: Context) -> dict[str, Path]:
    """Writes a token file for each client; `all` is the server's."""
    lines = {name: f"{name} {token}\n" for name, token in TOKENS.items()}
    files = {}
    for name, text in (lines | {"all": "".join(lines.values())}).items():
        files[name] = context.folder / f"{name}.tokens"
        files[name].touch(mode=0o600)
        files[name].write_text(text)
    return files


def start(context: Context, files: dict[str, Path], **sections: Any) -> Ringmaster:
    return context.ringmaster(listen={"token_file": files["all"]}, **sections)


def together(context: Context, system: Ringmaster, *loads: dict[str, Any]) -> list[dict[str, Any]]:
    """The reports of loads that run at the same time."""
    with ThreadPoolExecutor(len(loads)) as threads:
        running = [threads.submit(context.load, system, load.pop("method"), load.pop("params"),
                                  warm_up_s=0, lead_s=1, **load) for load in loads]
        return [load.result() for load in running]


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


def flood(context: Context, files: dict[str, Path]) -> dict[str, Any]:
    system = start(context, files)
    burn = {"method": "burn", "params": {"cpu_ms": BURN_MS}, "seconds": context.pick(15, 60)}
    small = burn | {"rate": 6, "token_file": files["first"]}
    big = burn | {"rate": 600, "token_file": files["second"], "connections": 4, "drain_s": 2}
    [alone] = together(context, system, dict(small))
    beside, flooding = together(context, system, small, big)
    end(system)
    busy = (beside["results_per_s"] + flooding["results_per_s"]) * BURN_MS / 1e3 / WORKERS
    context.say(f"flood: {beside['results']} of {beside['sent']}, workers busy {busy:.1%}")
    return {"served": beside["results"] / beside["sent"], "busy": busy,
            "p99_ms": beside["latency_us"]["p99"] / 1e3,
            "alone_p99_ms": alone["latency_us"]["p99"] / 1e3}


def shares(context: Context, files: dict[str, Path], weight: int) -> dict[str, Any]:
    """The share of the first client, whose jobs are long, in the time that both got."""
    system = start(context, files, fair={"weights": {"second": weight}})
    loads = [{"method": "burn", "params": {"cpu_ms": cpu_ms}, "concurrency": 24, "connections": 2,
              "seconds": context.pick(8, 30), "token_file": files[client]}
             for client, cpu_ms in zip(CLIENTS, (BURN_MS, BURN_MS // 10))]
    first, second = together(context, system, *loads)
    end(system)
    time_of_first = first["results_per_s"] * BURN_MS
    share = time_of_first / (time_of_first + second["results_per_s"] * (BURN_MS // 10))
    context.say(f"weights 1:{weight}: {share:.3f}")
    return {"weight": weight, "share": share, "due": 1 / (1 + weight)}


def beside_large(context: Context) -> dict[str, Any]:
    path = payloads.write_params(context.folder, payloads.EVENTS, 14_000_000)
    system = context.ringmaster(timeout_ms=60_000)
    small = {"method": "echo", "params": [1], "rate": 100, "seconds": context.pick(10, 40)}
    large = small | {"params": path, "rate": 0, "concurrency": 8, "connections": 8, "drain_s": 60}
    made, others = together(context, system, small, large)
    end(system)
    context.say(f"beside large: p99 {made['latency_us']['p99'] / 1e3:.1f} ms")
    return {"p99_ms": made["latency_us"]["p99"] / 1e3,
            "mb_per_s": others["results_per_s"] * path.stat().st_size / 1e6}


def run(context: Context) -> dict[str, Any]:
    files = token_files(context)
    mixed = [long_and_short(context, files, clients, reserved)
             for clients in (4, 30) for reserved in (0, 1)]
    flooded = flood(context, files)
    shared = [shares(context, files, weight) for weight in (1, 4)]
    large = beside_large(context)
    targets = []
    for made in mixed:
        name = f"`echo` beside {made['clients']} clients" + ", a worker reserved" * made["reserved"]
        limit_ms = 10 if made["reserved"] else 1.15 * LONG_MS
        targets += [target(f"{name}: served", made["served"], ">=", 1, "%"),
                    target(f"{name}: p99", made["p99_ms"], "<=", limit_ms, "ms")]
    targets += [
        target("beside a flood: served", flooded["served"], ">=", 1, "%"),
        target("beside a flood: p99, × p99 alone",
               ratio(flooded["p99_ms"], flooded["alone_p99_ms"]), "<=", 1.8),
        target("beside a flood: workers busy", flooded["busy"], ">=", 0.97, "%"),
    ]
    targets.append(target("`echo` beside large ones: p99", large["p99_ms"], "<=", 10, "ms"))
    targets += [target(f"weights 1:{made['weight']}: off by", abs(made["share"] - made["due"]),
                       "<=", 0.02, "%") for made in shared]
    return {
        "targets": targets,
        "tables": [{
            "title": "`echo` beside long jobs",
            "columns": ["clients", "reserved", "served", "p99, ms"],
            "rows": [[made["clients"], made["reserved"], f"{made['served']:.1%}",
                      number(made["p99_ms"])] for made in mixed],
        }, {
            "title": "The first client's share of the time",
            "columns": ["weights", "due", "given"],
            "rows": [[f"1:{made['weight']}", f"{made['due']:.1%}", f"{made['share']:.1%}"]
                     for made in shared],
        }],
        "plots": [],
        "text": "",
        "raw": {"mixed": mixed, "flood": flooded, "shares": shared},
    }
