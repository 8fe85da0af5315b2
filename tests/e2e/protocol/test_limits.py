"""Requests beyond a limit are refused, with an error that names the limit."""

import json
import time
from itertools import pairwise

import pytest
from answers import Error
from client import RpcError, assert_no_wait_for_tick, request


def refusal(answer: dict) -> dict:
    return {"code": answer["error"]["code"], **answer["error"]["data"]}


@pytest.fixture(scope="module")
def strict(module_server):
    return module_server(limits={"request_bytes": 1024})


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("sent_bytes", [1025, 5_000_000])
def test_too_long_a_request_is_an_error_and_the_end(strict, sent_bytes, end):
    empty = len(request("echo", [""])) - 1
    fits = request("echo", ["x" * (1024 - empty)])
    with strict.connect() as client:
        client.send(fits)
        assert len(client.answer()["result"][0]) == 1024 - empty
        client.send(request("echo", ["x" * (sent_bytes - empty)])[:-1] + end)
        lines = client.read_to_end()
        assert len(lines) == 1
        Error(-32007, reason="request_too_large", limit=1024).check(lines[0])
    assert strict.call("echo", [1]) == [1]


def test_requests_before_too_long_a_request_are_answered(strict):
    with strict.connect() as client:
        client.send(b"".join(request("echo", [id], id) for id in range(10)))
        client.send(request("echo", ["x" * 5000], "long") + request("echo", [], "after"))
        answers = [json.loads(line) for line in client.read_to_end()]
    assert sorted(answer["id"] for answer in answers if "result" in answer) == list(range(10))
    assert [answer["error"]["code"] for answer in answers if "error" in answer] == [-32007]


def test_too_long_a_response_is_an_error(server, probe):
    running = server(limits={"response_bytes": 2000}, handlers={"give": probe("give_bytes")})
    assert len(running.call("give", {"size": 2000})) == 1998
    for size in (2001, 100_000_000):
        with pytest.raises(RpcError) as refused:
            running.call("give", {"size": size})
        assert refused.value.code == -32008
        data = refused.value.data
        assert data == {
            "reason": "response_bytes", "retryable": False, "executed": "unknown", "limit": 2000,
        }  # fmt: skip
    assert len(running.call("give", {"size": 2000})) == 1998


def test_more_requests_than_the_queue_holds_are_refused(holding, gate):
    running, held = holding(workers={"count": 1}, limits={"requests_in_flight": 3}), gate()
    with running.connect() as client:
        client.send(b"".join(held.request(id) for id in range(3)))
        client.send(request("echo", [], "one more"))
        answer = client.answer()
        assert answer["id"] == "one more"
        data = refusal(answer)
        assert data["code"] == -32009 and data["reason"] == "queue_full" and data["limit"] == 3
        assert data["retryable"] is True and data["executed"] is False
        held.open()
        assert client.answers(3).keys() == {0, 1, 2}
        assert client.call("echo", ["room again"]) == ["room again"]


def test_more_than_the_payload_memory_holds_is_refused(holding, gate):
    running = holding(workers={"count": 1},
                      limits={"payload_memory_bytes": "1025KiB", "request_bytes": "1MiB",
                              "requests_in_flight": 3})
    held = gate()
    text = "x" * 400_000
    with running.connect() as client:
        client.send(held.request(1, text=text) + held.request(2, text=text))
        for _ in range(3):  # a refused request takes none of the three places
            client.send(request("echo", [text], 3))
            answer = client.answer()
            assert answer["id"] == 3
            assert refusal(answer) == {
                "code": -32009, "reason": "payload_memory", "retryable": True, "executed": False,
                "limit": 1025 << 10,
            }  # fmt: skip
        held.open()
        assert all(answer["result"]["text"] == text for answer in client.answers(2).values())
        assert client.call("echo", [text]) == [text]


