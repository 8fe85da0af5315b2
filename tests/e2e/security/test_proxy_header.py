"""Clients behind a balancer that speaks the PROXY protocol: listen.proxy_from."""

import pytest
from certificates import ca, made, own  # noqa: F401 (fixtures)
from client import Client, connect, read_all, request
from proxy_header import LOCAL, PROXY, TCP4, UNIX, header, proxy_header
from tls import StepwiseTls, raw

BALANCER, CLIENT, OTHER = "127.0.0.1", "192.0.2.7", "192.0.2.8"
BEHIND = {"rpc": ["127.0.0.1:0"], "proxy_from": [BALANCER]}

HTTP = (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s")


def through_balancer(running, sent: bytes) -> Client:
    client = running.connect(source=BALANCER)
    client.send(sent)
    return client


@pytest.mark.parametrize("client", [CLIENT, "2001:db8::7"])
def test_a_client_is_known_by_the_address_in_the_header(server, client):
    running = server(listen=BEHIND | {"connections_per_client": 1}, log={"access": "all"})
    first = through_balancer(running, proxy_header(client) + request("echo", [1]))
    assert first.answer()["result"] == [1]
    name = client if "." in client else r"\"?2001:db8::/64\"?"
    running.wait_for_line(rf"event=request .*client={name}")
    # Another client of the same balancer, and a second connection of the same client.
    other = through_balancer(running, proxy_header(OTHER, tlvs=b"\x04\0\x01x") +
                             request("echo", [2]))
    assert other.answer()["result"] == [2]
    second = through_balancer(running, proxy_header(client, 40001))
    (refused,) = second.read_to_end()
    assert b'"connections_per_client"' in refused
    running.wait_for_line(rf"event=clients_refused why=connections_per_client .*last={name}")


def test_allow_is_about_the_client_and_not_about_its_balancer(server):
    running = server(listen=BEHIND | {"allow": [CLIENT]})
    assert through_balancer(running, proxy_header(CLIENT) + request("echo", [1])).answer()
    denied = through_balancer(running, proxy_header(OTHER))
    assert denied.read_to_end() == []
    running.wait_for_line(rf"event=clients_refused why=address .*last={OTHER}:40000$")


def test_a_header_without_an_ip_address_is_about_the_balancer_itself(server):
    """The balancer's first connection counts, so that its second is one too many."""
    running = server(listen=BEHIND | {"connections_per_client": 1})
    headers = {
        "local": header(LOCAL, 0, b""),
        "local with tlvs": header(LOCAL, TCP4, b"", tlvs=b"\x04\0\x01x"),
        "unspecified": header(PROXY, 0, b"", tlvs=b"\x04\0\x01x"),
        "unix": header(PROXY, UNIX, bytes(216)),
    }
    for what, own_connection in headers.items():
        with through_balancer(running, own_connection + request("echo", [1])) as first:
            assert first.answer().get("result") == [1], what
            second = through_balancer(running, own_connection)
            assert b'"connections_per_client"' in second.read_to_end()[0], what
            first.end_sending()
            assert first.read_to_end() == []  # the server has closed it, and counts it no more
    running.wait_for_line(
        rf"why=connections_per_client .*total={len(headers)} last={BALANCER}$")


def test_a_header_and_a_request_may_come_byte_by_byte(server):
    running = server(listen=BEHIND)
    client = running.connect(source=BALANCER)
    for byte in proxy_header(CLIENT, tlvs=bytes(20)) + request("echo", [1]):
        client.send(bytes([byte]))
    assert client.answer()["result"] == [1]


@pytest.mark.parametrize("sent, why", [
    (request("echo", [1]), "expected a header of the PROXY protocol, version 2"),
    (HTTP % (2, b"{}"), "expected a header of the PROXY protocol, version 2"),
    (b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n", "expected a header of the PROXY protocol"),
    (header(0x31, TCP4, bytes(12)), "expected version 2 and the command LOCAL or PROXY"),
    (header(PROXY, 0x12, bytes(12)), "expected the family of a TCP or unix stream, found 0x12"),
    (header(PROXY, TCP4, bytes(11)), "expected 12 bytes of addresses, found 11"),
    (header(PROXY, TCP4, bytes(12), bytes(2048)), "expected a header of at most 2048 bytes"),
], ids=["json", "http", "version 1", "version 3", "datagrams", "short", "long"])  # fmt: skip
def test_a_balancer_without_a_valid_header_is_closed_and_logged(server, sent, why):
    running = server(listen=BEHIND)
    with running.connect(source=BALANCER) as client:
        client.send(sent)
        assert read_all(client.socket) == b""
    running.wait_for_line(
        rf'event=clients_refused why=proxy_header count=1 total=1 last="{BALANCER}:\d+: {why}'
    )


def test_a_check_that_connects_and_leaves_is_not_logged(server):
    running = server(listen=BEHIND)
    connect(running.address, BALANCER).close()
    with connect(running.address, BALANCER) as half:
        half.sendall(proxy_header(CLIENT)[:20])
    running.wait_for_line("why=proxy_header count=1 total=1 .*ended in the middle")


def test_others_may_not_send_a_header_and_need_none(server):
    running = server(listen=BEHIND)
    with running.connect(source="127.0.0.2") as stranger:
        stranger.send(proxy_header(CLIENT) + request("echo", [1]))
        (answer,) = stranger.read_to_end()
        assert b"-32700" in answer and b"unknown_framing" in answer
    with running.connect(source="127.0.0.2") as direct:
        assert direct.call("echo", [1]) == [1]


def test_the_header_comes_before_tls(server, own, ca):
    running = server(listen=own.listen() | {"proxy_from": [BALANCER],
                                            "connections_per_client": 1})
    half = StepwiseTls(ca)
    with raw(running, BALANCER) as connection:
        connection.sendall(proxy_header(CLIENT))
        last = half.last_flight(connection)
        connection.sendall(last + half.records(request("echo", [1])))
        assert connection.recv(1)
        with raw(running, BALANCER) as second:
            second.sendall(proxy_header(CLIENT, 40001))
            assert read_all(second) == b""
        running.wait_for_line(rf"why=connections_per_client .*last={CLIENT}$")
    with raw(running, BALANCER) as without:
        without.sendall(StepwiseTls(ca).first_flight())
        assert read_all(without) == b""
    running.wait_for_line("why=proxy_header count=1 ")


def test_a_stop_does_not_wait_for_headers(server):
    running = server(listen=BEHIND)
    with running.connect(source=BALANCER) as client:
        client.send(proxy_header(CLIENT)[:20])
        assert through_balancer(running, proxy_header(CLIENT) + request("echo", [1])).answer()
        assert running.stop() == 0
        assert read_all(client.socket) == b""
    assert not [line for line in running.lines if "did not come within" in line]


def test_a_reload_changes_who_is_a_balancer(server):
    running = server(listen={"rpc": ["127.0.0.1:0"]})
    assert running.call("echo", [1]) == [1]
    assert "reloaded" in running.reload(listen=BEHIND)
    client = through_balancer(running, proxy_header(CLIENT) + request("echo", [2]))
    assert client.answer()["result"] == [2]
