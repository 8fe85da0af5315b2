"""The connections to an upstream: which fetches get one, which wait, and what happens to idle
ones."""

import json
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from barrier_upstream import BarrierUpstream
from client import RpcError, request
from proc import wait_until
from scripted_upstream import ScriptedUpstream, answer
from server import with_names

FETCH = {"fetch": "users", "body": {"what": "${params.what}"}}


def fetch(what, id) -> bytes:
    return request("fetch", {"what": what}, id)


@pytest.fixture
def fetching(server):
    """fetching(url, timeout_ms=..., connections=...): a server with the methods fetch and echo."""

    def start(url, before=(), **upstream):
        return server(
            before=before,
            upstreams={"users": {"url": url, "timeout_ms": 20_000} | upstream},
            methods={"fetch": {"steps": [FETCH]}, "echo": {}},
        )

    return start


@pytest.mark.parametrize("connections", [1, 16, 40])
def test_no_more_than_allowed_and_all_of_them(fetching, connections):
    """The upstream answers no request before it has one on each allowed connection."""
    with BarrierUpstream(connections) as upstream:
        running = fetching(upstream.url, connections=connections)
        with running.connect() as client:
            client.send(b"".join(fetch(0, id) for id in range(200)))
            answers = client.answers(200)
    numbers = {answer["result"]["number"] for answer in answers.values()}
    assert numbers == set(range(1, 201))
    assert upstream.connections == connections


@pytest.mark.parametrize("is_idempotent", [False, True])
def test_a_request_that_a_kept_connection_has_lost(fetching, is_idempotent):
    """The upstream reads the second request, and ends the connection without an answer. It may have
    done what was asked: only a request that it may get twice is sent again."""
    seen = []

    def serve(connection, body):
        seen.append(body)
        if len(seen) == 2:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(answer(b"true"))

    with ScriptedUpstream(serve) as upstream:
        running = fetching(upstream.url, connections=1, idempotent=is_idempotent)
        with running.connect() as client:
            assert client.call("fetch", {"what": 1}) is True
            if is_idempotent:
                assert client.call("fetch", {"what": 2}) is True
                assert len(seen) == 3
                return
            with pytest.raises(RpcError) as lost:
                client.call("fetch", {"what": 2})
            assert lost.value.data["reason"] == "truncated"
            assert len(seen) == 2
            assert client.call("fetch", {"what": 3}) is True


def test_a_lost_request_is_not_sent_to_a_server_that_starts_again(fetching):
    """The upstream dies while it serves the second request: the next connection is refused."""
    seen = []

    def serve(connection, body):
        seen.append(body)
        if len(seen) == 2:
            upstream.stop_listening()
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(answer(b"true"))

    with ScriptedUpstream(serve) as upstream:
        running = fetching(upstream.url, connections=1, attempts=2)
        with running.connect() as client:
            assert client.call("fetch", {"what": 1}) is True
            with pytest.raises(RpcError) as lost:
                client.call("fetch", {"what": 2})
    assert lost.value.data["reason"] == "truncated"
    assert len(seen) == 2


def test_no_fetch_waits_while_a_connection_is_free(fetching):
    """Half of the connections are held: all others are served by the rest, in their order."""
    held, cancelled = threading.Event(), threading.Event()
    served: list[int] = []

    def serve(connection, body):
        what = json.loads(body)["what"]
        if what == "held":
            held.wait()
        else:
            cancelled.wait()
            served.append(what)
        connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream, ExitStack() as at_end:
        at_end.callback(held.set)
        at_end.callback(cancelled.set)
        running = fetching(upstream.url, connections=17)
        with running.connect() as client:
            client.send(b"".join(fetch("held", f"held {id}") for id in range(16)))
            client.send(b"".join(fetch(id, id) for id in range(100)))
            client.send(request("$/cancelRequest", {"id": 50}, "cancel"))
            assert client.answers(2)[50]["error"]["code"] == -32800
            cancelled.set()
            assert all("result" in one for one in client.answers(99).values())
            assert served == [id for id in range(100) if id != 50]
            held.set()
            assert len(client.answers(16)) == 16


