"""Callers: clients that call an installed service while it restarts, reloads or is upgraded.

    with Callers(service, 4) as callers:
        callers.wait_for_answers(50)
        service.systemctl("restart", SERVICE)
        callers.wait_for_answers(50)
    assert callers.failures == []
"""

import json
import threading

from client import Client, request
from proc import wait_until
from service import Service


class Callers:
    """Clients that call repeatedly, each time over a new connection, until the block ends. The
    results are counted; an exception is a fault."""

    def __init__(self, service: Service, count: int):
        self.answered = self.refused = self.closed = self.reset = 0
        self.failures: list[str] = []
        self._service = service
        self._is_over = threading.Event()
        self._counting = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_answers(self, more: int):
        goal = self.answered + more
        wait_until(lambda: self.answered >= goal or self.failures, f"{more} more answers")
        assert self.failures == []

    def _run(self):
        try:
            while not self._is_over.is_set():
                with self._service.connect() as client:
                    self._count(self._ask(client))
        except Exception as error:  # for the test's thread
            self.failures.append(repr(error))

    def _ask(self, client: Client) -> bytes | None:
        """The answer; empty if the connection was closed without one, None if it was reset."""
        try:
            client.send(request("echo", ["x"]))
            return client.socket.makefile("rb").readline()
        except (ConnectionResetError, BrokenPipeError):
            return None

    def _count(self, line: bytes | None):
        answer = json.loads(line) if line else None
        with self._counting:
            if line is None:
                self.reset += 1
            elif answer is None:
                self.closed += 1
            elif "result" in answer:
                self.answered += 1
            else:
                assert answer["error"]["code"] == -32013, answer
                self.refused += 1
