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


def test_the_copy_that_begins_to_answer_wins(asking):
    """The first copy begins to answer after the hedge was sent, and wins: the hedge hangs."""
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
    """Either all fetches, or one in forty, take longer than a hedge waits."""

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
