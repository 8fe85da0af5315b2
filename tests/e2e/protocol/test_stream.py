"""How bytes become messages: with and without newlines, pieces of every size, ends."""

import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from answers import Error
from client import Client, request
from server import Server

BAD, END = "parse_error", "the end of the connection"


@pytest.fixture(scope="module")
def running(module_server) -> Server:
    return module_server(name="stream", limits={"request_bytes": "1MiB"})


def echo(id, params=None) -> bytes:
    """A request of echo, without a newline."""
    return request("echo", params, id)[:-1]


def told(line: bytes):
    """The id that an answer echoes, or the reason of an error without an id; a list of these
    for a batch."""
    answer = json.loads(line)
    if isinstance(answer, list):
        return [told(json.dumps(one)) for one in answer]
    if answer["id"] is None:
        reason = answer["error"]["data"]["reason"]
        Error(-32700, reason=reason).check_parsed(answer)
        return reason
    assert answer["result"] == [answer["id"]], answer
    return answer["id"]


def one(id) -> bytes:
    return echo(id, [id])


PRETTY = json.dumps({"jsonrpc": "2.0", "method": "echo", "params": ["{\n"], "id": "{\n"}, indent=2)

# A conversation is a list of steps: the bytes to send, and the answers that must come before the
# next step. The answers of one step may come in any order.
CONVERSATIONS = [
    [(one(1), [1]), (one(2), [2]), (b"\n" + one(3), [3])],  # each is served before its newline
    [(one(1) + PRETTY.encode() + b"[" + one(3) + b"]\n", [1, "{\n", [3]])],
    [(b"\n\r\n  \n\n" + one(1) + b"\r\n\r\n\n", [1]), (one(2) + b"\n", [2])],
    [(one(1) + b'\n{"jsonrpc":"2.0","id":\nxyz\n' + one(2) + b"\n", [1, BAD, BAD, 2])],
    *([(one(1) + garbage + b"\n" + one(2) + b"\n", [BAD, 2])]
      for garbage in (b"}", b"]", b" xyz", b",", b"\0")),
    [(one(1), [1]), (b"}\n" + one(2) + b"\n", [BAD, 2])],
    # If values share lines, the server cannot tell where the value after a bad one begins.
    [(one(1) + one(2) + b'{"a":}' + one(3) + b"\n" + one(4) + b"\n", [1, 2, BAD, END])],
    *([(first + one(1) + b"\n", ["unknown_framing", END])]
      for first in (b"xyz\n", b"\x16\x03\x01\x02\n", b"\xef\xbb\xbf{}\n", b'"x"\n')),
]  # fmt: skip


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_bytes_become_messages(running, conversation):
    with running.connect() as client:
        for sent, wanted in conversation:
            client.send(sent)
            is_last = wanted[-1] == END
            lines = client.read_to_end() if is_last else client.read_many(len(wanted))
            answers = [told(line) for line in lines] + [END] * is_last
            assert sorted(answers, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize("sent, wanted", [
    (one(1) + b'\n{"jsonrpc":"2.0","me', [1, "incomplete"]),
    (b'{"a":}}', [BAD]),  # the end of a line that was answered as bad is no second error
])  # fmt: skip
def test_an_end_of_sending(running, sent, wanted):
    with running.connect() as client:
        client.send(sent)
        client.end_sending()
        assert sorted(map(told, client.read_to_end()), key=str) == wanted


@pytest.mark.parametrize("between", [b"", b" ", b"\n", b"\r\n", b"\n\n\r\n \n", b"\t"])
def test_values_are_served_whatever_stands_between(running, between):
    with running.connect() as client:
        client.send(between.join(echo(id, [id]) for id in range(20)) + b"\n")
        assert {id: answer["result"] for id, answer in client.answers(20).items()} == {
            id: [id] for id in range(20)
        }


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


def test_a_batch_is_answered_in_the_order_of_its_requests(holding, gate):
    """Some clients match answers and requests by this order."""
    running, held = holding(), gate()
    items = [held.request("slow"), request("echo", id=None), request("echo", id="fast"),
             request("unknown", id="refused")]  # fmt: skip
    with running.connect() as client:
        client.send(b"[" + b",".join(item.strip() for item in items) + b"]\n")
        held.wait_for_runs(1)
        assert running.call("echo", [1]) == [1]  # "fast" is answered by now, too
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


def test_a_client_that_stops_sending_gets_its_answers(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(held.request("held") + echo("quick") + b"\n")
        client.end_sending()
        assert client.answer()["id"] == "quick"
        held.wait_for_runs(1)
        held.open()
        last = client.read_to_end()
        assert len(last) == 1
        assert json.loads(last[0])["result"] == held.params()


def test_a_client_that_leaves_harms_nobody(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(held.request(1) + echo(2) + b"\n" + b'{"unfinished":')
        held.wait_for_runs(1)
        client.reset()
    held.open()
    assert running.call("echo", ["still here"]) == ["still here"]


def test_a_client_that_does_not_read_is_not_read_either(server):
    """Otherwise its answers would pile up in the master."""
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
        # This allows for both sockets' buffers, unsent answers, and requests in flight.
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
