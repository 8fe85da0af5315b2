"""Breakers, and upstreams with several addresses, of which some fail."""

from collections import Counter
from contextlib import ExitStack

import pytest
from client import RpcError, request
from flaky_upstream import ALWAYS, FAILED, NEVER, Flaky, burst, counted, outcomes
from proc import wait_until
from scripted_upstream import ScriptedUpstream


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


def test_a_hedge_that_begins_late_does_not_count_as_a_failure(asking):
    """Five fetches without an answer open the breaker, hedged or not. Their hedges have a quarter
    of the time."""
    with Flaky() as upstream:
        hedge = {"after": 300, "budget_percent": 100}
        running = asking(upstream.url, breaker=True, idempotent=True, hedge=hedge, timeout_ms=400)
        with running.connect() as client:
            assert outcomes(client, 20) == {True: 20}
            upstream.handler = lambda connection, body: None
            assert outcomes(client, 6) == {"timeout": 5, "breaker_open": 1}
        assert counted(running, "hedges_total") > 0


def test_a_shared_fetch_that_outlasts_a_method_opens_the_breaker(asking):
    """The fetch was begun for a request with more time, which is cancelled."""
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


def test_a_fetch_that_waits_to_be_sent_again_while_the_breaker_opens(asking):
    """The upstream was asked, and the fetch fails as it did then. Other fetches open the breaker
    meanwhile, and take each probe as soon as it is due."""
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    serve = lambda connection, body: connection.sendall(busy if body == b'{"what":0}' else FAILED)
    with ScriptedUpstream(serve) as upstream:
        running = asking(upstream.url, breaker=True, idempotent=True, attempts=2, connections=1,
                         timeout_ms=20_000, method={"timeout_ms": 20_000})
        reasons = Counter()
        with running.connect() as client:
            client.send(request("m", {"what": 0}, 0))
            for id in range(1, 1_000_000):
                client.send(request("m", {"what": 1}, id))
                ended = client.answer()
                if ended["id"] == 0:
                    break
                reasons[ended["error"]["data"]["reason"]] += 1
    assert reasons["breaker_open"] > 0
    assert ended["error"]["data"]["reason"] == "http_503"
    assert 0 < ended["error"]["data"]["retry_after_ms"] <= 801


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
