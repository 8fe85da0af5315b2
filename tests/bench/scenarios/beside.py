"""A small call beside clients that send large messages, or floods of small ones."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from client import connect, request
from context import Context
from ringmaster import Ringmaster
from scenarios import payloads
from scenarios.fair import CLIENTS, start, token_files, token_of
from systems import end
from targets import number, target

TITLE = "a small call beside large ones"
SMALL, LARGE = CLIENTS
ITEMS, ITEM_BYTES = 1000, 15_000
EMPTY_BYTES = 64 << 10
ABOUT = f"""`echo` of one number at 100 a second, Poisson, beside connections of another client,
each in a closed loop; each of the two clients has a token. *Objects*: eight connections with an
`echo` of 14 MB of small objects. *Batches*: four with a batch of {ITEMS} requests, each an `echo`
of a string of {ITEM_BYTES // 1000} KB. *Empty batches*: twenty that send {EMPTY_BYTES >> 10} KiB
of `[]`, each of which gets an error. These clients take their first answer as usual. All further
ones have as many bytes, which the kernel discards for the client: so the clients' own work takes
little of the two cores."""


@dataclass
class Flood:
    """A message that each of some connections sends again once its answer has come."""

    name: str
    connections: int
    message: bytes
    lines: int  # of the answer


def floods(context: Context) -> list[Flood]:
    objects = payloads.params(payloads.EVENTS, 14_000_000)
    item = json.loads(request("echo", payloads.params(payloads.STRING, ITEM_BYTES)))
    batch = json.dumps([item | {"id": id} for id in range(ITEMS)], separators=(",", ":"))
    return [Flood("objects", 8, request("echo", objects), 1),
            Flood("batches", 4, batch.encode() + b"\n", 1),
            Flood("empty batches", 20, b"[]" * (EMPTY_BYTES // 2), EMPTY_BYTES // 2)]


def skip_lines(connection: socket.socket, count: int) -> int:
    """Returns how many bytes the lines have."""
    size = 0
    while count > 0:
        piece = connection.recv(1 << 20)
        assert piece, "the server closed the connection"
        count -= piece.count(b"\n")
        size += len(piece)
    return size


def skip_bytes(connection: socket.socket, size: int) -> None:
    unused = bytearray(1 << 20)
    while size > 0:
        got = connection.recv_into(unused, min(size, len(unused)), socket.MSG_TRUNC)
        assert got > 0, "the server closed the connection"
        size -= got


@contextmanager
def running(system: Ringmaster, flood: Flood) -> Iterator[list[int]]:
    """The flood goes on until the end of the block; then the list has the number of messages
    that each connection has sent and got the answers of."""
    is_over = threading.Event()

    def repeat() -> int:
        with connect(system.address) as connection:
            connection.sendall(request("rpc.auth", [token_of(LARGE)], 0))
            skip_lines(connection, 1)
            connection.sendall(flood.message)
            size, count = skip_lines(connection, flood.lines), 1
            while not is_over.is_set():
                connection.sendall(flood.message)
                skip_bytes(connection, size)
                count += 1
            connection.setblocking(False)
            with suppress(BlockingIOError):
                assert not connection.recv(1), "an answer was longer than the first one"
        return count

    counts: list[int] = []
    with ThreadPoolExecutor(flood.connections) as threads:
        started = [threads.submit(repeat) for _ in range(flood.connections)]
        try:
            yield counts
        finally:
            is_over.set()
        counts += [each.result() for each in started]


def measure(context: Context, flood: Flood) -> dict[str, Any]:
    files = token_files(context)
    system = start(context, files, timeout_ms=60_000)
    with running(system, flood) as counts:
        began_s = time.monotonic()
        made = context.load(system, "echo", [1], rate=100, seconds=context.pick(10, 40),
                            token_file=files[SMALL], warm_up_s=0, lead_s=1)
    taken_s = time.monotonic() - began_s
    end(system)
    found = {"flood": flood.name, "p50_ms": made["latency_us"]["p50"] / 1e3,
             "p99_ms": made["latency_us"]["p99"] / 1e3,
             "failed": sum(made["errors"].values()) + made["lost"],
             "mb_per_s": sum(counts) * len(flood.message) / 1e6 / taken_s}
    context.say(f"beside {flood.name}: p99 {found['p99_ms']:.1f} ms")
    return found


def run(context: Context) -> dict[str, Any]:
    found = [measure(context, flood) for flood in floods(context)]
    return {
        "targets": [target(f"`echo` beside {made['flood']}: p99", made["p99_ms"], "<=", 10, "ms")
                    for made in found],
        "tables": [{
            "title": "A small `echo`",
            "columns": ["beside", "p50, ms", "p99, ms", "errors and lost", "MB/s of the others"],
            "rows": [[made["flood"], number(made["p50_ms"]), number(made["p99_ms"]),
                      made["failed"], number(made["mb_per_s"])] for made in found],
        }],
        "plots": [],
        "text": "",
        "raw": {"beside": found},
    }
