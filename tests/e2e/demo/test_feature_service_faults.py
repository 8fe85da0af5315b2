"""The feature service has the delays and faults of its options, and no others."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from feature_client import read_until, request_bytes
from proc import private_bytes


@pytest.mark.parametrize("distribution", ["constant", "uniform", "exponential", "lognormal"])
def test_delays_have_the_mean_asked_for(feature_service, distribution):
    service = feature_service("--delay-ms", 40, "--delay-distribution", distribution)

    def ask(user_id):
        sent = time.monotonic()
        assert service.ask(user_id)[0] == 200
        return time.monotonic() - sent

    with ThreadPoolExecutor(20) as pool:
        waits = list(pool.map(ask, range(1, 401)))
    # The seed makes the delays always the same; only a busy machine adds to them.
    assert 0.036 < sum(waits) / len(waits) < 0.2
    if distribution != "constant":
        assert min(waits) < 0.035 and max(waits) > 0.06


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
    # The client has gone; the service still answers others.
    assert service.ask(1, fault="none")[0] == 200


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
