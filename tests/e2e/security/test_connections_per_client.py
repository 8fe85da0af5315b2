"""How many connections a client may hold, and which are closed for others."""

import json
import re
from contextlib import ExitStack

import pytest
from certificates import ca, made, own  # noqa: F401 (fixtures)
from client import DEADLINE_S, connect, read_all, request
from tls import StepwiseTls, TlsClient, raw

OTHER = "127.0.0.2"

# name -> the bytes that a client sends before it only holds its connection.
HELD = {
    "silent": b"", "answered": b"{}\n", "incomplete": b'{"jsonrpc"', "blank": b"\n",
    "second incomplete": b'{}\n{"jsonrpc"',
    "http": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{",
}  # fmt: skip


def hold_all_connections(running, how: str):
    """One client holds all of 50 connections, and another one is served all the same."""
    with ExitStack() as stack:
        before = stack.enter_context(running.connect(source=OTHER))
        assert before.call("echo", [1]) == [1]
        for _ in range(150):
            greedy = stack.enter_context(running.connect())
            greedy.send(HELD[how])
            if b"{}" in HELD[how]:
                assert greedy.answer()["error"]["code"] == -32600
        for number in range(10):
            client = stack.enter_context(running.connect(source=OTHER))
            assert client.call("echo", [number]) == [number]
        assert before.call("echo", [2]) == [2]


def test_a_client_that_holds_all_connections_makes_room_for_others(server):
    """Each way has a server of its own. A server logs the last closed connections a second after
    the first one: the test waits for all servers at the same time."""
    attacked = []
    for how in HELD:
        attacked.append(server(name=how.replace(" ", "_"), limits={"connections": 50}))
        hold_all_connections(attacked[-1], how)
    for running in attacked:
        # 101 were too many, and 10 made room for the clients from OTHER.
        running.wait_for_line(r"event=connections_closed why=made_room .*total=111 last=127.0.0.1$")
        told = [line for line in running.lines if "event=connections_closed" in line]
        assert sum(int(re.search(r"count=(\d+)", line)[1]) for line in told) == 111, told
        assert len(told) < 30, told


def test_the_connection_that_was_idle_for_longest_goes_and_none_that_waits(holding, gate):
    running, held = holding(limits={"connections": 3}), gate()
    with ExitStack() as stack:
        waiting, first, second = (stack.enter_context(running.connect()) for _ in range(3))
        held.hold(waiting, "held")
        assert second.call("echo", [2]) == [2] and first.call("echo", [1]) == [1]
        third = stack.enter_context(running.connect())
        assert third.call("echo", [3]) == [3]
        assert second.read_to_end() == []
        assert first.call("echo", [1]) == [1]
        held.open()
        assert waiting.answer()["id"] == "held"


def test_connections_without_a_token_make_room_before_those_with_one(server, tokens):
    token = "the-token-of-a-fleet"
    running = server(listen={"token_file": tokens(token)}, limits={"connections": 50})
    with ExitStack() as stack:
        fleet = [stack.enter_context(running.connect()) for _ in range(30)]
        for client in fleet:
            assert client.call("rpc.auth", [token]) is True
        for number in range(100):  # a few of each address, so that none of them holds most
            stack.enter_context(running.connect(source=f"127.0.1.{1 + number // 5}"))
        running.wait_for_line(r"event=connections_closed why=made_room .*total=80 ")
        for client in fleet:
            assert client.call("echo", [1]) == [1]
        late = stack.enter_context(running.connect())
        assert late.call("rpc.auth", [token]) is True


def test_a_request_that_is_being_sent_is_not_cut_off_once_a_token_was_shown(server, tokens):
    token = "the-token-of-a-fleet"
    running = server(listen={"token_file": tokens(token)}, limits={"connections": 2})
    text = "x" * 1000
    message = request("echo", [text])

    def enter(stack):
        client = stack.enter_context(running.connect())
        assert client.call("rpc.auth", [token]) is True
        return client

    with ExitStack() as stack:
        sending, idle = enter(stack), enter(stack)
        sending.send(message[:500])
        assert idle.call("echo", [1]) == [1]
        third = enter(stack)
        assert idle.read_to_end() == []
        sending.send(message[500:])
        assert sending.answer()["result"] == [text]
        # Once its request is answered, `sending` is as idle as any other connection.
        assert third.call("echo", [3]) == [3]
        fourth = enter(stack)
        assert sending.read_to_end() == []
        assert fourth.call("echo", [4]) == [4]


def refusal(lines: list[bytes]) -> dict:
    (line,) = lines
    error = json.loads(line)["error"]
    assert error["code"] == -32009, error
    return error["data"]


def test_connections_per_client_counts_addresses(server):
    running = server(listen={"connections_per_client": 2})
    with ExitStack() as stack:
        clients = [stack.enter_context(running.connect(source=source))
                   for source in ("127.0.0.1", "127.0.0.1", OTHER, OTHER)]
        for client in clients:
            assert client.call("echo", [1]) == [1]
        with running.connect() as third:
            data = refusal(third.read_to_end())
        assert data["reason"] == "connections_per_client" and data["limit"] == 2
        running.wait_for_line(
            "event=clients_refused why=connections_per_client count=1 total=1 last=127.0.0.1$"
        )
        clients[0].close()
        while True:  # until the server has noticed the close
            with running.connect() as again:
                again.send(request("echo", [2]))
                if "result" in again.answer():
                    break


def test_connections_per_client_counts_tokens_once_they_are_shown(server, tokens):
    one, other = "the-token-of-one-client", "the-token-of-another"
    running = server(listen={"connections_per_client": 2, "token_file": tokens(one, other)})
    with ExitStack() as stack:
        shown = []
        for _ in range(2):
            shown.append(stack.enter_context(running.connect()))
            assert shown[-1].call("rpc.auth", [one]) is True
        # The address that shows the token does not matter.
        with running.connect(source=OTHER) as third:
            third.send(request("rpc.auth", [one]) + request("echo", [1], 2))
            assert refusal(third.read_to_end())["reason"] == "connections_per_client"
        with connect(running.address) as http:
            http.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                         b"Authorization: Bearer " + one.encode() +
                         b"\r\nContent-Length: 2\r\n\r\n{}")
            http.settimeout(DEADLINE_S)
            received = read_all(http)
            assert received.startswith(b"HTTP/1.1 503 ") and b"connections_per_client" in received
        running.wait_for_line(r"why=connections_per_client .* total=2 last=\"?token [0-9a-f]{8}")
        # Another token at the same address has a limit of its own.
        with running.connect() as fourth:
            assert fourth.call("rpc.auth", [other]) is True
            assert fourth.call("echo", [1]) == [1]
        assert shown[0].call("echo", [2]) == [2]


