"""Fetches that are sent again, and the limit of fetches in flight."""

import threading
import time
from email.utils import formatdate

import pytest
from client import request
from flaky_upstream import (
    ALWAYS, FAILED, FIRST, STEP, Flaky, burst, counted, outcomes, refusing,
)
from proc import wait_until
from scripted_upstream import ScriptedUpstream, answer


@pytest.mark.parametrize("failure", [
    FAILED, b"HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", b"",
    b"HTTP/1.1 500 No\r\nContent-Length: 9999999999999\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"nonsense\r\n\r\n",
], ids=["503", "500", "nothing", "too long", "no body", "nonsense"])  # fmt: skip
def test_an_idempotent_fetch_is_sent_again(asking, failure):
    with Flaky(FIRST, failure) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=2)
        assert running.call("m", {"what": 1}) is True
        assert upstream.requests == 2
        assert counted(running, "retries_total") == 1


def test_only_a_get_is_sent_again_by_default(asking):
    with Flaky(ALWAYS) as upstream:
        running = asking(upstream.url, attempts=2)
        assert running.error_of("m", {"what": 1}).data["reason"] == "http_503"
        assert upstream.requests == 1
        assert running.error_of("get").data["reason"] == "http_503"
        assert upstream.requests == 3


def test_a_body_that_has_begun_is_not_asked_for_again(asking):
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"
    with Flaky(FIRST, begun) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=2)
        assert running.error_of("m", {"what": 1}).data["reason"] == "truncated"
        assert running.call("m", {"what": 1}) is True
        assert upstream.requests == 2


@pytest.mark.parametrize("status", [404, 429, 302])
def test_a_fetch_that_was_refused_as_wrong_is_not_sent_again(asking, status):
    with Flaky(FIRST, b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=3)
        assert running.error_of("m", {"what": 1}).data["reason"] == f"http_{status}"
        assert upstream.requests == 1


def test_a_fetch_that_hangs_is_not_sent_again_past_its_timeout(asking):
    with Flaky(ALWAYS, None) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=3, timeout_ms=100)
        failed = running.error_of("m", {"what": 1})
        assert failed.data["reason"] == "timeout"
        assert upstream.requests == 1


def busy(retry_after: str, status: int = 503) -> bytes:
    return (f"HTTP/1.1 {status} Busy\r\nRetry-After: {retry_after}\r\n"
            "Content-Length: 0\r\n\r\n").encode()


def test_a_fetch_is_not_sent_again_before_the_time_that_the_upstream_names(asking):
    with Flaky(FIRST, busy("1")) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=2, timeout_ms=20_000,
                         method={"timeout_ms": 20_000})
        begun = time.monotonic()
        assert running.call("m", {"what": 1}) is True
        assert time.monotonic() - begun >= 1
        assert upstream.requests == 2
        assert counted(running, "retries_total") == 1


def test_a_fetch_that_waits_to_be_sent_again_can_be_cancelled(asking):
    with Flaky(FIRST, busy("1")) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=2, timeout_ms=20_000,
                         method={"timeout_ms": 20_000})
        with running.connect() as client:
            client.send(request("m", {"what": 1}, 1))
            wait_until(lambda: upstream.requests == 1, "the first attempt")
            client.send(request("$/cancelRequest", {"id": 1}, None))
            assert client.answer()["error"]["code"] == -32800
            assert client.call("m", {"what": 1}) is True
        assert upstream.requests == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after, ms", [("7", 7000), ("999999999", 3_600_000)])
def test_a_client_is_told_when_the_upstream_wants_the_next_try(asking, status, retry_after, ms):
    """The named time is later than the deadline, so the fetch is not sent again."""
    with Flaky(ALWAYS, busy(retry_after, status)) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=3)
        failed = running.error_of("m", {"what": 1})
        assert failed.data["reason"] == f"http_{status}"
        assert failed.data["retry_after_ms"] == ms
        assert upstream.requests == 1


def test_the_next_try_may_be_told_as_a_date(asking):
    at = time.time() + 100
    with Flaky(ALWAYS, busy(formatdate(at, usegmt=True))) as upstream:
        running = asking(upstream.url)
        told_ms = running.error_of("m", {"what": 1}).data["retry_after_ms"]
        assert (at - time.time() - 1) * 1000 <= told_ms <= 100_000


def test_an_upstream_that_names_no_later_time_is_asked_again_at_once(asking):
    """The libcurl handle that has read a later time before does not keep that time."""
    failures = [busy("7"), busy("0"), busy("-5"), busy("soon"), busy(formatdate(0, usegmt=True)),
                b"HTTP/1.1 500 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", FAILED]
    told = iter(failures)
    with ScriptedUpstream(lambda connection, body: connection.sendall(next(told))) as upstream:
        running = asking(upstream.url, connections=1)
        data = [running.error_of("m", {"what": 1}).data for _ in failures]
    assert [one.get("retry_after_ms") for one in data] == [7000] + [None] * 6
    assert [one["reason"] for one in data] == ["http_503"] * 5 + ["http_500", "http_503"]


def test_another_address_is_asked_at_once_though_one_names_a_later_time(asking):
    with Flaky(ALWAYS, busy("7")) as ailing, Flaky() as healthy:
        running = asking(ailing.url, healthy.url, idempotent=True, attempts=2)
        while ailing.requests == 0:
            assert running.call("m", {"what": 1}) is True


def test_retries_are_a_fifth_of_the_fetches(asking):
    with Flaky(ALWAYS) as upstream:
        running = asking(upstream.url, idempotent=True, attempts=5)
        with running.connect() as client:
            assert outcomes(client, 200) == {"http_503": 200}
        assert 200 + 40 <= upstream.requests <= 200 + 3 + 40


def test_another_address_gets_what_one_has_refused(asking):
    """Even a fetch that must not be sent twice is sent on: the first address has got nothing."""
    with Flaky() as upstream, refusing() as nobody:
        running = asking(nobody, upstream.url, attempts=2)
        with running.connect() as client:
            assert outcomes(client, 100) == {True: 100}
        assert upstream.requests == 100


@pytest.mark.parametrize("limit", [3, "auto"])
def test_fetches_beyond_the_limit_wait(asking, limit):
    lock, under_way, most = threading.Lock(), 0, 0

    def serve(connection, body):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.002)
        with lock:
            under_way -= 1
        connection.sendall(answer(b"true"))

    with ScriptedUpstream(serve) as upstream:
        running = asking(upstream.url, in_flight=limit, timeout_ms=20_000,
                         method={"timeout_ms": 20_000})
        with running.connect() as client:
            assert burst(client, 40) == 40
        assert counted(running, "requests_in_flight_limit") == (20 if limit == "auto" else 3)
    assert most <= (20 if limit == "auto" else 3)


def test_a_fetch_that_waits_in_vain_names_the_limit(asking):
    with Flaky(ALWAYS, None) as upstream:
        impatient = {"steps": [STEP | {"timeout_ms": 100}]}
        running = asking(upstream.url, in_flight=1, timeout_ms=60_000, method=impatient)
        with running.connect() as client:
            client.send(request("get", None, 1) + request("m", {"what": 1}, 2))
            message = client.answer()["error"]["message"]
    assert message == "upstream users: its limit of fetches in flight, 1, was reached, for 100 ms"
