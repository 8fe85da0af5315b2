"""OpenLoad: requests over HTTP at a fixed rate, whatever becomes of them.

Each request has a number of its own, and a new connection. A thread sends them until end(), and
keeps the outcome of each one.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from client import DEADLINE_S, request
from proc import wait_until

WINDOW_S, SHARE = 1.0, 0.95  # the goodput is back if so many requests of so long have a result


@dataclass
class Outcome:
    number: int
    at: float  # when it was sent
    took_s: float = DEADLINE_S
    status: int = 0  # of HTTP; 0: no response
    node: str = ""  # the server that HAProxy has asked last
    answer: dict | None = None

    def is_result(self) -> bool:
        return bool(self.answer) and "result" in self.answer

    def is_refusal(self) -> bool:
        error = (self.answer or {}).get("error", {})
        return error.get("data", {}).get("executed") is False


async def exchange(host: str, port: int, body: bytes) -> bytes:
    """POSTs over a connection of its own. Returns the response."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    try:
        return await reader.read()
    finally:
        writer.close()


class OpenLoad:
    def __init__(self, address: tuple[str, int], method: str, params: Callable[[int], dict],
                 rate: float, enter_thread: Callable[[], None] = lambda: None,
                 in_time_s: float = 2.0):
        """`in_time_s`: a result that takes longer is none for the goodput."""
        self.outcomes: list[Outcome] = []  # in the order of sending
        self.in_time_s = in_time_s
        self.rate = rate
        self._address, self._method, self._params = address, method, params
        self._enter_thread = enter_thread
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> list[Outcome]:
        """All outcomes, once each request has its own."""
        self._is_over.set()
        self._thread.join(2 * DEADLINE_S)
        assert not self._thread.is_alive()
        return self.outcomes

    def since(self, begin: float) -> list[Outcome]:
        return [one for one in list(self.outcomes) if one.at >= begin]

    def back_after_s(self, begin: float) -> float | None:
        """How long after `begin` the goodput is back: nearly all requests of the second after that
        get a result in time. None: it is not back yet."""
        sent, now = self.since(begin), time.monotonic()
        good = [one.is_result() and one.took_s <= self.in_time_s for one in sent]
        count = round(self.rate * WINDOW_S)
        for first in range(len(sent) - count + 1):
            window = sent[first:first + count]
            if window[-1].at + self.in_time_s < now or all(one.status for one in window):
                if sum(good[first:first + count]) >= SHARE * count:
                    return window[0].at - begin
        return None

    def wait_until_back(self, begin: float) -> float:
        """Waits until the goodput is back. Returns how long that has taken, in seconds."""
        wait_until(lambda: self.back_after_s(begin) is not None, "the goodput to be back")
        return self.back_after_s(begin)

    def _run(self):
        self._enter_thread()
        asyncio.run(self._send())

    async def _send(self):
        asked, begin = [], time.monotonic()
        while not self._is_over.is_set():
            number = len(asked) + 1
            await asyncio.sleep(begin + number / self.rate - time.monotonic())
            self.outcomes.append(Outcome(number, time.monotonic()))
            asked.append(asyncio.create_task(self._ask(self.outcomes[-1])))
        await asyncio.gather(*asked)

    async def _ask(self, outcome: Outcome):
        body = request(self._method, self._params(outcome.number), outcome.number)
        try:
            response = await asyncio.wait_for(exchange(*self._address, body), DEADLINE_S)
        except (OSError, TimeoutError):
            return
        head, _, body = response.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        named = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}
        outcome.took_s = time.monotonic() - outcome.at
        outcome.node = named.get("x-node", "")
        if named.get("content-type", "").startswith("application/json"):
            outcome.answer = json.loads(body)
        outcome.status = int(status.split()[1])
