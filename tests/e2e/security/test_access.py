"""Which clients may call: the modes of unix sockets, the allow list, and the warnings."""

import os
import re
import signal
import stat

import pytest
from client import DEADLINE_S, connect, request

DENIED = {"allow": ["203.0.113.0/24"]}


def is_closed_at_once(address: str) -> bool:
    """Whether the server closes a connection without an answer."""
    with connect(address) as client:
        client.settimeout(DEADLINE_S)
        try:
            client.sendall(request("echo", [1]))
            return client.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True


def mode_of(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_unix_socket_is_for_its_owner_and_group(server, tmp_path):
    path = tmp_path / "rpc.sock"
    without_umask = ["sh", "-c", 'umask 0; exec "$@"', "-"]
    running = server(listen={"rpc": [f"unix:{path}"]}, before=without_umask)
    assert mode_of(path) == 0o660
    assert running.call("echo", [1]) == [1]
    # A reload changes which users may connect, without a new socket.
    before = os.stat(path).st_ino
    listen = {"rpc": [f"unix:{path}"], "unix_mode": "0606"}
    assert "reloaded" in running.reload(listen=listen)
    assert mode_of(path) == 0o606 and os.stat(path).st_ino == before
    assert running.call("echo", [2]) == [2]


@pytest.mark.needs("root")
def test_a_unix_socket_is_given_away(server, tmp_path):
    path = tmp_path / "rpc.sock"
    owners = {"unix_owner": "nobody", "unix_group": "54321", "unix_mode": "0600"}
    running = server(listen={"rpc": [f"unix:{path}"]} | owners)
    found = os.stat(path)
    assert found.st_uid == 65534 and found.st_gid == 54321 and mode_of(path) == 0o600
    assert running.call("echo", [1]) == [1]


def test_a_refused_client_is_closed_counted_and_logged(server, tmp_path):
    path = f"unix:{tmp_path}/rpc.sock"
    running = server(listen={"rpc": ["127.0.0.1:0", path]} | DENIED)
    attempts = 300
    for _ in range(attempts):
        assert is_closed_at_once(running.address)
    # The allow list does not apply to unix sockets: their mode restricts their clients.
    with running.connect(running.addresses[1]) as client:
        assert client.call("echo", [1]) == [1]
    last = running.wait_for_line(rf"event=clients_refused why=address count=\d+ total={attempts} ")
    assert "last=127.0.0.1:" in last.string
    told = [line for line in running.lines if "event=clients_refused" in line]
    assert sum(int(re.search(r"count=(\d+)", line)[1]) for line in told) == attempts
    assert len(told) < 30, told


def test_a_reload_changes_which_clients_are_let_in(server):
    running = server(listen={"allow": ["127.0.0.0/8"]})
    with running.connect() as inside:
        assert inside.call("echo", [1]) == [1]
        listen = {"rpc": ["127.0.0.1:0"]}
        running.configure(listen=listen | DENIED)
        running.send(signal.SIGHUP)
        running.wait_for_line("event=reloaded")
        assert is_closed_at_once(running.address)
        assert inside.call("echo", [2]) == [2], "the reload closed the connection"
    assert "reloaded" in running.reload(listen=listen)
    assert running.call("echo", [3]) == [3]


@pytest.mark.needs("ipv6")
def test_an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client(server):
    running = server(listen={"rpc": ["[::]:0"], "allow": ["127.0.0.1/32"]})
    port = running.address.rpartition(":")[2]
    assert is_closed_at_once(f"[::1]:{port}")
    with running.connect(f"127.0.0.1:{port}") as client:
        assert client.call("echo", [1]) == [1]


def test_an_address_that_is_open_to_all_is_warned_of(server, tokens):
    warning = r"level=warning .*event=open_to_all address=0.0.0.0:\d+ "
    server(listen={"rpc": ["0.0.0.0:0"]}).wait_for_line(warning)
    for name, listen in {
        "loopback": {"rpc": ["127.0.0.1:0", "127.1.2.3:0"]},
        "allowed": {"rpc": ["0.0.0.0:0"], "allow": ["127.0.0.1"]},
        "tokens": {"rpc": ["0.0.0.0:0"], "token_file": tokens("some-token-of-some-length")},
    }.items():
        running = server(name=name, listen=listen)
        assert not [line for line in running.lines if "open_to_all" in line], running.lines


@pytest.mark.needs("ipv6")
def test_the_loopback_of_ipv6_serves_and_is_not_open_to_all(server):
    running = server(listen={"rpc": ["[::1]:0"]})
    assert running.call("echo", [1]) == [1]
    assert not [line for line in running.lines if "open_to_all" in line]
