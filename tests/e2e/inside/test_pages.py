"""The pages of the status port: their counts, and the events of each request."""

import contextlib
import json
import re

from client import connect, request
from metrics import by
from proc import resident_bytes, stopped, wait_until
from status_port import ON, ask, status_of


def page(address: str, path: str):
    code, text = ask(address, path)
    assert code == 200
    return json.loads(text)


def error_of(client, method: str, params) -> int:
    client.send(request(method, params))
    return client.answer()["error"]["code"]


def counted(address: str, method: str, **expected) -> dict:
    """Waits until the method's counts are `expected`, and returns them."""
    def is_so():
        its = page(address, "/status.json")["methods"].get(method, {})
        return all(its.get(name) == count for name, count in expected.items())
    wait_until(is_so, f"{method} has {expected}")
    return page(address, "/status.json")["methods"][method]


def test_requests_are_counted_by_method_and_code(server, feature_service):
    features = feature_service()
    running = server(
        listen=ON,
        upstreams={"users": {"url": features.url}},
        handlers={"echo": {}},
        methods={
            "echo": {"steps": [{"run": "echo"}]},
            "both": {"steps": [{"fetch": "users", "body": {"user_id": "${params.user_id}"}},
                               {"run": "echo"}]},
        },
    )  # fmt: skip
    address = status_of(running)
    with running.connect() as client:
        for i in range(5):
            assert client.call("echo", [i]) == [i]
        client.call("both", {"user_id": 1})
        assert error_of(client, "both", {}) == -32602
        assert error_of(client, "nothing", {}) == -32601
    echo = counted(address, "echo", ok=5, admitted=5)
    assert sum(echo["total"]["counts"]) == sum(echo["run"]["counts"]) == 5
    both = counted(address, "both", ok=1, admitted=2)
    assert both["errors"] == [{"code": -32602, "reason": "missing_parameter", "count": 1}]
    assert sum(both["fetch"]["users"]["took"]["counts"]) == 1
    unknown = page(address, "/status.json")["methods"][""]
    assert unknown["errors"] == [{"code": -32601, "reason": "method_not_found", "count": 1}]


def test_a_request_can_be_followed_from_its_begin_to_its_end(server):
    running = server(listen=ON)
    address = status_of(running)
    with running.connect() as client:
        client.call("echo", ["x"])
        client.call("echo", ["y"])
    requests = page(address, "/requests.json")["requests"]
    assert [one["method"] for one in requests] == ["echo", "echo"]
    kinds = ["admitted", "published", "run_ended", "answered"]
    for one in requests:
        assert [event["kind"] for event in one["events"]] == kinds
        times = [event["at_us"] for event in one["events"]]
        assert times == sorted(times)
        assert one["events"][2]["where"].startswith("worker ")
    kept = page(address, "/kept.json")["requests"]
    assert kept[0]["events"] == requests[0]["events"]
    assert {one["id"] for one in (*requests, *kept)} == {"1"}
    later = page(address, "/requests.json")["next"]
    assert page(address, f"/requests.json?since={later}")["requests"] == []


def test_the_ids_of_clients_are_text_of_limited_length(server):
    running = server(listen=ON, workers={"count": 1})
    address = status_of(running)
    ids = [7, 'a"\\<b>\n\u20ac', "x" * 100, None]
    with running.connect() as client:
        for id in ids:
            client.send(request("echo", [1], id))
        client.answers(len(ids) - 1)
        counted(address, "echo", ok=len(ids))
    shown = [one.get("id") for one in page(address, "/requests.json")["requests"]]
    assert shown == ["7", json.dumps(ids[1]), '"' + "x" * 35 + "\u2026", None]
    trace = page(address, "/trace.json")["traceEvents"]
    in_trace = {event["args"].get("id") for event in trace if event.get("cat") == "run"}
    assert in_trace == set(shown)


def test_the_state_of_workers_and_connections(server):
    running = server(listen=ON)
    address = status_of(running)
    with running.connect() as client:
        client.call("echo", [1])
        state = page(address, "/status.json")
        assert state["ready"] is True
        assert [worker["state"] for worker in state["workers"]] == ["idle", "idle"]
        assert sum(worker["jobs"] for worker in state["workers"]) == 1
        assert state["connections"]["json"] == 1
        assert state["in_flight"] == 0
        assert [one["state"] for one in state["deployments"]] == ["serving"]
        assert state["descriptors"] < state["descriptors_limit"]


