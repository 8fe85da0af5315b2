"""Third-party clients call the server; interop/matrix.py lists what works with each."""

import subprocess

import pytest
from interop.matrix import CHECKS, CLIENTS
from interop.programs import Programs
from proc import wait_until
from server import Gate

CLIENT_DEADLINE_S = 30


@pytest.fixture(scope="session")
def programs():
    return Programs()


@pytest.fixture(scope="module")
def running(module_server, probe, tmp_path_factory):
    """A server with a TCP and a unix socket, and all methods that the clients' programs call."""
    local = tmp_path_factory.mktemp("socket") / "rpc.sock"
    server = module_server(
        listen={"rpc": ["127.0.0.1:0", f"unix:{local}"]},
        handlers={"echo": {}, "burn": {}, "hello": probe("get_data"), "hold": probe("hold")})
    server.local = local
    return server


@pytest.fixture
def gates(tmp_path):
    """The open one of two gates of `hold`. The closed one is opened after the test."""
    opened, closed = Gate(tmp_path / "open"), Gate(tmp_path / "closed")
    opened.open()
    yield opened
    closed.open()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)
def test_client(client, programs, running, gates, tmp_path):
    assert client.lacks.keys() <= CHECKS.keys()
    expected = {check: "ok" for check in CHECKS if check not in client.lacks}
    argv = [*programs.argv(client), running.address, str(running.local), str(tmp_path)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=CLIENT_DEADLINE_S)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"not done in {CLIENT_DEADLINE_S} s: {late.stdout}") from None
    lines = [line.partition(" ") for line in done.stdout.splitlines()]
    found = {check: what for check, _, what in lines if check in CHECKS}
    assert found == expected, done.stdout + done.stderr
    if "notification" in expected:
        wait_until(gates.was_reached, "the notification to be done")
