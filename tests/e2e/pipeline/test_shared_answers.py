"""Fetches that share an answer: coalesced ones, and those that the cache answers."""

import json

import pytest
from client import request
from collector import Collector
from held_upstream import HeldUpstream
from metrics import by, metrics
from proc import wait_until
from status_port import ON, ask, status_of

HOUR_MS = 3_600_000
FETCH = {"fetch": "u", "path": "/${params.id:0}"}


def fetch_counts(running) -> dict[str, int]:
    """The fetches that have ended, by how they were answered, without those that are 0."""
    counts = by(status_of(running), "upstream_cache_fetches_total", "result")
    return {result: int(count) for result, count in counts.items() if count}


def state(running) -> dict:
    return json.loads(ask(status_of(running), "/status.json")[1])


def wait_for_requests(running, count: int):
    wait_until(lambda: state(running)["in_flight"] == count, f"{count} requests in flight")


@pytest.fixture
def sharing(server):
    """sharing(url, upstream={...}): a server whose method `m` is one fetch from `url`."""

    def start(url, upstream, step=FETCH, **sections):
        return server(**sections_for(url, upstream, step, **sections))

    return start


def sections_for(url, upstream, step=FETCH, **method):
    return {"listen": ON, "upstreams": {"u": {"url": url, "timeout_ms": 20_000} | upstream},
            "methods": {"m": {"steps": [step]} | method}}


@pytest.mark.parametrize("step, keys", [(FETCH, {}), ({"fetch": "u", "body": {"user": 1}},
                                                      {"idempotent": True})], ids=["get", "post"])
def test_a_thousand_equal_requests_at_once_are_one(sharing, step, keys):
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"coalesce": True} | keys, step)
        with running.connect() as client:
            client.send(b"".join(request("m", {}, id) for id in range(1000)))
            wait_for_requests(running, 1000)
            upstream.open()
            answers = [json.loads(line) for line in client.read_many(1000)]
        assert sorted(one["id"] for one in answers) == list(range(1000))
        assert all(one["result"] == {"number": 1} for one in answers)
        assert upstream.requests == 1
    assert fetch_counts(running) == {"miss": 1, "coalesced": 999}


def test_requests_that_differ_are_not_one(sharing):
    step = FETCH | {"headers": {"Authorization": "Bearer ${params.token}"}}
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"coalesce": True, "cache": {"ttl_ms": HOUR_MS}}, step)
        params = [{"id": id, "token": token} for id in (1, 2) for token in ("x", "y")]
        with running.connect() as client:
            client.send(b"".join(request("m", one, id) for id, one in enumerate(params)))
            wait_until(lambda: upstream.requests == 4, "four requests to the upstream")
            upstream.open()
            numbers = {json.loads(line)["result"]["number"] for line in client.read_many(4)}
        assert numbers == {1, 2, 3, 4}
        assert {running.call("m", one)["number"] for one in params} == numbers
        assert upstream.requests == 4


def test_a_client_that_leaves_does_not_disturb_the_others(sharing):
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"coalesce": True})
        first, second, third = (running.connect() for _ in range(3))
        first.send(request("m"))
        wait_until(lambda: upstream.requests == 1, "the upstream to be asked")
        for client in second, third:
            client.send(request("m"))
        wait_for_requests(running, 3)
        for left, client in (2, first), (1, third):
            client.reset()
            wait_for_requests(running, left)
        upstream.open()
        assert second.answer()["result"] == {"number": 1}
        assert upstream.requests == 1


def test_a_fetch_that_nobody_waits_for_is_ended(sharing):
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"coalesce": True})
        clients = [running.connect() for _ in range(2)]
        for client in clients:
            client.send(request("m"))
        wait_until(lambda: upstream.requests == 1, "the upstream to be asked")
        wait_for_requests(running, 2)
        for client in clients:
            client.reset()
        wait_until(lambda: state(running)["upstreams"][0]["in_flight"] == 0, "its end")


def test_each_request_has_its_own_deadline(sharing):
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"coalesce": True})
        with running.connect() as client:
            client.send(request("m", id=1))
            client.send(request("m", {"_meta": {"timeout_ms": 50}}, id=2))
            late = client.answer()
            assert (late["id"], late["error"]["code"]) == (2, -32012)
            upstream.open()
            assert client.answer()["result"] == {"number": 1}


def test_nine_of_ten_requests_are_hits(sharing):
    with Collector(by_path={f"/{id}": json.dumps({"id": id}) for id in range(10)}) as upstream:
        running = sharing(upstream.url, {"cache": {"ttl_ms": HOUR_MS}})
        for _ in range(10):
            for id in range(10):
                assert running.call("m", {"id": id}) == {"id": id}
        assert len(upstream.received) == 10
    assert fetch_counts(running) == {"miss": 10, "hit": 90}
    cache = state(running)["upstreams"][0]["cache"]
    assert cache | {"bytes": 0} == {"hit": 90, "miss": 10, "stale": 0, "coalesced": 0,
                                    "bytes": 0, "evictions": 0}
    assert 10 * len('{"id": 0}') < cache["bytes"] < 10_000


