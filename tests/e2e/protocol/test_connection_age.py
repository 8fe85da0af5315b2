"""listen.connection_age_s: connections that have become old are closed between two requests."""

import time
from http.client import HTTPConnection

from client import DEADLINE_S, request

AGE_S = 1
AGED = {"connection_age_s": AGE_S}


def test_a_connection_without_requests_is_closed_and_one_of_http_at_its_next_response(server):
    running = server(listen=AGED)
    host, _, port = running.address.rpartition(":")
    connection = HTTPConnection(host, int(port), DEADLINE_S)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/", request("echo", [1])[:-1], headers)
    assert b"[1]" in connection.getresponse().read()
    begun = time.monotonic()
    clients = [running.connect() for _ in range(5)]  # younger than that of HTTP
    for client in clients:
        assert client.call("echo", [1]) == [1]
    for client in clients:
        assert client.read_to_end() == []
    assert time.monotonic() - begun >= AGE_S
    connection.request("POST", "/", request("echo", [2])[:-1], headers)
    response = connection.getresponse()
    assert b"[2]" in response.read() and response.headers["Connection"] == "close"


def test_a_connection_with_a_request_in_flight_or_on_the_way_is_not_closed(holding, gate):
    running, held = holding(listen=AGED), gate()
    waiting, busy, sending = running.connect(), running.connect(), running.connect()
    held.hold(waiting, "held")
    message = request("echo", [3])
    sending.send(message[:5])
    idle = running.connect()
    assert idle.call("echo", [1]) == [1]
    until = time.monotonic() + 3 * AGE_S
    while time.monotonic() < until:
        assert busy.call("echo", [2]) == [2]
    assert idle.read_to_end() == []  # as old as the others: the server could have closed them, too
    sending.send(message[5:])
    assert sending.answer()["result"] == [3]
    held.open()
    assert waiting.answer()["id"] == "held"
    for client in (waiting, busy, sending):
        assert client.read_to_end() == []


def test_an_http_client_is_told_with_the_last_response(server):
    running = server(listen=AGED)
    host, _, port = running.address.rpartition(":")
    connection = HTTPConnection(host, int(port), DEADLINE_S)
    begun = time.monotonic()
    is_kept = True
    while is_kept:
        connection.request("POST", "/", request("echo", [1])[:-1],
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert response.status == 200 and b"[1]" in response.read()
        is_kept = response.headers["Connection"] != "close"
        assert time.monotonic() < begun + DEADLINE_S
    assert time.monotonic() - begun >= AGE_S