def test_connections_per_client_counts_certificates(server, own, ca, made):
    friends = made("friends")
    running = server(listen=own.listen(client_ca=friends) | {"connections_per_client": 1})
    one, other = made("one", friends), made("other", friends)
    with TlsClient(running.address, ca, one) as first:
        assert first.call("echo", [1]) == [1]
        with TlsClient(running.address, ca, other) as second:
            assert second.call("echo", [2]) == [2]
        with TlsClient(running.address, ca, one, source=OTHER) as third:
            assert third.read_to_end() == []
        running.wait_for_line(r"why=connections_per_client .*last=\"?certificate /CN=one")
        assert first.call("echo", [3]) == [3]


# name -> the bytes that a client sends in one piece behind the end of its handshake and a request.
ENDS = {
    "nothing": lambda half: b"",
    "close_notify": StepwiseTls.close_notify,
    "bad record": lambda half: b"\x17\x03\x03\x00\x20" + bytes(32),
    "no record": lambda half: b"junk" * 8,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_certificate_counts_however_soon_its_connection_ends(server, own, ca, made, end):
    """TLS 1.3: in older versions a client sends data only after the server's last message."""
    friends = made("friends")
    running = server(listen=own.listen(client_ca=friends) | {"connections_per_client": 1})
    friend = made("friend", friends)

    def send(connection):
        half = StepwiseTls(ca, own=friend)
        last = half.last_flight(connection)
        connection.sendall(last + half.records(request("echo", [1])) + ENDS[end](half))

    with TlsClient(running.address, ca, friend) as first:
        assert first.call("echo", [1]) == [1]
        with raw(running) as connection:
            send(connection)
            running.wait_for_line("why=connections_per_client .*last=\"?certificate /CN=friend")
