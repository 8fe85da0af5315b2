"""The feature service speaks HTTP/1.1 as clients of every kind do."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from feature_client import read_all, request_bytes
from proc import private_bytes


def test_pipelined_requests_are_answered_in_order(feature_service):
    count = 300
    with feature_service("--delay-ms", 2, "--delay-distribution", "uniform").socket() as sock:
        # The padding makes the requests longer than the service reads ahead.
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
        before = None  # the memory of the service once it is warm
        tail = b""
        while answers < count:
            data = tail + sock.recv(1 << 20)
            answers += data.count(b"HTTP/1.1 404")
            tail = data[-11:]
            if answers > count / 10:
                before = before or private_bytes(service.process.pid)
                assert private_bytes(service.process.pid) < before + (4 << 20)
        sending.result()


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
