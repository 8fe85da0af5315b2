"""Which clients may call: tokens, by rpc.auth and by HTTP."""

import json
import subprocess
from http.client import HTTPConnection, HTTPResponse

from client import DEADLINE_S, request
from framings import ContentLength, Http

FIRST, SECOND = "the-first-token-of-all", "the-second-token-of-all"


def post(running, token: str | None, body: bytes = request("echo", [1])) -> HTTPResponse:
    connection = HTTPConnection(running.address, timeout=DEADLINE_S)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/", body, headers | ({"Authorization": token} if token else {}))
    return connection.getresponse()


def assert_unauthorized(answer: dict, id, what=""):
    assert answer["id"] == id and answer["error"]["code"] == -32001, (what, answer)
    assert answer["error"]["data"] == {
        "reason": "unauthorized", "retryable": False, "executed": False
    }, (what, answer)


def test_a_client_with_a_token_may_call(server, tokens):
    running = server(listen={"token_file": tokens(FIRST, SECOND)})
    for params in ({"token": FIRST}, [SECOND]):
        with running.connect() as client:
            assert client.call("rpc.auth", params) is True
            assert client.call("echo", ["x" * 10_000]) == ["x" * 10_000]
    with running.connect() as client:  # without waiting for an answer
        client.send(request("rpc.auth", [FIRST], None) + request("echo", [1], 7))
        assert client.answer()["id"] == 7