def test_a_trace_shows_a_hit_as_what_it_is(sharing):
    with Collector() as upstream:
        running = sharing(upstream.url, {"cache": {"ttl_ms": HOUR_MS}})
        for _ in range(2):
            running.call("m")
        pages = [json.loads(ask(status_of(running), page)[1])
                 for page in ("/requests.json", "/trace.json")]
    ended = [event for one in pages[0]["requests"] for event in one["events"]
             if event["kind"] == "fetch_ended"]
    assert sorted(event["result"] for event in ended) == ["hit", "miss"]
    assert all("reason" not in event for event in ended)
    spans = [event["args"]["result"] for event in pages[1]["traceEvents"]
             if event.get("cat") == "fetch" and event["ph"] == "b"]
    assert sorted(spans) == ["hit", "miss"]


def test_no_request_fails_while_the_upstream_is_down(sharing):
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"cache": {"stale_if_error_ms": HOUR_MS}})
        upstream.open()
        for number in 1, 2:  # without ttl_ms it is asked each time
            assert running.call("m") == {"number": number}
    with running.connect() as client:
        client.send(b"".join(request("m", {}, id) for id in range(200)))
        answers = [json.loads(line) for line in client.read_many(200)]
    assert all(one.get("result") == {"number": 2} for one in answers), answers
    assert running.error_of("m", {"id": 1}).code == -32015
    assert fetch_counts(running) == {"miss": 3, "stale": 200}


def test_a_stale_answer_takes_the_place_of_an_error(sharing):
    with Collector((200, "[1]"), (503, "{}"), (429, "{}"), (404, "{}"), (503, "{}")) as upstream:
        running = sharing(upstream.url, {"cache": {"stale_if_error_ms": HOUR_MS}})
        assert [running.call("m") for _ in range(3)] == [[1], [1], [1]]
        for reason in "http_404", "http_503":  # what is missing has no stale answer
            assert running.error_of("m").data["reason"] == reason
        assert len(upstream.received) == 5


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_not_hidden_by_a_stale_answer(sharing, status):
    with Collector((200, "[1]"), (status, "{}"), (503, "{}")) as upstream:
        running = sharing(upstream.url, {"cache": {"stale_if_error_ms": HOUR_MS}})
        assert running.call("m") == [1]
        for reason in f"http_{status}", "http_503":
            assert running.error_of("m").data["reason"] == reason
        assert len(upstream.received) == 3


def test_a_stale_answer_is_used_while_one_fetch_renews_it(sharing):
    cache = {"stale_while_revalidate_ms": HOUR_MS}
    with HeldUpstream() as upstream:
        running = sharing(upstream.url, {"cache": cache})
        upstream.open()
        assert running.call("m") == {"number": 1}
        upstream.close_gate()
        assert all(running.call("m") == {"number": 1} for _ in range(5))
        wait_until(lambda: upstream.requests == 2, "the fetch that renews it")
        upstream.open()
        wait_until(lambda: running.call("m")["number"] > 1, "the new answer")


def test_a_missing_thing_is_asked_for_once(sharing):
    with Collector((404, "{}"), (410, "{}"), (500, "{}"), (500, "{}")) as upstream:
        running = sharing(upstream.url, {"cache": {"negative_ttl_ms": HOUR_MS}})
        for id, reason in (1, "http_404"), (2, "http_410"):
            for _ in range(3):
                assert running.error_of("m", {"id": id}).data["reason"] == reason
        assert len(upstream.received) == 2
        for _ in range(2):  # another failure is not kept, nor is a success without ttl_ms
            assert running.error_of("m", {"id": 3}).data["reason"] == "http_500"
        for _ in range(2):
            assert running.call("m", {"id": 3}) == {}
        assert len(upstream.received) == 6


def test_a_reload_keeps_the_answers_of_an_upstream_that_it_does_not_change(sharing):
    keys = {"cache": {"ttl_ms": HOUR_MS}}
    with HeldUpstream() as upstream:
        upstream.open()
        running = sharing(upstream.url, keys)
        assert running.call("m") == {"number": 1}
        running.reload(**sections_for(upstream.url, keys, timeout_ms=50_000))
        assert running.call("m") == {"number": 1}
        assert fetch_counts(running) == {"miss": 1, "hit": 1}
        running.reload(**sections_for(upstream.url, keys | {"connections": 7}))
        assert running.call("m") == {"number": 2}
        # An answer of /metrics is kept for 100 ms.
        wait_until(lambda: fetch_counts(running) == {"miss": 1}, "the counts from zero")


def test_the_cache_has_a_bound(sharing):
    bodies = {f"/{id}": json.dumps([id, "x" * 10_000]) for id in range(20)}
    with Collector(by_path=bodies) as upstream:
        running = sharing(upstream.url, {"cache": {"ttl_ms": HOUR_MS, "bytes": "64KiB"}})
        for id in range(20):
            assert running.call("m", {"id": id})[0] == id
    found = {name: value for (name, _), value in metrics(status_of(running)).items()}
    assert 40_000 < found["ringmaster_upstream_cache_bytes"] <= 65_536
    assert found["ringmaster_upstream_cache_evictions_total"] >= 14


def test_parallel_steps_may_be_one_fetch(server, python):
    parallel = {"parallel": [FETCH | {"as": "a"}, FETCH | {"as": "b"}]}
    code = "def run(a, b):\n    return [a, b]\n"
    with Collector((503, "{}"), (200, "[1]")) as upstream:
        running = server(handlers={"all": python(code)},
                         upstreams={"u": {"url": upstream.url, "coalesce": True}},
                         methods={"m": {"steps": [parallel, {"run": "all"}]}})
        assert running.error_of("m").data["reason"] == "http_503"
        assert running.call("m") == [[1], [1]]
        assert len(upstream.received) == 2
