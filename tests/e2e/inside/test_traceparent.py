"""The traceparent of W3C Trace Context: upstreams get that of a child span, logs name the trace."""

import json
import os
import re
import signal
from http.client import HTTPConnection

import pytest
from client import DEADLINE_S, request
from collector import Collector

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def upstream():
    with Collector() as started:
        yield started


@pytest.fixture
def fetching(server, upstream):
    """A server whose method `ask` asks the upstream, twice."""
    ask = {"fetch": "users", "body": {"id": "${params.id}"}}
    return server(upstreams={"users": {"url": upstream.url}},
                  methods={"ask": {"steps": [ask, ask]}})


def sent_to(upstream, count: int) -> list[str]:
    return [one.headers.get("traceparent", "") for one in upstream.wait_for(count)]


@pytest.mark.parametrize("flags, sent_flags", [("00", "00"), ("01", "01"), ("03", "01")])
def test_each_fetch_is_a_span_of_its_own_in_the_same_trace(fetching, upstream, flags, sent_flags):
    given = f"00-{TRACE}-{PARENT}-{flags}"
    fetching.call("ask", {"id": 1, "_meta": {"traceparent": given}})
    found = [re.fullmatch(f"00-{TRACE}-([0-9a-f]{{16}})-{sent_flags}", text)
             for text in sent_to(upstream, 2)]
    spans = {match.group(1) for match in found}
    assert len(spans) == 2 and PARENT not in spans and "0" * 16 not in spans


def test_the_header_of_an_http_request_is_passed_on(fetching, upstream):
    connection = HTTPConnection(fetching.address, timeout=DEADLINE_S)
    connection.request("POST", "/", request("ask", {"id": 1})[:-1],
                       {"Content-Type": "application/json",
                        "traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert "result" in json.loads(connection.getresponse().read())
    connection.close()
    assert all(f"-{TRACE}-" in text for text in sent_to(upstream, 2))


def test_no_invalid_and_no_earlier_traceparent_is_sent(fetching, upstream):
    fetching.call("ask", {"id": 1, "_meta": {"traceparent": f"00-{TRACE}-{PARENT}-01"}})
    fetching.call("ask", {"id": 2})
    fetching.call("ask", {"id": 3, "_meta": {"traceparent": f"00-{TRACE}-{PARENT}-0\r\nx: y"}})
    assert sent_to(upstream, 6)[2:] == [""] * 4
    assert all("x" not in one.headers for one in upstream.received)


def test_the_log_names_the_trace_of_a_lost_job(server, probe, gate):
    running = server(handlers={"hold": probe("hold")}, methods={"hold": {"attempts": 1}})
    held = gate()
    with running.connect() as client:
        params = {"_meta": {"traceparent": f"00-{TRACE}-{PARENT}-01"}}
        os.kill(held.hold(client, 1, **params)[0], signal.SIGKILL)
        assert client.answer()["error"]["code"] == -32014
    line = running.wait_for_line(r"event=worker_died .*").group(0)
    assert re.search(rf" method=hold trace={TRACE} attempt=1$", line), line
