"""docs/examples: the clients that choose among servers, in Python and in JavaScript."""

import itertools
import json
import signal
import socketserver
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from proc import wait_until

CALLERS = 8
RETRIES = 5  # retries that a client has at its start; each call adds a tenth, up to this number
SUPPORT = Path(__file__).resolve().parents[1] / "support"
RECORD = """
    import os, time

    def run(number: int, file: str = {file!r}) -> int:
        fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, b"%d\\n" % number)
        os.close(fd)
        time.sleep(0.005)
        return number
"""
REFUSED = {"code": -32009, "message": "overloaded",
           "data": {"reason": "queue_full", "retryable": True, "executed": False}}


class Load:
    """The calls of a program, and their outcomes: {"number": N, "result": ...}, or an error."""

    def __init__(self, process):
        self.process = process

    @property
    def outcomes(self) -> list[dict]:
        return [json.loads(line) for line in self.process.output]

    def wait_for(self, count: int):
        wait_until(lambda: len(self.process.output) >= count, f"{count} outcomes")

    def end(self) -> list[dict]:
        """The outcomes, once all calls have theirs."""
        assert self.process.wait() == 0, self.process.lines
        assert not self.process.lines
        return self.outcomes


@pytest.fixture(params=["py", "mjs"])
def load(request, start):
    """load(callers, calls, method, addresses) -> Load, in either language."""
    program = {"py": [sys.executable], "mjs": ["node"]}[request.param]

    def begin(callers, calls, method, addresses):
        argv = [*program, SUPPORT / f"balanced_load.{request.param}", callers, calls, method]
        return Load(start([*argv, *addresses], name="load"))

    return begin


def test_requests_are_answered_once_while_one_server_dies_and_one_refuses(
        server, python, probe, gate, load, tmp_path):
    runs = tmp_path / "runs"
    handlers = {"record": python(RECORD.format(file=str(runs))), "hold": probe("hold")}
    good, dying, full = (server(name=name, handlers=handlers, limits=limits) for name, limits in
                         {"good": {}, "dying": {}, "full": {"requests_in_flight": 1}}.items())
    held = gate()
    with full.connect() as client:
        held.hold(client, "held")
        calls = load(CALLERS, 0, "record", [good.address, dying.address, full.address])
        full.wait_for_line("event=requests_rejected .*reason=queue_full")
        calls.wait_for(100)
        dying.send(signal.SIGKILL)
        dying.process.wait()
        calls.wait_for(len(calls.outcomes) + 200)
        calls.process.send(signal.SIGTERM)
        outcomes = calls.end()
        held.open()
        assert client.answer()["id"] == "held"
    assert sorted(one["number"] for one in outcomes) == list(range(1, len(outcomes) + 1))
    failed = [one for one in outcomes if "error" in one]
    assert {one["error"] for one in failed} <= {f"{dying.address}: the connection ended"}
    assert len(failed) <= CALLERS, failed
    answered = {one["number"] for one in outcomes if one.get("result") == one["number"]}
    assert len(answered) == len(outcomes) - len(failed)
    executed = Counter(int(line) for line in runs.read_text().split())
    assert set(executed.values()) == {1} and answered <= executed.keys()


class Scripted(socketserver.ThreadingTCPServer):
    """A server that answers each request with the members that respond(request) returns, if any:
    without, the connection ends."""

    daemon_threads = True

    def __init__(self, respond):
        scripted = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    request = json.loads(line)
                    scripted.arrivals.append(time.monotonic())
                    if (members := respond(request)) is None:
                        return
                    self.wfile.write(json.dumps({"id": request["id"]} | members).encode() + b"\n")

        self.arrivals: list[float] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return "127.0.0.1:%d" % self.server_address[1]


def quoting(ms: float) -> dict:
    """The members of a response with this quote."""
    return {"result": 0, "_meta": {"quote_ms": {"p50": ms, "p90": ms, "p99": ms}, "free": 1}}


@pytest.fixture
def scripted():
    """scripted(respond): a Scripted."""
    servers = []

    def make(respond):
        servers.append(Scripted(respond))
        return servers[-1]

    yield make
    for one in servers:
        one.shutdown()
        one.server_close()


def refused(**data) -> dict:
    return {"error": REFUSED | {"data": REFUSED["data"] | data}}


