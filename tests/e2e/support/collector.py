"""Collector: an HTTP server that keeps the requests that it gets. spans_in() reads the spans of
OTLP in JSON, and checks each field.

    with Collector() as collector:
        ... collector.url ...
        requests = collector.wait_for(2)
"""

import json
import re
import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from client import DEADLINE_S
from proc import wait_until

INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = 2


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]  # by names in lower case
    body: bytes


class UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX
    request_queue_size = 1024

    def server_bind(self):  # HTTPServer.server_bind() looks up the host's name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", 0

    def get_request(self):
        return self.socket.accept()[0], ("unix", 0)


class Collector:
    """`answers`: the status and body of the first answers; later ones are 200 {}. `by_path`: bodies
    of answers by the path. `redirects`: their status and Location, by the path. `tls`: the context
    with which it speaks TLS. `unix`: the path at which it listens. `gate`: the count for hold().
    `echoes`: each answer is the request's body."""

    def __init__(self, *answers: tuple[int, str], by_path: dict[str, str] | None = None,
                 redirects: dict[str, tuple[int, str]] | None = None,
                 tls: ssl.SSLContext | None = None, unix: Path | None = None, gate: int = 0,
                 echoes: bool = False):
        self.received: list[Received] = []
        self._answers = list(answers)
        self._by_path = by_path or {}
        self.redirects = redirects or {}
        self._echoes = echoes
        self._lock = threading.Lock()
        self._opened = threading.Event()
        self.hold(gate)
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                collector._take(self)

            do_GET = do_PUT = do_PATCH = do_DELETE = do_POST

            def log_message(self, *unused):
                pass

        self._server = (UnixServer(str(unix), Handler) if unix else
                        ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"unix:{unix}" if unix else f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self.open()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self, count: int):
        """The next answers wait until `count` more requests have come, or until open()."""
        self._gate = len(self.received) + count
        self._opened.clear()
        if count == 0:
            self.open()

    def open(self):
        self._opened.set()

    def _take(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            self.received.append(Received(handler.command, handler.path, headers, body))
            path = handler.path.partition("?")[0]
            otherwise = (200, body.decode() if self._echoes else self._by_path.get(path, "{}"))
            status, text = self._answers.pop(0) if self._answers else otherwise
            if len(self.received) >= self._gate:
                self.open()
        assert self._opened.wait(DEADLINE_S)
        status, location = self.redirects.get(path, (status, None))
        handler.send_response(status)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(text)))
        with suppress(ConnectionError):  # the other side may have left meanwhile
            handler.end_headers()
            handler.wfile.write(text.encode())

    def wait_for(self, count: int) -> list[Received]:
        """The requests so far, once there are at least `count`."""
        wait_until(lambda: len(self.received) >= count, f"{count} requests to the collector")
        with self._lock:
            return list(self.received)

    def spans(self) -> list[dict]:
        """All spans so far, checked."""
        with self._lock:
            return [span for one in self.received for span in spans_in(one)]

    def wait_for_spans(self, count: int) -> list[dict]:
        wait_until(lambda: len(self.spans()) >= count, f"{count} spans")
        return self.spans()


def _only(value: dict, required: set[str], optional: set[str] = frozenset()) -> dict:
    assert isinstance(value, dict)
    assert required <= set(value) <= required | optional, value
    return value


def attributes(found: list) -> dict[str, str | int]:
    """The attributes of a span or a resource. A key stands once; a 64-bit number is a string."""
    values: dict[str, str | int] = {}
    for one in found:
        _only(one, {"key", "value"})
        assert isinstance(one["key"], str) and one["key"] and one["key"] not in values, one
        (kind, value), = one["value"].items()
        assert kind in ("stringValue", "intValue") and isinstance(value, str), one
        values[one["key"]] = value if kind == "stringValue" else int(value)
    return values


def _check_span(span: dict):
    _only(span, {"traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
                 "attributes"}, {"parentSpanId", "status"})  # fmt: skip
    for name, digits in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        if name in span:
            assert re.fullmatch("[0-9a-f]{%d}" % digits, span[name]) and int(span[name], 16), span
    assert isinstance(span["name"], str) and span["name"]
    assert type(span["kind"]) is int and span["kind"] in (INTERNAL, SERVER, CLIENT)
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        assert isinstance(span[name], str) and re.fullmatch("[1-9][0-9]{18}", span[name]), span
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    attributes(span["attributes"])
    if "status" in span:
        _only(span["status"], {"code"}, {"message"})
        assert span["status"]["code"] == ERROR
        assert isinstance(span["status"].get("message", ""), str)


def spans_in(received: Received) -> list[dict]:
    """The spans of one request to /v1/traces."""
    assert (received.method, received.path) == ("POST", "/v1/traces")
    assert received.headers["content-type"] == "application/json"
    spans = []
    for resource in _only(json.loads(received.body), {"resourceSpans"})["resourceSpans"]:
        _only(resource, {"resource", "scopeSpans"})
        _only(resource["resource"], {"attributes"})
        assert attributes(resource["resource"]["attributes"])["service.name"]
        for scope in resource["scopeSpans"]:
            _only(scope, {"scope", "spans"})
            assert _only(scope["scope"], {"name", "version"})["name"] == "ringmaster"
            for span in scope["spans"]:
                _check_span(span)
                spans.append(span)
    return spans
