"""How bytes become messages: with and without newlines, pieces of every size, ends, idle
clients."""

import json
import random
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from answers import Error
from client import DEADLINE_S, Client, request
from server import Server

PARSE_ERROR = Error(-32700, reason="parse_error")


@pytest.fixture(scope="module")
def running(module_server) -> Server:
    return module_server(name="stream", limits={"request_bytes": "1MiB"})


def echo(id, params=None) -> bytes:
    """A request of echo, without a newline."""
    return request("echo", params, id)[:-1]


def assert_echoed(line: bytes, id, params=None):
    assert json.loads(line) == {"jsonrpc": "2.0", "id": id, "result": params}


@pytest.mark.parametrize("between", [b"", b" ", b"\n", b"\r\n", b"\n\n\r\n \n", b"\t"])
def test_values_are_served_whatever_stands_between(running, between):
    with running.connect() as client:
        client.send(between.join(echo(id, [id]) for id in range(20)) + b"\n")
        assert {id: answer["result"] for id, answer in client.answers(20).items()} == {
            id: [id] for id in range(20)
        }


def test_a_value_is_served_before_its_newline_comes(running):
    with running.connect() as client:
        for id in range(3):
            client.send(echo(id))
            assert_echoed(client.read(), id)


def test_concatenated_values_may_span_lines(running):
    pretty = json.dumps({"jsonrpc": "2.0", "method": "echo", "params": ["{\n"], "id": 2}, indent=2)
    with running.connect() as client:
        client.send(echo(1) + pretty.encode() + b"[" + echo(3) + b"]\n")
        lines = sorted(client.read_many(3), key=lambda line: b'"id":3' in line)
        assert sorted(json.loads(line)["id"] for line in lines[:2]) == [1, 2]
        assert json.loads(lines[2]) == [{"jsonrpc": "2.0", "id": 3, "result": None}]


@pytest.mark.parametrize("receive_bytes", [1 << 17, 1 << 22])
def test_long_answers_come_whole_however_much_the_system_takes_at_once(running, receive_bytes):
    letters = "abcdefghij"
    requests = b"".join(echo(id, [id * 700_000]) + b"\n" + echo(id.upper(), [id]) for id in letters)
    with running.connect() as client, ThreadPoolExecutor() as threads:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        sent = threads.submit(client.send, requests)
        for id, answer in client.answers(2 * len(letters)).items():
            assert answer["result"] == [id * 700_000 if id in letters else id.lower()]
        sent.result()


def test_blank_lines_are_ignored(running):
    with running.connect() as client:
        client.send(b"\n\r\n  \n\n" + echo(1) + b"\r\n\r\n\n")
        assert_echoed(client.read(), 1)
        client.end_sending()
        assert client.read_to_end() == []


def test_after_a_bad_line_the_next_one_is_served(running):
    with running.connect() as client:
        client.send(echo(1) + b'\n{"jsonrpc":"2.0","id":\nxyz\n' + echo(2) + b"\n")
        lines = client.read_many(4)
        errors = [line for line in lines if b'"error"' in line]
        assert len(errors) == 2
        for line in errors:
            PARSE_ERROR.check(line)
        assert {json.loads(line)["id"] for line in lines if line not in errors} == {1, 2}


@pytest.mark.parametrize("garbage", [b"}", b"]", b" xyz", b",", b"\0"])
def test_a_line_with_trailing_garbage_is_one_error_and_the_next_line_served(running, garbage):
    with running.connect() as client:
        client.send(echo(1) + garbage + b"\n" + echo(2) + b"\n")
        PARSE_ERROR.check(client.read())
        assert_echoed(client.read(), 2)


def test_garbage_that_comes_after_a_value_was_served_is_an_error(running):
    with running.connect() as client:
        client.send(echo(1))
        assert_echoed(client.read(), 1)
        client.send(b"}\n" + echo(2) + b"\n")
        PARSE_ERROR.check(client.read())
        assert_echoed(client.read(), 2)


def test_a_concatenated_stream_ends_at_a_bad_value(running):
    """There is no telling where the next value would begin."""
    with running.connect() as client:
        client.send(echo(1) + echo(2) + b'{"a":}' + echo(3) + b"\n" + echo(4) + b"\n")
        lines = client.read_to_end()
        assert len(lines) == 3
        assert {json.loads(line)["id"] for line in lines} == {1, 2, None}
        PARSE_ERROR.check(next(line for line in lines if b'"error"' in line))


@pytest.mark.parametrize("first", [b"xyz\n", b"\x16\x03\x01\x02\n", b"\xef\xbb\xbf{}\n", b'"x"\n'])
def test_an_unknown_framing_is_an_error_and_the_end(running, first):
    with running.connect() as client:
        client.send(first + echo(1) + b"\n")
        lines = client.read_to_end()
        assert len(lines) == 1
        Error(-32700, reason="unknown_framing").check(lines[0])


def test_single_bytes_make_messages(running):
    with running.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in echo(1, {"é": "\\\"{["}) + b"\r\n[" + echo(2) + b"," + echo(3) + b"]\r\n":
            client.send(bytes([byte]))
        batch, single = sorted(client.read_many(2), key=lambda line: line.startswith(b"{"))
        assert_echoed(single, 1, {"é": "\\\"{["})
        assert [answer["id"] for answer in json.loads(batch)] == [2, 3]


def test_a_batch_is_answered_in_the_order_of_its_requests(server, probe, gate):
    """Some clients go by it."""
    running = server(handlers={"echo": {}, "hold": probe("hold")})
    held = gate()
    items = [held.request("slow"), request("echo", id=None), request("echo", id="fast"),
             request("unknown", id="refused")]  # fmt: skip
    with running.connect() as client:
        client.send(b"[" + b",".join(item.strip() for item in items) + b"]\n")
        held.wait_for_runs(1)
        assert running.call("echo", [1]) == [1]  # so is "fast" by now
        held.open()
        assert [answer["id"] for answer in client.answer()] == ["slow", "fast", "refused"]


