"""open_loop.py ADDRESS --rate N --seconds S: offers requests at a rate, whatever becomes of them.

    tests/soak/open_loop.py 127.0.0.1:7070 --rate 133 --seconds 20 --params '{"cpu_ms": 30}'

Arrivals are Poisson; latency counts from the intended start, so a server that stalls cannot make
the load wait for it. Prints one JSON object: for each outcome ("ok", or an error's code and reason)
how many, and percentiles of their latency from the intended start, and of the part of it that is
the server's: from the moment at which we really sent, which a busy machine makes later.
"""

import argparse
import json
import random
import selectors
import socket
import time
from collections import defaultdict
from typing import Any

CONNECTIONS = 8
LAST_ANSWERS_S = 30.0  # what the server may take for those that are under way at the end


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    at = lambda q: ordered[min(len(ordered) - 1, int(q * len(ordered)))]
    return {name: round(1000 * at(q), 3)
            for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def outcome_of(answer: dict[str, Any]) -> str:
    if "result" in answer:
        return "ok"
    return f'{answer["error"]["code"]} {answer["error"]["data"]["reason"]}'


class Load:
    """One run: request N is to start at starts[N]."""

    def __init__(self, address: str, method: str, params: Any, rate: float, seconds: float,
                 seed: int = 1):
        dice, at = random.Random(seed), 0.0
        self.starts: list[float] = []
        while (at := at + dice.expovariate(rate)) < seconds:
            self.starts.append(at)
        self.seconds = seconds
        self.body = f'"jsonrpc":"2.0","method":{json.dumps(method)},"params":{json.dumps(params)}'
        self.answered: dict[int, tuple[str, float, Any]] = {}  # number -> outcome, when, data
        self.sent: list[float] = []
        self.connections = [connect(address) for _ in range(CONNECTIONS)]
        self.begun = 0.0

    def run(self) -> "Load":
        selector = selectors.DefaultSelector()
        for connection in self.connections:
            selector.register(connection, selectors.EVENT_READ, bytearray())
        self.begun = time.monotonic()
        sent, end = 0, self.seconds + LAST_ANSWERS_S
        while len(self.answered) < len(self.starts) and self._now() < end:
            due = self.starts[sent] if sent < len(self.starts) else end
            for key, _ in selector.select(max(0.0, due - self._now())):
                self._receive(key.fileobj, key.data)
            while sent < len(self.starts) and self.starts[sent] <= self._now():
                self._send(sent)
                sent += 1
        for connection in self.connections:
            connection.close()
        return self

    def _now(self) -> float:
        return time.monotonic() - self.begun

    def _send(self, number: int) -> None:
        self.sent.append(self._now())
        line = '{"id":%d,%s}\n' % (number, self.body)
        self.connections[number % CONNECTIONS].sendall(line.encode())

    def _receive(self, connection: socket.socket, buffer: bytearray) -> None:
        piece = connection.recv(1 << 16)
        assert piece, "the server closed a connection"
        now = self._now()
        buffer += piece
        *lines, rest = buffer.split(b"\n")
        buffer[:] = rest
        for line in lines:
            answer = json.loads(line)
            number = answer["id"]
            assert number not in self.answered, f"request {number} was answered twice"
            data = answer.get("error", {}).get("data")
            self.answered[number] = outcome_of(answer), now, data

    def report(self) -> dict[str, Any]:
        latencies, services = defaultdict(list), defaultdict(list)
        for number, (outcome, when, _) in self.answered.items():
            latencies[outcome].append(when - self.starts[number])
            services[outcome].append(when - self.sent[number])
        return {
            "offered": len(self.starts),
            "answered": len(self.answered),
            "outcomes": {
                outcome: {"count": len(found), "per_s": round(len(found) / self.seconds, 2),
                          "latency_ms": percentiles(found),
                          "server_ms": percentiles(services[outcome])}
                for outcome, found in sorted(latencies.items())
            },
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--method", default="burn")
    parser.add_argument("--params", type=json.loads, default={"cpu_ms": 30})
    given = parser.parse_args()
    load = Load(given.address, given.method, given.params, given.rate, given.seconds)
    print(json.dumps(load.run().report(), indent=1))


if __name__ == "__main__":
    main()