def test_a_server_that_refuses_is_asked_again_when_it_says_so(scripted, load):
    answers = iter([refused(retry_after_ms=300), {"result": 1}, {"result": 2}])
    busy = scripted(lambda request: next(answers))
    outcomes = load(1, 2, "record", [busy.address]).end()
    assert outcomes == [{"number": 1, "result": 1}, {"number": 2, "result": 2}]
    assert busy.arrivals[1] - busy.arrivals[0] >= 0.29  # timers are in whole milliseconds


@pytest.mark.parametrize("answer", [
    refused(executed="unknown"), refused(retryable=False), None
], ids=["it may have run", "it would fail again", "the connection ends"])  # fmt: skip
def test_what_may_have_run_or_would_fail_again_is_sent_once(scripted, load, answer):
    failing = scripted(lambda request: answer)
    (outcome,) = load(1, 1, "record", [failing.address]).end()
    assert "error" in outcome and len(failing.arrivals) == 1
    assert outcome["data"] == (answer and answer["error"]["data"])


@pytest.mark.parametrize("is_in_flight", [True, False], ids=["in flight", "waiting for a server"])
def test_close_fails_the_calls_that_wait_and_later_ones(scripted, load, is_in_flight):
    """Two calls begin before close(), one after it. A Scripted answers a connection's requests one
    after the other, so each call in flight has a server of its own."""
    over = threading.Event()

    def respond(request):
        if is_in_flight:
            over.wait()
        return refused(retry_after_ms=9000)

    servers = [scripted(respond) for _ in range(2 if is_in_flight else 1)]
    arrived = lambda: sum(len(one.arrivals) for one in servers)
    calls = load(2, 3, "record", [one.address for one in servers])
    wait_until(lambda: arrived() == 2, "the calls")
    calls.process.send(signal.SIGHUP)
    outcomes = calls.end()
    over.set()
    assert sorted(one["number"] for one in outcomes) == [1, 2, 3]
    assert {one.get("error") for one in outcomes} == {"the client was closed"}
    assert arrived() == 2


def test_retries_are_a_part_of_all_requests(scripted, load):
    calls = 40
    refusing = [scripted(lambda request: refused(retry_after_ms=0)) for _ in range(2)]
    outcomes = load(1, calls, "record", [one.address for one in refusing]).end()
    assert all(one["data"]["reason"] == "queue_full" for one in outcomes)
    arrived = sum(len(one.arrivals) for one in refusing)
    assert calls + RETRIES <= arrived <= calls + RETRIES + calls / 10


def test_the_better_quote_gets_the_requests(scripted, load):
    asked = []

    def server(ms):
        return scripted(lambda request: asked.append(request["params"]["_meta"]) or quoting(ms))

    slow, fast = server(1e9), server(1)
    outcomes = load(1, 30, "record", [slow.address, fast.address]).end()
    assert all(one["result"] == 0 for one in outcomes)
    assert (len(slow.arrivals), len(fast.arrivals)) == (1, 29)
    assert all(meta["quote"] is True and 0 < meta["timeout_ms"] <= 10_000 for meta in asked)


@pytest.mark.parametrize("before", [0, 5])
def test_a_silent_server_gets_no_more_requests(scripted, load, before):
    """It is silent from the start, or after answers that promise more than the other's."""
    callers, go_on, answers = 8, threading.Event(), itertools.count()

    def fall_silent(request):
        if next(answers) >= before:
            go_on.wait()
        return quoting(1)

    def serve(request):
        time.sleep(0.005)  # so that there are not too many outcomes
        return quoting(1.2)

    silent, serving = scripted(fall_silent), scripted(serve)
    calls = load(callers, 0, "record", [silent.address, serving.address])
    wait_until(lambda: len(silent.arrivals) > before, "a request without an answer")
    # Its quote is worth less than the other's by now.
    wait_until(lambda: time.monotonic() > silent.arrivals[before] + 3, "the quote to age")
    served = len(serving.arrivals)
    wait_until(lambda: len(serving.arrivals) >= served + 50, "the other server to serve")
    assert len(silent.arrivals) - before < callers
    go_on.set()
    calls.process.send(signal.SIGTERM)
    calls.end()
