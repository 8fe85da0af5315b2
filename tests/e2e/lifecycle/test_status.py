"""The status address: /livez and /readyz, as an orchestrator asks."""

import contextlib
import os
import re
import signal
import socket
import stat

import pytest
from client import connect, read_all, request
from proc import stopped, wait_until
from status_port import ON, ask, status_of


def test_a_server_that_serves(server):
    running = server(listen=ON)
    address = status_of(running)
    assert ask(address, "/livez") == (200, "ok\n")
    assert ask(address, "/readyz") == (200, "serving: 2 of 2 workers are up\n")
    assert ask(address, "/readyz?verbose=1")[0] == 200
    assert ask(address, "/livez", "HEAD") == ask(address, "/readyz", "HEAD") == (200, "")
    for path in ("/nothing", "/livez/", "/LIVEZ"):
        assert ask(address, path)[0] == 404
    for method in ("POST", "DELETE", "OPTIONS"):
        assert ask(address, "/readyz", method)[0] == 405


def test_without_a_status_address(server):
    running = server(listen={"status": ""})
    assert not [line for line in running.lines if "what=status" in line]


def test_a_server_that_loads_is_live_and_not_ready(server, probe, gate):
    held = gate()
    loading = probe("hold", gate=held.path)
    running = server(wait=False, listen=ON, handlers={"echo": {}, "slow": loading})
    address = status_of(running)
    held.wait_for_runs(1)
    assert ask(address, "/livez") == (200, "ok\n")
    assert ask(address, "/readyz") == (503, "starting: loading handlers\n")
    held.open()
    running.wait_until_ready()
    assert ask(address, "/readyz") == (200, "serving: 2 of 2 workers are up\n")
    # The server is not ready either while its workers are gone and the next ones not yet up.
    held.path.unlink()
    os.kill(running.fork_server(), signal.SIGKILL)
    held.wait_for_runs(2)
    assert ask(address, "/readyz") == (503, "degraded: 0 of 2 workers are up\n")
    held.open()
    wait_until(lambda: ask(address, "/readyz")[0] == 200, "the server to be ready again")


def ask_agent(address: str) -> bytes:
    """The answer that HAProxy's agent-check gets."""
    with connect(address) as agent:
        agent.sendall(b"agent\n")
        return read_all(agent)


def test_an_agent_gets_one_line(server):
    running = server(listen=ON)
    address = status_of(running)
    assert re.fullmatch(rb"up ready \d+%\n", ask_agent(address))
    assert re.fullmatch(r"up ready \d+%\n", ask(address, "/agent")[1])
    with connect(address) as bytewise:
        for byte in b"agent\n":
            bytewise.sendall(bytes([byte]))
        assert read_all(bytewise).startswith(b"up ready ")
    for other in (b"agents\n", b"agenda\n", b"up\n"):
        with connect(address) as stranger:
            stranger.sendall(other)
            assert read_all(stranger).startswith(b"HTTP/1.1 400 ")


def test_a_stop_that_is_announced_serves_for_a_while(server):
    running = server(listen=ON, shutdown={"notice_ms": 2000})
    address = status_of(running)
    with running.connect() as before:
        assert before.call("echo", [1]) == [1]
        running.send(signal.SIGTERM)
        running.wait_for_line("event=stop_announced notice_ms=2000$")
        assert ask(address, "/readyz") == (503, "stopping: 0 requests to finish\n")
        assert ask_agent(address) == b"drain\n"
        assert before.call("echo", [2]) == [2]
        assert running.call("echo", [3]) == [3]
        running.wait_for_line("event=stopping ")
    assert running.wait() == 0


def test_a_second_sigterm_ends_the_notice(server):
    running = server(shutdown={"notice_ms": 3_600_000})
    running.send(signal.SIGTERM)
    running.wait_for_line("event=stop_announced")
    running.send(signal.SIGTERM)
    assert running.wait() == 0


def test_a_server_that_drains_is_live_and_not_ready(holding, gate):
    running = holding(listen=ON)
    address, held = status_of(running), gate()
    with running.connect() as client:
        held.hold(client, 1)
        running.send(signal.SIGTERM)
        running.wait_for_line("event=stopping")
        assert ask(address, "/readyz") == (503, "stopping: 1 requests to finish\n")
        assert ask(address, "/livez") == (200, "ok\n")
        held.open()
        assert client.answer()["id"] == 1
    assert running.wait() == 0


