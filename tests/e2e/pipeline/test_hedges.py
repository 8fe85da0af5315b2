"""Hedges: fetches that are sent a second time while they have no answer."""

import threading

import pytest
from client import request
from flaky_upstream import ALWAYS, FIRST, Flaky, burst, counted, outcomes
from proc import wait_until
from scripted_upstream import ScriptedUpstream, answer


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


@pytest.mark.parametrize("winner", ["first", "hedge"])
def test_the_copy_that_is_whole_first_wins(asking, winner):
    """Both copies begin their bodies. One of them hangs then."""
    hedged, begun = threading.Event(), threading.Event()
    numbers = iter(range(1, 3))

    def serve(connection, body):
        copy = "first" if next(numbers) == 1 else "hedge"
        text = b'"%-10s"' % copy.encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text[:3])
        (begun if copy == "first" else hedged).set()
        assert hedged.wait(25) and begun.wait(25)
        if copy == winner:
            connection.sendall(text[3:])

    with ScriptedUpstream(serve) as upstream:
        hedge = {"after": 20, "budget_percent": 100}
        running = asking(upstream.url, idempotent=True, hedge=hedge, timeout_ms=60_000)
        assert running.call("m", {"what": 1}).strip() == winner
        assert upstream.ended.wait(25), "the other copy's connection is not closed"


def test_a_fetch_whose_held_body_ends_early_is_sent_again(asking):
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntr"
    with Flaky(FIRST, begun) as upstream:
        hedge = {"after": 60_000}
        running = asking(upstream.url, idempotent=True, attempts=2, hedge=hedge, timeout_ms=60_000)
        assert running.call("m", {"what": 1}) is True
        assert upstream.requests == 2
        assert counted(running, "hedges_total") == 0


def test_a_long_body_that_has_begun_is_not_hedged(asking):
    """Its first 64 KiB decide."""
    requests = []

    def serve(connection, body):
        requests.append(body)
        text = b'"%s"' % bytes([ord("a")] * 200_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text))
        connection.sendall(text[:150_000])
        threading.Event().wait(0.3)
        connection.sendall(text[150_000:])

    with ScriptedUpstream(serve) as upstream:
        hedge = {"after": 100, "budget_percent": 100}
        running = asking(upstream.url, idempotent=True, hedge=hedge, timeout_ms=60_000)
        assert running.call("m", {"what": 1}) == "a" * 200_000
        assert len(requests) == 1
        assert counted(running, "hedges_total") == 0


def test_a_fetch_that_finds_the_budget_empty_is_hedged_when_others_have_filled_it(asking):
    """Each fetch adds half of a hedge: the first one finds none."""
    with Flaky(FIRST, None) as upstream:
        hedge = {"after": 5, "budget_percent": 50}
        running = asking(upstream.url, idempotent=True, hedge=hedge, timeout_ms=60_000)
        with running.connect() as first, running.connect() as others:
            first.send(request("m", {"what": 1}, 1))
            wait_until(lambda: upstream.requests == 1, "the first fetch")
            assert outcomes(others, 20) == {True: 20}
            assert first.answer()["result"] is True


@pytest.mark.parametrize("after", [1, "p95"])
def test_hedges_are_at_most_their_part_of_the_fetches(asking, after):
    """Either all fetches, or one in forty, take longer than a hedge waits. Each burst of 20 fills
    the budget for one hedge more, the last one with its last fetch."""

    def serve(connection, body):
        seen.append(body)
        if after == 1 and is_last_burst.is_set():
            wait_until(lambda: counted(running, "hedges_total") == 20, "20 hedges")
        else:
            threading.Event().wait(0.2 if len(seen) % 40 == 0 else 0.005)
        connection.sendall(answer(b"true"))

    seen, is_last_burst = [], threading.Event()
    with ScriptedUpstream(serve) as upstream:
        hedge = {"after": after, "budget_percent": 5}
        running = asking(upstream.url, idempotent=True, hedge=hedge)
        with running.connect() as client:
            for number in range(20):
                if number == 19:
                    is_last_burst.set()
                assert burst(client, 20) == 20
        hedges = counted(running, "hedges_total")
        assert 400 <= len(seen) <= 400 + 20
        assert len(seen) <= 400 + hedges <= 400 + 20
        assert hedges >= (20 if after == 1 else 1)
