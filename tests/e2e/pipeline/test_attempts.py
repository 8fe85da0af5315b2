"""Fetches that are sent again, breakers, and upstreams with several addresses."""

import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from email.utils import formatdate

import pytest
from client import RpcError, request
from metrics import by
from proc import wait_until
from scripted_upstream import ScriptedUpstream, answer
from status_port import ON, status_of

STEP = {"fetch": "users", "body": {"what": "${params.what}"}}
FAILED = b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nnot today"


class Flaky(ScriptedUpstream):
    """Answers `true`; the requests for which `fails` says so get `failure`: nothing, where that is
    None. Behind a failure that is no whole answer the connection ends."""

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

    def start(*urls, method=None, **upstream):
        return server(
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


@pytest.mark.parametrize("failure", [
    FAILED, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", b"",
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
def test_what_says_that_the_request_is_wrong_is_not_sent_again(asking, status):
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
    """That is later than the deadline, so the fetch is not sent again."""
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
    """Also by the handle that has read a time before."""
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


def test_the_breaker_spares_an_upstream_that_fails_and_sees_its_recovery(asking):
    with Flaky() as upstream:
        running = asking(upstream.url, idempotent=True, attempts=2, breaker=True)
        with running.connect() as client:
            assert outcomes(client, 20) == {True: 20}
            upstream.fails, before = ALWAYS, upstream.requests
            found = outcomes(client, 1000)
            assert found.keys() == {"http_503", "breaker_open"}
            # Ten attempts open it; then there are probes.
            assert upstream.requests - before <= 100
            failed = running.error_of("m", {"what": 1})
            if failed.data["reason"] == "http_503":  # it was a probe
                failed = running.error_of("m", {"what": 1})
            assert failed.code == -32015 and failed.data["reason"] == "breaker_open"
            assert failed.data["retryable"] is True and failed.data["executed"] is False
            assert 1 <= failed.data["retry_after_ms"] <= 801
            assert counted(running, "breaker_open") == 1
            upstream.fails = NEVER
            while not outcomes(client, 1)[True]:
                pass
            assert outcomes(client, 200) == {True: 200}
        running.wait_for_line("event=breaker_opened upstream=users reason=http_503")
        running.wait_for_line(r"event=breaker_closed upstream=users open_ms=\d+")
        wait_until(lambda: counted(running, "breaker_open") == 0, "the metric to change")
        assert counted(running, "breaker_opened_total") >= 1


def test_an_upstream_that_hangs_until_the_methods_deadline_opens_the_breaker(asking):
    with Flaky(ALWAYS, None) as upstream:
        running = asking(upstream.url, breaker=True, timeout_ms=60_000, method={"timeout_ms": 50})
        with running.connect() as client:
            found = outcomes(client, 11)
            while not found["breaker_open"]:
                found += outcomes(client, 1)
        assert found["timeout"] >= 10


def test_a_shared_fetch_that_outlasts_a_method_opens_the_breaker(asking):
    """It was begun for a request with more time, which is cancelled."""
    with Flaky(ALWAYS, None) as upstream:
        hasty = {"timeout_ms": 50, "steps": [{"fetch": "users"}]}
        running = asking(upstream.url, breaker=True, coalesce=True, timeout_ms=60_000, method=hasty)
        found = Counter()
        with running.connect() as client:
            while not found["breaker_open"] and found.total() < 40:
                client.send(request("get", None, 1) + request("m", None, 2) +
                            request("$/cancelRequest", {"id": 1}, None))
                found[client.answers(2)[2]["error"]["data"]["reason"]] += 1
        assert found["breaker_open"] == 1 and found["timeout"] >= 10


def test_the_deadlines_of_clients_do_not_open_the_breaker(asking):
    with Flaky(ALWAYS, None) as upstream:
        running = asking(upstream.url, breaker=True, timeout_ms=60_000)
        with running.connect() as client:
            for number in range(30):
                with pytest.raises(RpcError) as failed:
                    client.call("m", {"what": number, "_meta": {"timeout_ms": 10}})
                assert failed.value.code == -32012
        assert counted(running, "breaker_opened_total") == 0


def test_requests_that_an_open_breaker_refuses_can_be_cancelled(asking):
    with Flaky(ALWAYS) as upstream:
        running = asking(upstream.url, breaker=True)
        with running.connect() as client:
            while not outcomes(client, 1)["breaker_open"]:
                pass
            for id in range(50):
                cancel = request("$/cancelRequest", {"id": id}, None)
                client.send(request("m", {"what": 1}, id) + cancel)
            codes = {answer["error"]["code"] for answer in client.answers(50).values()}
            assert codes <= {-32015, -32800}, codes
            assert client.call("echo", [1]) == [1]


def test_another_address_gets_what_one_has_refused(asking):
    """Also if nothing may be done twice: the first address has got nothing."""
    with Flaky() as upstream, refusing() as nobody:
        running = asking(nobody, upstream.url, attempts=2)
        with running.connect() as client:
            assert outcomes(client, 100) == {True: 100}
        assert upstream.requests == 100


def test_of_three_addresses_one_fails_half_of_its_requests(asking):
    with ExitStack() as stack:
        upstreams = [stack.enter_context(Flaky()) for _ in range(3)]
        upstreams[1].fails = lambda number: number % 2 == 0
        running = asking(*(one.url for one in upstreams), idempotent=True, attempts=2)
        clients = [stack.enter_context(running.connect()) for _ in range(8)]
        good = 0
        for _ in range(150):  # eight fetches under way at a time
            for id, client in enumerate(clients):
                client.send(request("m", {"what": 1}, id))
            good += sum("result" in client.answer() for client in clients)
        assert good >= 0.995 * 1200
        assert upstreams[1].requests < 1200 / 3


@pytest.mark.parametrize("failure", [FAILED, None], ids=["503", "hangs"])
def test_an_ejected_address_comes_back(asking, failure):
    with Flaky() as healthy, Flaky(ALWAYS, failure) as ailing:
        running = asking(healthy.url, ailing.url, timeout_ms=60_000 if failure else 100)
        with running.connect() as client:
            while counted(running, "addresses_ejected") == 0:
                burst(client, 20)
            ailing.fails = NEVER
            while counted(running, "addresses_ejected") == 1:
                burst(client, 20)
        address = f"address=127.0.0.1:{ailing.port}"
        reason = "http_503" if failure else "timeout"
        running.wait_for_line(f"event=address_ejected upstream=users {address} reason={reason}")
        running.wait_for_line(f"event=address_returned upstream=users {address}")


def test_all_addresses_share_the_connections(asking):
    with ExitStack() as stack:
        upstreams = [stack.enter_context(Flaky()) for _ in range(2)]
        running = asking(*(one.url for one in upstreams), connections=5)
        with running.connect() as client:
            assert burst(client, 200) == 200
        assert [0 < len(one.connections) <= 2 for one in upstreams] == [True, True]


def test_a_hedge_answers_for_a_fetch_that_hangs_which_is_cut_off(asking):
    with Flaky(FIRST, None) as upstream:
        hedge = {"after": 20, "budget_percent": 100}
        running = asking(upstream.url, idempotent=True, hedge=hedge, timeout_ms=60_000)
        assert running.call("m", {"what": 1}) is True
        assert upstream.requests == 2
        assert upstream.ended.wait(25), "the first copy's connection is not closed"
        assert counted(running, "hedges_total") == 1
        assert counted(running, "retries_total") == 0


def test_a_hedge_goes_to_another_address(asking):
    with Flaky(ALWAYS, None) as hangs, Flaky() as healthy:
        hedge = {"after": 5, "budget_percent": 100}
        running = asking(hangs.url, healthy.url, idempotent=True, hedge=hedge, timeout_ms=60_000)
        with running.connect() as client:
            assert outcomes(client, 50) == {True: 50}


def test_the_copy_that_begins_to_answer_wins(asking):
    """The first one, after the hedge was sent, and although the hedge hangs."""
    hedged = threading.Event()
    numbers = iter(range(1, 3))

    def serve(connection, body):
        if next(numbers) == 1:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            hedged.wait(25)
            connection.sendall(b"true")
        else:
            hedged.set()

    with ScriptedUpstream(serve) as upstream:
        hedge = {"after": 5, "budget_percent": 100}
        running = asking(upstream.url, idempotent=True, hedge=hedge, timeout_ms=60_000)
        assert running.call("m", {"what": 1}) is True
        assert upstream.ended.wait(25), "the hedge's connection is not closed"


@pytest.mark.parametrize("after", [1, "p95"])
def test_hedges_are_at_most_their_part_of_the_fetches(asking, after):
    """All fetches take longer than a hedge waits, or one in forty."""

    def serve(connection, body):
        seen.append(body)
        threading.Event().wait(0.2 if len(seen) % 40 == 0 else 0.005)
        connection.sendall(answer(b"true"))

    seen = []
    with ScriptedUpstream(serve) as upstream:
        hedge = {"after": after, "budget_percent": 5}
        running = asking(upstream.url, idempotent=True, hedge=hedge)
        with running.connect() as client:
            for _ in range(20):
                assert burst(client, 20) == 20
        hedges = counted(running, "hedges_total")
        assert 400 <= len(seen) <= 400 + 20
        assert len(seen) <= 400 + hedges <= 400 + 20
        assert hedges >= (20 if after == 1 else 1)


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
