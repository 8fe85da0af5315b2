"""The state of a former slot, worker, handle or configuration does not affect its successor."""

import os
import re
import signal
import socket
from http.client import HTTPConnection

import pytest
from client import DEADLINE_S, RpcError
from scripted_upstream import ScriptedUpstream, answer


def readyz(running) -> str:
    address = running.wait_for_line(r"event=listening what=status address=(\S+)").group(1)
    connection = HTTPConnection(address, timeout=DEADLINE_S)
    connection.request("GET", "/readyz")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_a_worker_killed_for_its_deadline_does_not_excuse_the_next_one(holding, gate,
                                                                       tmp_path):
    """The second worker in the slot dies by itself: its job is kept, and one attempt is used."""
    running = holding(workers={"count": 1}, crashes={"folder": tmp_path / "crashes"},
                      methods={"hold": {"timeout_ms": 500, "attempts": 1},
                               "patient": {"steps": [{"run": "hold"}], "attempts": 1}})
    before = len(running.lines)
    assert running.error_of("hold", gate("overruns").params()).code == -32012
    running.wait_for_worker(0, before)
    assert running.call("echo", [1]) == [1]
    held = gate("killed")
    with running.connect() as client:
        (worker,) = held.hold(client, "killed", method="patient")
        os.kill(worker, signal.SIGKILL)
        assert client.answer()["error"]["code"] == -32014
    died = rf"event=worker_died .*pid={worker} how=SIGKILL .*method=patient attempt=1"
    running.wait_for_line(died)
    running.wait_for_line(r"event=crash_recorded .*method=patient handler=hold attempts=1 ")


def test_a_crash_is_not_reported_of_the_next_worker_of_the_slot(server, probe, gate, build):
    if build.name != "release":
        pytest.skip("the sanitizer reports it")
    running = server(
        workers={"count": 1},
        handlers={"echo": {}, "crashes": probe("crashes"), "hold": probe("hold")},
        methods={name: {"attempts": 1} for name in ("crashes", "hold")},
    )
    assert running.error_of("crashes").code == -32014
    running.wait_for_line("event=backtrace")
    assert running.call("echo", [1]) == [1]
    held = gate()
    with running.connect() as client:
        (worker,) = held.hold(client, 1)
        os.kill(worker, signal.SIGSEGV)  # the same signal, sent from outside
        assert client.answer()["error"]["code"] == -32014
    line = running.wait_for_line(rf"event=backtrace .*pid={worker} .*").group(0)
    assert f'why="sent by process {os.getpid()}"' in line


def test_a_handle_for_fetches_remembers_nothing_of_the_last_one(server):
    """There is one connection, so one handle serves all fetches. A failure affects its own fetch
    only."""
    half = b'"%s"' % (b"x" * 700)
    answers = [
        half, half, half, half,  # each fits, the sum does not
        b'"%s"' % (b"x" * 2000), half, b"cut", half, b"404", half,
    ]

    def serve(connection, _):
        body = answers.pop(0)
        if body == b"404":
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif body == b"cut":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1")
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream:
        running = server(
            upstreams={"one": {"url": upstream.url, "connections": 1, "body_bytes": 1024,
                              "timeout_ms": 20_000}},
            methods={"fetch": {"steps": [{"fetch": "one"}]}},
        )
        wanted = ["x" * 700] * 4 + ["too_large", "x" * 700, "truncated", "x" * 700, "http_404",
                                    "x" * 700]
        with running.connect() as client:
            for outcome in wanted:
                try:
                    assert client.call("fetch") == outcome
                except RpcError as failed:
                    assert failed.data["reason"] == outcome, failed


def test_a_failed_reload_is_forgotten_with_the_next_good_one(server):
    running = server(listen={"status": "127.0.0.1:0"})
    listen = {"status": "127.0.0.1:0"}
    refused = running.reload(listen=listen, handlers={"echo": {"unknown": 1}})
    assert refused.startswith("event=reload_failed")
    assert re.match(r"serving: 2 of 2 workers are up; the last reload failed: ", readyz(running))
    assert running.reload(listen=listen).startswith("event=reloaded")
    assert readyz(running) == "serving: 2 of 2 workers are up\n"
