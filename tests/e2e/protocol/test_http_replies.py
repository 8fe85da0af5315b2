"""HTTP/1.1 on the port of JSON-RPC: the order of its replies, overload, and the end."""

import json
import signal

from answers import Error
from client import request
from framings import Http


def echo(id) -> bytes:
    return request("echo", None, id)[:-1]


def test_replies_come_in_the_order_of_the_requests(holding, gate):
    running, held = holding(workers={"count": 2}), gate()
    batch = b"[" + echo(2) + b"," + echo(3) + b"]"
    with Http(running.address) as client:
        client.send_message(held.request(1)[:-1])
        held.wait_for_runs(1)
        for message in (batch, b"{bad", request("echo", [4], None)[:-1], echo(5)):
            client.send_message(message)
        assert running.call("echo", ["others"]) == ["others"]
        held.open()
        assert json.loads(client.read_message())["id"] == 1
        assert [answer["id"] for answer in json.loads(client.read_message())] == [2, 3]
        Error(-32700).check(client.read_message())
        assert client.read_message() == b""
        assert json.loads(client.read_message())["id"] == 5


def test_replies_that_wait_are_bounded(holding, gate):
    """Even replies to requests that are refused at once take memory while they wait."""
    running, held = holding(workers={"count": 1}, limits={"in_flight_per_connection": 10}), gate()
    with Http(running.address) as client:
        client.send_message(held.request(1)[:-1])
        held.wait_for_runs(1)
        client.send_until_full(Http.frame(b"{bad") * 1000)
        held.open()
        assert json.loads(client.read_message())["id"] == 1
        for _ in range(2000):
            Error(-32700).check(client.read_message())


def test_overload_is_a_503(holding, gate):
    running, held = holding(workers={"count": 1}, limits={"requests_in_flight": 1}), gate()
    with Http(running.address) as holder, Http(running.address) as client:
        holder.send_message(held.request(1)[:-1])
        held.wait_for_runs(1)
        for message in (echo(2), b"[" + echo(2) + b"]"):
            client.send_message(message)
            status, fields, body = client.read_response()
            assert status == 503 and int(fields["retry-after"]) >= 1 and b"-32009" in body
        client.send_message(request("echo", [], None)[:-1])
        status, fields, body = client.read_response()
        assert status == 503 and int(fields["retry-after"]) >= 1 and body == b""
        # A batch is refused as a whole only if each of its requests is refused.
        client.send_message(b"[" + echo(2) + b"," + request("nothing", None, 3) + b"]")
        assert client.read_response()[0] == 200
        held.open()
        assert json.loads(holder.read_message())["id"] == 1


def test_a_server_that_stops_closes_after_the_last_reply(holding, gate):
    """Only the last reply says that the connection closes: HTTP clients read no reply after it."""
    running, held = holding(), gate()
    with Http(running.address) as client:
        for id in (1, 2, 3):
            client.send_message(held.request(id)[:-1])
        held.wait_for_runs(1)
        running.send(signal.SIGTERM)
        running.wait_for_line("event=stopping in_flight=3")
        held.open()
        replies = [client.read_response() for _ in range(3)]
        assert [json.loads(body)["id"] for _, _, body in replies] == [1, 2, 3]
        assert ["connection" in fields for _, fields, _ in replies] == [False, False, True]
        assert client.read_to_end() == []
    assert running.wait() == 0


def test_a_server_that_stops_says_503_and_closes(holding, gate):
    running, held = holding(), gate()
    with Http(running.address) as client, Http(running.address) as idle:
        idle.send_message(echo(0))
        assert json.loads(idle.read_message())["id"] == 0
        client.send_message(held.request(1)[:-1])
        held.wait_for_runs(1)
        running.send(signal.SIGTERM)
        running.wait_for_line("event=stopping")
        client.send_message(echo(2))
        idle.send_message(echo(3))  # sent last: once it is answered, the server has read echo(2)
        assert idle.read_response()[0] == 503
        held.open()
        status, fields, body = client.read_response()
        assert status == 200 and json.loads(body)["id"] == 1
        status, fields, body = client.read_response()
        assert status == 503 and fields["retry-after"] and b"-32013" in body
        assert fields["connection"] == "close"
        assert client.read_to_end() == [] and idle.read_to_end() == []
    assert running.wait() == 0
