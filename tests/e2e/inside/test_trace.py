"""`ringmaster trace`: a server's recent and kept requests, for Perfetto."""

import json
import os
import signal
import socket
import subprocess

import pytest
from client import DEADLINE_S, request
from scripted_upstream import ScriptedUpstream, answer
from status_port import ON, status_of


@pytest.fixture
def trace(build):
    """trace(ARGUMENT, ...): runs `ringmaster trace` to its end."""
    def run(*arguments):
        return subprocess.run([build / "ringmaster", "trace", *map(str, arguments)],
                              capture_output=True, text=True, timeout=DEADLINE_S)

    return run


@pytest.fixture
def traced(server, feature_service):
    """A server that has answered three requests with a fetch and a run each."""
    features = feature_service()
    running = server(
        listen=ON,
        upstreams={"users": {"url": features.url}},
        methods={"both": {"steps": [{"fetch": "users", "body": {"user_id": "${params.user_id}"}},
                                    {"run": "echo"}]}},
    )  # fmt: skip
    with running.connect() as client:
        for user in (1, 2, 3):
            client.call("both", {"user_id": user})
    return running


def spans(events: list[dict], category: str) -> list[tuple[float, float, dict]]:
    """Begin, end and arguments of the bars of this category."""
    its = [event for event in events if event.get("cat") == category]
    # Microseconds with three decimals; the sum of two doubles may have more.
    whole = [(event["ts"], round(event["ts"] + event["dur"], 3), event["args"])
             for event in its if event["ph"] == "X"]
    ends = {event["id"]: event["ts"] for event in its if event["ph"] == "e"}
    return whole + [(event["ts"], ends[event["id"]], event["args"])
                    for event in its if event["ph"] == "b"]


def test_each_request_is_there_with_its_fetch_and_its_run(traced, trace):
    done = trace("--to", status_of(traced))
    assert done.returncode == 0 and done.stderr == ""
    events = json.loads(done.stdout)["traceEvents"]
    requests = {its["request"]: (begin, end) for begin, end, its in spans(events, "request")}
    assert len(requests) == 3
    for category in ("fetch", "run"):
        found = spans(events, category)
        assert {its["request"] for _, _, its in found} == set(requests)
        for begin, end, its in found:
            assert requests[its["request"]][0] <= begin <= end <= requests[its["request"]][1]
    rows = {(event["pid"], event["tid"]): event["args"]["name"]
            for event in events if event["name"] == "thread_name"}
    workers = {rows[event["pid"], event["tid"]] for event in events if event.get("cat") == "run"}
    assert workers <= {"worker 0", "worker 1"}


def ns(us: float) -> int:
    return round(us * 1000)


def check_slices(events: list[dict]) -> dict[tuple, list[tuple[int, int]]]:
    """Slices of a row must nest. Returns begin and end of each, by row."""
    rows: dict[tuple, list[tuple[int, int]]] = {}
    for event in events:
        if event["ph"] == "X":
            assert event["dur"] >= 0, event
            row = rows.setdefault((event["pid"], event["tid"]), [])
            row.append((ns(event["ts"]), ns(event["ts"]) + ns(event["dur"])))
    for row in rows.values():
        open_ends: list[int] = []
        for begin, end in sorted(row, key=lambda one: (one[0], -one[1])):
            while open_ends and open_ends[-1] <= begin:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1], (begin, end, row)
            open_ends.append(end)
    return rows


