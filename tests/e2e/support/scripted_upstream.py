"""ScriptedUpstream: an HTTP upstream that calls a function of the test for each request."""

import socket
import threading
from collections.abc import Callable

Handler = Callable[[socket.socket, bytes], None]  # (the connection, the request's body)


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class ScriptedUpstream:
    """`with ScriptedUpstream(handler) as upstream: ... upstream.url`. The handler may send any
    bytes. `ended` is set once the other side has ended a connection. `host`: where it listens."""

    def __init__(self, handler: Handler, host="127.0.0.1"):
        self.handler = handler
        self.ended = threading.Event()
        self.connections: list[socket.socket] = []
        self._server = socket.create_server((host, 0), backlog=1024)
        self.port = self._server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *unused):
        if self._server.fileno() >= 0:
            self.stop_listening()
        for connection in self.connections:
            connection.close()
        self._thread.join(10)

    def stop_listening(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket):
        try:
            with connection.makefile("rb") as stream:
                while head := stream.readline():
                    length = 0
                    while (line := stream.readline()) not in (b"\r\n", b""):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    assert head.startswith((b"POST", b"GET")), head
                    self.handler(connection, stream.read(length))
        except OSError:
            pass
        self.ended.set()
