"""Fetch steps: upstreams may answer with anything."""

import json
import socket
import time

import pytest
from barrier_upstream import BarrierUpstream
from client import RpcError, request
from scripted_upstream import ScriptedUpstream, answer

USER = {"user_id": 42}
FETCH = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}


@pytest.fixture
def fetching(server, probe):
    """fetching(url, upstream={}, method={}): a server whose method `features` is one fetch from
    `url`."""

    def start(url, upstream=None, method=None, methods=None, limits=None, **sections):
        return server(
            limits=limits or {},
            upstreams={"users": {"url": url, "timeout_ms": 20_000} | (upstream or {})},
            handlers={"echo": {}, "join": probe("join")},
            methods={"features": {"steps": [FETCH]} | (method or {})} | (methods or {}),
            **sections,
        )

    return start


def failure(running, params=USER, method="features") -> RpcError:
    return running.error_of(method, params)


def assert_upstream_failed(running, *reasons: str, params=USER):
    """Checks the error, with the upstream's name and a reason, and that no worker was involved."""
    workers = running.workers()
    failed = failure(running, params)
    assert failed.code == -32015 and failed.data["reason"] in reasons, failed
    assert "users" in failed.message
    assert failed.data["executed"] is False
    assert running.call("echo", [1]) == [1]
    assert running.workers() == workers
    assert not [line for line in running.lines if "worker_died" in line]


# The steps of a method, and what it returns: the params, or what was fetched for a user. `join`
# returns the params and what each step before it has made.
OTHER = {"fetch": "users", "body": {"user_id": "${params.other.id}"}}
ECHO, JOIN = {"run": "echo"}, {"run": "join"}
STEPS = [
    ([FETCH], 42), ([FETCH, JOIN], ["params", 42]), ([FETCH, OTHER, JOIN], ["params", 42, 43]),
    ([ECHO, FETCH], 42), ([ECHO, FETCH, JOIN], ["params", "params", 42]),
]  # fmt: skip


@pytest.mark.parametrize("padding", [0, 300_000], ids=["short", "long"])
@pytest.mark.parametrize("steps, made", STEPS)
def test_a_method_may_have_fetches_anywhere(fetching, feature_service, steps, made, padding):
    upstream = feature_service()
    running = fetching(upstream.url, methods={"m": {"steps": steps}})
    known = {id: {"user_id": id, "events": upstream.events(id)} for id in (42, 43)}
    known["params"] = {"padding": "x" * padding} | USER | {"other": {"id": 43}}
    expected = [known[one] for one in made] if isinstance(made, list) else known[made]
    assert running.call("m", known["params"]) == expected


def test_the_body_is_the_template_with_the_params_as_written(fetching):
    user = {"id": "${params.user_id}"}
    body = {"user": user, "all": ["${params.tags}", "fixed", 1], "deep": {"x": {}}}
    with BarrierUpstream(1) as upstream:
        running = fetching(
            upstream.url, methods={"m": {"steps": [{"fetch": "users", "body": body}]}}
        )
        with running.connect() as client:
            client.send(
                b'{"jsonrpc":"2.0","id":1,"method":"m","params":'
                b'{"tags":{"a":[1e400,"\\u00e9"]},"user_id":1.50}}\n'
            )
            assert "result" in client.answer()
        received = upstream.bodies[0]
    assert received == (
        b'{"user":{"id":1.50},"all":[{"a":[1e400,"\\u00e9"]},"fixed",1],"deep":{"x":{}}}'
    )


def test_without_a_body_it_is_a_get(fetching):
    with BarrierUpstream(1) as upstream:
        running = fetching(upstream.url, methods={"get": {"steps": [{"fetch": "users"}]}})
        assert running.call("get") == {"number": 1}
        assert upstream.bodies == [b""] and upstream.verbs == ["GET"]


@pytest.mark.parametrize("params", [None, {}, [], [42], {"user": 42}, {"a": {"user_id": 42}}])
def test_a_missing_parameter_is_named(fetching, params):
    with BarrierUpstream(1) as upstream:
        failed = failure(fetching(upstream.url), params)
        assert failed.code == -32602 and "user_id" in failed.message
        assert failed.data["executed"] is False and failed.data["retryable"] is False
        assert upstream.bodies == []


def test_a_host_that_does_not_exist(fetching):
    # Where no resolver answers, as on machines without a network, this is a timeout.
    running = fetching("http://features.invalid:80/", upstream={"timeout_ms": 3000})
    assert_upstream_failed(running, "resolve", "timeout")


@pytest.mark.parametrize("status, retryable", [
    (302, True), (400, False), (404, False), (408, True), (410, False), (425, True), (429, True),
    (499, False), (500, True), (503, True),
])  # fmt: skip
def test_a_status_says_whether_to_try_again(fetching, status, retryable):
    """After most statuses of 4xx the same request would fail again."""
    def refuse(connection, body):
        connection.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    with ScriptedUpstream(refuse) as upstream:
        failed = failure(fetching(upstream.url))
    assert failed.message == f"upstream users: expected a status from 200 to 299, found {status}"
    assert failed.data == {
        "reason": f"http_{status}", "retryable": retryable, "executed": False,
    }