def test_pieces_of_any_size_make_messages(running):
    """The same stream, cut in random places, is the same messages."""
    dice = random.Random(7)
    params = [["x" * dice.choice((0, 1, 10, 5_000, 70_000)), id] for id in range(100)]
    stream = b"\n".join(echo(id, params[id]) for id in range(100)) + b"\n"
    with running.connect() as client, ThreadPoolExecutor(1) as reader:
        answers = reader.submit(client.answers, 100)
        while stream:
            size = dice.choice((1, 2, 3, 100, 4096, 65_536, 262_144, 262_145))
            client.send(stream[:size])
            stream = stream[size:]
        assert [answers.result()[id]["result"] for id in range(100)] == params


def test_a_client_that_stops_sending_gets_its_answers(server, probe, gate):
    running = server(handlers={"echo": {}, "hold": probe("hold")})
    held = gate()
    with running.connect() as client:
        client.send(held.request("held") + echo("quick") + b"\n")
        client.end_sending()
        assert_echoed(client.read(), "quick")
        held.wait_for_runs(1)
        held.open()
        last = client.read_to_end()
        assert len(last) == 1
        assert_echoed(last[0], "held", held.params())


def test_an_end_inside_of_a_message_is_an_error(running):
    with running.connect() as client:
        client.send(echo(1) + b'\n{"jsonrpc":"2.0","me')
        client.end_sending()
        lines = client.read_to_end()
        assert len(lines) == 2
        Error(-32700, reason="incomplete").check(next(line for line in lines if b"error" in line))


def test_the_end_of_a_line_that_was_answered_as_bad_is_no_second_error(running):
    with running.connect() as client:
        client.send(b'{"a":}}')
        PARSE_ERROR.check(client.read())
        client.end_sending()
        assert client.read_to_end() == []


def test_a_client_that_leaves_harms_nobody(server, probe, gate):
    running = server(handlers={"echo": {}, "hold": probe("hold")})
    held = gate()
    with running.connect() as client:
        client.send(held.request(1) + echo(2) + b"\n" + b'{"unfinished":')
        held.wait_for_runs(1)
        client.reset()
    held.open()
    assert running.call("echo", ["still here"]) == ["still here"]


def test_a_client_that_does_not_read_is_not_read_either(server):
    """It could otherwise make its answers pile up in the master."""
    running = server()
    message = echo(1, ["x" * 100_000]) + b"\n"
    with running.connect() as client:
        client.socket.settimeout(1.0)
        sent = 0
        try:
            while sent < 400_000_000:
                sent += client.socket.send(message[sent % len(message) :])
        except socket.timeout:
            pass
        # Both sockets' buffers, what may be unsent, and what in flight may still add to that.
        assert sent < 250_000_000
        assert running.call("echo", ["others"]) == ["others"]
        rest = -sent % len(message)
        with ThreadPoolExecutor(1) as writer:
            writer.submit(client.send, message[len(message) - rest :] if rest else b"")
            answers = client.read_many((sent + rest) // len(message))
        assert len(set(answers)) == 1 and len(answers[0]) > 100_000


def test_many_connections_get_each_its_own_answers(running):
    clients = [Client(running.address) for _ in range(50)]
    try:
        for number, client in enumerate(clients):
            client.send(b"".join(request("echo", [number, id], id) for id in range(40)))
        for number, client in enumerate(clients):
            answers = client.answers(40)
            assert all(answers[id]["result"] == [number, id] for id in range(40))
    finally:
        for client in clients:
            client.close()


def test_a_unix_socket_serves_as_well(server, tmp_path):
    path = tmp_path / "rpc.sock"
    running = server(listen={"rpc": [f"unix:{path}", "127.0.0.1:0", "127.0.0.2:0"]})
    assert len(running.addresses) == 3 and running.addresses[0] == f"unix:{path}"
    for address in running.addresses:
        with running.connect(address) as client:
            assert client.call("echo", [address]) == [address]
            client.send(echo(1) + b"\n")
            client.end_sending()
            assert len(client.read_to_end()) == 1
    assert running.stop() == 0
    assert not path.exists()


def assert_open_until(client: Client, end: float):
    """Checks that the server does not close the connection before `end`."""
    readable, _, _ = select.select([client.socket], [], [], 0)
    assert not readable or time.monotonic() > end


def test_a_connection_without_a_whole_message_is_closed_after_10_s(running):
    """One that sends nothing, one that sends blanks only, and one whose message stays incomplete.
    A connection that was served and is idle may stay; so may one that is always in the middle of
    another message."""
    begun = time.monotonic()
    silent, dribbling, served = running.connect(), running.connect(), running.connect()
    blank, flowing = running.connect(), running.connect()
    message = echo(1) + b"\n"
    assert served.call("echo", [1]) == [1]
    dribbling.send(b'{"jsonrpc":')
    flowing.send(message[:9])
    while not select.select([blank.socket], [], [], 0.25)[0]:
        assert time.monotonic() < begun + DEADLINE_S
        blank.send(b"\n")
        flowing.send(message[9:] + message[:9])
        assert flowing.answer()["id"] == 1
        assert_open_until(silent, begun + 9)
        assert_open_until(dribbling, begun + 9)
    while time.monotonic() < begun + 11:
        flowing.send(message[9:] + message[:9])
        assert flowing.answer()["id"] == 1
        time.sleep(0.2)
    assert silent.read_to_end() == []
    dribbling.read_to_end()
    assert served.call("echo", [2]) == [2]
