"""Upstreams that speak HTTP/2: nginx, in front of a Collector. A connection serves many fetches at
once."""

import time
from collections import Counter
from contextlib import ExitStack

import pytest
from certificates import make_certificate
from client import request
from collector import Collector
from nginx import Nginx
from proc import cpu_ns
from relay import Relay

pytestmark = pytest.mark.needs("nginx")

FETCH = {"fetch": "a", "body": {"n": "${params.n}"}}


def fetch(number: int) -> bytes:
    return request("m", {"n": number}, number)


def fetched(number: int) -> bytes:
    return b'{"n":%d}' % number


@pytest.fixture
def asking(server, tmp_path):
    """asking(tls=..., lines=..., **upstream) -> a server whose method `m` is a fetch from nginx,
    nginx, and the Collector behind that. `host`: nginx's, in the URL. With relayed=True, a Relay
    stands before nginx, and takes its place among the three. The files ours.pem and ours.key are a
    client's."""
    with ExitStack() as at_end:

        def start(http2=True, tls=True, lines="", step=FETCH, relayed=False, host="127.0.0.1",
                  **upstream):
            behind = at_end.enter_context(Collector(unix=tmp_path / "behind", echoes=True))
            tls_lines = ""
            if tls:
                ca = make_certificate(tmp_path, "ca")
                its, ours = (make_certificate(tmp_path, name, ca) for name in ("its", "ours"))
                ours.key.chmod(0o600)
                tls_lines = f"ssl_certificate {its.file}; ssl_certificate_key {its.key};"
                upstream["tls_ca_file"] = ca.file
            nginx = at_end.enter_context(Nginx(tmp_path, behind, http2, tls_lines, lines))
            front = at_end.enter_context(Relay(nginx.port)) if relayed else nginx
            url = f"{'https' if tls else 'http'}://{host}:{front.port}"
            keys = {"url": url, "timeout_ms": 20_000} | upstream
            running = server(upstreams={"a": keys}, methods={
                "m": {"steps": [step]}, "short": {"steps": [step | {"timeout_ms": 100}]}})
            return running, front, behind

        yield start


def results(answers: dict, numbers: range) -> list:
    """The results of the requests with these numbers, or the errors in their place."""
    return [answers[number].get("result", answers[number]) for number in numbers]


def shares(behind: Collector, count: int) -> list[int]:
    """How many of the last `count` requests came by each connection, in ascending order."""
    numbers = [one.headers["x-connection"] for one in behind.received[-count:]]
    return sorted(Counter(numbers).values())


def protocols(behind: Collector) -> set[str]:
    return {one.headers["x-protocol"] for one in behind.received}


@pytest.mark.parametrize("http2, tls, http, spoken", [
    (True, True, "auto", "HTTP/2.0"), (True, True, "2", "HTTP/2.0"),
    (True, True, "1.1", "HTTP/1.1"), (False, True, "auto", "HTTP/1.1"),
    (False, True, "2", "HTTP/1.1"), (False, False, "auto", "HTTP/1.1"),
])  # fmt: skip
def test_the_version_that_is_spoken(asking, http2, tls, http, spoken):
    running, nginx, behind = asking(http2, tls, http=http)
    with running.connect() as client:
        for number in range(20):
            assert client.call("m", {"n": number}) == {"n": number}
    assert protocols(behind) == {spoken}
    assert len(set(nginx.connections())) == 1  # frames between two fetches do not end it


@pytest.mark.parametrize("http", ["auto", "2"])
def test_fetches_at_once_share_two_connections(asking, http):
    """The upstream answers no fetch before all have come."""
    running, _, behind = asking(http=http, connections=2, timeout_ms=60_000)
    with running.connect() as client:
        if http == "auto":
            assert client.call("m", {"n": 0}) == {"n": 0}  # tells the version
        behind.hold(150)
        client.send(b"".join(fetch(number) for number in range(150)))
        answers = client.answers(150)
    assert results(answers, range(150)) == [{"n": number} for number in range(150)]
    assert shares(behind, 150) == [75, 75]


def test_a_fetch_on_a_connection_in_use_does_not_forget_the_name(asking):
    """Such a fetch makes no lookup. After it, fetches begin at once as before: the upstream answers
    no fetch of a round before all have come."""
    running, _, behind = asking(http="2", connections=1, host="localhost")
    with running.connect() as client:
        for begin in range(0, 40, 10):
            numbers = range(begin, begin + 10)
            behind.hold(10)
            client.send(b"".join(map(fetch, numbers)))
            assert results(client.answers(10), numbers) == [{"n": number} for number in numbers]


def test_fetches_wait_for_the_handshake_of_their_connection(asking):
    """The handshake of the second connection ends after all fetches of the first have come."""
    running, relay, behind = asking(relayed=True, connections=2)
    with running.connect() as client:
        assert client.call("m", {"n": 0}) == {"n": 0}
        behind.hold(40)
        relay.hold()
        client.send(b"".join(fetch(number) for number in range(40)))
        behind.wait_for(1 + 20)
        relay.release()
        answers = client.answers(40)
    assert results(answers, range(40)) == [{"n": number} for number in range(40)]
    assert shares(behind, 40) == [20, 20]


def test_a_fetch_beyond_the_streams_of_all_connections_waits(asking):
    running, _, behind = asking(http="2", connections=1)
    with running.connect() as client:
        behind.hold(1000)
        client.send(b"".join(fetch(number) for number in range(100)))
        behind.wait_for(100)
        failed = running.error_of("short", {"n": 0})
        assert failed.message == "upstream a: all of its 1 connections were in use, for 100 ms"
        behind.open()
        answers = client.answers(100)
        assert all(answers[number]["result"] == {"n": number} for number in range(100))


