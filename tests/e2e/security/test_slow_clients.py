"""Clients that do not get to the end of what they begin: the server closes their connections after
ten seconds. All wait at the same time."""

import contextlib
import select
import time

import pytest
from certificates import ca, made, own  # noqa: F401 (fixtures)
from client import DEADLINE_S, Client, connect, request
from proxy_header import proxy_header
from server import Server
from tls import StepwiseTls, raw

BALANCER, CLIENT = "127.0.0.1", "127.0.0.2"
MESSAGE = request("echo", [1])


class Flowing:
    """A client that is always in the middle of the next message."""

    def __init__(self, client: Client):
        self.client = client
        self.client.send(MESSAGE[:9])

    def go_on(self):
        self.client.send(MESSAGE[9:] + MESSAGE[:9])
        assert self.client.answer()["result"] == [1]


class ByteByByte:
    """A TLS client that sends a byte of its handshake each time."""

    def __init__(self, connection, flight: bytes):
        self.connection, self.flight = connection, flight
        self.sent = 0

    def go_on(self):
        with contextlib.suppress(OSError):  # once the server has closed the connection
            self.connection.sendall(self.flight[self.sent : self.sent + 1])
        self.sent += 1


def wait_for_ends(slow: dict, go_on, begun: float) -> tuple[dict[str, float], dict[str, bytes]]:
    """The seconds from `begun` until the server closed each connection, and what it sent. Calls
    go_on() four times a second."""
    ends, sent = {}, dict.fromkeys(slow, b"")
    while slow.keys() - ends.keys():
        assert time.monotonic() < begun + DEADLINE_S, ends
        go_on()
        open_ones = {connection: name for name, connection in slow.items() if name not in ends}
        for connection in select.select(list(open_ones), [], [], 0.25)[0]:
            try:
                data = connection.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            sent[open_ones[connection]] += data
            if not data:
                ends[open_ones[connection]] = time.monotonic() - begun
    return ends, sent


@pytest.fixture
def running(server, own) -> Server:
    """A server whose clients from BALANCER must send a header of the PROXY protocol."""
    listen = own.listen() | {"rpc": ["tls://127.0.0.1:0", "127.0.0.1:0"], "proxy_from": [BALANCER]}
    return server(listen=listen, limits={"idle_timeout_ms": 0})


def test_the_slow_are_closed_after_ten_seconds(running, ca):
    """The server keeps a client that was served and is idle, and one that is always in the middle
    of another message."""
    plain = running.addresses[1]
    with contextlib.ExitStack() as stack:
        names = ["silent", "incomplete", "blank", "half a header"]
        slow = {name: stack.enter_context(connect(plain, BALANCER if "header" in name else CLIENT))
                for name in names}
        slow |= {name: stack.enter_context(raw(running, CLIENT))
                 for name in ("silent TLS", "half a handshake", "half a record")}
        served, flowing = running.connect(plain, CLIENT), Flowing(running.connect(plain, CLIENT))
        assert served.call("echo", [1]) == [1]
        begun = time.monotonic()
        slow["incomplete"].sendall(b'{"jsonrpc":')
        slow["half a header"].sendall(proxy_header("192.0.2.7")[:20])
        half = ByteByByte(slow["half a handshake"], StepwiseTls(ca).first_flight())
        record = StepwiseTls(ca)
        record.shake_hands(slow["half a record"])
        slow["half a record"].sendall(record.records(MESSAGE))
        slow["half a record"].sendall(record.records(MESSAGE)[:-1])

        def go_on():
            with contextlib.suppress(OSError):
                slow["blank"].sendall(b"\n")
            half.go_on()
            flowing.go_on()

        ends, sent = wait_for_ends(slow, go_on, begun)
        assert all(9 < end < 20 for end in ends.values()), ends
        assert sent["silent"] == sent["half a header"] == sent["silent TLS"] == b"", sent
        assert half.sent < len(half.flight)
        while time.monotonic() < begun + 11:
            flowing.go_on()
            time.sleep(0.2)
        assert served.call("echo", [2]) == [2]
    running.wait_for_line("why=proxy_header .*did not come within 10 s")
