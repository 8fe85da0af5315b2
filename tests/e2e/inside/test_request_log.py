"""The log's lines about requests: failed ones once a second, others as [log] access says."""

import os
import re
import signal
import time

import pytest
from client import request
from framings import Http
from proc import wait_until
from scripted_upstream import ScriptedUpstream


def fields_of(line: str) -> dict[str, str]:
    return dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line))


def lines_of(running, event: str) -> list[dict[str, str]]:
    return [fields_of(line) for line in running.lines if f" event={event} " in line]


def wait_for_count(running, event: str, count: int, **fields) -> list[dict[str, str]]:
    """The lines of this event with these fields, once their counts add up to `count`."""
    def found():
        return [line for line in lines_of(running, event) if fields.items() <= line.items()]
    is_there = lambda: sum(int(line["count"]) for line in found()) >= count
    wait_until(is_there, f"{count} requests in the lines of {event} with {fields}")
    return found()


def test_a_flood_of_bad_requests_is_one_line_a_second(server):
    running = server()
    began = time.monotonic()
    with running.connect() as client:
        for i in range(20):
            client.send(b"".join(request("nothing", {}, id=i) for i in range(50)))
            client.answers(50)
        client.call("echo", [1])
    lines = wait_for_count(running, "requests_rejected", 1000, reason="method_not_found")
    seconds = time.monotonic() - began
    assert len(lines) <= seconds + 1
    assert sum(int(line["count"]) for line in lines) == 1000
    assert lines[0]["method"] == '""'
    assert lines[0]["code"] == "-32601"
    assert lines[0]["count"] == "1"
    assert lines[0]["client"] == "127.0.0.1"
    assert all(line["client_count"] == line["count"] for line in lines)
    assert "level=warning" in next(line for line in running.lines if "requests_rejected" in line)


def test_the_first_failure_is_logged_at_once_with_its_request(server):
    running = server(workers={"count": 1}, handlers={"echo": {}, "burn": {}})
    with running.connect() as client:
        client.send(request("burn", {"cpu_ms": "much"}, id=1))
        assert client.answer()["error"]["code"] == -32602
    (line,) = wait_for_count(running, "requests_failed", 1, method="burn")
    assert line["reason"] == "invalid_params"
    assert line["code"] == "-32602"
    assert (line["count"], line["of"], line["request"]) == ("1", "1", "1")


def test_a_failed_fetch_names_its_upstream(server):
    def fail(connection, body):
        connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    with ScriptedUpstream(fail) as upstream:
        running = server(
            upstreams={"users": {"url": upstream.url}},
            handlers={"echo": {}},
            methods={"both": {"steps": [{"fetch": "users"}, {"run": "echo"}]}},
        )
        assert running.error_of("both", {}).code == -32015
    (line,) = wait_for_count(running, "requests_failed", 1, method="both")
    assert line["upstream"] == "users"
    assert line["code"] == "-32015"


def test_clients_own_deadlines_are_summed_up(server, probe, gate):
    running = server(workers={"count": 2}, handlers={"hold": probe("hold", batch=64)})
    held = gate("held")
    with running.connect() as client:
        for id in range(20):
            client.send(held.request(id, "hold", _meta={"timeout_ms": 300}))
        assert {a["error"]["code"] for a in client.answers(20).values()} == {-32012}
        lines = wait_for_count(running, "requests_failed", 20, method="hold", reason="deadline")
        assert sum(int(line["count"]) for line in lines) == 20
        assert not [line for line in running.lines if "event=timeout" in line]
        held.open()


def test_a_client_that_leaves_is_counted(server, probe, gate):
    running = server(workers={"count": 1}, handlers={"echo": {}, "hold": probe("hold")})
    held = gate("held")
    client = running.connect()
    held.hold(client, "held")
    client.reset()
    (line,) = wait_for_count(running, "requests_cancelled", 1, method="hold")
    assert (line["reason"], line["code"]) == ("client_gone", "0")
    held.open()
    assert running.call("echo", [1]) == [1]