def test_payload_memory_is_given_back(server):
    """Far more bytes than the memory holds pass through it, in blocks of all sizes."""
    running = server(limits={"payload_memory_bytes": "1025KiB", "request_bytes": "1MiB"})
    with running.connect() as client:
        for size in [0, 1, 900, 1023, 1025, 100_000, 700_000, 1_048_000] * 10:
            assert client.call("echo", ["x" * size]) == ["x" * size]


def test_connection_memory_is_given_back(server):
    """Far more bytes than the limit come and go. The answers of a batch wait for its last one."""
    running = server(limits={"request_bytes": "64KiB", "response_bytes": "64KiB",
                             "connection_memory_bytes": "1MiB"})  # fmt: skip
    batch = b"[%s]\n" % b",".join(request("echo", ["x" * 1000], id).strip() for id in range(10))
    with running.connect() as client:
        for _ in range(200):
            client.send(batch)
            assert len(client.answer()) == 10


def test_a_request_of_most_of_the_payload_memory_is_served_beside_small_ones(holding, gate):
    running = holding(workers={"count": 3},
                      limits={"payload_memory_bytes": "24MiB", "request_bytes": "20MiB",
                              "response_bytes": "20MiB"})
    held = gate()
    with running.connect() as client:
        client.send(held.request(1) + held.request(2))
        held.wait_for_runs(2)
        for text in ("x" * (17 << 20), "x" * ((20 << 20) - 100)):
            assert running.call("echo", [text]) == [text]
        held.open()
        assert all("result" in answer for answer in client.answers(2).values())


def test_a_connection_in_flight_to_its_limit_waits(holding, gate):
    """The server admits at most two of the client's requests at once. If it admitted more, the
    queue would be full, and the server would refuse the rest."""
    running = holding(workers={"count": 2},
                      limits={"in_flight_per_connection": 2, "requests_in_flight": 3})
    held = gate()
    with running.connect() as client, running.connect() as other:
        client.send(held.request("a") + held.request("b"))
        client.send(b"".join(request("echo", [id], id) for id in range(50)))
        held.wait_for_runs(2)
        held.open()
        answers = client.answers(52)
        assert [answers[id].get("result") for id in range(50)] == [[id] for id in range(50)]
        client.send(b"[" + b",".join([request("echo", [9], 9)] * 2) + b"]\n" + request("echo"))
        assert len(client.read_many(2)) == 2
        assert other.call("echo", [1]) == [1]


def test_a_connection_that_waits_for_its_own_answers_does_not_wait_for_a_tick(server):
    """The server admits the next request while it sends answers, and must wake a worker even
    then. If requests waited for the tick, each would take 50 ms."""
    running = server(limits={"in_flight_per_connection": 1})
    with running.connect() as client:
        client.send(b"".join(request("echo", [id], id) for id in range(100)))
        times = []
        for id in range(100):
            assert client.answer()["id"] == id
            times.append(time.monotonic())
        assert_no_wait_for_tick(client, [after - before for before, after in pairwise(times)])


def test_one_connection_too_many_is_told_so(holding, gate):
    """No connection is idle, so none makes room for the third: test_connections_per_client.py."""
    running, held = holding(limits={"connections": 2}), gate()
    with running.connect() as first, running.connect() as second:
        for number, client in enumerate((first, second)):
            client.send(held.request(number))
        held.wait_for_runs(2)
        with running.connect() as third:
            lines = third.read_to_end()
            assert len(lines) == 1
            data = refusal(json.loads(lines[0]))
            assert data["code"] == -32009 and data["reason"] == "too_many_connections"
            assert data["limit"] == 2
        running.wait_for_line("event=clients_refused why=connections count=1 total=1 last=127.0.0")
        held.open()
        assert first.answer()["id"] == 0 and second.answer()["id"] == 1
        first.end_sending()
        assert first.read_to_end() == []
        with running.connect() as fourth:
            assert fourth.call("echo", [4]) == [4]
        assert second.call("echo", [2]) == [2]
