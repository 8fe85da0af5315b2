"""HTTP/1.1 on the port of JSON-RPC: its statuses, its connections, its browsers."""

import json
import time

import pytest
from answers import Error
from client import request
from framings import Http, seconds_of
from server import Server

MESSAGE_BYTES = 1 << 20
ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def running(module_server) -> Server:
    return module_server(name="http", listen={"rpc": ["127.0.0.1:0"], "origins": [ORIGIN]},
                         limits={"request_bytes": MESSAGE_BYTES})


@pytest.fixture
def client(running):
    with Http(running.address) as client:
        yield client


def echo(id, params=None) -> bytes:
    return request("echo", params, id)[:-1]


def assert_still_serves(client: Http):
    client.send_message(echo(1, ["still"]))
    assert client.read_message() == b'{"jsonrpc":"2.0","id":1,"result":["still"]}'


def assert_refused(client: Http, status: int, says: str, code: int = -32600):
    found, fields, body = client.read_response()
    assert found == status and fields["connection"] == "close", (found, fields, body)
    error = json.loads(body)["error"]
    assert error["code"] == code and says in error["message"], error
    assert client.read_to_end() == []


def test_a_notification_has_an_empty_answer(client):
    client.send_message(request("echo", [1], None)[:-1])
    status, fields, body = client.read_response()
    assert (status, body, fields["content-length"]) == (200, b"", "0")
    assert set(fields) == {"content-length", "date"}
    assert_still_serves(client)


@pytest.mark.parametrize(("stream", "status"), [
    (Http.frame(echo(1)), 200),
    (Http.frame(request("echo", [1], None)[:-1]), 200),
    (Http.frame(b"{bad"), 200),
    (f"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n\r\n".encode(), 204),
    (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"POST / HTTP/1.1\r\n\r\n", 400),
], ids=["result", "notification", "error", "preflight", "refusal", "fault"])  # fmt: skip
def test_every_response_says_when(client, stream, status):
    before = int(time.time())
    client.send(stream)
    found, fields, _ = client.read_response()
    assert found == status
    assert before <= seconds_of(fields["date"]) <= time.time()


@pytest.mark.parametrize("content_type", [
    "application/json", "application/json-rpc", "application/jsonrequest", "Application/JSON",
    "application/json-request", "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
])  # fmt: skip
def test_content_types_of_json_are_served(client, content_type):
    stream = Http.frame(echo(1)).replace(b"application/json", content_type.encode(), 1)
    client.send(stream)
    assert client.read_message() == b'{"jsonrpc":"2.0","id":1,"result":null}'