def check_format(trace: dict):
    """What Chrome's "Trace Event Format" asks of the kinds of events that the server writes."""
    assert trace["displayTimeUnit"] in ("ms", "ns")
    events = trace["traceEvents"]
    slices = check_slices(events)
    spans: dict[tuple, list[tuple[str, int]]] = {}
    flows: dict[tuple, list[tuple[str, int]]] = {}
    for event in events:
        kind, row = event["ph"], (event["pid"], event["tid"])
        assert {type(each) for each in (*row, event["name"])} == {int, str}, event
        if kind == "M":
            assert event["name"] in ("process_name", "thread_name"), event
            assert type(event["args"]["name"]) is str
            continue
        at = ns(event["ts"])
        assert at >= 0
        if kind in "be":
            key = event["cat"], event["id"], event["pid"], event["name"]
            spans.setdefault(key, []).append((kind, at))
        elif kind in "stf":
            flows.setdefault((event["cat"], event["id"], event["name"]), []).append((kind, at))
            assert any(begin <= at <= end for begin, end in slices[row]), event
        elif kind == "C":
            assert {type(each) for each in event["args"].values()} <= {int, float}, event
        elif kind == "i":
            assert event["s"] in ("g", "p", "t"), event
        else:
            assert kind == "X", event
    for key, its in spans.items():
        assert [kind for kind, _ in its] == ["b", "e"] and its[0][1] <= its[1][1], (key, its)
    for key, its in flows.items():
        kinds = "".join(kind for kind, _ in its)
        assert kinds[0] == "s" and kinds[-1] == "f" and set(kinds[1:-1]) <= {"t"}, (key, its)
        assert [at for _, at in its] == sorted(at for _, at in its), (key, its)
    assert slices and spans and flows


@pytest.mark.parametrize("which", [(), ("--kept",)])
def test_the_format_is_that_of_chrome(traced, trace, which):
    """Requests with fetches, with errors, and of a worker that is killed."""
    with traced.connect() as client:
        client.send(b"".join(request("both", {"user_id": user}, user) for user in range(40)))
        client.send(request("both", {}, 40))
        os.kill(traced.workers()[0], signal.SIGKILL)
        client.answers(41)
    check_format(json.loads(trace("--to", status_of(traced), *which).stdout))


def test_a_file_is_written_and_kept_requests_are_a_trace_of_their_own(traced, trace, tmp_path):
    target = tmp_path / "trace.json"
    done = trace("--to", status_of(traced), "--kept", "-o", target)
    assert done.returncode == 0
    assert done.stdout == f"{target}: open it at https://ui.perfetto.dev\n"
    assert len(spans(json.loads(target.read_text())["traceEvents"], "request")) >= 1


def test_the_configuration_says_where_the_server_is(server, trace, tmp_path):
    running = server(listen={"status": f"unix:{tmp_path}/status.sock"})
    assert running.call("echo", [1]) == [1]
    done = trace("-c", running.config)
    assert done.returncode == 0 and spans(json.loads(done.stdout)["traceEvents"], "run")


def test_a_page_that_the_status_port_has_no_time_for_is_asked_for_again(trace):
    asked = []

    def serve(connection, body):
        asked.append(body)
        busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 6\r\n\r\nbusy!\n"
        connection.sendall(busy if len(asked) < 3 else answer(b"{}\n"))
        connection.shutdown(socket.SHUT_WR)

    with ScriptedUpstream(serve) as port:
        done = trace("--to", f"127.0.0.1:{port.port}", "--kept")
    assert (done.returncode, done.stdout, len(asked)) == (0, "{}\n", 3), done.stderr


def test_errors_say_what_was_expected(server, trace, tmp_path):
    running = server()
    done = trace("--to", running.address)
    assert done.returncode == 71
    assert "expected the status port of a ringmaster with the page /trace.json" in done.stderr
    done = trace("-c", running.config)
    assert done.returncode == 71
    assert 'status = "" names no status port to ask' in done.stderr
    gone = f"unix:{tmp_path}/none.sock"
    done = trace("--to", gone)
    assert done.returncode == 71 and gone in done.stderr
    done = trace("--to", "nowhere")
    assert done.returncode == 64 and "trace: --to: expected" in done.stderr
    done = trace("-c", running.config, "--to", gone)
    assert done.returncode == 64 and "expected either -c or --to, found both" in done.stderr


def test_a_file_that_cannot_be_written_is_an_error(server, trace, tmp_path):
    running = server(listen=ON)
    done = trace("--to", status_of(running), "-o", tmp_path / "no" / "trace.json")
    assert done.returncode == 71 and "trace.json: No such file or directory" in done.stderr
    done = trace("--to", status_of(running), "-o", "/dev/full")
    assert done.returncode == 71 and "/dev/full: No space left on device" in done.stderr
