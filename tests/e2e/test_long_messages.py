"""Messages of 256 KiB and more, which are parsed beside the loop, and floods of cheap ones."""

import json
import signal
from pathlib import Path

import pytest
from answers import Error
from client import request

OBJECTS = [{"id": i, "name": f"item {i}", "tags": ["a", "b"]} for i in range(20_000)]  # 1 MB


def nice_values(pid: int) -> list[int]:
    """Of the process's threads."""
    stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [int(stat.rpartition(")")[2].split()[16]) for stat in stats]


def test_they_are_parsed_by_a_thread_of_lower_priority(server):
    running = server()
    usual = sorted(nice_values(running.pid))
    assert running.call("echo", [1]) == [1]
    assert sorted(nice_values(running.pid)) == usual
    assert running.call("echo", OBJECTS) == OBJECTS
    assert sorted(nice_values(running.pid)) != usual


def test_what_is_sent_behind_them_is_answered(server):
    running = server()
    with running.connect() as client:
        client.send(request("echo", OBJECTS, 1) + request("echo", [2], 2) +
                    request("echo", OBJECTS, 3) + request("echo", [4], 4))
        answers = {answer["id"]: answer["result"] for answer in (client.answer() for _ in range(4))}
    assert answers == {1: OBJECTS, 2: [2], 3: OBJECTS, 4: [4]}


def test_a_batch_is_answered_in_its_order(server):
    running = server()
    items = [json.loads(request("echo", ["x" * 15_000, i], i)) for i in range(100)]
    with running.connect() as client:
        client.send(json.dumps(items).encode() + b"\n")
        answers = json.loads(client.read())
    assert [answer["result"][1] for answer in answers] == list(range(100))


@pytest.mark.parametrize("framing", ["lines", "concatenated"])
def test_one_that_is_no_json_ends_what_a_short_one_ends(server, framing):
    running = server()
    bad = b'{"a": "' + b"x" * 300_000 + b'", b: 1}'
    with running.connect() as client:
        if framing == "concatenated":
            client.send(b"[]" + b"[]")
            assert [client.answer()["error"]["code"] for _ in range(2)] == [-32600, -32600]
        client.send(bad + b"\n" + request("echo", [1]))
        Error(-32700, reason="parse_error").check(client.read())
        if framing == "lines":
            assert client.answer()["result"] == [1]
        else:
            assert client.read_to_end() == []
    assert running.call("echo", [1]) == [1]


def test_a_client_that_leaves_meanwhile_harms_nothing(server):
    running = server()
    for _ in range(20):
        client = running.connect()
        client.send(request("echo", OBJECTS))
        client.reset()
    assert running.call("echo", OBJECTS) == OBJECTS


def test_one_that_is_parsed_does_not_keep_the_server_from_stopping(server):
    running = server()
    with running.connect() as client:
        client.send(request("echo", OBJECTS))
        running.send(signal.SIGTERM)
        answers = [json.loads(line) for line in client.read_to_end()]  # none: it was not all read
    for answer in answers:
        assert answer.get("result") == OBJECTS or answer["error"]["code"] == -32013
    assert running.wait() == 0


def test_floods_of_cheap_messages_are_all_answered(server):
    count = 20_000
    running = server(limits={"in_flight_per_connection": 100_000, "requests_in_flight": 100_000})
    with running.connect() as first, running.connect() as second:
        for client in (first, second):
            client.send(b"[]\n" * count + request("echo", [1], "last"))
        for client in (first, second):
            answers = [json.loads(line) for line in client.read_many(count + 1)]
            assert [answer["id"] for answer in answers] == [None] * count + ["last"]


@pytest.mark.parametrize("method", ["rpc.discover", "rpc.auth", "$/cancelRequest"])
def test_long_params_of_a_method_of_the_server_itself_are_refused(server, method):
    running = server()
    with running.connect() as client:
        client.send(request(method, {"id": "x" * 5000}))
        Error(-32602, b"1", reason="invalid_params").check(client.read())
        client.send(request("echo", [1]))
        assert client.answer()["result"] == [1]
