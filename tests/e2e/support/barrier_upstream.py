"""BarrierUpstream: an HTTP upstream that answers no request before N requests have come.

An answer proves that all N were under way at the same time.
"""

import asyncio
import resource
import threading


class BarrierUpstream:
    """`with BarrierUpstream(1000) as upstream: ... upstream.url`. Answers `answer`, or
    {"number": N} to the Nth request."""

    def __init__(self, count: int, answer: bytes | None = None):
        self.count = count
        self.answer = answer
        self.bodies: list[bytes] = []
        self.verbs: list[str] = []
        self.connections = 0  # ever accepted
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._listening = threading.Event()

    def __enter__(self):
        # This process has one end of each connection: it needs many descriptors.
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *unused):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._stop = asyncio.Event()
        self._all_here = asyncio.Event()
        server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0, backlog=4096)
        self.url = "http://127.0.0.1:%d/features" % server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _on_connection(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = 0
                for line in head.decode().lower().split("\r\n"):
                    if line.startswith("content-length:"):
                        length = int(line.split(":")[1])
                self.bodies.append(await reader.readexactly(length))
                self.verbs.append(head.split()[0].decode())
                number = len(self.bodies)
                if number >= self.count:
                    self._all_here.set()
                await self._all_here.wait()
                body = b'{"number":%d}' % number if self.answer is None else self.answer
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()
