"""The common part of the three aiohttp baselines: JSON-RPC over HTTP on uvloop, fetching from the
upstream, a deadline for each request. The baselines differ in how they do the CPU work: Compute.

Options: --features-url, --model, --workers, --timeout-ms (of a request, which then gets -32012),
--in-flight-max (requests beyond it get -32009; 0: no limit). Prints "listening address=HOST:PORT"
when it is ready.
"""

import argparse
import asyncio
import socket
import sys
from typing import Any, Protocol

import aiohttp
import rpc
import uvloop
import work
from aiohttp import web

FETCH_TIMEOUT_S = 1.0  # ringmaster's default, as is the next
FETCH_CONNECTIONS = 256
KEEP_ALIVE_S = 75
BACKLOG = 2048
JSON = {"Content-Type": "application/json"}


class Compute(Protocol):
    async def start(self) -> None: ...
    async def run(self, name: str, params: Any, body: bytes | None) -> str: ...
    async def stop(self) -> None: ...


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--features-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--timeout-ms", type=int, required=True)
    parser.add_argument("--in-flight-max", type=int, default=0)
    return parser


class Front:
    def __init__(self, options: argparse.Namespace, compute: Compute):
        self.features_url = options.features_url
        self.timeout_s = options.timeout_ms / 1000
        self.in_flight_max = options.in_flight_max
        self.in_flight = 0
        self.compute = compute

    async def lifetime(self, app: web.Application):
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=FETCH_CONNECTIONS, keepalive_timeout=KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S),
        )
        await self.compute.start()
        print(f"listening address={app['address']}", file=sys.stderr, flush=True)
        yield
        await self.compute.stop()
        await self.session.close()

    async def fetch(self, body: bytes) -> bytes:
        try:
            async with self.session.post(self.features_url, data=body, headers=JSON) as response:
                if response.status == 200:
                    return await response.read()
                fault = f"status {response.status}"
        except asyncio.TimeoutError:
            fault = "no answer in time"
        except aiohttp.ClientError as error:
            fault = str(error)
        raise rpc.RpcError(rpc.UPSTREAM_FAILED, f"upstream: {fault}")

    async def perform(self, name: str, params: Any) -> str:
        method = work.find(name)
        if self.in_flight_max and self.in_flight >= self.in_flight_max:
            raise rpc.RpcError(rpc.OVERLOADED, "too many requests")
        self.in_flight += 1
        try:
            async with asyncio.timeout(self.timeout_s):
                body = await self.fetch(work.wanted_user(params)) if method.does_fetch else None
                return await self.compute.run(name, params, body)
        except TimeoutError:
            raise rpc.RpcError(rpc.TOO_LATE, "not done in time") from None
        finally:
            self.in_flight -= 1

    async def serve(self, request: web.Request) -> web.Response:
        id = None
        try:
            id, name, params = rpc.read(await request.read())
            text = rpc.answer(id, await self.perform(name, params))
        except rpc.RpcError as error:
            text = rpc.failure(id, error)
        return web.Response(body=text.encode(), headers=JSON)


def serve(options: argparse.Namespace, compute: Compute) -> None:
    """Serves until SIGTERM."""
    uvloop.install()
    front = Front(options, compute)
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    app = web.Application(client_max_size=rpc.REQUEST_BYTES_MAX)
    app["address"] = "%s:%d" % listener.getsockname()
    app.router.add_post("/rpc", front.serve)
    app.cleanup_ctx.append(front.lifetime)
    web.run_app(app, sock=listener, backlog=BACKLOG, access_log=None, print=None,
                keepalive_timeout=KEEP_ALIVE_S, shutdown_timeout=1)  # fmt: skip