def test_clients_take_turns_where_fetches_wait(fetching):
    held = threading.Event()
    served: list[str] = []

    def serve(connection, body):
        served.append(json.loads(body)["what"])
        held.wait()
        connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream, ExitStack() as at_end:
        at_end.callback(held.set)
        running = fetching(upstream.url, connections=1)
        many, few = running.connect(), running.connect(source="127.0.0.2")
        for client, name, count in ((many, "many", 50), (few, "few", 2)):
            client.send(b"".join(fetch(f"{name} {id}", id) for id in range(count)))
            client.send(request("$/cancelRequest", {"id": count - 1}, "cancel"))
            assert client.answers(2).keys() == {count - 1, "cancel"}
        held.set()
        few.answers(1)
        many.answers(49)
    assert served.index("few 0") <= 2
    assert [one for one in served if one != "few 0"] == [f"many {id}" for id in range(49)]


def test_a_fetch_that_two_clients_share_waits_for_the_sooner_of_their_turns(fetching):
    held = threading.Event()
    served: list[int] = []

    def serve(connection, body):
        served.append(json.loads(body)["what"])
        held.wait()
        connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream, ExitStack() as at_end:
        at_end.callback(held.set)
        running = fetching(upstream.url, connections=1, idempotent=True, coalesce=True)
        many, few = running.connect(), running.connect(source="127.0.0.2")
        for client, whats in ((many, range(50)), (few, [40])):
            client.send(b"".join(fetch(what, what) for what in whats))
            assert client.call("echo", [1]) == [1]  # all of them wait
        held.set()
        assert few.answers(1)[40]["result"] == {"what": 40}
        many.answers(50)
    assert served.index(40) <= 2
    assert [what for what in served if what != 40] == [what for what in range(50) if what != 40]


def test_a_fetch_that_waits_in_vain_is_an_error(fetching):
    held = threading.Event()
    with ScriptedUpstream(lambda connection, body: held.wait()) as upstream, ExitStack() as at_end:
        at_end.callback(held.set)
        running = fetching(upstream.url, connections=1, timeout_ms=200)
        with running.connect() as client:
            client.send(b"".join(fetch(0, id) for id in range(5)))
            for failed in client.answers(5).values():
                assert failed["error"]["code"] == -32015
                assert failed["error"]["data"]["reason"] == "timeout"
            assert client.call("echo", [1]) == [1]


def test_each_fetch_that_waits_has_a_timeout_of_its_own(server):
    held = threading.Event()

    def serve(connection, body):
        held.wait()
        connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream, ExitStack() as at_end:
        at_end.callback(held.set)
        running = server(
            upstreams={"users": {"url": upstream.url, "timeout_ms": 20_000, "connections": 1}},
            methods={"fetch": {"steps": [FETCH]}, "short": {"steps": [FETCH | {"timeout_ms": 50}]}},
        )
        with running.connect() as client:
            for id in range(10):
                client.send(fetch(id, id))
                client.send(request("short", {"what": id}, f"short {id}"))
            answers = client.answers(10)
            assert answers.keys() == {f"short {id}" for id in range(10)}
            reasons = {one["error"]["data"]["reason"] for one in answers.values()}
            assert reasons == {"timeout"}
            held.set()
            answers = client.answers(10)
            assert all(answers[id]["result"] == {"what": id} for id in range(10))


