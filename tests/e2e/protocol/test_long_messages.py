"""Messages of 256 KiB and more, which are parsed beside the loop."""

import contextlib
import http.client
import json
import signal
import socket
import time
from pathlib import Path

import pytest
from answers import Error
from client import DEADLINE_S, read_all, request
from held_threads import held_threads, wait_until_read
from proc import is_sanitized, private_bytes, wait_until

OBJECTS = [{"id": i, "name": f"item {i}", "tags": ["a", "b"]} for i in range(20_000)]  # 1 MB


def nice_values(pid: int) -> list[int]:
    """The nice values of the process's threads."""
    stats = [task.joinpath("stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return [int(stat.rpartition(")")[2].split()[16]) for stat in stats]


@pytest.fixture(scope="module")
def running(module_server):
    return module_server()


def test_long_messages_are_parsed_by_a_thread_of_lower_priority(server):
    running = server()
    assert running.call("echo", OBJECTS) == OBJECTS
    *others, lowest = sorted(nice_values(running.pid))
    assert set(others) == {others[0]}
    assert lowest == max(10, others[0])


def test_requests_behind_a_long_message_are_answered(running):
    with running.connect() as client:
        client.send(request("echo", OBJECTS, 1) + request("echo", [2], 2) +
                    request("echo", OBJECTS, 3) + request("echo", [4], 4))
        answers = {answer["id"]: answer["result"] for answer in (client.answer() for _ in range(4))}
    assert answers == {1: OBJECTS, 2: [2], 3: OBJECTS, 4: [4]}


def test_a_batch_is_answered_in_its_order(running):
    items = [json.loads(request("echo", ["x" * 15_000, i], i)) for i in range(100)]
    with running.connect() as client:
        client.send(json.dumps(items).encode() + b"\n")
        answers = json.loads(client.read())
    assert [answer["result"][1] for answer in answers] == list(range(100))


def test_a_long_batch_does_not_count_as_unsent_answers(running):
    batch = [json.loads(request("echo", ["x" * 1_500_000], 1)),
             json.loads(request("rpc.discover", None, 2))]
    with running.connect() as client:
        client.send(json.dumps(batch).encode() + b"\n")
        answers = json.loads(client.read())
    assert "openrpc" in answers[1]["result"]


@pytest.mark.parametrize("framing", ["lines", "concatenated"])
def test_a_long_message_that_is_no_json_has_the_effect_of_a_short_one(running, framing):
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


def test_long_messages_over_http_are_answered(running):
    """The last message, too, is answered: the server closes the connection only behind it."""
    connection = http.client.HTTPConnection(running.address, timeout=DEADLINE_S)
    headers = {"Content-Type": "application/json"}
    for params, more in (([1], {}), (OBJECTS, {}), (OBJECTS, {}), ([2], {}),
                         (OBJECTS, {"Connection": "close"})):
        connection.request("POST", "/", request("echo", params), headers | more)
        assert json.loads(connection.getresponse().read())["result"] == params
    connection.close()


def test_clients_that_leave_meanwhile_harm_nothing(running):
    for _ in range(20):
        client = running.connect()
        client.send(request("echo", OBJECTS))
        client.reset()
    assert running.call("echo", OBJECTS) == OBJECTS


@pytest.fixture
def local(server, probe, tmp_path):
    """A server with a unix socket and the methods `echo` and `hold`."""
    return server(listen={"rpc": [f"unix:{tmp_path}/socket"]},
                  handlers={"echo": {}, "hold": probe("hold")})


@pytest.mark.needs("ptrace")
def test_others_are_served_while_a_long_message_is_parsed(local):
    with held_threads(local.pid):
        client = local.connect()
        client.send(request("echo", OBJECTS))
        wait_until_read(client)
        assert local.call("echo", [1]) == [1]
    assert client.answer()["result"] == OBJECTS


def stop_while_parsing(local, number: signal.Signals) -> list[list[bytes]]:
    """The answers to three clients: at the signal, one message is parsed, and two wait."""
    with held_threads(local.pid):
        clients = [local.connect() for _ in range(3)]
        for client in clients:
            client.send(request("echo", OBJECTS))
            wait_until_read(client)
        local.send(number)
        local.wait_for_line("event=stopping")
    answers = [client.read_to_end() for client in clients]
    assert local.wait() == 0
    return answers


def assert_refused(line: bytes):
    error = json.loads(line)["error"]
    assert error["code"] == -32013
    assert error["data"] == {"reason": "shutting_down", "retryable": True, "executed": False}


@pytest.mark.needs("ptrace")
def test_a_stop_waits_until_messages_being_parsed_are_refused(local):
    for answers in stop_while_parsing(local, signal.SIGTERM):
        [answer] = answers
        assert_refused(answer)


@pytest.mark.needs("ptrace")
def test_a_stop_at_once_waits_at_most_a_second_for_them(local):
    for answers in stop_while_parsing(local, signal.SIGINT):
        assert len(answers) <= 1  # the machine may take longer to parse it
        for answer in answers:
            assert_refused(answer)


@pytest.mark.needs("ptrace")
def test_a_stop_waits_until_messages_read_behind_them_are_refused(local):
    client, message = local.connect(), request("echo", OBJECTS)
    client.send(message[:-10])
    wait_until_read(client)
    with held_threads(local.pid):
        client.send(message[-10:] + request("echo", [2], 2))  # one read takes both
        wait_until_read(client)
        local.send(signal.SIGTERM)
        local.wait_for_line("event=stopping")
    assert {answer["error"]["code"] for answer in client.answers(2).values()} == {-32013}
    assert client.read_to_end() == []
    assert local.wait() == 0


@pytest.mark.needs("ptrace")
def test_a_server_that_is_told_twice_to_stop_now_refuses_nothing_more(local):
    with held_threads(local.pid):
        client = local.connect()
        client.send(request("echo", OBJECTS))
        wait_until_read(client)
        local.send(signal.SIGINT)
        local.wait_for_line("event=stopping_now")
        local.send(signal.SIGINT)
        assert client.read_to_end() == []
    assert local.wait() == 0


@pytest.mark.needs("ptrace")
def test_a_message_parsed_during_a_reload_is_served_by_the_new_deployment(
        local, probe, gate, feature_service, tmp_path):
    loading = gate()
    upstream = feature_service()
    fetch = {"fetch": "users", "body": {"user_id": "${params.id}"}}
    local.configure(listen={"rpc": [f"unix:{tmp_path}/socket"]},
                    handlers={"echo": {}, "slow": probe("hold", gate=loading.path)},
                    upstreams={"users": {"url": upstream.url}},
                    methods={"new": {"steps": [fetch]}})
    local.send(signal.SIGHUP)
    loading.wait_for_runs(1)  # the pool has read the configuration
    with held_threads(local.pid):
        client = local.connect()
        client.send(request("new", {"id": 42, "objects": OBJECTS}))
        wait_until_read(client)
        loading.open()
        local.wait_for_line("event=reloaded")
        local.wait_for_line("event=deployment_ended")
    assert client.answer()["result"] == {"user_id": 42, "events": upstream.events(42)}


def test_a_reload_between_two_parts_of_a_batch_loses_no_request(server):
    """The requests of a long batch begin in several turns of the loop. The new configuration wants
    other members of the params, so the rest of the batch is parsed again."""
    limits = {"batch_items": 50_000}
    running = server(limits=limits)
    count = 5_000 if is_sanitized(running.pid) else 50_000
    signal_after_s = 0.0  # after the batch; below 0: before it
    for attempt in range(40):
        method = f"new{attempt}"
        items = [request(method, [id], id).strip() for id in range(count)]
        fetch = {"fetch": "users", "body": {"user_id": f"${{params.{method}}}"}}
        running.configure(
            limits=limits, handlers={"echo": {}},
            upstreams={"users": {"url": "http://127.0.0.1:9"}},
            methods={method: {"steps": [{"run": "echo"}]}, "other": {"steps": [fetch]}})
        before = len(running.lines)
        batch = b"[" + b",".join(items) + b"]\n"
        with running.connect() as client:
            if signal_after_s < 0:
                running.send(signal.SIGHUP)
                time.sleep(-signal_after_s)
            begin_s = time.monotonic()
            client.send(batch)
            if signal_after_s >= 0:
                time.sleep(signal_after_s)
                running.send(signal.SIGHUP)
            answers = json.loads(client.read())
        running.wait_for_line("event=reloaded", before)
        assert [answer["id"] for answer in answers] == list(range(count))
        are_old = [answer.get("error", {}).get("code") == -32601 for answer in answers]
        assert are_old == sorted(are_old, reverse=True)
        if {*are_old} == {True, False}:
            return
        took_s = time.monotonic() - begin_s
        signal_after_s += -took_s / 7 if are_old[-1] else took_s / 11
    pytest.fail("no reload came between two parts of a batch")


@pytest.mark.needs("ptrace")
def test_no_message_of_a_client_that_has_reset_runs(local, gate):
    held = gate()
    held.open()
    with held_threads(local.pid):
        leaving = [local.connect() for _ in range(2)]  # one is parsed, one waits
        for client in leaving:
            client.send(request("no_such_method"))
            client.socket.recv(1, socket.MSG_PEEK)  # a close with unread bytes is a reset
            client.send(held.request(1, padding="x" * 300_000))
            wait_until_read(client)
        for client in leaving:
            client.close()
    assert local.call("echo", OBJECTS) == OBJECTS  # the same user's: parsed after theirs
    assert not held.was_reached()


@pytest.mark.needs("ptrace")
def test_long_messages_count_as_memory_of_their_connections(server, tmp_path):
    running = server(listen={"rpc": [f"unix:{tmp_path}/socket"]},
                     limits={"request_bytes": "2MiB", "response_bytes": "2MiB",
                             "connection_memory_bytes": "4MiB"})
    with held_threads(running.pid):
        parsed, *waiting, last = (running.connect() for _ in range(4))
        parsed.send(request("echo", ["x" * 2_000_000]))
        wait_until_read(parsed)
        for client, size in zip(waiting, (1_500_000, 1_000_000), strict=True):
            client.send(request("echo", ["x" * size]))
        assert parsed.read_to_end() == []  # of 4.5 MB in all, this one holds the most
        with contextlib.suppress(ConnectionError):
            last.send(request("echo", ["x" * 1_900_000]))
        assert read_all(last.socket) == b""  # now, of 4.4 MB, this one holds the most
    for client, size in zip(waiting, (1_500_000, 1_000_000), strict=True):
        assert client.answer()["result"] == ["x" * size]


@pytest.mark.parametrize("method", ["rpc.discover", "rpc.auth", "$/cancelRequest"])
def test_long_params_of_a_method_of_the_server_itself_are_refused(running, method):
    with running.connect() as client:
        client.send(request(method, {"id": "x" * 5000}))
        Error(-32602, b"1", reason="invalid_params").check(client.read())
        client.send(request("echo", [1]))
        assert client.answer()["result"] == [1]


def test_memory_of_long_messages_is_given_back_once_none_come(server):
    text = "x" * (8 << 20)
    running = server()
    if is_sanitized(running.pid):
        pytest.skip("the sanitizer's allocator decides what it gives back")
    with running.connect() as client:
        assert client.call("echo", [1]) == [1]
        before = private_bytes(running.pid)
        client.send(request("echo", [text], 1) + request("echo", [text], 2))
        assert all(answer["result"] == [text] for answer in client.answers(2).values())
        wait_until(lambda: private_bytes(running.pid) < before + (8 << 20), "the memory to be free")
