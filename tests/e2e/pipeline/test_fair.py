"""Fairness: which client's job, and which method's, goes to a worker next.

The order of jobs is seen by the gates that hold them: a job that waits has not reached its gate.
"""

import time

import pytest
from client import request
from honest import honest
from proc import wait_until

BATCH, USERS = "the-token-of-batch-jobs", "the-token-of-users"

# Longer than a client may keep a worker ahead of its share.
LONG_S = 0.3


@pytest.fixture
def clients(holding, tokens):
    """clients(fair={...}) -> (batch, second_batch, users): clients of a server with one worker, the
    first two with the same token."""

    def start(**sections):
        file = tokens(f"batch {BATCH}", f"users {USERS}")
        running = holding(workers={"count": 1}, listen={"token_file": file}, **sections)
        found = []
        for token in (BATCH, BATCH, USERS):
            found.append(running.connect())
            assert found[-1].call("rpc.auth", [token]) is True
        return found

    return start


def hold_long(client, gate):
    """Keeps the worker busy with a job of this client for longer than the client's credit."""
    gate.hold(client, "first")
    time.sleep(LONG_S)


def queue(client, gate):
    """Sends a job; once this returns, it waits behind the others."""
    client.send(gate.request("held") + request("none", [], "next"))
    assert client.answer()["id"] == "next"


def first_to_run(*gates):
    wait_until(lambda: any(gate.was_reached() for gate in gates), "a job to begin")
    return [gate for gate in gates if gate.was_reached()]


@pytest.mark.parametrize("by", ["client", "none"])
def test_a_client_that_had_more_than_its_share_waits_for_others(clients, gate, by):
    batch, _, users = clients(fair={"by": by})
    first, of_batch, of_users = gate("first"), gate("batch"), gate("users")
    hold_long(batch, first)
    queue(batch, of_batch)
    queue(users, of_users)
    first.open()
    # Without shares the earliest deadline goes first.
    expected = of_users if by == "client" else of_batch
    assert first_to_run(of_batch, of_users) == [expected]


def test_connections_with_one_token_are_one_client(clients, gate):
    batch, second, _ = clients()
    first, earlier, later = gate("first"), gate("earlier"), gate("later")
    hold_long(batch, first)
    queue(batch, earlier)
    queue(second, later)
    first.open()
    assert first_to_run(earlier, later) == [earlier]


def test_a_share_is_kept_over_connections(clients, gate):
    """A client does not get a new share by connecting again."""
    batch, second, users = clients()
    first, of_batch, of_users = gate("first"), gate("batch"), gate("users")
    hold_long(batch, first)
    batch.close()
    queue(second, of_batch)
    queue(users, of_users)
    first.open()
    assert first_to_run(of_batch, of_users) == [of_users]


@pytest.mark.parametrize("methods", [
    {"hold": {"concurrency": 1}},
    {"echo": {"reserved_workers": 1}},
])  # fmt: skip
def test_the_limits_of_methods_keep_one_of_two_workers_free(holding, gate, methods):
    running = holding(methods=methods)
    first, second = gate("first"), gate("second")
    with running.connect() as client:
        first.hold(client, 1)
        queue(client, second)
        assert running.call("echo", [1]) == [1]
        assert not second.was_reached()
        first.open()
        second.wait_for_runs(1)


def test_a_reload_changes_concurrency(holding, gate, probe):
    running = holding(methods={"hold": {"concurrency": 1}})
    handlers = {"echo": {}, "hold": probe("hold")}
    assert running.reload(handlers=handlers).startswith("event=reloaded")
    first, second = gate("first"), gate("second")
    with running.connect() as client:
        first.hold(client, 1)
        second.hold(client, 2)


@pytest.mark.parametrize("refused", [
    request("none", []),
    request("echo", {"_meta": {"timeout_ms": 0}}),
    b"[" + request("none", []).strip() + b"]\n",
], ids=["unknown method", "deadline over", "batch"])  # fmt: skip
def test_a_client_that_asks_again_at_once_waits_for_its_refusals(server, refused):
    """Beyond 500 at once, and 5,000 a second, they are sent 4 ms later. So at most 5 of 100 rounds
    of 100 refusals take less than 4 ms, and a further one for each 20 ms that all take."""
    running = server()
    with honest(running), running.connect() as client:
        begin = time.monotonic()
        for _ in range(100):
            client.send(100 * refused)
            assert all(b'"error"' in answer for answer in client.read_many(100))
        # The loop's clock counts milliseconds, and is read once a turn: a timer may be 1 ms early.
        assert time.monotonic() - begin > 95 * 0.003 / (1 + 50 * 0.003)
        running.wait_for_line("event=refusals_delayed why=too_many .*last=127.0.0.1")


def test_refusals_that_are_sent_later_are_all_sent(server):
    running = server()
    asked = [request("echo" if id % 100 == 0 else "none", [id], id) for id in range(10_000)]
    with honest(running), running.connect() as client:
        client.send(b"".join(asked))
        found = client.answers(len(asked))
    for id, answer in found.items():
        assert answer["result"] == [id] if id % 100 == 0 else answer["error"]["code"] == -32601
