"""The server ends in order: every admitted request is answered, and no process is left."""

import os
import resource
import signal

import pytest
from client import request
from proc import is_sanitized


def assert_admitted(client, count: int):
    """The server reads requests in order: an answer to the last shows that all were read."""
    client.send(request("no_such_method", [], "last"))
    assert client.answer()["id"] == "last", count


def assert_shutting_down(answer: dict, executed):
    error = answer["error"]
    assert error["code"] == -32013
    assert error["data"] == {"reason": "shutting_down", "retryable": True, "executed": executed}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_an_idle_server_ends(holding, number):
    running = holding()
    idle = running.connect()
    assert idle.call("echo", [1]) == [1]
    assert running.stop(number) == 0
    assert idle.read_to_end() == []
    assert running.lines[-1].endswith("event=stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_everything_admitted_is_answered(holding, gate, number):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(b"".join(held.request(id, text=str(id)) for id in range(20)))
        assert_admitted(client, 20)
        held.wait_for_runs(2)
        running.send(number)
        running.wait_for_line("event=stopping in_flight=20")
        client.send(request("echo", [], "late"))
        late = client.answer()
        assert late["id"] == "late"
        assert_shutting_down(late, False)
        with pytest.raises(ConnectionRefusedError):
            running.connect()
        held.open()
        answers = client.answers(20)
        assert all(answers[id]["result"] == held.params(text=str(id)) for id in range(20))
        assert client.read_to_end() == []
    assert running.wait() == 0
    assert len(held.runs()) == 20


def test_under_load_everything_admitted_is_answered(holding):
    """Requests that come too late to be admitted get an error: each request is answered."""
    running = holding()
    clients = [running.connect() for _ in range(8)]
    for client in clients:
        client.send(b"".join(request("echo", [id], id) for id in range(500)))
    clients[0].read_many(100)
    running.send(signal.SIGTERM)
    for number, client in enumerate(clients):
        answers = client.answers(500 - (0 if number else 100))
        for id, answer in answers.items():
            if "error" in answer:
                assert_shutting_down(answer, False)
            else:
                assert answer["result"] == [id]
    assert running.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_that_were_read_and_wait_are_refused(holding, gate, number):
    running, held = holding(limits={"in_flight_per_connection": 1}), gate()
    with running.connect() as client:
        client.send(held.request("runs") + b"".join(request("echo", [], id) for id in range(9)))
        held.wait_for_runs(1)
        running.send(number)
        running.wait_for_line("event=stopping")
        held.open()
        answers = client.answers(10)
        assert client.read_to_end() == []
    assert "runs" in answers
    for id in range(9):
        assert_shutting_down(answers[id], False)
    assert running.wait() == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_stops_at_once(holding, gate, second):
    running, held = holding(workers={"count": 1}), gate()
    with running.connect() as client:
        client.send(held.request("runs"))
        held.wait_for_runs(1)
        client.send(held.request("waits"))
        assert_admitted(client, 2)
        running.send(signal.SIGTERM)
        running.wait_for_line("event=stopping in_flight=2")
        running.send(second)
        answers = {answer["id"]: answer for answer in (client.answer(), client.answer())}
        assert_shutting_down(answers["runs"], "unknown")
        assert_shutting_down(answers["waits"], False)
        assert client.read_to_end() == []
    assert running.wait() == 0
    assert len(held.runs()) == 1


def test_an_interrupt_stops_at_once(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(held.request(1))
        held.wait_for_runs(1)
        running.send(signal.SIGINT)
        assert_shutting_down(client.answer(), "unknown")
    assert running.wait() == 0


def test_a_deadline_that_comes_after_an_interrupt_changes_nothing(holding, gate):
    """The deadline comes after the answer: the worker ends late, for its fork server is stopped."""
    running, held = holding(methods={"hold": {"timeout_ms": 900}}), gate()
    with running.connect() as client:
        client.send(held.request(1))
        held.wait_for_runs(1)
        os.kill(running.fork_server(), signal.SIGSTOP)
        running.send(signal.SIGINT)
        assert_shutting_down(client.answer(), "unknown")
    assert running.wait() == 0


def test_grace_is_bounded(holding, gate):
    running, held = holding(shutdown={"grace_ms": 200}), gate()
    with running.connect() as client:
        client.send(held.request(1))
        held.wait_for_runs(1)
        running.send(signal.SIGTERM)
        assert_shutting_down(client.answer(), "unknown")
    assert running.wait() == 0


def test_an_interrupt_while_there_is_no_generation(holding, tmp_path):
    """The last answers are more than the socket takes at once, and are sent all the same."""
    running = holding(
        listen={"rpc": [f"unix:{tmp_path}/rpc.sock"]}, limits={"in_flight_per_connection": 10_000}
    )
    if is_sanitized(running.pid):
        pytest.skip("a sanitizer that checks an object's type opens a pipe")
    _, hard = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    with running.connect() as client:
        assert client.call("echo", [1]) == [1]
        # No generation can start: the master may open no descriptor beyond the first three.
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (3, hard))
        os.kill(running.fork_server(), signal.SIGKILL)
        running.wait_for_line("event=generation_not_started")
        client.send(b"".join(request("echo", [id], id) for id in range(3000)))
        assert_admitted(client, 3000)
        running.send(signal.SIGINT)
        for answer in client.answers(3000).values():
            assert_shutting_down(answer, False)
    assert running.wait() == 0


def test_a_client_that_does_not_read_does_not_keep_it_up(server):
    running = server(shutdown={"grace_ms": 200})
    with running.connect() as client:
        client.send_until_full(request("echo", ["x" * 1_000_000]))
        assert running.stop() == 0


def test_a_stop_while_it_loads_ends_it(server, probe, gate):
    held = gate()
    running = server(wait=False, handlers={"slow": probe("hold", gate=held.path)})
    held.wait_for_runs(1)
    running.send(signal.SIGTERM)
    running.wait_for_line("event=stopping")
    held.open()
    assert running.wait() == 0


def test_an_interrupt_while_it_loads_ends_it_at_once(server, probe, gate):
    held = gate()
    running = server(wait=False, handlers={"slow": probe("hold", gate=held.path)})
    held.wait_for_runs(1)
    running.send(signal.SIGTERM)
    running.wait_for_line("event=stopping")
    running.send(signal.SIGINT)
    assert running.wait() == 0  # although load() has not returned


def test_a_server_starts_again_on_its_port(holding):
    """It starts although connections that it has closed keep the port busy for a minute."""
    address = "127.0.0.1:0"
    for number in range(2):
        running = holding(name=f"server{number}", listen={"rpc": [address]})
        address = running.address
        assert running.connect().call("echo", [number]) == [number]
        assert running.stop() == 0