def test_an_unrequested_answer_is_thrown_away(fetching):
    """The upstream answers the first request a second time."""
    with ScriptedUpstream(lambda connection, body: connection.sendall(answer(body))) as upstream:
        running = fetching(upstream.url)
        assert running.call("fetch", {"what": 1}) == {"what": 1}
        [connection] = upstream.connections
        connection.sendall(answer(b'"somebody else\'s"'))
        assert upstream.ended.wait(20)
        assert running.call("fetch", {"what": 2}) == {"what": 2}


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_connections_that_are_never_made_cost_nobody_else(fetching, how):
    """Their host does not answer: its queue of connections is full."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        url = "http://127.0.0.1:%d/" % deaf.getsockname()[1]
        running = fetching(url, timeout_ms=100 if how == "timeout" else 20_000)
        client = stack.enter_context(running.connect())
        for _ in range(3):
            client.send(b"".join(fetch(0, id) for id in range(10)))
            if how == "cancel":
                client.send(b"".join(request("$/cancelRequest", {"id": id}, None)
                                     for id in range(10)))  # fmt: skip
            assert all("error" in failed for failed in client.answers(10).values())
            for number in range(20):
                with running.connect() as other:
                    assert other.call("echo", [number]) == [number]


def test_a_name_is_looked_up_once(fetching, tmp_path):
    gate = tmp_path / "names"
    before = ["env", *with_names(tmp_path), f"SLOW_NAMES={gate}"]
    with ScriptedUpstream(lambda connection, body: connection.sendall(answer(body))) as upstream:
        running = fetching(f"http://upstream.test:{upstream.port}/", before=before)
        calls = Path(f"{gate}.calls")
        with running.connect() as client:
            client.send(b"".join(fetch(id, id) for id in range(50)))
            assert client.call("echo", ["all have been read"])
            wait_until(calls.exists, "the name to be looked up")
            gate.touch()
            answers = client.answers(50)
        assert all(answers[id]["result"] == {"what": id} for id in range(50))
        assert calls.read_text() == "upstream.test\n"


class OutdatedName:
    """The host name upstream.test. Its lookups end once `found`, and libcurl looks it up again once
    `outdated`."""

    def __init__(self, folder: Path):
        self.found, self.outdated = folder / "names", folder / "names.outdated"
        self._calls = folder / "names.calls"
        self.before = ["env", *with_names(folder), f"SLOW_NAMES={self.found}"]

    def lookups(self) -> int:
        return self._calls.read_text().count("\n")


@pytest.fixture
def outdated(server, tmp_path):
    """outdated(): a server that asks upstream.test in its methods fetch and short. Two connections
    are open, and the fetches 1 and 2 are under way on them. The name is outdated, and the fetch of
    a third connection has got no answer to its lookup. Gives a client, the name, and the events
    that end the fetches 1 and 2."""
    name = OutdatedName(tmp_path)
    held = {1: threading.Event(), 2: threading.Event()}
    come = {1: threading.Event(), 2: threading.Event()}

    def serve(connection, body):
        what = json.loads(body)["what"]
        if what in held:
            come[what].set()
            held[what].wait()
        connection.sendall(answer(body))

    with ScriptedUpstream(serve) as upstream, ExitStack() as at_end:
        for event in held.values():
            at_end.callback(event.set)
        at_end.callback(name.found.touch)

        def start():
            running = server(
                before=name.before,
                upstreams={"users": {"url": f"http://upstream.test:{upstream.port}/",
                                     "timeout_ms": 20_000}},
                methods={"fetch": {"steps": [FETCH]},
                         "short": {"steps": [FETCH | {"timeout_ms": 100}]}})  # fmt: skip
            client = running.connect()
            name.found.touch()
            for what in held:
                client.send(fetch(what, what))
                assert come[what].wait(20)
            name.found.unlink()
            name.outdated.touch()
            before = name.lookups()
            with pytest.raises(RpcError) as late:
                client.call("short", {"what": 0})
            assert late.value.data["reason"] == "timeout"
            assert name.lookups() == before + 1
            return client, name, held

        yield start


def test_fetches_on_open_connections_hold_up_no_lookup(outdated):
    """The fetches 1 and 2 are under way, and neither looks the name up."""
    client, name, _ = outdated()
    name.found.touch()
    assert client.call("fetch", {"what": 3}) == {"what": 3}


def test_open_connections_serve_fetches_while_one_looks_the_name_up(outdated):
    """No lookup ends. All fetches but the first one are served by the connection of fetch 2, one
    after the other."""
    client, name, held = outdated()
    before = name.lookups()
    client.send(b"".join(fetch(what, what) for what in range(10, 20)))
    wait_until(lambda: name.lookups() == before + 1, "the name to be looked up")
    held[2].set()
    answers = client.answers(10)
    assert answers.keys() == {2, *range(11, 20)}
    assert all(answers[what]["result"] == {"what": what} for what in answers)
    assert name.lookups() == before + 1
    name.found.touch()
    held[1].set()
    assert client.answers(2).keys() == {1, 10}
