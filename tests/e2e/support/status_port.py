"""The status port of a server: its address, and its answers."""

import contextlib
import time
from http.client import HTTPConnection

from client import DEADLINE_S
from framings import seconds_of

ON = {"status": "127.0.0.1:0"}


def status_of(running) -> str:
    return running.wait_for_line(r"event=listening what=status address=(\S+)").group(1)


def ask(address: str, path: str, method="GET") -> tuple[int, str]:
    connection = HTTPConnection(address, timeout=DEADLINE_S)
    with contextlib.closing(connection):
        before = int(time.time())
        connection.request(method, path)
        response = connection.getresponse()
        assert before <= seconds_of(response.headers["Date"]) <= time.time()
        assert response.headers["Connection"] == "close"
        return response.status, response.read().decode()
