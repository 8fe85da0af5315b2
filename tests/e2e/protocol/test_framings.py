"""Content-Length headers: how bytes become messages, and which errors close the connection."""

import json

import pytest
from answers import Error
from client import request
from framings import FRAMINGS, ContentLength, Framed
from server import Server

MESSAGE_BYTES = 1 << 20


@pytest.fixture(scope="module")
def running(module_server) -> Server:
    return module_server(name="framings", limits={"request_bytes": MESSAGE_BYTES})


def echo(id, params=None) -> bytes:
    return request("echo", params, id)[:-1]


def read_results(client: Framed, count: int) -> dict:
    answers = [json.loads(client.read_message()) for _ in range(count)]
    return {answer["id"]: answer["result"] for answer in answers}


def assert_is_the_end(running, framing: type[Framed], broken: bytes, says: str):
    """The server answers the broken bytes with what it expected, and closes the connection."""
    with framing(running.address) as client:
        client.send_message(echo(1))
        assert read_results(client, 1) == {1: None}
        client.send(broken)
        Error(-32700, reason="bad_framing", says=says).check(client.read_message())
        assert client.read_to_end() == []


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.__name__)
def test_messages_may_come_in_pieces_and_together(running, framing):
    stream = b"".join(framing.frame(echo(id, [id, "é"])) for id in range(5))
    with framing(running.address) as client:
        for byte in stream:
            client.send(bytes([byte]))
        client.send(stream)
        assert read_results(client, 10) == {id: [id, "é"] for id in range(5)}


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.__name__)
def test_a_message_of_nearly_the_limit_passes(running, framing):
    text = "x" * (MESSAGE_BYTES - 100)
    with framing(running.address) as client:
        for id in range(3):
            client.send_message(echo(id, [text]))
            assert read_results(client, 1) == {id: [text]}
            client.send_message(echo("short", [id]))
            assert read_results(client, 1) == {"short": [id]}


def test_a_message_that_says_it_is_too_long_is_refused_before_it_comes(running):
    with ContentLength(running.address) as client:
        client.send(ContentLength.frame(b"x" * (MESSAGE_BYTES + 1))[:40])
        Error(-32007, reason="request_too_large", limit=MESSAGE_BYTES).check(client.read_message())
        assert client.read_to_end() == []


def test_after_bad_json_the_next_message_is_served(running):
    with ContentLength(running.address) as client:
        client.send_message(b'{"a":')
        Error(-32700, reason="parse_error").check(client.read_message())
        client.send_message(echo(1))
        assert read_results(client, 1) == {1: None}


@pytest.mark.parametrize("head", [
    b"Content-Length: %d\r\n\r\n",
    b"content-length:%d\r\n\r\n",
    b"CONTENT-LENGTH:   %d  \r\n\r\n",
    b"Content-Length: %d\n\n",
    b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
    b"Content-Length: %d\r\nX-Other: y\r\nContent-Length: %d\r\n\r\n",
    b"\r\n\r\nContent-Length: %d\r\n\r\n",
])  # fmt: skip
def test_headers_may_be_written_in_many_ways(running, head):
    message = echo(1, ["x"])
    stream = head.replace(b"%d", b"%d" % len(message)) + message
    with ContentLength(running.address) as client:
        client.send(stream + stream)
        for _ in range(2):
            assert client.read_message() == b'{"jsonrpc":"2.0","id":1,"result":["x"]}'


@pytest.mark.parametrize("head", [
    b"Content-Type: x\r\n\r\n{}",
    b"Content-Length: x\r\n\r\n{}",
    b"Content-Length: -2\r\n\r\n{}",
    b"Content-Length: 0\r\n\r\n{}",
    b"Content-Length: 2 2\r\n\r\n{}",
    b"Content-Length: 99999999999999999999\r\n\r\n{}",
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"Content-Length: 2\r\nno header\r\n\r\n{}",
    b"Content-Length: 2\r\nX: " + b"x" * 5000,
])  # fmt: skip
def test_headers_that_tell_no_length_are_the_end(running, head):
    assert_is_the_end(running, ContentLength, head, says="Content-Length")


def test_answers_come_as_they_are_ready(holding, gate):
    running, held = holding(workers={"count": 2}), gate()
    with ContentLength(running.address) as client:
        client.send_message(held.request("held")[:-1])
        held.wait_for_runs(1)
        client.send_message(echo("quick"))
        assert read_results(client, 1) == {"quick": None}
        held.open()
        assert read_results(client, 1) == {"held": held.params()}


def test_an_end_inside_of_a_message_is_an_error(running):
    with ContentLength(running.address) as client:
        client.send(ContentLength.frame(echo(1))[:-5])
        client.end_sending()
        Error(-32700, reason="incomplete").check(client.read_message())
