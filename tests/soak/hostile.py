"""Hostile: clients that do what no client should, one kind each; and who keeps them for a while.

None of them asks for so much that others would be refused: that is what limits are for, not this.
"""

import random
import socket
from collections import deque
from collections.abc import Callable

from client import connect, request

KEPT_MAX = 20
PATIENCE_S = 0.05  # of our own: a server that does not read keeps nobody from going on
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
    """Whose answers fill every buffer of one that does not read them."""
    return request("echo", ["x" * 100_000]) * dice.randint(1, 40)


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    half_a_line, half_a_batch, garbage, giant_line, deep, nothing, many_batches, large_ones,
)  # fmt: skip


class Hostile:
    """Clients that never read. Each leaves in its own way: at once or later, with an end or a
    reset."""

    def __init__(self, address: str, dice: random.Random):
        self.count = 0
        self._address = address
        self._dice = dice
        self._kept: deque[socket.socket] = deque()

    def one_more(self):
        client = connect(self._address)
        client.settimeout(PATIENCE_S)
        try:
            client.sendall(self._dice.choice(KINDS)(self._dice))
        except (socket.timeout, ConnectionError):
            pass  # not read any more, or closed: as it should be
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
