"""The feature service speaks HTTP/1.1 as clients of every kind do."""

import json
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from feature_client import read_all, read_until, request_bytes
from proc import private_bytes


def chunked_size(data):
    """The bytes of body in the complete chunks of `data`."""
    size = 0
    while data:
        head, _, rest = data.partition(b"\r\n")
        length = int(head, 16)
        size += length
        data = rest[length + 2 :]
    return size


def test_keep_alive(feature_service):
    service = feature_service()
    connection = service.connect()
    connection.connect()
    first = connection.sock
    for user_id in range(1, 50):
        assert service.ask(user_id, connection=connection)[0] == 200
        assert connection.sock is first
    connection.close()


def test_connection_close_is_honoured(feature_service):
    with feature_service().socket() as sock:
        sock.sendall(request_bytes(42, "Connection: close"))
        answer = read_all(sock)
        assert b"Connection: close" in answer and answer.endswith(b"]}")


def test_pipelined_requests_are_answered_in_order(feature_service):
    count = 300
    with feature_service("--delay-ms", 2, "--delay-distribution", "uniform").socket() as sock:
        # More than the service reads ahead.
        padding = "X-Padding: " + "x" * 2000
        sent = b"".join(request_bytes(user_id, padding) for user_id in range(1, count + 1))
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(sock.sendall, sent)
            reader = sock.makefile("rb")
            for user_id in range(1, count + 1):
                length = 0
                while (line := reader.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                assert json.loads(reader.read(length))["user_id"] == user_id
            sending.result()


def test_a_client_that_never_stops_sending_costs_no_memory(feature_service):
    service = feature_service()
    count = 100_000
    with ThreadPoolExecutor(1) as pool, service.socket() as sock:
        sending = pool.submit(sock.sendall, request_bytes(1_000_001) * count)
        answers = 0
        before = None  # what it holds once it is warm
        tail = b""
        while answers < count:
            data = tail + sock.recv(1 << 20)
            answers += data.count(b"HTTP/1.1 404")
            tail = data[-11:]
            if answers > count / 10:
                before = before or private_bytes(service.process.pid)
                assert private_bytes(service.process.pid) < before + (4 << 20)
        sending.result()


def test_expect_100_continue(feature_service):
    body = b'{"user_id": 42}'
    with feature_service().socket() as sock:
        for _ in range(2):
            sock.sendall(
                b"POST /features HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            assert read_until(sock, rb"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(body)
            assert read_until(sock, rb"\]\}$").startswith(b"HTTP/1.1 200 OK\r\n")


def test_http_1_0_gets_no_chunks(feature_service):
    with feature_service("--events", 10_000).socket() as sock:
        sock.sendall(b'POST /features HTTP/1.0\r\nContent-Length: 13\r\n\r\n{"user_id":1}')
        answer = read_all(sock)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.0 200") and b"chunked" not in head
        assert len(json.loads(body)["events"]) == 10_000


def test_a_client_that_has_ended_its_side_is_answered(feature_service):
    with feature_service("--delay-ms", 20).socket() as sock:
        sock.sendall(request_bytes(1) + request_bytes(2))
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
        assert b'"user_id":1,' in answer and b'"user_id":2,' in answer


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"what is this\r\n\r\n", 400),
        (b'{"user_id": 42}\n', 400),
        (b"POST /features HTTP/1.1\r\nX: " + b"x" * 10_000 + b"\r\n\r\n", 431),
        (b"POST /features HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nabc", 413),
        (b"Content-Length: x\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_is_answered_and_closed(feature_service, sent, status):
    with feature_service().socket() as sock:
        sock.sendall(sent)
        answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert b"Connection: close" in answer


def test_chunks_are_well_formed(feature_service):
    with feature_service("--events", 20_000).socket() as sock:
        sock.sendall(request_bytes(42))
        data = read_until(sock, rb"\r\n0\r\n\r\n$", limit=4 << 20).partition(b"\r\n\r\n")[2]
        assert chunked_size(data) > 20_000 * 30


def test_thousands_of_connections(feature_service):
    service = feature_service()
    count = 800  # of this process's descriptors, which may be 1024
    socks = [service.socket() for _ in range(count)]
    try:
        with selectors.DefaultSelector() as selector:
            for sock in socks:
                selector.register(sock, selectors.EVENT_READ)
                sock.sendall(request_bytes(42))
            deadline = time.monotonic() + 20
            while selector.get_map():
                assert time.monotonic() < deadline
                for key, _ in selector.select(1):
                    assert key.fileobj.recv(65536).startswith(b"HTTP/1.1 200")
                    selector.unregister(key.fileobj)
    finally:
        for sock in socks:
            sock.close()
