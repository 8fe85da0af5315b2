"""Relay: copies the bytes between clients and a server of this machine. It can reset the clients'
connections, and let new ones wait.

    with Relay(server_port) as relay:
        ... relay.port ...
        relay.reset()
"""

import contextlib
import select
import socket
import threading

RESET = b"\1\0\0\0\0\0\0\0"  # a struct linger: close() sends a reset


class Relay:
    def __init__(self, to_port: int):
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        self._is_released = threading.Event()
        self.release()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *unused):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.release()
        self.reset()
        for thread in self._threads:
            thread.join()

    def reset(self):
        """Resets the connections of all clients so far."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):  # it has ended
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.shutdown(socket.SHUT_RD)  # its thread closes it

    def hold(self):
        """From now on nothing is copied for new clients, until release()."""
        self._is_released.clear()

    def release(self):
        self._is_released.set()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener is shut down
            while True:
                self._clients.append(self._listener.accept()[0])
                self._threads.append(threading.Thread(target=self._copy, args=self._clients[-1:]))
                self._threads[-1].start()

    def _copy(self, client: socket.socket):
        self._is_released.wait()
        with client, socket.create_connection(("127.0.0.1", self._to_port)) as server:
            other = {client: server, server: client}
            with contextlib.suppress(ConnectionError):
                while True:
                    for source in select.select([client, server], [], [])[0]:
                        if not (some := source.recv(65536)):
                            return
                        other[source].sendall(some)