@pytest.mark.parametrize("field", [b"Connection: keep-alive", b"Connection: close"])
def test_a_client_that_closes_its_http_connection_is_counted_as_gone(server, probe, gate, field):
    running = server(workers={"count": 1}, handlers={"hold": probe("hold")})
    held = gate("held")
    client = Http(running.address)
    client.send(Http.frame(held.request(1, "hold")[:-1], field))
    held.wait_for_runs(1)
    client.close()
    assert running.error_of("nothing", {}).code == -32601  # so the server has read the end
    held.open()
    (line,) = wait_for_count(running, "requests_cancelled", 1, method="hold")
    assert (line["reason"], line["code"]) == ("client_gone", "0")


def test_the_access_log_is_off_unless_asked_for(server):
    running = server()
    running.call("echo", [1])
    assert running.stop() == 0
    assert not lines_of(running, "request")


def test_the_access_log_has_the_stages_of_each_request(server, feature_service):
    features = feature_service()
    running = server(
        log={"access": "all"},
        upstreams={"users": {"url": features.url}},
        handlers={"echo": {}, "burn": {}},
        methods={"both": {"steps": [{"fetch": "users", "body": {"user_id": "${params.user_id}"}},
                                    {"run": "echo"}]}},
    )  # fmt: skip
    with running.connect() as client:
        client.call("both", {"user_id": 1})
        client.call("burn", {"cpu_ms": 30})
        client.send(request("nothing", {}, id=1))
        client.answer()
    wait_until(lambda: len(lines_of(running, "request")) == 3, "three lines")
    both, burn, unknown = lines_of(running, "request")
    assert (both["method"], both["code"], both["client"]) == ("both", "0", "127.0.0.1")
    assert 0 < float(both["fetch_ms"]) <= float(both["took_ms"])
    assert (burn["request"], burn["fetch_ms"]) == ("2", "0.00")
    assert 30 <= float(burn["run_ms"]) <= float(burn["took_ms"])
    assert (unknown["code"], unknown["reason"]) == ("-32601", "method_not_found")


def test_the_access_log_has_one_request_of_n(server):
    running = server(log={"access": 10})
    with running.connect() as client:
        for i in range(95):
            client.call("echo", [i])
    assert running.stop() == 0
    assert [line["request"] for line in lines_of(running, "request")] == [
        str(1 + 10 * i) for i in range(10)
    ]


def test_a_reload_changes_the_access_log(server):
    running = server(log={"access": "off"})
    running.call("echo", [1])
    running.reload(log={"access": "all"})
    running.call("echo", [2])
    wait_until(lambda: len(lines_of(running, "request")) == 1, "a line of the second request")


def test_a_slow_request_has_its_stages_and_the_stack_of_its_worker(server, probe, gate):
    """The worker's stack is taken while the job runs, and the job goes on."""
    # If a sanitizer handles SIGSEGV, stacks are not walked.
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"}
    running = server(
        env=env,
        workers={"count": 1},
        handlers={"echo": {}, "hold": probe("hold")},
        methods={"hold": {"slow_ms": 50}},
    )
    held = gate("held")
    with running.connect() as client:
        held.hold(client, "slow")
        (worker,) = set(held.runs())
        time.sleep(0.5)  # longer than slow_ms
        held.open()
        assert client.answer()["result"] == held.params()
    wait_until(lambda: lines_of(running, "slow_request"), "the slow request")
    (line,) = lines_of(running, "slow_request")
    assert (line["method"], line["request"], line["code"]) == ("hold", "1", "0")
    assert (line["worker"], line["count"]) == ("0", "1")
    assert 400 <= float(line["run_ms"]) <= float(line["took_ms"])
    assert re.search(r"hold\+0x\w+ \(probe\w*\.so\+0x\w+\) < ", line["stack"]), line["stack"]
    assert running.call("echo", [1]) == [1]
    assert running.workers()[0] == worker