@pytest.mark.parametrize("response", [
    b"204 No Content\r\nConnection: close\r\n\r\n",
    b"200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", b"200 OK\r\n\r\n",
    b"202 Accepted\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
])  # fmt: skip
def test_an_empty_body_is_null(fetching, response):
    def serve(connection, body):
        connection.sendall(b"HTTP/1.1 " + response)
        connection.shutdown(socket.SHUT_RDWR)

    with ScriptedUpstream(serve) as upstream:
        uses = {"fetch": "users", "as": "again", "body": {"a": "${users}", "b": "${users.x:7}"}}
        running = fetching(upstream.url, methods={"m": {"steps": [FETCH, uses, {"run": "join"}]}})
        assert running.call("features", USER) is None
        assert running.call("m", USER) == [USER, None, None]


@pytest.mark.parametrize(
    "fault, reason",
    [
        ("--fail-rate", "http_500"),
        ("--garbage-rate", "invalid_body"),
        ("--close-rate", "truncated"),
        ("--huge-rate", "too_large"),
    ],
)
def test_a_fault(fetching, feature_service, fault, reason):
    running = fetching(feature_service(fault, 1).url, upstream={"body_bytes": "1MiB"})
    for _ in range(3):
        assert_upstream_failed(running, reason)


@pytest.mark.parametrize("fault", ["--hang-rate", "--slow-drip-rate"])
@pytest.mark.parametrize("whose", ["upstream", "method"])
def test_an_upstream_that_takes_too_long(fetching, feature_service, fault, whose):
    upstream = feature_service(fault, 1, "--drip-ms", 100)
    assert_upstream_failed(fetching(upstream.url, **{whose: {"timeout_ms": 200}}), "timeout")


def test_an_upstream_that_takes_more_than_a_second_has_the_time(fetching):
    def serve(connection, body):
        time.sleep(1.2)
        connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream:
        assert fetching(upstream.url).call("features", USER) == USER


def test_an_upstream_that_takes_longer_than_the_client_waits(fetching, feature_service):
    """The client's deadline is the cause, not the upstream."""
    running = fetching(feature_service("--hang-rate", 1).url)
    failed = failure(running, USER | {"_meta": {"timeout_ms": 100}})
    assert failed.code == -32012 and failed.data["executed"] is False


def test_a_body_of_exactly_the_limit_is_served(fetching):
    body = json.dumps("x" * 4094).encode()
    with BarrierUpstream(1, answer=body) as upstream:
        assert fetching(upstream.url, upstream={"body_bytes": 4096}).call("features", USER)
    with BarrierUpstream(1, answer=body) as upstream:
        running = fetching(upstream.url, upstream={"body_bytes": 4095}, name="less")
        assert_upstream_failed(running, "too_large")


def test_large_bodies_are_whole(fetching, feature_service):
    upstream = feature_service("--events", 20_000)
    steps = [FETCH, {"run": "join"}]
    running = fetching(upstream.url, methods={"joined": {"steps": steps}})
    for user_id in (1, 42):
        joined = running.call("joined", {"user_id": user_id})
        assert joined[1]["events"] == upstream.events(user_id)


def test_a_thousand_requests_are_in_flight_together(fetching):
    """The upstream answers none of them before all have come."""
    with BarrierUpstream(1000) as upstream:
        running = fetching(upstream.url, upstream={"connections": 1000})
        with running.connect() as client:
            client.send(b"".join(request("features", {"user_id": id}, id) for id in range(1000)))
            answers = client.answers(1000)
    numbers = {answer["result"]["number"] for answer in answers.values()}
    assert numbers == set(range(1, 1001))


def test_it_stops_while_fetches_are_under_way(fetching, feature_service):
    upstream = feature_service("--hang-rate", 1)
    running = fetching(upstream.url, shutdown={"grace_ms": 200})
    with running.connect() as client:
        client.send(b"".join(request("features", USER, id) for id in range(20)))
        client.send(request("no_such_method", [], "all were admitted"))
        assert client.answer()["id"] == "all were admitted"
        running.process.send(15)
        for answer in client.answers(20).values():
            assert answer["error"]["code"] == -32013
            assert answer["error"]["data"]["executed"] is False
    assert running.wait() == 0


def test_an_upstream_that_comes_back_is_used_again(fetching, feature_service):
    upstream = feature_service()
    running = fetching(upstream.url)
    assert running.call("features", USER)["user_id"] == 42
    port = upstream.port
    upstream.process.stop()
    assert_upstream_failed(running, "connect", "truncated")
    again = feature_service(port=port, name="again")
    assert again.port == port
    assert running.call("features", USER)["user_id"] == 42
