"""The output of handlers: lines of the log, each with its process and its request."""

import json
import re
import time

import pytest
from client import RpcError, request
from proc import peak_bytes
from server import MEASURED


def hexed(*parts: bytes) -> str:
    return "|".join(part.hex() for part in parts)


def test_a_printed_line_names_its_worker_request_and_method(server, probe):
    running = server(workers={"count": 1}, handlers={"prints": probe("prints")})
    pid = running.workers()[0]
    for number in (1, 2):
        assert running.call("prints") == "written"
        running.wait_for_line(
            rf'^level=info role=worker worker=0 gen=1 pid={pid} event=output request={number}'
            r' method=prints text="a line"$'
        )
    assert not [line for line in running.lines if line == "a line"]


def test_a_line_in_parts_is_one_and_a_line_without_end_ends_with_its_job(server, probe):
    running = server(workers={"count": 1}, handlers={"prints": probe("prints_hex")})
    assert running.call("prints", {"hex": hexed(b"first ", b"part", b"s\r\n\nno end")}) == "written"
    running.wait_for_line(r'request=1 method=prints text="first parts"$')
    running.wait_for_line(r'request=1 method=prints text="no end"$')
    assert len([line for line in running.lines if "event=output" in line]) == 2


@pytest.mark.parametrize("how", ["prints_stdio", "prints_stdio_and_stays"])
def test_stdio_is_not_kept_back(server, probe, how):
    running = server(may_crash=True, workers={"count": 1}, handlers={"prints": probe(how)})
    assert running.call("prints") == "printed"
    running.wait_for_line(r'request=1 method=prints text="by stdio"$')
    running.wait_for_line(r'request=1 method=prints text="without an end"$')


def test_bytes_are_escaped_and_forge_no_line(server, probe):
    running = server(workers={"count": 1}, handlers={"prints": probe("prints_hex")})
    forged = b'\x1b[2J"\xff\0 role=master\rlevel=error event=stopped\n'
    running.call("prints", {"hex": hexed(forged)})
    line = running.wait_for_line("event=output .*").group(0)
    assert line.endswith(
        r'text="\u001b[2J\"\u00ff\u0000 role=master\u000dlevel=error event=stopped"'
    )
    assert not [line for line in running.lines if line.startswith("level=error")]


def test_a_long_line_is_cut_and_says_so(server, probe):
    running = server(workers={"count": 1}, handlers={"prints": probe("prints_hex")})
    running.call("prints", {"hex": hexed(b"y" * 2000 + b"\n")})
    running.wait_for_line(r"text=y{900} cut_bytes=1100$")


def test_the_last_words_of_a_crash_are_logged_before_it(server, probe):
    running = server(may_crash=True, workers={"count": 1}, handlers={"prints": probe("prints_hex")},
                     methods={"prints": {"attempts": 1}})
    with pytest.raises(RpcError):
        running.call("prints", {"hex": hexed(b"assertion failed: ", b"x > 0"), "then": "abort"})
    running.wait_for_line("event=worker_died .*request=1 ")
    texts = [line for line in running.lines if re.search("event=(output|worker_died)", line)]
    assert texts[0].endswith('event=output request=1 method=prints text="assertion failed: x > 0"')
    assert "event=worker_died" in texts[1]


@pytest.mark.parametrize("how", ["prints_for_ever", "prints_one_line_for_ever"])
def test_output_without_end_costs_no_memory_and_nobody_else(server, probe, how):
    running = server(env=MEASURED, handlers={"echo": {}, "prints": probe(how)},
                     methods={"prints": {"timeout_ms": 1500, "attempts": 1}})
    assert running.call("echo", [0]) == [0]
    before = peak_bytes(running.pid)
    with running.connect() as client:
        client.send(request("prints", {}))
        end = time.monotonic() + 1.4
        while time.monotonic() < end:
            assert running.call("echo", [1]) == [1]
        assert client.answer()["error"]["code"] == -32012
    assert peak_bytes(running.pid) - before < 8 << 20
    running.wait_for_line("event=worker_died")
    printed = [line for line in running.lines if "event=output " in line]
    assert 1 <= len(printed) < 20_000
    assert not [line for line in running.lines if "event=log_lines_lost" in line]
    assert running.call("echo", [2]) == [2]


def test_what_a_library_prints_while_it_loads_is_of_the_fork_server(server, probe):
    running = server(handlers={"echo": {}, "prints": probe("prints_in_load")})
    running.wait_for_line(rf"^level=info role=fork-server gen=1 pid={running.fork_server()} "
                          "event=output text=loading$")
    running.wait_for_line('role=fork-server .* text="level=error role=master"$')


def test_printed_lines_can_be_json(server, probe):
    running = server(wait=False, arguments=["--log-format", "json"],
                     handlers={"prints": probe("prints")})
    ready = json.loads(running.wait_for_line('.*"event":"ready".*').group(0))
    running.processes()
    with running.connect(ready["address"]) as client:
        assert client.call("prints") == "written"
    line = json.loads(running.wait_for_line('.*"event":"output".*').group(0))
    assert line["role"] == "worker" and line["text"] == "a line" and line["request"] == 1


def test_a_server_stops_while_a_handler_waits_to_print(server, probe):
    running = server(shutdown={"grace_ms": 300}, workers={"count": 1},
                     handlers={"prints": probe("prints_for_ever")})
    with running.connect() as client:
        client.send(request("prints", {}))
        running.wait_for_line("event=output")
        assert running.stop() == 0