def test_a_slow_request_in_python_has_its_lines(server, python):
    running = server(
        workers={"count": 1},
        handlers={"f": python("""
            import time

            def waits_for_nothing(until):
                while time.monotonic() < until:
                    time.sleep(0.01)

            def run(seconds: float):
                waits_for_nothing(time.monotonic() + seconds)
                return seconds
        """)},
        methods={"f": {"slow_ms": 100}},
    )
    assert running.call("f", [0.6]) == 0.6
    wait_until(lambda: lines_of(running, "slow_request"), "the slow request")
    (line,) = lines_of(running, "slow_request")
    assert re.search(r"line \d+ in waits_for_nothing < .* line \d+ in run", line["handler_stack"])


def test_fast_requests_and_methods_without_slow_ms_have_no_such_line(server):
    running = server(
        handlers={"echo": {}, "burn": {}}, methods={"echo": {"slow_ms": 10_000}}
    )
    running.call("echo", [1])
    running.call("burn", {"cpu_ms": 60})
    assert running.stop() == 0
    assert not lines_of(running, "slow_request")


def test_many_slow_requests_are_two_lines_a_second(server):
    running = server(workers={"count": 1}, handlers={"burn": {}}, methods={"burn": {"slow_ms": 1}})
    began = time.monotonic()
    with running.connect() as client:
        client.send(b"".join(request("burn", {"cpu_ms": 3}, id=i) for i in range(300)))
        client.answers(300)
    # The last ones are counted although no other one follows.
    wait_for_count(running, "slow_request", 300, method="burn")
    seconds = time.monotonic() - began
    lines = lines_of(running, "slow_request")
    assert 1 <= len(lines) <= 2 * (seconds + 1)
    assert all(float(line["took_ms"]) > 1 for line in lines)


def test_a_missed_deadline_names_the_stage_that_the_request_was_in(server, probe, gate):
    running = server(workers={"count": 1}, handlers={"hold": probe("hold")})
    held = gate("held")
    with running.connect() as client:
        held.hold(client, 1, _meta={"timeout_ms": 500})
        client.send(held.request(2, _meta={"timeout_ms": 100}))
        assert {a["error"]["code"] for a in client.answers(2).values()} == {-32012}
        wait_for_count(running, "requests_failed", 1, method="hold", stage="run")
        wait_for_count(running, "requests_failed", 1, method="hold", stage="queue")
        held.open()


def test_a_stopped_worker_has_a_line_without_a_stack(server, probe, gate):
    running = server(
        workers={"count": 1},
        handlers={"hold": probe("hold")},
        methods={"hold": {"slow_ms": 50, "timeout_ms": 1500}},
    )
    held = gate("held")
    with running.connect() as client:
        (worker,) = held.hold(client, "slow")
        os.kill(worker, signal.SIGSTOP)
        assert client.answer()["error"]["code"] == -32012
    wait_until(lambda: lines_of(running, "slow_request"), "the slow request")
    (line,) = lines_of(running, "slow_request")
    assert (line["code"], line["reason"]) == ("-32012", "deadline")
    assert "stack" not in line


def test_a_new_worker_with_a_slow_job_is_asked_once_it_is_watched(server):
    running = server(workers={"count": 1}, handlers={"burn": {}},
                     methods={"burn": {"slow_ms": 1, "attempts": 10, "timeout_ms": 20_000}})
    with running.connect() as client:
        for i in range(60):
            client.send(request("burn", {"cpu_ms": 20}, i))
        for _ in range(3):
            before = len(running.lines)
            os.kill(running.workers()[0], signal.SIGKILL)
            running.wait_for_worker(0, before)
        assert all("result" in answer for answer in client.answers(60).values())
    running.assert_one_generation()
