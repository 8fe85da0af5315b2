"""HeldUpstream: a ScriptedUpstream that counts its requests and answers none before open(), nor
after close_gate()."""

import contextlib
import socket
import threading

from scripted_upstream import ScriptedUpstream, answer


class HeldUpstream(ScriptedUpstream):
    """Answers its Nth request with {"number": N}."""

    def __init__(self):
        super().__init__(self._answer)
        self.requests = 0
        self._lock = threading.Lock()
        self._open = threading.Event()

    def open(self):
        self._open.set()

    def close_gate(self):
        self._open.clear()

    def __exit__(self, *unused):
        self.open()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().__exit__()

    def _answer(self, connection: socket.socket, _: bytes):
        with self._lock:
            self.requests += 1
            number = self.requests
        self._open.wait()
        connection.sendall(answer(b'{"number": %d}' % number))
