"""Nothing grows: after many requests of all kinds the master is as small as it was before.

Under ASan every process also searches for leaks at its end. Leaks are reported on stderr, which the
server fixture checks after each test, and by the exit code.
"""

import pytest
from client import request
from proc import descriptors, is_sanitized, private_bytes, wait_until
from server import MEASURED

ROUND = 10_000
DEPTH = 500
UPSTREAM_CONNECTIONS = 16

# What an allocator may keep, or a sanitizer needs: far less than 10,000 of anything leaked.
GROWTH_BYTES_MAX = 8 << 20


@pytest.fixture
def running(server, feature_service, probe):
    """A server with methods that fetch, compute, fail."""
    fetch = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}
    return server(
        env=MEASURED,
        upstreams={"users": {"url": feature_service().url, "timeout_ms": 20_000,
                             "connections": UPSTREAM_CONNECTIONS}},
        handlers={"echo": {}, "fails": probe("fails"), "join": probe("join")},
        methods={"features": {"steps": [fetch, {"run": "join"}]}},
    )


def requests(kind: str, first: int) -> bytes:
    many = range(first, first + DEPTH)
    if kind == "echo":
        return b"".join(request("echo", [id], id) for id in many)
    if kind == "mixed":
        return b"".join(request(("fails", "no_such_method")[id % 2], {}, id) for id in many)
    if kind == "batch":
        items = (b",".join([request("echo", [id], id)[:-1]] * 10) for id in many)
        return b"".join(b"[" + item + b"]\n" for item in items)
    return b"".join(request("features", {"user_id": id + 1}, id) for id in many)


def ask(running, kind: str, count: int):
    """Sends `count` pipelined requests on a new connection."""
    for first in range(0, count, DEPTH):
        with running.connect() as client:
            client.send(requests(kind, first))
            assert len(set(client.read_many(DEPTH))) == DEPTH


@pytest.mark.parametrize("kind, count", [("echo", ROUND), ("mixed", ROUND), ("batch", 1000),
                                         ("features", 2000)])  # fmt: skip
def test_nothing_grows(running, kind, count):
    ask(running, kind, count)
    wait_until(lambda: sockets(running) == 1, "all clients' connections to be closed")
    before = {pid: private_bytes(pid) for pid in running.processes()}
    open_before = len(descriptors(running.pid))
    ask(running, kind, count)
    wait_until(lambda: sockets(running) == 1, "all clients' connections to be closed")
    assert len(descriptors(running.pid)) <= open_before + UPSTREAM_CONNECTIONS  # come and go
    for pid, bytes_before in before.items():
        assert private_bytes(pid) < bytes_before + GROWTH_BYTES_MAX
    assert running.stop() == 0


def sockets(running) -> int:
    """The master's connections to clients, and its listener, by what the system knows of the port.
    """
    port = f":{int(running.address.rpartition(':')[2]):04X}"
    with open("/proc/net/tcp") as table:
        lines = [line.split() for line in table.readlines()[1:]]
    held = set(descriptors(running.pid).values())
    return sum(f"socket:[{line[9]}]" in held for line in lines if line[1].endswith(port))


def test_a_second_server_after_the_first_finds_everything_as_it_was(server):
    """Fork servers are killed one after the other, and each generation's memory and descriptors are
    given back."""
    running = server(env=MEASURED, limits={"response_bytes": "1MiB"})
    import os
    import signal

    def replace_fork_server():
        before = len(running.lines)
        os.kill(running.fork_server(), signal.SIGKILL)
        for slot in range(2):
            running.wait_for_worker(slot, before)
        assert running.call("echo", [1]) == [1]

    replace_fork_server()
    wait_until(lambda: sockets(running) == 1, "all clients' connections to be closed")
    before = descriptors(running.pid)
    for _ in range(3):
        replace_fork_server()
    wait_until(lambda: sockets(running) == 1, "all clients' connections to be closed")
    assert len(descriptors(running.pid)) == len(before)


def test_reloads_give_their_memory_back(server):
    """The tables of one deployment take far more memory than may stay."""
    sections = {"limits": {"requests_in_flight": 50_000}}
    running = server(env=MEASURED, **sections)
    if is_sanitized(running.pid):
        pytest.skip("what is given back is for the sanitizer's allocator to say")
    before = private_bytes(running.pid)
    for _ in range(3):
        assert running.reload(**sections).startswith("event=reloaded")
    wait_until(lambda: len(running.processes()) == 4, "the old generations to be gone")
    limit = before + GROWTH_BYTES_MAX
    wait_until(lambda: private_bytes(running.pid) < limit, "their memory to be given back")