def test_a_worker_that_is_stopped_in_a_job_says_so_and_names_the_request(server, probe, gate):
    running = server(listen=ON, workers={"count": 1}, handlers={"hold": probe("hold")},
                     methods={"hold": {"timeout_ms": 60_000}})
    address, held = status_of(running), gate()
    with running.connect() as client:
        (pid,) = held.hold(client, 1)
        (request_of_it,) = page(address, "/requests.json")["requests"]
        (worker,) = page(address, "/status.json")["workers"]
        assert (worker["state"], worker["request"]) == ("busy", request_of_it["request"])
        with stopped(pid):
            wait_until(lambda: page(address, "/status.json")["workers"][0]["state"] == "stopped",
                       "the page to say it")
            wait_until(lambda: by(address, "workers", "state")["stopped"] == 1, "the metric")
            (problem,) = page(address, "/status.json")["problems"]
            assert re.fullmatch("worker 0 is stopped, .* has had hold for .*", problem["text"])
            wait_until(lambda: "bad: worker 0 is stopped, " in ask(address, "/")[1], "the text")
        held.open()
        assert client.answer()["result"] == held.params()


def test_the_requests_of_clients_are_counted(holding, gate):
    running, held = holding(listen=ON, limits={"requests_in_flight": 1}), gate()
    address = status_of(running)
    with running.connect() as client:
        assert client.call("echo", [1]) == [1]
        held.hold(client, 1)
        assert error_of(client, "echo", [2]) == -32009
        (its,) = page(address, "/status.json")["clients"]
        assert (its["name"], its["ok"], its["refused"]) == ("127.0.0.1", 1, 1)
        held.open()
        assert client.answer()["result"] == held.params()


def test_readers_who_ask_at_the_same_time_get_one_and_the_same_answer(server):
    running = server(listen=ON)
    address = status_of(running)
    for path in ("/requests.json", "/kept.json", "/status.json", "/requests.json?since=2"):
        wait_until(lambda: page(address, path)["now_ns"] == page(address, path)["now_ns"],
                   f"{path} to be the same twice")
    assert running.call("echo", [1]) == [1]
    answer = page(address, "/requests.json?since=1")
    assert len(answer["requests"]) == 1
    assert page(address, f"/requests.json?since={answer['next']}")["requests"] == []


def test_slow_readers_share_a_text(server, tmp_path):
    """The readers use a unix socket: its buffers in the kernel are too small to take the texts."""
    address = f"unix:{tmp_path}/status.sock"
    running = server(listen={"status": address})
    with running.connect() as client:
        client.send(b"".join(request("echo", [i], i) for i in range(2000)))
        client.answers(2000)
    with contextlib.ExitStack() as readers:
        def read_head() -> str:
            reader = readers.enter_context(connect(address))
            reader.sendall(b"GET /requests.json HTTP/1.1\r\nHost: h\r\n\r\n")
            return reader.recv(1024).decode()
        text_bytes = int(re.search(r"Content-Length: (\d+)", read_head()).group(1))
        assert text_bytes > 500_000
        before = resident_bytes(running.pid)
        for _ in range(60):
            assert read_head().startswith("HTTP/1.1 200 ")
        grown = resident_bytes(running.pid) - before
    assert grown < 60 * text_bytes / 3, (grown, text_bytes)


def test_the_document_lists_the_members_of_the_status(root, server):
    address = status_of(server(listen=ON))
    table = (root / "docs/inside.md").read_text().split("### The members of /status.json")[1]
    names = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert set(page(address, "/status.json")) == set(re.findall(r"\w+", " ".join(names)))


def test_hostile_names_are_text(server):
    """The name of a method is shown as it is. All unknown methods share one empty name."""
    name = '<script>"\\\n\u20ac'
    running = server(listen=ON, methods={name: {"steps": [{"run": "echo"}]}})
    address = status_of(running)
    with running.connect() as client:
        assert client.call(name, [1]) == [1]
        assert error_of(client, '<script>"\0', {}) == -32601
        client.send(b'{"jsonrpc":"2.0","method":"\xff","id":1}\n')
        assert client.answer()["error"]["code"] == -32700
    counted(address, name, ok=1)
    unknown = page(address, "/status.json")["methods"][""]["errors"]
    assert {(error["code"], error["count"]) for error in unknown} == {(-32601, 1), (-32700, 1)}
    assert name in [one["method"] for one in page(address, "/requests.json")["requests"]]
    lines = ask(address, "/metrics")[1].splitlines()
    escaped = name.replace("\\", r"\\").replace("\n", r"\n").replace('"', r'\"')
    assert f'ringmaster_requests_total{{method="{escaped}",code="0"}} 1' in lines
    assert f'ringmaster_request_duration_seconds_bucket{{method="{escaped}",le="+Inf"}} 1' in lines
