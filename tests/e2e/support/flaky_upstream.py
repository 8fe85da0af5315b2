"""Flaky: an upstream that fails when the test says so. asking(): a server that asks upstreams."""

import socket
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from client import RpcError, request
from metrics import by
from scripted_upstream import ScriptedUpstream, answer
from status_port import ON, status_of

STEP = {"fetch": "users", "body": {"what": "${params.what}"}}
FAILED = b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nnot today"


class Flaky(ScriptedUpstream):
    """Answers `true`. A request for which fails(number) is true gets `failure` instead, or no
    answer if `failure` is None. Behind a failure that is no whole answer the connection ends."""

    def __init__(self, fails=lambda number: False, failure: bytes | None = FAILED):
        self.fails = fails  # may be changed at any time
        self.requests = 0
        lock = threading.Lock()

        def serve(connection, body):
            with lock:
                self.requests += 1
                is_good = not self.fails(self.requests)
            if is_good:
                connection.sendall(answer(b"true"))
            elif failure is not None:
                connection.sendall(failure)
                if failure != FAILED:
                    connection.shutdown(socket.SHUT_RDWR)

        super().__init__(serve)


ALWAYS = lambda number: True
NEVER = lambda number: False
FIRST = lambda number: number == 1


@contextmanager
def refusing():
    """The URL of a port that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "http://127.0.0.1:%d/" % bound.getsockname()[1]


@pytest.fixture
def asking(server):
    """asking(urls, ...): a server with the method `m`, one POST, and `get`, one GET."""

    def start(*urls, method=None, before=(), **upstream):
        return server(
            before=before,
            listen=ON,
            upstreams={"users": {"url": urls[0] if len(urls) == 1 else urls} | upstream},
            methods={"m": {"steps": [STEP]} | (method or {}),
                     "get": {"steps": [{"fetch": "users"}]}, "echo": {}},
        )  # fmt: skip

    return start


def counted(running, name: str) -> float:
    return by(status_of(running), f"upstream_{name}", "upstream")["users"]


def outcomes(client, count: int) -> Counter:
    """What `count` calls, one after the other, have returned: true, or a reason."""
    found = Counter()
    for number in range(count):
        try:
            found[client.call("m", {"what": number})] += 1
        except RpcError as failed:
            found[failed.data["reason"]] += 1
    return found


def burst(client, count: int) -> int:
    """How many of `count` requests at once get a result."""
    client.send(b"".join(request("m", {"what": 1}, id) for id in range(count)))
    return sum("result" in one for one in client.answers(count).values())
