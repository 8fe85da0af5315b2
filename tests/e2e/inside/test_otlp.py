"""Traces for a collector: their content, the requests that have one, and collectors that do not
take them."""

import socket

import pytest
from client import request
from collector import CLIENT, ERROR, INTERNAL, SERVER, Collector, attributes
from metrics import by
from proc import wait_until
from status_port import ON, status_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MS = 1_000_000


def traceparent(flags: str) -> dict:
    return {"_meta": {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}}


@pytest.fixture
def collector():
    with Collector() as started:
        yield started


def test_a_request_is_a_span_with_a_child_for_each_stage(server, collector, feature_service):
    features = feature_service()
    running = server(
        telemetry={"otlp": collector.url, "one_of": 0, "service": "score \"1\""},
        upstreams={"users": {"url": features.url}},
        methods={"both": {"steps": [{"fetch": "users", "body": {"user_id": "${params.user_id}"}},
                                    {"run": "echo"}]}},
    )  # fmt: skip
    running.call("both", {"user_id": 1, **traceparent("01")})
    spans = collector.wait_for_spans(4)
    whole, = (span for span in spans if span["kind"] == SERVER)
    assert (whole["name"], whole["traceId"], whole["parentSpanId"]) == ("both", TRACE, PARENT)
    assert "status" not in whole
    its = attributes(whole["attributes"])
    assert its["rpc.method"] == "both" and its["ringmaster.request"] == 1
    children = {span["name"]: span for span in spans if span is not whole}
    assert {name: span["kind"] for name, span in children.items()} == {
        "fetch users": CLIENT, "queue": INTERNAL, "run": INTERNAL}
    for span in children.values():
        assert span["traceId"] == TRACE and span["parentSpanId"] == whole["spanId"]
        assert int(span["startTimeUnixNano"]) >= int(whole["startTimeUnixNano"])
        assert int(span["endTimeUnixNano"]) <= int(whole["endTimeUnixNano"])
    assert attributes(children["run"]["attributes"])["ringmaster.worker"] in (0, 1)
    assert len({span["spanId"] for span in spans}) == 4


def test_the_span_of_a_fetch_is_the_parent_that_its_upstream_was_told(server, collector):
    with Collector() as upstream:
        running = server(
            telemetry={"otlp": collector.url},
            upstreams={"users": {"url": upstream.url}},
            methods={"ask": {"steps": [{"fetch": "users", "body": {"a": "${params.a}"}}]}},
        )
        running.call("ask", {"a": 1, **traceparent("01")})
        told = upstream.wait_for(1)[0].headers["traceparent"]
    fetch, = (span for span in collector.wait_for_spans(2) if span["kind"] == CLIENT)
    assert told == f"00-{TRACE}-{fetch['spanId']}-01"


def test_failed_and_slow_requests_are_always_sent_and_the_others_as_the_client_says(
    server, collector
):
    running = server(
        telemetry={"otlp": collector.url + "/", "one_of": 0, "slow_ms": 200},
        handlers={"burn": {}},
    )
    with running.connect() as client:
        client.call("burn", {"cpu_ms": 0})
        client.call("burn", {"cpu_ms": 0, **traceparent("00")})
        client.call("burn", {"cpu_ms": 210})
        client.send(request("burn", {"cpu_ms": "x"}))
        assert client.answer()["error"]["code"] == -32602
        client.send(request("nothing"))
        assert client.answer()["error"]["code"] == -32601
        client.call("burn", {"cpu_ms": 0, **traceparent("01")})
    whole = [span for span in collector.wait_for_spans(1 + 2 * 3 + 3) if span["kind"] == SERVER]
    took = [int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) for span in whole]
    assert [span["name"] for span in whole] == ["burn", "burn", "(no such method)", "burn"]
    assert took[0] >= 200 * MS
    codes = [attributes(span["attributes"]).get("rpc.jsonrpc.error_code") for span in whole]
    assert codes == [None, -32602, -32601, None]
    assert [span.get("status", {}).get("code") for span in whole] == [None, ERROR, ERROR, None]
    assert whole[3]["traceId"] == TRACE
    assert len({span["traceId"] for span in whole}) == 4


