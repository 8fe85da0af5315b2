"""The cost of idle connections, and their effect on busy ones."""

import socket
from contextlib import ExitStack
from statistics import median
from typing import Any

from client import request
from context import Context
from cpu import rss_bytes
from framings import FRAMINGS, Concatenated, Framed
from ringmaster import Ringmaster
from targets import number, ratio, target

TITLE = "idle"
ABOUT = """10,000 connections, each of which has been served once and waits, in each framing: how
much the master's resident memory has grown by them (its own structures, libuv's and the
allocator's; the sockets themselves are the kernel's). Beside them 1,000 busy connections ask for
`echo`, at the same rate each time (Poisson). The same load without the idle connections alternates
with this one."""
IDLE, BUSY = 10_000, 1_000
RATE = 10_000
KIB = 1024


def connect_all(system: Ringmaster, framing: type[Framed], stack: ExitStack) -> None:
    message = request("echo", ["idle"])[:-1]
    for _ in range(IDLE):
        client = stack.enter_context(framing(system.address))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send_message(message)
        client.read_message()


def probe(context: Context, system: Ringmaster) -> dict[str, Any]:
    made = context.load(system, "echo", ["$i"], seconds=context.pick(2, 10), rate=RATE,
                        connections=BUSY, warm_up_s=0.5)
    failed = sum(made["errors"].values()) + made["lost"]
    return {"p50": made["latency_us"]["p50"], "p99": made["latency_us"]["p99"], "failed": failed}


def measure(context: Context, framing: type[Framed]) -> dict[str, Any]:
    """Measures with a new server, since a server keeps the memory that it has grown by."""
    system = context.ringmaster()
    probe(context, system)  # the server takes its memory for the busy ones
    grown = []
    rounds: dict[str, list[dict[str, Any]]] = {"without": [], "beside": []}
    for _ in range(context.pick(2, 4)):
        rounds["without"].append(probe(context, system))
        before = rss_bytes(system.server.pid)
        with ExitStack() as stack:
            connect_all(system, framing, stack)
            grown.append(rss_bytes(system.server.pid) - before)
            rounds["beside"].append(probe(context, system))
    found = {f"{name}_{key}": median(each[key] for each in rounds[name])
             for name in ("without", "beside") for key in ("p50", "p99")}
    failed = sum(each["failed"] for name in ("without", "beside") for each in rounds[name])
    # The first round's growth: later rounds use the memory of those before.
    found |= {"framing": framing.__name__, "bytes": grown[0] / IDLE, "failed": failed}
    context.say(f"{framing.__name__}: {found['bytes']:.0f} bytes an idle connection,"
                f" p99 {found['without_p99']:.0f} and {found['beside_p99']:.0f} us")
    return found


def run(context: Context) -> dict[str, Any]:
    # Concatenated values cost as much as lines.
    rows = [measure(context, framing) for framing in FRAMINGS if framing is not Concatenated]
    return {
        "targets": [
            target("memory of an idle connection, in any framing: at most 4 KiB",
                   max(row["bytes"] for row in rows) / KIB, "<=", 4, "KiB"),
            target("p99 of the busy ones beside the idle ones: at most 1.1 times that without",
                   median(ratio(row["beside_p99"], row["without_p99"]) for row in rows),
                   "<=", 1.1, "x"),
        ],
        "tables": [{
            "title": f"{IDLE:,} idle connections, {BUSY:,} with {RATE:,} requests a second",
            "columns": ["framing", "bytes an idle connection", "p50 µs without", "p50 µs beside",
                        "p99 µs without", "p99 µs beside", "errors and lost"],
            "rows": [[row["framing"], number(row["bytes"]), number(row["without_p50"]),
                      number(row["beside_p50"]), number(row["without_p99"]),
                      number(row["beside_p99"]), row["failed"]] for row in rows],
        }],
        "raw": rows,
    }
