"""Floods: clients that send more messages, short or long, than the server serves at once."""

import contextlib
import json
import os
import signal
import socket
import threading

import pytest
from client import read_all, request

FLOOD = b"[1]\n" * 12_000  # one read takes all of it; to serve it takes several turns of the loop
LONG = request("no_such_method", ["x" * 10] * 50_000)


@contextlib.contextmanager
def flooding(running, connections: int, data: bytes):
    """Clients that send `data` again and again, and read, for as long as the server lets them."""
    clients = [running.connect() for _ in range(connections)]

    def send(client):
        with contextlib.suppress(OSError):
            while True:
                client.send(data)

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    threads += [threading.Thread(target=read_all, args=(client.socket,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for client in clients:
            with contextlib.suppress(OSError):
                client.socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()


def test_floods_of_cheap_messages_are_all_answered(server):
    count = 20_000
    running = server(limits={"in_flight_per_connection": 100_000, "requests_in_flight": 100_000})
    with running.connect() as first, running.connect() as second:
        for client in (first, second):
            client.send(b"[]\n" * count + request("echo", [1], "last"))
        for client in (first, second):
            answers = [json.loads(line) for line in client.read_many(count + 1)]
            assert [answer["id"] for answer in answers] == [None] * count + ["last"]


@pytest.mark.parametrize("data", [FLOOD, LONG], ids=["short", "long"])
def test_a_flood_does_not_hold_a_stop_until_the_grace_has_passed(server, data):
    running = server(shutdown={"grace_ms": 3_600_000})
    with flooding(running, 6, data):
        assert running.call("echo", [1]) == [1]
        assert running.stop() == 0
    assert not any("event=stopping_now" in line for line in running.lines)


def test_a_server_that_is_to_stop_now_serves_a_flood_no_further(server):
    running = server()
    clients = [running.connect() for _ in range(40)]
    for client in clients:
        client.send(FLOOD)
    clients[0].socket.recv(1, socket.MSG_PEEK)
    running.send(signal.SIGINT)
    counts = [read_all(client.socket).count(b"\n") for client in clients]
    assert running.wait() == 0
    assert any(0 < count < 12_000 for count in counts), counts


def test_messages_that_wait_for_a_turn_are_served_before_a_stop(server):
    """The server takes the time that it needs: only later messages have a time limit."""
    running = server()
    with running.connect() as client:
        os.kill(running.pid, signal.SIGSTOP)  # so that one read gets all
        client.send(FLOOD)
        os.kill(running.pid, signal.SIGCONT)
        client.socket.recv(1, socket.MSG_PEEK)
        running.send(signal.SIGTERM)
        assert len(client.read_many(12_000)) == 12_000
        assert client.read_to_end() == []
    assert running.wait() == 0


def test_a_connection_is_not_closed_for_another_while_its_messages_wait(server):
    """A connection whose messages were not read yet may be closed."""
    running = server(limits={"connections": 4})
    clients = [running.connect() for _ in range(4)]
    for client in clients:
        assert client.call("echo", [1]) == [1]
    os.kill(running.pid, signal.SIGSTOP)  # so that one read gets all
    for client in clients:
        client.send(FLOOD)
    os.kill(running.pid, signal.SIGCONT)
    clients[0].socket.recv(1, socket.MSG_PEEK)
    for number in range(2, 6):
        with running.connect(source=f"127.0.0.{number}") as other:
            other.send(request("echo", [1]))
            other.answer()
    for client in clients:
        with contextlib.suppress(OSError):
            client.end_sending()
    counts = [read_all(client.socket).count(b"\n") for client in clients]
    assert set(counts) <= {0, 12_000}, counts
    assert running.stop() == 0