def test_one_in_n_of_the_other_requests_is_sent(server, collector):
    running = server(telemetry={"otlp": collector.url, "one_of": 10})
    with running.connect() as client:
        client.send(b"".join(request("echo", [1], i) for i in range(2000)))
        client.answers(2000)
        client.call("echo", traceparent("01"))  # the last one
    wait_until(lambda: any(span["traceId"] == TRACE for span in collector.spans()), "the last span")
    whole = [span for span in collector.spans() if span["kind"] == SERVER]
    assert 100 < len(whole) < 320  # 200 are expected, with a deviation of 13
    assert max(len(one.body) for one in collector.received) < 1 << 20


def test_a_batch_is_tried_again_where_the_collector_is_busy_only(server):
    with Collector((503, "{}"), (200, "{}"), (400, "{}")) as collector:
        running = server(listen=ON, telemetry={"otlp": collector.url, "one_of": 1})
        running.call("echo", [1])
        first, again = collector.wait_for(2)[:2]
        assert first.body == again.body
        sent = lambda: by(status_of(running), "trace_spans_total", "result")
        wait_until(lambda: sent() == {"sent": 3, "dropped": 0, "rejected": 0}, "three spans sent")
        running.call("echo", [2])
        wait_until(lambda: sent() == {"sent": 3, "dropped": 3, "rejected": 0}, "three dropped")
        running.wait_for_line(r'event=traces_dropped spans=3 why=".*found 400"')
        assert len(collector.received) == 3


def test_a_batch_whose_answer_is_too_long_is_not_sent_again(server):
    with Collector((200, "x" * (64 * 1024 + 1))) as collector:
        running = server(listen=ON, telemetry={"otlp": collector.url, "one_of": 1})
        running.call("echo", [1])
        running.wait_for_line(r'event=traces_dropped spans=3 why=".*a body of more than 65536')
        running.call("echo", [2])
        first, second = collector.wait_for_spans(6)[::3]
        assert first["traceId"] != second["traceId"]
        assert len(collector.received) == 2


def test_what_the_collector_rejects_is_counted(server):
    answer = '{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}'
    with Collector((200, answer)) as collector:
        running = server(listen=ON, telemetry={"otlp": collector.url, "one_of": 1})
        running.call("echo", [1])
        wait_until(lambda: by(status_of(running), "trace_spans_total", "result") ==
                   {"sent": 1, "dropped": 0, "rejected": 2}, "two spans rejected")  # fmt: skip


def test_without_a_collector_the_queue_is_bounded_and_no_request_waits(server):
    running = server(listen=ON, telemetry={"otlp": "http://127.0.0.1:1", "one_of": 1})
    with running.connect() as client:
        for _ in range(3):
            client.send(b"".join(request("echo", [1], i) for i in range(1000)))
            client.answers(1000)
    spans = by(status_of(running), "trace_spans_total", "result")
    assert spans["sent"] == 0 and 9000 - 4096 - 2 * 512 <= spans["dropped"] < 9000
    assert running.wait_for_line(r"event=collector_unavailable .*why=").group(0)


def test_a_reload_turns_it_on_and_off(server, collector):
    running = server()
    running.call("echo", [1])
    on = {"otlp": collector.url, "one_of": 1}
    assert running.reload(telemetry=on).startswith("event=reloaded")
    running.call("echo", [2])
    assert len(collector.wait_for_spans(3)) == 3
    assert running.reload().startswith("event=reloaded")
    running.call("echo", [3])
    assert running.reload(telemetry=on).startswith("event=reloaded")
    running.call("echo", [4])
    assert len([one for one in collector.wait_for_spans(6) if one["kind"] == SERVER]) == 2


def test_a_stop_sends_what_waits(server, collector):
    running = server(telemetry={"otlp": collector.url, "one_of": 1})
    running.call("echo", [1])
    assert running.stop() == 0
    assert len(collector.spans()) == 3


def test_a_stop_does_not_wait_for_a_collector_that_is_silent(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = server(telemetry={"otlp": url, "one_of": 1})
        running.call("echo", [1])
        assert running.stop() == 0
    running.wait_for_line('event=traces_dropped spans=3 why="the server ends"')