def test_fetches_beyond_the_streams_that_the_server_allows_wait_in_vain(asking):
    running, _, behind = asking(http="2", lines="http2_max_concurrent_streams 4;", connections=2,
                                timeout_ms=500)
    with running.connect() as client:
        assert client.call("m", {"n": 0}) == {"n": 0}
        behind.hold(1000)
        client.send(b"".join(fetch(number) for number in range(40)))
        for answer in client.answers(40).values():
            assert answer["error"]["data"]["reason"] == "timeout"
        behind.open()
        assert client.call("m", {"n": 0}) == {"n": 0}


def test_a_fetch_that_is_cancelled_does_not_end_its_connection(asking):
    running, nginx, behind = asking(http="2", connections=1)
    with running.connect() as client:
        behind.hold(100)
        client.send(b"".join(fetch(number) for number in range(20)))
        behind.wait_for(20)
        client.send(b"".join(request("$/cancelRequest", {"id": number}, f"cancel {number}")
                             for number in range(10)))  # fmt: skip
        assert len(client.answers(20)) == 20
        behind.open()
        answers = client.answers(10)
        assert all(answers[number]["result"] == {"n": number} for number in range(10, 20))
        assert client.call("m", {"n": 0}) == {"n": 0}
    assert len(set(nginx.connections())) == 1


def test_connections_that_the_server_takes_out_of_use_lose_no_fetch(asking):
    """The upstream sends GOAWAY, and answers no stream that begins after that."""
    running, nginx, behind = asking(http="2", lines="keepalive_requests 20;", connections=4)
    with running.connect() as client:
        for begin in range(0, 600, 60):
            numbers = range(begin, begin + 60)
            client.send(b"".join(map(fetch, numbers)))
            answers = client.answers(60)
            assert all(answers[number].get("result") == {"n": number} for number in numbers)
    assert len(set(nginx.connections())) >= 600 / 20
    assert Counter(one.body for one in behind.received) == Counter(map(fetched, range(600)))


@pytest.mark.parametrize("is_idempotent", [False, True])
def test_a_request_that_a_connection_has_lost(asking, is_idempotent):
    """The upstream has got the request, and answers after the connection is reset. Only a request
    that the upstream may get twice is sent again."""
    running, relay, behind = asking(relayed=True, connections=1, idempotent=is_idempotent)
    with running.connect() as client:
        assert client.call("m", {"n": 0}) == {"n": 0}
        behind.hold(100)
        client.send(fetch(1))
        behind.wait_for(2)
        relay.reset()
        if is_idempotent:
            behind.wait_for(3)
        behind.open()
        answer = client.answers(1)[1]
        assert client.call("m", {"n": 2}) == {"n": 2}
    if is_idempotent:
        assert answer["result"] == {"n": 1}
    else:
        assert answer["error"]["data"]["reason"] == "truncated", answer
    assert [one.body for one in behind.received].count(fetched(1)) == 1 + is_idempotent


def test_an_idle_connection_that_the_server_closes_costs_nothing(asking):
    """The connection is readable from then on, and libcurl reads it only with the next fetch."""
    running, nginx, behind = asking(http="2")
    with running.connect() as client:
        behind.hold(2)
        client.send(fetch(0) + fetch(1))
        client.answers(2)
    assert len(set(nginx.connections())) == 2
    nginx.kill()
    nginx.start()
    behind.hold(1000)
    spent_ns, begun = cpu_ns(running.pid), time.monotonic()
    for _ in range(5):
        running.error_of("short", {"n": 0})  # uses one of the two
    share = (cpu_ns(running.pid) - spent_ns) / 1e9 / (time.monotonic() - begun)
    assert share < 0.2, "it was looked at all the time"


def test_a_server_that_is_killed_fails_each_fetch_once(asking):
    running, nginx, behind = asking(http="2", connections=4)
    with running.connect() as client:
        behind.hold(1000)
        client.send(b"".join(fetch(number) for number in range(100)))
        behind.wait_for(100)
        nginx.kill()
        for answer in client.answers(100).values():
            assert answer["error"]["code"] == -32015
            assert answer["error"]["data"]["reason"] in ("truncated", "connect"), answer
            assert answer["error"]["data"]["retryable"] is True
        nginx.start()
        behind.open()
        assert client.call("m", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("http", ["1.1", "2"])
def test_a_request_to_a_server_that_asks_for_a_certificate(asking, tmp_path, http):
    lines = f"ssl_client_certificate {tmp_path}/ca.pem; ssl_verify_client on;"
    step = {"fetch": "a", "method": "PUT", "path": "/users/${params.id}",
            "query": {"q": "${params.q}"}, "headers": {"X-Who": "${params.q}"},
            "body": {"n": "${params.n}"}}
    own = {"tls_certificate_file": tmp_path / "ours.pem", "tls_key_file": tmp_path / "ours.key"}
    running, _, behind = asking(lines=lines, step=step, http=http, **own)
    params = {"id": "a/../b", "q": "x&y=1 ü", "n": [1.50, "ü"]}
    assert running.call("m", params) == {"n": [1.5, "ü"]}
    [got] = behind.received
    assert (got.method, got.path) == ("PUT", "/users/a%2F..%2Fb?q=x%26y%3D1%20%C3%BC")
    assert got.body == b'{"n":[1.5,"\\u00fc"]}'
    assert got.headers["x-who"].encode("latin-1").decode() == params["q"]
    assert got.headers["content-type"] == got.headers["accept"] == "application/json"


def test_without_the_certificate_that_a_server_asks_for(asking, tmp_path):
    lines = f"ssl_client_certificate {tmp_path}/ca.pem; ssl_verify_client on;"
    running, _, behind = asking(lines=lines)
    assert running.error_of("m", {"n": 1}).data["reason"] == "http_400"
    assert behind.received == []
