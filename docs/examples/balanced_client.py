"""Calls several ringmaster servers. Each request goes to the server that should be done first.

    client = BalancedClient(["10.0.0.11:7070", "10.0.0.12:7070", "10.0.0.13:7070"])
    result = await client.call("interests.predict", {"user_id": 42})
    await client.close()

Copy this file into your program: it needs nothing but Python 3.11. See docs/load-balancing.md.
"""

import asyncio
import contextlib
import itertools
import json
import math
import random
import time

CONNECT_S = 1.0  # the time to connect
PAUSE_MS = 1000  # of a server that cannot be reached, or refuses and does not say for how long
LATE_MS = 20  # after the quoted p99
UNKNOWN_MS = 1e6  # expected, for each request in flight, of a server without a quote
RETRY_SHARE, RETRIES_MAX = 0.1, 5.0  # one request in ten may be sent again, and five at once
TRY_RETRIES = 3  # that must be left before a server without quotes is tried
CLOSED = "the client was closed"


class RpcError(Exception):
    """The error of a response, with its members."""

    def __init__(self, error: dict):
        super().__init__(error["message"])
        self.code, self.data = error["code"], error.get("data", {})


class Unreachable(ConnectionError):
    """There was no connection: nothing was sent."""

    data = {"retryable": True, "executed": False}


class Server:
    """A server, the connection to it, which is kept, and its last quotes."""

    def __init__(self, address: str):
        self.address = address
        self.ready_at = 0.0  # it gets no request before
        self.quotes = {}  # method -> (p50 and p99 in ms, requests in flight then, when given)
        self._waiting = {}  # id -> (future, when sent, when late) of requests in flight, by age
        self._writer = None
        self._connecting = asyncio.Lock()
        self._is_closed = False

    def expected_ms(self, method: str) -> float:
        """The quote, more if more requests are in flight since. It loses half of its weight in each
        second, so that a server that was slow is asked again. Once the oldest request takes longer
        than was promised, the time that it has taken counts instead if that is more."""
        if method not in self.quotes:
            return UNKNOWN_MS * len(self._waiting)
        now = time.monotonic()
        p50_ms, _, in_flight, given_at = self.quotes[method]
        _, sent_at, late_at = next(iter(self._waiting.values()), (None, now, math.inf))
        silent_ms = 1e3 * (now - sent_at) if now > late_at else 0
        ms = max(p50_ms * 0.5 ** (now - given_at), silent_ms)
        return ms * (len(self._waiting) + 1) / in_flight

    def is_idle(self) -> bool:
        return not self._waiting

    def pause(self, ms: float):
        self.ready_at = time.monotonic() + ms / 1e3
        self.quotes.clear()

    async def ask(self, method: str, request: dict, timeout_s: float) -> dict:
        """The response. ConnectionError, TimeoutError: the request may have been executed."""
        answer = asyncio.get_running_loop().create_future()
        _, p99_ms, *_ = self.quotes.get(method, (0, math.inf))
        now = time.monotonic()
        self._waiting[request["id"]] = answer, now, now + (p99_ms + LATE_MS) / 1e3
        try:
            async with self._connecting:
                if not self._writer and time.monotonic() < self.ready_at:
                    raise Unreachable(f"{self.address}: no connection")  # nor for others, just now
                self._writer = writer = self._writer or await self._connect()
            if self._is_closed:  # meanwhile
                writer.close()
                raise Unreachable(CLOSED)
            writer.write(json.dumps(request).encode() + b"\n")
            response = await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            writer.transport.abort()  # the server is cut off, or it would have answered -32012
            raise
        finally:
            self._waiting.pop(request["id"], None)
        if quote_ms := response.get("_meta", {}).get("quote_ms"):
            self.quotes[method] = (quote_ms["p50"], quote_ms["p99"], len(self._waiting) + 1,
                                   time.monotonic())
        return response

    async def _connect(self):
        host, _, port = self.address.rpartition(":")
        try:
            opening = asyncio.open_connection(host, port, limit=1 << 30)
            reader, writer = await asyncio.wait_for(opening, CONNECT_S)
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self.address}: no connection") from error
        self._reading = asyncio.create_task(self._read(reader, writer))
        return writer

    async def _read(self, reader, writer):
        try:
            while line := await reader.readline():
                response = json.loads(line)
                answer, *_ = self._waiting.get(response["id"], (None,))
                if answer and not answer.done():
                    answer.set_result(response)
        except OSError:
            pass  # a reset
        finally:
            writer.close()
            self._writer = None
            self.quotes.clear()
            self._fail(f"{self.address}: the connection ended")

    def _fail(self, why: str):
        for answer, *_ in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError(why))

    async def close(self):
        self._is_closed = True
        if self._writer:
            self._fail(CLOSED)
            self._writer.close()
            await asyncio.wait({self._reading})


class BalancedClient:
    """Its calls may run at the same time, in one event loop."""

    def __init__(self, addresses: list[str]):
        self.servers = [Server(address) for address in addresses]
        self._ids = itertools.count(1)
        self._retries = RETRIES_MAX
        self._closed = asyncio.Event()

    async def close(self):
        """Closes the connections. Calls in flight fail with ConnectionError, and may have been
        executed. Later calls fail, too."""
        self._closed.set()
        await asyncio.gather(*(server.close() for server in self.servers))

    async def call(self, method: str, params: dict, timeout_s: float = 10.0):
        """The result, or RpcError. ConnectionError, TimeoutError: it may have been executed."""
        deadline = time.monotonic() + timeout_s
        self._retries = min(self._retries + RETRY_SHARE, RETRIES_MAX)
        failure = TimeoutError("no server takes requests before the timeout")
        while True:
            server = self._choose(method)
            if server.ready_at > deadline and not self._closed.is_set():
                raise failure
            if (pause_s := server.ready_at - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), pause_s)
            if self._closed.is_set():
                raise ConnectionError(CLOSED)
            left_s = deadline - time.monotonic()
            meta = {"quote": True, "timeout_ms": max(1, int(1e3 * left_s))}
            request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method,
                       "params": params | {"_meta": meta}}
            try:
                response = await server.ask(method, request, left_s + 1)
                if "result" in response:
                    return response["result"]
                failure = RpcError(response["error"])
            except Unreachable as error:
                failure = error
            if failure.data.get("executed") is not False or not failure.data["retryable"]:
                raise failure
            pause_ms = failure.data.get("retry_after_ms", PAUSE_MS)
            server.pause(pause_ms)
            if self._retries < 1:
                raise failure
            self._retries -= 1

    def _choose(self, method: str) -> Server:
        """The better of two at random. A server without quotes, which may refuse, is tried with one
        request at a time, while retries are left. If none is ready: the first that will be."""
        now, may_try = time.monotonic(), self._retries >= TRY_RETRIES
        ready = [server for server in self.servers if server.ready_at <= now and
                 (server.quotes or may_try and server.is_idle())]
        if not ready:
            return min(self.servers, key=lambda server: (max(now, server.ready_at),
                                                         server.expected_ms(method)))
        two = random.sample(ready, min(2, len(ready)))
        return min(two, key=lambda server: server.expected_ms(method))
