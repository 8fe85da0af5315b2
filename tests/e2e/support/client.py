"""Client: one connection to a server under test, newline framing (others: framings.py), every read
with a deadline.

    with Client("127.0.0.1:7070") as client:
        assert client.call("echo", [1]) == [1]
        client.send(b'{"jsonrpc":"2.0",...}\\n')
        assert client.read() == b'{"jsonrpc":"2.0",...}'
"""

import contextlib
import json
import socket
import time
from statistics import median
from typing import Any

# No answer takes so long; with sanitizers on two busy cores one may take a good part of this.
DEADLINE_S = 25.0

# The master's tick: if the master misses a wake-up, it acts at the next tick.
SLOW_TICK_S = 0.05


class RpcError(Exception):
    """An error response, with the error's members."""

    def __init__(self, error: dict[str, Any]):
        super().__init__(json.dumps(error))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error["data"]


def request(method: str, params: Any = None, id: Any = 1) -> bytes:
    """One request as a line. Without an id (None) it is a notification."""
    members = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        members["params"] = params
    if id is not None:
        members["id"] = id
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def connect(address: str, source: str = "") -> socket.socket:
    """`source`: the client's own address on this machine, such as "127.0.0.2"."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), timeout=DEADLINE_S,
                                          source_address=(source, 0) if source else None)
    # Otherwise the kernel keeps a small request until the server has acknowledged the one before.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """All bytes until the other side closes or resets the connection."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    return b"".join(pieces)


def assert_no_wait_for_tick(client: "Client", took: list[float]):
    """Checks that calls of these durations (s) did not wait for a tick: compares their median with
    that of calls without a worker. A call with a worker waits for the master twice."""
    usual = [0.0] * 100
    for number in range(len(usual)):
        sent = time.monotonic()
        client.send(request("no_such_method"))
        assert client.answer()["error"]["code"] == -32601
        usual[number] = time.monotonic() - sent
    assert median(took) < SLOW_TICK_S * 0.8 + 2 * median(usual), (took, usual)


class Client:
    def __init__(self, address: str, source: str = ""):
        self.socket = connect(address, source)
        self._received = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes so that the server gets a reset at once, not an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def send(self, data: bytes):
        self.socket.settimeout(DEADLINE_S)
        self.socket.sendall(data)

    def send_until_full(self, data: bytes):
        """Sends `data` repeatedly until the server reads no more; reads nothing meanwhile."""
        self.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                self.socket.sendall(data)

    def end_sending(self):
        """Half-closes: the server reads the end, its answers still come."""
        self.socket.shutdown(socket.SHUT_WR)

    def read(self) -> bytes:
        """The next answer, without its line end."""
        deadline = time.monotonic() + DEADLINE_S
        while b"\n" not in self._received:
            self._receive_more(deadline)
        line, _, self._received = self._received.partition(b"\n")
        return line

    def read_many(self, count: int) -> list[bytes]:
        deadline = time.monotonic() + DEADLINE_S
        pieces = [self._received]
        lines = self._received.count(b"\n")
        while lines < count:
            piece = self._receive(deadline)
            assert piece, f"the server closed the connection after {lines} of {count} answers"
            pieces.append(piece)
            lines += piece.count(b"\n")
        *found, self._received = b"".join(pieces).split(b"\n", count)
        return found

    def read_to_end(self) -> list[bytes]:
        """All answers until the server closes the connection, which it must."""
        deadline = time.monotonic() + DEADLINE_S
        while piece := self._receive(deadline):
            self._received += piece
        rest, self._received = self._received, b""
        assert not rest or rest.endswith(b"\n"), f"an answer was cut off: {rest[-200:]!r}"
        return rest.splitlines()

    def answer(self) -> dict[str, Any]:
        return json.loads(self.read())

    def answers(self, count: int) -> dict[Any, dict[str, Any]]:
        """Reads `count` answers; returns them by id."""
        found = [json.loads(line) for line in self.read_many(count)]
        by_id = {answer["id"]: answer for answer in found}
        assert len(by_id) == count, "the same request was answered twice"
        return by_id

    def call(self, method: str, params: Any = None) -> Any:
        """The result of one request, or RpcError."""
        self.send(request(method, params))
        answer = self.answer()
        assert answer["jsonrpc"] == "2.0" and answer["id"] == 1, answer
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def _receive_more(self, deadline: float):
        piece = self._receive(deadline)
        assert piece, f"the server closed the connection; left over: {self._received!r}"
        self._received += piece

    def _receive(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        assert left > 0, f"no whole answer in {DEADLINE_S} s; so far: {self._received[-200:]!r}"
        self.socket.settimeout(left)
        try:
            return self.socket.recv(1 << 20)
        except socket.timeout:
            raise AssertionError(
                f"no answer in {DEADLINE_S} s; so far: {self._received[-200:]!r}"
            ) from None
