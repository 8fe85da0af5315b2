"""Hostile: misbehaving clients of random kinds; the class keeps them open for a while.

None of them exceeds a limit that would make the server refuse other clients.
"""

import random
import socket
from collections import deque
from collections.abc import Callable

from client import connect, request

KEPT_MAX = 20
PATIENCE_S = 0.05  # the timeout of our sends: we go on if the server does not read
MIB = 1 << 20

BATCH = b"[" + b",".join([request("echo", ["x" * 1000], 1)[:-1]] * 50) + b"]\n"


def half_a_line(dice: random.Random) -> bytes:
    line = request("echo", ["x" * dice.choice((1, 1000, 300_000))])
    return line[: dice.randrange(1, len(line))]


def half_a_batch(dice: random.Random) -> bytes:
    return BATCH[: dice.randrange(1, len(BATCH))]


def garbage(dice: random.Random) -> bytes:
    return dice.choice((b"{", b"[", b"Content-Length: ", b"POST / HTTP/1.1\r\n", b"")) + (
        dice.randbytes(dice.choice((1, 100, 10_000)))
    )


def giant_line(dice: random.Random) -> bytes:
    return request("echo", ["x" * (dice.randint(1, 5) * MIB)])


def deep(dice: random.Random) -> bytes:
    return dice.choice((b"[", b'{"a":')) * 100_000


def nothing(dice: random.Random) -> bytes:
    return b""


def many_batches(dice: random.Random) -> bytes:
    return BATCH * dice.randint(1, 10)


def large_ones(dice: random.Random) -> bytes:
    """Requests whose answers fill every buffer of a client that does not read."""
    return request("echo", ["x" * 100_000]) * dice.randint(1, 40)


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    half_a_line, half_a_batch, garbage, giant_line, deep, nothing, many_batches, large_ones,
)  # fmt: skip


class Hostile:
    """Clients that never read. Each leaves differently: at once or later, with an end or a
    reset. Each sends `greeting` first."""

    def __init__(self, address: str, dice: random.Random, greeting: bytes = b""):
        self.count = 0
        self._address = address
        self._dice = dice
        self._greeting = greeting
        self._kept: deque[socket.socket] = deque()

    def one_more(self):
        client = connect(self._address)
        client.settimeout(PATIENCE_S)
        try:
            client.sendall(self._greeting + self._dice.choice(KINDS)(self._dice))
        except (socket.timeout, ConnectionError):
            pass  # the server does not read any more, or has closed, as it should
        self._kept.append(client)
        self.count += 1
        if len(self._kept) > KEPT_MAX or self._dice.random() < 0.5:
            self._leave(self._kept.pop() if self._dice.random() < 0.5 else self._kept.popleft())

    def leave_all(self):
        while self._kept:
            self._leave(self._kept.pop())

    def _leave(self, client: socket.socket):
        if self._dice.random() < 0.5:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