@pytest.mark.parametrize("content_type", [
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
    "application/json; charset=latin-1", "application/xml", "application/jsonx",
])  # fmt: skip
def test_other_content_types_are_refused(client, content_type):
    """A page of another site can send these without a preflight request."""
    client.send(Http.frame(echo(1)).replace(b"application/json", content_type.encode(), 1))
    assert_refused(client, 415, "Content-Type: application/json")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    client.send(f"{method} /rpc HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    status, fields, body = client.read_response()
    assert (status, fields["allow"]) == (405, "POST, OPTIONS") and method.encode() in body
    assert client.read_to_end() == []


def test_head_is_refused_without_a_body(client):
    client.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.read_response()[::2] == (405, b"")
    assert client.read_to_end() == []


@pytest.mark.parametrize(("status", "head", "says"), [
    (400, "POST / HTTP/1.1\r\n\r\n", "Host"),
    (400, "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "Host"),
    (400, "POST / HTTP/1.1\r\nHost: a/b\r\n\r\n", "Host"),
    (400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0"),
    (400, "POST / HTTP/1.1\r\nHost x\r\n\r\n", "HTTP/1.1"),
    (400, "POST /\r\n\r\n", "HTTP/1.1"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", "HTTP/1.1"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", "HTTP"),
    (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
     "HTTP"),
    (501, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "chunked"),
    (505, "POST / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP"),
    (431, "POST / HTTP/1.1\r\nHost: x\r\nX: " + "x" * 9000 + "\r\n\r\n", "8 KiB"),
])  # fmt: skip
def test_a_head_that_could_be_read_in_two_ways_is_refused(client, status, head, says):
    client.send(head.encode())
    assert_refused(client, status, says, -32700)


def test_a_coded_body_is_refused(client):
    client.send(Http.frame(echo(1), b"Content-Encoding: gzip"))
    assert_refused(client, 415, "gzip")


def test_a_body_that_is_too_long_is_refused_before_it_comes(client):
    client.send(Http.frame(b"x" * (MESSAGE_BYTES + 1))[:200])
    status, fields, body = client.read_response()
    assert (status, fields["connection"]) == (413, "close")
    Error(-32007, reason="request_too_large", limit=MESSAGE_BYTES).check(body)
    assert client.read_to_end() == []


def chunked(message: bytes, size: int) -> bytes:
    chunks = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join((
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        *(b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks),
        b"0\r\nTrailer: x\r\n\r\n",
    ))  # fmt: skip


def test_chunks_make_a_body(client):
    stream = chunked(echo(1, ["x" * 1000]), 7)
    for at in range(0, len(stream), 100):
        client.send(stream[at : at + 100])
    assert json.loads(client.read_message())["result"] == ["x" * 1000]
    client.send(chunked(echo(2), 1000) * 2)
    for _ in range(2):
        assert json.loads(client.read_message())["id"] == 2


@pytest.mark.parametrize("byte", [b"\n", b"\0"])
@pytest.mark.parametrize("chunk", [
    b'%x;a="%s"\r\n%s\r\n0\r\n\r\n', b'%x\r\n%s\r\n0;a="%s"\r\n\r\n',
], ids=["first", "last"])  # fmt: skip
def test_a_control_character_in_an_extension_of_a_chunk_is_refused(client, chunk, byte):
    """A proxy that takes the byte for the end of the line sees other requests than the server."""
    head = chunked(b"", 1).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    body = echo(1)
    parts = (len(body), byte, body) if chunk.startswith(b"%x;") else (len(body), body, byte)
    client.send(head + chunk % parts + Http.frame(echo(2)))
    assert_refused(client, 400, "chunk", -32700)


def test_too_many_chunks_are_too_long(client):
    client.send(chunked(echo(1, ["x" * (MESSAGE_BYTES + 1)]), 60_000))
    status, _, body = client.read_response()
    assert status == 413
    Error(-32007, reason="request_too_large", limit=MESSAGE_BYTES).check(body)


def test_a_client_that_waits_for_continue_is_told_to_go_on(client):
    head, _, body = Http.frame(echo(1), b"Expect: 100-continue").partition(b"\r\n\r\n")
    client.send(head + b"\r\n\r\n")
    assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
    client.send(body)
    assert json.loads(client.read_message())["id"] == 1


def test_a_client_behind_another_request_is_told_to_go_on_after_its_reply(holding, gate):
    running, held = holding(), gate()
    head, _, body = Http.frame(echo(2), b"Expect: 100-continue").partition(b"\r\n\r\n")
    with Http(running.address) as client:
        client.send(Http.frame(held.request(1)[:-1]) + head + b"\r\n\r\n")
        held.wait_for_runs(1)
        held.open()
        assert json.loads(client.read_message())["id"] == 1
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        client.send(body)
        assert json.loads(client.read_message())["id"] == 2


def test_http_1_0_gets_no_100_continue(client):
    stream = Http.frame(echo(1), b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    client.send(stream)
    assert json.loads(client.read_response()[2])["id"] == 1


def test_a_refused_request_gets_no_100_continue(client):
    stream = Http.frame(echo(1), b"Expect: 100-continue").replace(b"application/json", b"text/x")
    client.send(stream.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert_refused(client, 415, "Content-Type")


@pytest.mark.parametrize(("version", "fields", "stays"), [
    (b"1.1", [], True), (b"1.1", [b"Connection: close"], False),
    (b"1.0", [], False), (b"1.0", [b"Connection: keep-alive"], True),
])  # fmt: skip
def test_connections_are_kept_as_the_client_wants(client, version, fields, stays):
    client.send(Http.frame(echo(1), *fields).replace(b"HTTP/1.1", b"HTTP/" + version, 1))
    status, answer, body = client.read_response()
    assert status == 200 and json.loads(body)["id"] == 1
    if stays:  # a client of HTTP/1.0 must be told that the connection stays
        assert answer.get("connection") == (None if version == b"1.1" else "keep-alive")
        assert_still_serves(client)
    else:
        assert answer["connection"] == "close"
        assert client.read_to_end() == []


def test_a_client_that_has_ended_its_sending_gets_all_replies(client):
    client.send(Http.frame(echo(1)) + Http.frame(echo(2)))
    client.end_sending()
    kept = [client.read_response()[1].get("connection") for _ in range(2)]
    assert kept[0] is None and kept[1] in (None, "close")  # the server may read the end later
    assert client.read_to_end() == []


def test_an_end_inside_of_a_request_is_a_400(client):
    client.send(Http.frame(echo(1))[:-3])
    client.end_sending()
    assert_refused(client, 400, "in the middle of a message", -32700)


def test_a_header_shortens_the_deadline(holding, gate):
    running = holding(methods={"hold": {"timeout_ms": 3600_000}})
    message = gate().request(1)[:-1]
    with Http(running.address) as client:
        client.send(Http.frame(message, b"X-Request-Timeout-Ms: 100"))
        assert json.loads(client.read_message())["error"]["code"] == -32012


def test_a_header_that_is_no_time_is_refused(client):
    client.send(Http.frame(echo(1), b"X-Request-Timeout-Ms: soon"))
    assert_refused(client, 400, "X-Request-Timeout-Ms")


def test_pages_of_other_sites_may_not_call(client):
    client.send(Http.frame(echo(1), b"Origin: https://evil.example"))
    assert_refused(client, 403, "https://evil.example")


def test_pages_of_a_configured_site_may(client):
    client.send(f"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: {ORIGIN}\r\n\r\n".encode())
    status, fields, body = client.read_response()
    assert (status, body) == (204, b"")
    assert fields["access-control-allow-origin"] == ORIGIN
    assert "Content-Type" in fields["access-control-allow-headers"]
    client.send(Http.frame(echo(1), b"Origin: " + ORIGIN.encode()))
    status, fields, body = client.read_response()
    assert (status, fields["access-control-allow-origin"]) == (200, ORIGIN)
    assert fields["vary"] == "Origin"
