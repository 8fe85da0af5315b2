"""A client that leaves: its requests are dropped before they cost CPU time."""

import os
import signal
import socket

import pytest
from client import DEADLINE_S, Client, RpcError, request
from proc import sockets, wait_until


@pytest.fixture
def crowded(server, probe, gate, feature_service):
    """A server whose only worker is held and that has room for three requests in all. Its method
    `fetch` needs no worker."""
    running = server(
        workers={"count": 1},
        limits={"requests_in_flight": 3},
        upstreams={"users": {"url": feature_service().url}},
        handlers={"echo": {}, "hold": probe("hold")},
        methods={"fetch": {"steps": [{"fetch": "users", "body": {"user_id": 1}}]}},
    )
    held = gate("held")
    client = running.connect()
    held.hold(client, "held")
    return running, client, held


def wait_until_admitted(client: Client):
    """Waits until all requests sent before are admitted."""
    client.send(request("no_such_method"))
    assert client.answer()["error"]["code"] == -32601


def is_full(running) -> bool:
    try:
        running.call("fetch")
        return False
    except RpcError as refused:
        assert refused.data["reason"] == "queue_full"
        return True


@pytest.mark.parametrize("as_batch", [False, True])
def test_what_waits_for_a_client_that_reset_never_runs(crowded, gate, as_batch):
    running, client, held = crowded
    dropped = gate("dropped")
    dropped.open()
    leaving = running.connect()
    requests = [dropped.request(id).strip() for id in range(2)]
    leaving.send(b"[" + b",".join(requests) + b"]\n" if as_batch else b"\n".join(requests) + b"\n")
    wait_until_admitted(leaving)
    assert is_full(running)
    leaving.reset()
    wait_until(lambda: not is_full(running), "them to be dropped")
    held.open()
    assert client.answer()["result"] == held.params()
    assert client.call("echo", ["after"]) == ["after"]
    assert not dropped.was_reached()


def test_notifications_of_a_client_that_reset_do_run(crowded, gate):
    running, client, held = crowded
    noted = gate("noted")
    noted.open()
    leaving = running.connect()
    leaving.send(noted.request(None) + request("echo", [1], "answered by nobody"))
    wait_until_admitted(leaving)
    assert is_full(running)
    leaving.reset()
    wait_until(lambda: not is_full(running), "the request to be dropped")
    held.open()
    noted.wait_for_runs(1)
    assert client.answer()["result"] == held.params()


def test_notifications_of_a_client_that_closed_do_run(crowded, gate):
    running, client, held = crowded
    noted = gate("noted")
    noted.open()
    with running.connect() as leaving:
        leaving.send(noted.request(None) + noted.request(None))
    held.open()
    noted.wait_for_runs(2)
    assert client.answer()["result"] == held.params()


def test_what_runs_for_a_client_that_reset_is_finished(holding, gate):
    """The worker of such a job is not replaced, and nobody gets the result."""
    running, held = holding(workers={"count": 1}), gate()
    leaving = running.connect()
    held.hold(leaving, "nobody's")
    leaving.reset()
    held.open()
    assert running.call("echo", [1]) == [1]
    assert held.runs() == [running.workers()[0]]
    assert not [line for line in running.lines if "worker_died" in line or "stray" in line]


def test_the_next_step_for_a_client_that_reset_does_not_begin(server, probe, gate):
    running = server(
        workers={"count": 1},
        handlers={"echo": {}, "first": probe("hold"), "second": probe("aborts")},
        methods={"both": {"steps": [{"run": "first"}, {"run": "second"}]}},
    )
    held, before = gate(), sockets(running.pid)
    leaving = running.connect()
    (worker,) = held.hold(leaving, "nobody's", method="both")
    leaving.reset()
    wait_until(lambda: sockets(running.pid) == before, "the master to see the reset")
    held.open()
    assert running.call("echo", [1]) == running.call("echo", [1]) == [1]
    assert running.workers() == {0: worker}, "the second step was run, and has ended its worker"


def test_a_job_that_nobody_waits_for_may_not_overrun_either(holding, gate):
    running, held = holding(workers={"count": 1}, methods={"hold": {"timeout_ms": 500}}), gate()
    leaving = running.connect()
    held.hold(leaving, "nobody's")
    leaving.reset()
    running.wait_for_line(r"event=timeout worker=0 .* method=hold")
    assert running.call("echo", [1]) == [1]


def test_a_worker_that_dies_with_a_job_that_nobody_waits_for(holding, gate):
    """The job is not tried again."""
    running, held = holding(workers={"count": 1}, methods={"hold": {"attempts": 5}}), gate()
    leaving = running.connect()
    worker = held.hold(leaving, "nobody's")[0]
    before = sockets(running.pid)
    leaving.reset()
    wait_until(lambda: sockets(running.pid) < before, "the reset to be seen")
    os.kill(worker, signal.SIGKILL)
    assert running.call("echo", [1]) == [1]
    assert held.runs() == [worker]


def test_fetches_for_a_client_that_reset_are_cancelled(server):
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        url = "http://127.0.0.1:%d/" % upstream.getsockname()[1]
        running = server(
            upstreams={"users": {"url": url, "timeout_ms": 60_000}},
            methods={"fetch": {"steps": [{"fetch": "users"}]}},
        )
        leaving = running.connect()
        leaving.send(request("fetch"))
        upstream.settimeout(DEADLINE_S)
        connection, _ = upstream.accept()
        with connection:
            connection.settimeout(DEADLINE_S)
            assert connection.recv(4096).startswith(b"GET ")
            leaving.reset()
            assert connection.recv(4096) == b""
        assert running.call("echo", [1]) == [1]
