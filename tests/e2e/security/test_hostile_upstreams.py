"""Upstreams that hang, drip, lie and send garbage: their clients get errors, others are not
affected."""

import socket
import time

import pytest
from client import RpcError, request
from honest import honest
from scripted_upstream import ScriptedUpstream
from proc import cpu_ns

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVIL = OK + b'Content-Length: 6\r\n\r\n"evil"'


class Lying(ScriptedUpstream):
    """Answers any request with the bytes of `answer`, then closes, unless `stays`."""

    def __init__(self, answer: bytes = b"", stays: bool = False):
        super().__init__(self._lie)
        self.answer = answer
        self.stays = stays

    def _lie(self, connection, body):
        connection.sendall(self.answer)
        if not self.stays:
            connection.shutdown(socket.SHUT_RDWR)


def fetching(server, upstream, timeout_ms=20_000, **features):
    return server(
        upstreams={"users": {"url": upstream.url, "timeout_ms": timeout_ms} | features},
        methods={"fetch": {"steps": [{"fetch": "users"}]}},
    )


def failure(running) -> RpcError:
    failed = running.error_of("fetch")
    assert failed.code == -32015 and "users" in failed.message, failed
    assert failed.data["executed"] is False
    return failed


@pytest.fixture(scope="module")
def lied_to(module_server):
    """lied_to(answer): the error of a fetch to which the upstream answers with these bytes. All
    tests use one server."""
    with Lying() as upstream:
        running = fetching(module_server, upstream)

        def fetch(answer: bytes) -> RpcError:
            upstream.answer = answer
            with honest(running):
                return failure(running)

        yield fetch


@pytest.mark.parametrize(
    "answer, reason",
    [
        (b"", "truncated"),
        (b"\x00\xff garbage \r\n\r\n", "protocol"),
        (OK, "truncated"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /\r\n", "truncated"),
        (b"HTTP/1.1 204 No Content\r\nA: b\r\n", "truncated"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "truncated"),
        (OK + b"Content-Length: 100\r\n\r\n{}", "truncated"),
        (OK + b"Content-Length: 5\r\n\r\n" + b'{"a":1}', "invalid_body"),
        (OK + b"Content-Length: -5\r\n\r\n{}", "protocol"),
        (OK + b"Content-Length: x\r\n\r\n{}", "protocol"),
        (OK + b"Content-Length: 9999999999999\r\n\r\n{}", "too_large"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 9999999999999\r\n\r\n{}", "http_503"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 9999999999999\r\n\r\n{}", "http_404"),
        (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", "truncated"),
        (CHUNKED + b"ffffffffffffffffffff\r\n{}", "truncated"),
        (CHUNKED + b"2\r\n{}garbage", "truncated"),
        (CHUNKED + b"2\r\n{}\r\n", "truncated"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "http_301"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "truncated"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "truncated"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_lie(lied_to, answer, reason):
    assert lied_to(answer).data["reason"] == reason


def test_a_length_beyond_all_numbers_counts_as_missing(server):
    """The body then ends with the connection, and `body_bytes` limits it like any other."""
    head = OK + b"Content-Length: 99999999999999999999999\r\n\r\n"
    with Lying(head + b"[1]") as upstream:
        running = fetching(server, upstream)
        assert running.call("fetch") == [1]
    with Lying(head + b"[" + b" " * 5000 + b"]") as upstream:
        running = fetching(server, upstream, body_bytes=4096)
        with honest(running):
            assert failure(running).data["reason"] == "too_large"


def test_headers_without_end(lied_to):
    lied_to(OK + b"X-Header: x\r\n" * 200_000)


def test_an_upstream_that_stops_anywhere_has_its_whole_timeout(server):
    with Lying(stays=True) as upstream:
        running = fetching(server, upstream, timeout_ms=150)
        with honest(running):
            for begin in (b"", b"HTT", OK, OK + b"Content-Length: 10\r\n\r\n{"):
                upstream.answer = begin
                assert failure(running).data["reason"] == "timeout", begin


def test_bytes_behind_an_answer_answer_nobody(server):
    """On a kept connection, these bytes must not become the answer to the next request."""
    answer = OK + b"Content-Length: 2\r\n\r\n[]" + EVIL
    with Lying(answer, stays=True) as upstream:
        running = fetching(server, upstream)
        with honest(running), running.connect() as client:
            for number in range(20):
                assert client.call("fetch") == [], number


def test_a_connection_that_the_upstream_closes_costs_nothing(server):
    """The closed connection is readable, and nobody reads it before the next fetch."""
    with (Lying(OK + b"Content-Length: 2\r\n\r\n[]") as closes,
          Lying(stays=True) as silent):
        running = server(
            upstreams={"closes": {"url": closes.url}, "silent": {"url": silent.url}},
            methods={name: {"steps": [{"fetch": name}], "timeout_ms": 500}
                     for name in ("closes", "silent")},
        )
        assert running.call("closes") == []
        spent_ns, begun = cpu_ns(running.pid), time.monotonic()
        with pytest.raises(RpcError):
            running.call("silent")
        share = (cpu_ns(running.pid) - spent_ns) / 1e9 / (time.monotonic() - begun)
        assert share < 0.1, "the master looked at the closed connection all the time"


def test_many_fetches_that_hang_keep_nobody_else_waiting(server):
    with Lying(stays=True) as upstream:
        running = fetching(server, upstream, timeout_ms=500, connections=4)
        with honest(running), running.connect() as client:
            client.send(b"".join(request("fetch", None, id) for id in range(200)))
            for answer in client.answers(200).values():
                assert answer["error"]["data"]["reason"] == "timeout"
