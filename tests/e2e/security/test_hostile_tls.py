"""TLS clients that send invalid, slow or no TLS."""

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time

from certificates import ca, made, make_certificate, own  # noqa: F401 (fixtures)
from client import DEADLINE_S, read_all, request
from proc import is_sanitized, is_stopped, private_bytes, sockets, wait_until
from server import MEASURED
from tls import StepwiseTls, TlsClient, raw


def test_a_client_without_tls_gets_an_alert_and_is_logged(server, own, ca):
    running = server(listen=own.listen())
    for garbage in (request("echo", [1]), b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 500):
        with raw(running) as connection:
            connection.sendall(garbage)
            alert = read_all(connection)
            assert alert[:1] in (b"\x15", b""), alert
    running.wait_for_line(r"event=clients_refused why=tls count=\d+ total=3 last=.*127.0.0.1:\d+: ")
    with TlsClient(running.address, ca) as client:
        assert client.call("echo", [1]) == [1]


def test_a_damaged_record_closes_its_connection_only(server, own, ca):
    running = server(listen=own.listen())
    with TlsClient(running.address, ca) as good, raw(running) as connection:
        half = StepwiseTls(ca)
        half.shake_hands(connection)
        record = bytearray(half.records(request("echo", [1])))
        record[-1] ^= 1
        connection.sendall(record)
        connection.settimeout(DEADLINE_S)
        read_all(connection)
        running.wait_for_line("event=clients_refused why=tls .*bad record mac")
        assert good.call("echo", [1]) == [1]


def test_truncated_handshakes_and_records(server, own, ca):
    running = server(listen=own.listen())
    with raw(running) as connection:
        half = StepwiseTls(ca)
        connection.sendall(half.first_flight()[:100])
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    with raw(running) as connection:
        half = StepwiseTls(ca)
        half.shake_hands(connection)
        first, second = half.records(request("echo", [1])), half.records(request("echo", [2]))
        connection.sendall(first + second[:-1])
        connection.shutdown(socket.SHUT_WR)
        answer = half.read_to_end(connection)
        assert json.loads(answer)["result"] == [1]
    with TlsClient(running.address, ca) as client:
        assert client.call("echo", [1]) == [1]


def test_handshakes_do_not_keep_the_others_waiting(server, own, ca):
    running = server(listen=own.listen() | {"rpc": ["tls://127.0.0.1:0", "127.0.0.1:0"]})
    # With a sanitizer a handshake takes ten times as long: the last must not exceed its timeout.
    count = 100 if is_sanitized(running.pid) else 400
    flights = [StepwiseTls(ca).first_flight() for _ in range(count)]
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(running.connect(running.addresses[1]))
        assert client.call("echo", [1]) == [1]
        many = [stack.enter_context(raw(running)) for _ in flights]
        with TlsClient(running.address, ca) as last:  # the last of all handshakes
            assert last.call("echo", [1]) == [1]
        # The master finds all handshakes at once, and the request among them.
        os.kill(running.pid, signal.SIGSTOP)
        wait_until(lambda: is_stopped(running.pid), "the master to be frozen")
        for connection, flight in zip(many, flights):
            connection.sendall(flight)
        client.send(request("there.is.none"))
        with select.epoll() as answered:  # keeps the order of the answers
            for connection in (client.socket, *many):
                answered.register(connection, select.EPOLLIN)
            os.kill(running.pid, signal.SIGCONT)
            for connection in many:
                assert connection.recv(1, socket.MSG_PEEK), "a handshake was not answered"
            assert client.socket.recv(1, socket.MSG_PEEK)
            order = [fd for fd, _ in answered.poll()]
        assert client.answer()["error"]["code"] == -32601
        place = order.index(client.socket.fileno())
        assert place < len(many) // 2, "the request was answered after the handshakes"


def test_a_client_that_begins_handshakes_only_is_delayed_and_no_other_client(server, own, ca):
    running = server(listen=own.listen())
    hello = StepwiseTls(ca, group="secp384r1").first_flight()
    with contextlib.ExitStack() as stack:
        is_delayed = lambda: any("event=handshakes_delayed" in line for line in running.lines)
        begun = []
        while not is_delayed():
            burst = [stack.enter_context(raw(running)) for _ in range(50)]
            # The master finds all of them at once: more than it does in one turn of its loop.
            os.kill(running.pid, signal.SIGSTOP)
            wait_until(lambda: is_stopped(running.pid), "the master to be frozen")
            for connection in burst:
                connection.sendall(hello)
            os.kill(running.pid, signal.SIGCONT)
            for connection in burst:
                while not select.select([connection], [], [], 0.1)[0] and not is_delayed():
                    pass
            begun += burst
            assert len(begun) < 5_000
        running.wait_for_line(r"event=handshakes_delayed why=time_of_client .* last=127.0.0.1:\d+")
        with TlsClient(running.address, ca, source="127.0.0.2") as other:
            assert other.call("echo", [1]) == [1]
        with TlsClient(running.address, ca) as late:  # this client has to wait, and is served
            assert late.call("echo", [2]) == [2]


def test_a_client_that_gives_up_handshakes_keeps_nobody_at_its_address_out(server, ca, tmp_path):
    own = make_certificate(tmp_path, "slow", ca, kind=("rsa:3072",))  # some 2 ms a handshake
    running = server(listen=own.listen())
    hello = StepwiseTls(ca).first_flight()
    is_over, many, failures = threading.Event(), threading.Event(), []

    def begin_and_give_up():
        try:
            for number in range(100_000):
                with raw(running) as connection:
                    connection.sendall(hello)
                if number == 450:  # more than its quota by far
                    many.set()
                if is_over.wait(1 / 75):
                    return
        except BaseException as failure:  # the test's own thread reports it
            failures.append(failure)

    thread = threading.Thread(target=begin_and_give_up)
    thread.start()
    try:
        assert many.wait(DEADLINE_S)
        for number in range(10):
            with TlsClient(running.address, ca) as honest:
                assert honest.call("echo", [number]) == [number]
    finally:
        is_over.set()
        thread.join()
    assert not failures, failures


def test_a_client_that_never_reads_is_closed_and_costs_no_more_than_it_may(server, own, ca, probe):
    limits = {"send_timeout_ms": 500, "response_bytes": "1MiB", "request_bytes": "1MiB"}
    running = server(
        listen=own.listen(), limits=limits, env=MEASURED,
        handlers={"echo": {}, "give": probe("give_bytes")},
    )
    with TlsClient(running.address, ca) as good:
        assert good.call("echo", [1]) == [1]
        open_before, before, grown = sockets(running.pid), private_bytes(running.pid), 0
        with TlsClient(running.address, ca) as hog:
            wait_until(lambda: sockets(running.pid) == open_before + 1, "the hog to be let in")
            hog.send(b"".join(request("give", {"size": 1_000_000}, id) for id in range(20)))
            deadline = time.monotonic() + DEADLINE_S
            while sockets(running.pid) > open_before and time.monotonic() < deadline:
                assert good.call("echo", [1]) == [1]
                grown = max(grown, private_bytes(running.pid) - before)
            assert sockets(running.pid) == open_before
    # The limit allows for 20 MB of answers, a second copy of their text while it grows, and freed
    # memory, which is kept for a second (freed_memory.h).
    assert grown < 64 << 20
