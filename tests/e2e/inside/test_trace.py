"""`ringmaster trace`: a server's recent and kept requests, for Perfetto."""

import json
import subprocess

import pytest
from client import DEADLINE_S
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
