"""The feature service has the delays and faults of its options, and no others."""

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from client import DEADLINE_S
from feature_client import read_until, request_bytes
from proc import private_bytes


def test_a_delay_is_no_shorter_and_holds_nobody_else_up(feature_service):
    service = feature_service("--delay-ms", 200)
    with ThreadPoolExecutor(50) as pool:
        begin = time.monotonic()

        def ask(user_id):
            sent = time.monotonic()
            assert service.ask(user_id)[0] == 200
            return time.monotonic() - sent

        waits = list(pool.map(ask, range(1, 51)))
        took = time.monotonic() - begin
    assert min(waits) >= 0.199
    assert took < 50 * 0.2 / 2  # one after the other would be 10 s


@pytest.mark.parametrize("distribution", ["constant", "uniform", "exponential", "lognormal"])
def test_delays_have_the_mean_asked_for(feature_service, distribution):
    service = feature_service("--delay-ms", 40, "--delay-distribution", distribution)

    def ask(user_id):
        sent = time.monotonic()
        assert service.ask(user_id)[0] == 200
        return time.monotonic() - sent

    with ThreadPoolExecutor(20) as pool:
        waits = list(pool.map(ask, range(1, 401)))
    # Seeded, so the draws are always the same; only a busy machine adds to them.
    assert 0.036 < sum(waits) / len(waits) < 0.2
    if distribution != "constant":
        assert min(waits) < 0.035 and max(waits) > 0.06


# --- faults ---


def test_fail(feature_service):
    status, body = feature_service("--fail-rate", 1).ask(42)
    assert status == 500 and "error" in json.loads(body)


def test_garbage_is_no_json_and_keeps_the_connection(feature_service):
    service = feature_service("--garbage-rate", 1)
    connection = service.connect()
    for _ in range(20):
        status, body = service.ask(42, connection=connection)
        assert status == 200
        with pytest.raises(ValueError):
            json.loads(body)
    connection.close()


def test_hang_never_answers_until_the_client_leaves(feature_service):
    service = feature_service("--hang-rate", 1)
    with service.socket() as sock:
        sock.sendall(request_bytes(42))
        sock.settimeout(0.3)
        with pytest.raises(socket.timeout):
            sock.recv(1)
        sock.settimeout(DEADLINE_S)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def test_slow_drip_is_right_but_slow(feature_service):
    service = feature_service("--slow-drip-rate", 1, "--drip-ms", 3)
    plain = feature_service(name="plain")
    expected = plain.ask(42)[1]
    connection = service.connect()
    for _ in range(2):
        begin = time.monotonic()
        assert service.ask(42, connection=connection) == (200, expected)
        assert time.monotonic() - begin >= len(expected) * 0.002
    connection.close()


def test_huge_never_ends_and_costs_no_memory(feature_service):
    service = feature_service("--huge-rate", 1)
    before = private_bytes(service.process.pid)
    with service.socket() as sock:
        sock.sendall(request_bytes(42))
        head, _, data = read_until(sock, rb"\r\n\r\n.").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and b"Transfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        size = len(data)
        while size < 64 << 20:
            piece = sock.recv(1 << 20)
            assert piece
            size += len(piece)
        assert private_bytes(service.process.pid) < before + (16 << 20)
    # The client has gone: the service goes on for others.
    assert service.ask(1, fault="none")[0] == 200


def test_close_breaks_its_promise(feature_service):
    service = feature_service("--close-rate", 1)
    connection = service.connect()
    connection.request("POST", "/features", '{"user_id": 42}')
    response = connection.getresponse()
    promised = int(response.headers["Content-Length"])
    with pytest.raises(http.client.IncompleteRead) as broken:
        response.read()
    assert 0 < len(broken.value.partial) < promised
    connection.close()


def draw_faults(service, count):
    def outcome(user_id):
        try:
            status, body = service.ask(user_id)
            if status != 200:
                return status
            json.loads(body)
            return "ok"
        except http.client.IncompleteRead:
            return "closed"
        except ValueError:
            return "garbage"

    return [outcome(user_id) for user_id in range(1, count + 1)]


def test_rates_are_kept_and_the_seed_repeats_them(feature_service):
    rates = ("--fail-rate", 0.2, "--garbage-rate", 0.1, "--close-rate", 0.3)
    first = draw_faults(feature_service(*rates, "--seed", 7, name="first"), 600)
    again = draw_faults(feature_service(*rates, "--seed", 7, name="again"), 600)
    other = draw_faults(feature_service(*rates, "--seed", 8, name="other"), 600)
    assert first == again != other
    for outcome, share in ((500, 0.2), ("garbage", 0.1), ("closed", 0.3), ("ok", 0.4)):
        assert share - 0.07 < first.count(outcome) / 600 < share + 0.07


def test_a_header_forces_a_fault_for_one_request(feature_service):
    service = feature_service("--fail-rate", 0.5)
    draws = draw_faults(service, 40)
    fresh = feature_service("--fail-rate", 0.5, name="fresh")
    assert fresh.ask(1, fault="none")[0] == 200
    assert draw_faults(fresh, 39) == draws[1:]
    assert fresh.ask(1, fault="fail")[0] == 500
    with pytest.raises(http.client.IncompleteRead):
        fresh.ask(1, fault="close")
    status, body = fresh.ask(1, fault="melt")
    assert status == 400 and "slow-drip" in json.loads(body)["error"]


def test_clients_that_leave_early_do_no_harm(feature_service):
    service = feature_service("--delay-ms", 30)
    for fault in ("none", "hang", "slow-drip", "huge", "close", "garbage", "fail") * 5:
        with service.socket() as sock:
            sock.sendall(request_bytes(42, f"X-Fault: {fault}"))
    assert service.ask(42)[0] == 200