def test_the_token_comes_behind_headers(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    auth, echo = request("rpc.auth", [FIRST]).strip(), request("echo", [1], 2).strip()
    with ContentLength(running.address) as client:
        client.send(ContentLength.frame(auth) + ContentLength.frame(echo))
        assert json.loads(client.read_message())["result"] is True
        assert json.loads(client.read_message())["result"] == [1]


def test_a_client_without_a_token_gets_an_error_and_is_closed(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    firsts = {  # what the client sends first, and the id in the answer
        "another method": (request("echo", [1], 5), 5),
        "wrong": (request("rpc.auth", ["the-first-token-of-al"], 5), 5),
        "too many": (request("rpc.auth", ["the-first-token-of-all", "more"], 5), 5),
        "no text": (request("rpc.auth", {"token": 7}, '"'), '"'),
        "no params": (request("rpc.auth", None, 5), 5),
        "in a batch": (b"[" + request("rpc.auth", [FIRST], 5).strip() + b"]\n", None),
        "notification": (request("echo", None, None), None),
        "no JSON": (b"{not json\n", None),
        "long": (request("rpc.auth", ["x" * 5000], 5), None),
        "very long": (request("echo", ["x" * 200_000], 5), None),
    }
    for what, (first, id) in firsts.items():
        with running.connect() as client:
            client.send(first + request("rpc.auth", [FIRST], 8) + request("echo", [9], 9))
            answers = client.read_to_end()
        assert len(answers) == 1, (what, answers)
        assert_unauthorized(json.loads(answers[0]), id, what)
    running.wait_for_line(
        rf"event=clients_refused why=token count=\d+ total={len(firsts)} last=127.0.0.1:\d+")
    assert not [line for line in running.lines if "first-token" in line]


def test_a_wrong_token_later_closes_too(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    with running.connect() as client:
        assert client.call("rpc.auth", [FIRST]) is True
        client.send(request("rpc.auth", [SECOND], 2))
        (answer,) = client.read_to_end()
        assert_unauthorized(json.loads(answer), 2)


def test_nothing_behind_a_wrong_token_is_served(holding, tokens, gate):
    running, held = holding(listen={"token_file": tokens(FIRST)}), gate()
    with running.connect() as client:
        assert client.call("rpc.auth", [FIRST]) is True
        held.hold(client, 1)
        client.send(request("rpc.auth", [SECOND], 2) + request("echo", [3], 3))
        assert_unauthorized(client.answer(), 2)
        client.send(request("rpc.auth", [FIRST], 4) + request("echo", [5], 5))
        held.open()
        (owed,) = client.read_to_end()
        assert json.loads(owed)["id"] == 1 and "result" in json.loads(owed)


def test_nothing_behind_a_wrong_token_in_http_is_served(holding, tokens, gate):
    running = holding(listen={"token_file": tokens(FIRST)})
    held, token = gate(), b"Authorization: Bearer " + FIRST.encode()
    with Http(running.address) as client:
        client.send(Http.frame(held.request(1).strip(), token))
        held.wait_for_runs(1)
        for message in (request("rpc.auth", [SECOND], 2), request("echo", [3], 3)):
            client.send(Http.frame(message.strip(), token))
        held.open()
        assert json.loads(client.read_message())["id"] == 1
        status, fields, body = client.read_response()
        assert (status, fields["connection"]) == (200, "close")
        assert_unauthorized(json.loads(body), 2)
        assert client.read_to_end() == []


def test_a_wrong_token_in_a_batch_costs_no_answer(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    with running.connect() as client:
        assert client.call("rpc.auth", [FIRST]) is True
        wrong, echo = request("rpc.auth", [SECOND], 1), request("echo", [2], 2)
        client.send(b"[" + wrong.strip() + b"," + echo.strip() + b"]\n")
        (answers,) = client.read_to_end()
        refused, answered = json.loads(answers)
        assert_unauthorized(refused, 1)
        assert answered["result"] == [2]


def test_a_batch_with_a_wrong_token_is_answered_whole(holding, tokens, gate):
    running, held = holding(listen={"token_file": tokens(FIRST)}), gate()
    with running.connect() as client:
        assert client.call("rpc.auth", [FIRST]) is True
        late = request("echo", {"_meta": {"timeout_ms": 0}}, 2)
        batch = [request("rpc.auth", [SECOND], 1), late, held.request(3), request("echo", [4], 4)]
        client.send(b"[" + b",".join(one.strip() for one in batch) + b"]\n")
        held.wait_for_runs(1)
        held.open()
        (answers,) = client.read_to_end()
    refused, passed, slow, last = json.loads(answers)
    assert_unauthorized(refused, 1)
    assert passed["error"]["code"] == -32012
    assert "result" in slow and last["result"] == [4]


def test_where_no_token_is_asked_for_any_is_good(server):
    running = server()
    with running.connect() as client:
        assert client.call("rpc.auth", {"token": "whatever it is"}) is True
        assert client.call("echo", [1]) == [1]
    assert post(running, "Bearer whatever").status == 200


def test_http_shows_the_token_with_each_request(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    for good in (f"Bearer {FIRST}", f"bearer   {FIRST}"):
        response = post(running, good)
        assert response.status == 200 and json.load(response)["result"] == [1]
    for bad in (None, FIRST, f"Basic {FIRST}", f"Bearer {SECOND}", "Bearer", "Bearer "):
        response = post(running, bad)
        assert response.status == 401 and response.headers["WWW-Authenticate"] == "Bearer", bad
        assert_unauthorized(json.load(response), None)
    # The server does not wait for the body of a client that may not send one.
    connection = HTTPConnection(running.address, timeout=DEADLINE_S)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    assert connection.getresponse().status == 401


def test_http_without_a_token_is_told_nothing_else(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    json_type = b"Content-Type: application/json\r\n"
    heads = [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: " + b"\xff" * 8000,
        b"POST / HTTP/1.1\r\nHost: x\r\n" + json_type + b"X-Request-Timeout-Ms: soon",
        b"GET / HTTP/1.1\r\nHost: x",
        b"POST / HTTP/1.1\r\nHost: x\r\n" + json_type + b"Content-Length: 99999999999",
    ]
    for head in heads:
        with Http(running.address) as client:
            client.send(head + b"\r\n\r\n")
            status, _, body = client.read_response()
            assert status == 401 and len(body) < 1000, head[:100]
            assert_unauthorized(json.loads(body), None)
    running.wait_for_line(rf"event=clients_refused why=token count=\d+ total={len(heads)} ")
    # A client that has shown a token is told what is wrong with its request.
    known = b"\r\nAuthorization: Bearer " + FIRST.encode() + b"\r\n\r\n"
    with Http(running.address) as client:
        client.send(heads[-1] + known)
        assert json.loads(client.read_response()[2])["error"]["code"] == -32007
    with Http(running.address) as client:
        client.send(heads[0] + known)
        status, _, body = client.read_response()
        assert status == 415 and len(body) < 1000


def test_a_reload_changes_the_tokens(server, tokens):
    listen = {"token_file": tokens(FIRST)}
    running = server(listen=listen)
    with running.connect() as before:
        assert before.call("rpc.auth", [FIRST]) is True
        tokens(SECOND)
        assert "reloaded" in running.reload(listen=listen)
        assert post(running, f"Bearer {FIRST}").status == 401
        assert post(running, f"Bearer {SECOND}").status == 200
        assert before.call("echo", [1]) == [1], "the reload closed the connection"
        tokens("short")
        refused = running.reload(listen=listen)
        assert "reload_failed" in refused and "found 5" in refused and "short" not in refused
        assert post(running, f"Bearer {SECOND}").status == 200


def test_a_weight_for_a_name_that_no_token_has_is_logged(server, tokens):
    sections = {"listen": {"token_file": tokens(f"batch {FIRST}")},
                "fair": {"weights": {"batch": 2, "batches": 3}}}
    running = server(**sections)
    found = lambda: [line for line in running.lines if "event=weight_of_nobody" in line]
    assert ["name=batches " in line for line in found()] == [True]
    tokens(f"batches {FIRST}")
    assert "reloaded" in running.reload(**sections)
    assert ["name=batch " in line for line in found()[1:]] == [True]


def test_the_commands_show_a_token(server, tokens, build, tmp_path):
    file = tokens(FIRST, SECOND)
    running = server(listen={"token_file": file})
    wrong = tmp_path / "wrong"
    wrong.write_text("never-heard-of-this-one\n")

    def run(command: str, *arguments) -> subprocess.CompletedProcess:
        argv = [build / "ringmaster", command, "--to", running.address, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S)

    done = run("call", "--token-file", file, "echo", "[1]")
    assert (done.returncode, done.stdout) == (0, "[1]\n"), done
    assert '"openrpc"' in run("discover", "--token-file", file).stdout
    brief = ["--warm-up-s", "0", "--duration-s", "0.1", "--json", "echo", "[1]"]
    for framing in ([], ["--http", "/"]):
        report = json.loads(run("bench", "--token-file", file, *framing, *brief).stdout)
        assert report["results"] > 0 and report["errors"] == {} and report["lost"] == 0, report
    done = run("call", "--token-file", wrong, "echo", "[1]")
    assert done.returncode == 71 and "does not accept the token" in done.stderr, done
    done = run("call", "--token-file", tmp_path / "none", "echo", "[1]")
    assert done.returncode == 64 and f"{tmp_path}/none: cannot read" in done.stderr, done
    done = run("call", "echo", "[1]")
    assert done.returncode == 1 and done.stderr.startswith("error -32001: "), done