def test_a_reload_moves_it_and_a_failed_one_does_not(server):
    running = server(listen=ON)
    first = status_of(running)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        in_use = "127.0.0.1:%d" % taken.getsockname()[1]
        refused = running.reload(listen={"status": in_use})
        assert "reload_failed" in refused and f"listen.status: listen on {in_use}" in refused
    assert ask(first, "/readyz")[0] == 200
    before = len(running.lines)
    assert "event=reloaded" in running.reload(listen={"status": "127.0.0.2:0"})
    second = running.wait_for_line(r"what=status address=(\S+)", before).group(1)
    assert ask(second, "/readyz")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(first, "/readyz")
    assert "event=reloaded" in running.reload(listen={"status": ""})
    with pytest.raises(ConnectionRefusedError):
        ask(second, "/readyz")


def test_a_reload_that_cannot_listen_changes_nothing(server, tmp_path):
    path = tmp_path / "rpc.sock"
    rpc = ["127.0.0.1:0", f"unix:{path}"]
    running = server(listen=ON | {"rpc": rpc})
    first = status_of(running)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        new, overlapping = f"127.0.0.1:{port}", f"0.0.0.0:{port}"
    # Two sockets may be bound to a port as long as neither listens: so the reload fails only when
    # it listens, once the workers are up.
    listen = {"rpc": [*rpc, new], "status": overlapping, "unix_mode": "0666"}
    refused = running.reload(listen=listen)
    assert f"listen on {new}: Address already in use" in refused
    assert running.call("echo", [1]) == [1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert ask(first, "/readyz")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(new, "/readyz")


def test_an_address_in_use_is_named_at_the_start(server):
    first = server(listen=ON)
    second = server(wait=False, name="second", listen={"status": status_of(first)})
    assert second.wait() == 71
    assert f"listen.status: listen on {status_of(first)}: Address already in use" in (
        second.lines[-1]
    )


def test_a_default_address_in_use_is_no_failure(server):
    """One of the two servers has the address, or another program on this host has it."""
    first, second = (server(name=name, listen={"status": None}) for name in ("one", "two"))
    assert first.call("echo", [1]) == [1] and second.call("echo", [2]) == [2]
    told = lambda: [line for line in first.lines + second.lines if "event=no_status_port" in line]
    wait_until(told, "one server to have no status port")


def test_a_unix_socket(server, tmp_path):
    running = server(listen={"status": f"unix:{tmp_path}/status.sock"})
    with connect(f"unix:{tmp_path}/status.sock") as client:
        client.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        received = read_all(client)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n"), received
    assert received.endswith(b"serving: 2 of 2 workers are up\n")


def test_no_limit_or_rule_of_requests_applies_to_the_status_port(holding, gate, tokens, tmp_path):
    token, held = "some-token-of-some-length", gate()
    running = holding(
        listen=ON | {"rpc": [f"unix:{tmp_path}/rpc.sock"], "token_file": tokens(token),
                     "allow": ["203.0.113.1"]},
        limits={"connections": 1, "requests_in_flight": 1},
    )  # fmt: skip
    with running.connect() as client:
        assert client.call("rpc.auth", [token]) is True
        held.hold(client, "all that there may be")
        assert ask(status_of(running), "/readyz")[0] == 200
        held.open()
        assert client.answer()["id"] == "all that there may be"


def test_hostile_clients_of_the_status_port_are_bounded(server):
    running = server(listen=ON)
    address = status_of(running)
    for hostile in (
        request("echo", [1]), b"\x16\x03\x01garbage", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" * 1000,
        b"POST /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000,
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 5000, b"5:hello,", b"{" * 100_000,
    ):
        with connect(address) as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(hostile)
            received = read_all(client)
            assert len(re.findall(rb"HTTP/1.1 \d+ ", received)) <= 1, received
    assert ask(address, "/livez") == (200, "ok\n")


def test_the_first_clients_of_a_burst_are_served(server):
    """All clients of the burst have connected and asked before the master looks."""
    running = server(listen=ON)
    address = status_of(running)
    with contextlib.ExitStack() as stack:
        with stopped(running.pid):
            burst = [stack.enter_context(connect(address)) for _ in range(70)]
            for client in burst:
                client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in burst[:64]:
            assert read_all(client).endswith(b"ok\n")


def test_the_oldest_connection_makes_room_for_a_probe(server):
    running = server(listen=ON)
    address = status_of(running)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(address)) for _ in range(64)]
        for _ in range(2):  # after two calls, all 64 have had a turn of the loop to ask in
            assert running.call("echo", [1]) == [1]
        held.append(stack.enter_context(connect(address)))
        held[1].sendall(b"GET /livez HTTP/1.1\r\n")
        assert read_all(held[0]) == b""
        assert ask(address, "/livez") == (200, "ok\n")
        assert read_all(held[1]) == b"", "half a request does not count"
        for client in held[2:]:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_all(client).endswith(b"ok\n"), "no other client had to go"
        assert running.call("echo", [1]) == [1]
