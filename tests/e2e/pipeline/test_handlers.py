"""Handlers that break the rules: the client gets an error, other clients are not affected."""

import pytest


@pytest.mark.parametrize("behave", ["exits", "aborts", "crashes", "writes_params"])
def test_a_handler_that_ends_its_worker(server, probe, behave):
    running = server(may_crash=True, handlers={"echo": {}, "bad": probe(behave)})
    failed = running.error_of("bad", {"a": 1})
    assert failed.code == -32014
    assert failed.data["reason"] == "worker_died" and failed.data["executed"] == "unknown"
    died = running.wait_for_lines("event=worker_died", 2)
    assert len(died) == 2 and all("method=bad" in line for line in died)
    assert running.call("echo", [1]) == [1]


def test_a_handler_whose_message_is_longer_than_a_response(server, probe):
    """Its message is cut; its worker lives."""
    running = server(limits={"response_bytes": 1024}, handlers={"bad": probe("says_much")})
    workers = running.workers()
    failed = running.error_of("bad", [1])
    assert failed.code == -32000 and 500 < len(failed.message) <= 1024
    assert running.workers() == workers


def test_a_step_that_fails_after_one_that_has_run(server):
    """The first step has run, so the error says that the job may have been executed."""
    running = server(
        upstreams={"nobody": {"url": "http://127.0.0.1:1/"}},
        handlers={"echo": {}},
        methods={"echo": {"steps": [{"run": "echo"}, {"fetch": "nobody"}]}},
    )
    failed = running.error_of("echo", [1])
    assert failed.code == -32015 and failed.data["executed"] == "unknown"


def test_a_handler_that_writes_to_its_input(server, probe):
    """It writes to the result of the step before it."""
    running = server(
        may_crash=True,
        handlers={"echo": {}, "bad": probe("writes_input")},
        methods={"bad": {"steps": [{"run": "echo"}, {"run": "bad"}]}},
    )
    assert running.error_of("bad", [1]).code == -32014
    assert running.call("echo", [1]) == [1]


@pytest.mark.parametrize(
    "behave, says",
    [
        ("invalid_json", "not JSON"),
        ("trailing_garbage", "not JSON"),
        ("empty", "not JSON"),
        ("silent", "no answer"),
        ("unreserved", "not reserved"),
        ("commits_too_much", "committed 3 bytes, having reserved 2"),
    ],
)
def test_a_handler_without_a_valid_answer(server, probe, behave, says):
    running = server(handlers={"echo": {}, "bad": probe(behave)})
    workers = running.workers()
    failed = running.error_of("bad", {})
    assert failed.code == -32603 and says in failed.message
    assert failed.data == {"reason": "invalid_result", "retryable": False, "executed": "unknown"}
    assert running.call("echo", [1]) == [1]
    assert running.workers() == workers


def test_of_several_answers_the_first_counts(server, probe):
    running = server(handlers={"echo": {}, "twice": probe("answers_twice")})
    workers = running.workers()
    with running.connect() as client:
        for _ in range(10):
            assert client.call("twice", {}) == "first"
            assert client.call("echo", [1]) == [1]
    assert running.workers() == workers


def test_an_exception_is_the_handlers_error(server, throws):
    running = server(handlers={"echo": {}, "throws": {"library": throws}})
    workers = running.workers()
    failed = running.error_of("throws")
    assert failed.code == -32000 and failed.message == "expected nobody to throw this"
    assert running.call("echo", [1]) == [1]
    assert running.workers() == workers


def test_a_handler_says_what_is_wrong(server, probe):
    running = server(handlers={"fails": probe("fails"), "refuses": probe("refuses_params")})
    failed = running.error_of("fails", {})
    assert failed.code == 7 and failed.message == "expected luck, found none"
    assert failed.data["reason"] == "handler_failed"
    refused = running.error_of("refuses", {})
    assert refused.code == -32602 and refused.message == "expected user_id"
    # It was called, so what it has done before it refused is its own affair.
    assert refused.data == {"reason": "invalid_params", "retryable": False, "executed": "unknown"}


def test_a_handlers_error_has_details(server, probe):
    big = {"params": "x" * 70_000}
    running = server(
        limits={"response_bytes": "64KiB"},
        handlers={"params": probe("fails_with_params"), "text": probe("fails_with_text")},
    )
    failed = running.error_of("params", {"a": ["\u0000", 1]})
    assert failed.code == 7 and failed.message == "see"
    assert failed.data["details"] == {"a": ["\u0000", 1]}
    assert running.error_of("params", big).code == -32008
    wrong = running.error_of("text", {})
    assert wrong.code == -32603 and "details are not JSON" in wrong.message


def test_a_result_of_several_lines_is_one_answer(server, probe):
    running = server(handlers={"pretty": probe("pretty"), "echo": {}})
    with running.connect() as client:
        assert client.call("pretty", {}) == {"a": 1, "b": "\n"}
        assert client.call("echo", [1]) == [1]


def test_each_step_gets_what_the_ones_before_it_made(server, probe):
    steps = [{"run": "join"}, {"run": "echo"}, {"run": "join"}]
    running = server(
        handlers={"echo": {}, "join": probe("join")}, methods={"chain": {"steps": steps}}
    )
    # join: [params, what each step before it made]; echo: params.
    assert running.call("chain", {"a": 1}) == [{"a": 1}, [{"a": 1}], {"a": 1}]
    with running.connect() as client:
        for size in (0, 10, 100_000):
            text = "x" * size
            assert client.call("chain", [text]) == [[text], [[text]], [text]]


def test_as_many_steps_as_may_be(server, probe):
    running = server(
        handlers={"join": probe("join")}, methods={"chain": {"steps": [{"run": "join"}] * 8}}
    )

    def joined(params, depth: int) -> list:
        made: list = []
        for _ in range(depth):
            made.append([params, *made])
        return made[-1]

    assert running.call("chain", [0]) == joined([0], 8)
