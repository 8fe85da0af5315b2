"""Overload: requests that cannot be done in time are refused, with a time to retry."""

import pytest
from client import request

BURN_MS = 40


@pytest.fixture
def busy(server, probe, gate):
    """(server, client, gate). The server knows how long `burn` takes, since the client has called
    it. A call of the client holds the only worker until the gate opens."""
    running = server(
        workers={"count": 1},
        limits={"requests_in_flight": 60},
        handlers={"burn": {}, "hold": probe("hold")},
    )
    held = gate()
    with running.connect() as client:
        for _ in range(3):
            assert client.call("burn", {"cpu_ms": BURN_MS}) == {"cpu_ms": BURN_MS}
        held.hold(client, "held")
        yield running, client, held


def burn(id, timeout_ms: int) -> bytes:
    return request("burn", {"cpu_ms": BURN_MS, "_meta": {"timeout_ms": timeout_ms}}, id)


def test_a_request_that_would_be_too_late_is_refused_at_once(busy):
    _, client, held = busy
    client.send(b"".join(burn(id, 800) for id in range(50)))
    refused = client.answer()
    error = refused["error"]
    assert error["code"] == -32009
    assert error["data"].pop("retry_after_ms") > 0
    assert error["data"] == {"reason": "too_late", "retryable": True, "executed": False}
    assert "800 ms" in error["message"]
    held.open()
    answers = client.answers(50)
    assert answers["held"]["result"] == held.params()
    outcomes = [answer.get("error", {}).get("code") for answer in answers.values()]
    assert set(outcomes) <= {None, -32009, -32012}  # no prediction knows how long we hold it
    # Each takes 40 ms at least, and half of the time is a margin: no more than ten are let in.
    assert outcomes.count(-32009) >= 50 - 1 - 10


def test_a_request_with_more_time_is_let_in(busy):
    _, client, held = busy
    refused = {}

    def send(id, timeout_ms):
        """Returns once the request is refused or waits."""
        client.send(burn(id, timeout_ms) + request("none", [], f"after {id}"))
        while (answer := client.answer())["id"] != f"after {id}":
            refused[answer["id"]] = answer["error"]

    # They are sent one by one, until the first refusal: many refusals would be overload.
    for number in range(50):
        send(number, 800)
        if refused:
            break
    send("hasty", 800)
    send("patient", 60_000)
    assert refused["hasty"]["data"]["reason"] == "too_late"
    assert "patient" not in refused
    held.open()


def test_a_full_queue_tells_when_there_will_be_room(busy):
    _, client, held = busy
    client.send(b"".join(burn(id, 60_000) for id in range(60)))
    data = client.answer()["error"]["data"]
    assert data["reason"] == "queue_full" and data["limit"] == 60
    assert data["retry_after_ms"] >= BURN_MS / 2
    held.open()


def test_an_idle_worker_is_used_whatever_was_learned(server):
    """A wrong estimate can only be corrected by new measurements."""
    running = server(
        workers={"count": 1}, handlers={"burn": {}}, methods={"burn": {"timeout_ms": 1500}}
    )
    with running.connect() as client:
        before = len(running.lines)
        client.send(request("burn", {"cpu_ms": 60_000}))
        assert client.answer()["error"]["code"] == -32012  # `burn` is known to take longer now
        running.wait_for_worker(0, before)
        assert client.call("burn", {"cpu_ms": 1}) == {"cpu_ms": 1}
