"""Who may call: the modes of unix sockets, the allow list, tokens."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from client import DEADLINE_S, connect, request
from framings import ContentLength, Netstrings

DENIED = {"allow": ["203.0.113.0/24"]}
FIRST, SECOND = "the-first-token-of-all", "the-second-token-of-all"


@pytest.fixture
def tokens(tmp_path):
    """tokens(TOKEN, ...): writes them to a file, which is returned."""
    path = tmp_path / "tokens"

    def write(*lines: str) -> Path:
        path.touch(mode=0o600)
        path.write_text("# a comment\n" + "".join(f"{line}\n" for line in lines))
        return path

    return write


def post(running, token: str | None, body: bytes = request("echo", [1])) -> HTTPResponse:
    connection = HTTPConnection(running.address, timeout=DEADLINE_S)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/", body, headers | ({"Authorization": token} if token else {}))
    return connection.getresponse()


def assert_unauthorized(answer: dict, id):
    assert answer["id"] == id and answer["error"]["code"] == -32001, answer
    assert answer["error"]["data"] == {
        "reason": "unauthorized", "retryable": False, "executed": False
    }


def is_closed_at_once(address: str) -> bool:
    """Whether a connection is closed without a word, whatever one says."""
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
    # A reload changes who may, without a new socket.
    before = os.stat(path).st_ino
    listen = {"rpc": [f"unix:{path}"], "unix_mode": "0606"}
    assert "reloaded" in running.reload(listen=listen)
    assert mode_of(path) == 0o606 and os.stat(path).st_ino == before
    assert running.call("echo", [2]) == [2]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_unix_socket_is_given_away(server, tmp_path):
    path = tmp_path / "rpc.sock"
    owners = {"unix_owner": "nobody", "unix_group": "54321", "unix_mode": "0600"}
    running = server(listen={"rpc": [f"unix:{path}"]} | owners)
    found = os.stat(path)
    assert found.st_uid == 65534 and found.st_gid == 54321 and mode_of(path) == 0o600
    assert running.call("echo", [1]) == [1]


def test_who_is_not_allowed_is_closed_counted_and_logged(server, tmp_path):
    path = f"unix:{tmp_path}/rpc.sock"
    running = server(listen={"rpc": ["127.0.0.1:0", path]} | DENIED)
    attempts = 300
    for _ in range(attempts):
        assert is_closed_at_once(running.address)
    # Unix sockets have their mode.
    with running.connect(running.addresses[1]) as client:
        assert client.call("echo", [1]) == [1]
    last = running.wait_for_line(rf"event=clients_refused why=address count=\d+ total={attempts} ")
    assert "last=127.0.0.1:" in last.string
    told = [line for line in running.lines if "event=clients_refused" in line]
    assert sum(int(re.search(r"count=(\d+)", line)[1]) for line in told) == attempts
    assert len(told) < 30, told


def test_a_reload_changes_who_is_let_in(server):
    running = server(listen={"allow": ["127.0.0.0/8"]})
    with running.connect() as inside:
        assert inside.call("echo", [1]) == [1]
        listen = {"rpc": ["127.0.0.1:0"]}
        running.configure(listen=listen | DENIED)
        running.send(signal.SIGHUP)
        running.wait_for_line("event=reloaded")
        assert is_closed_at_once(running.address)
        assert inside.call("echo", [2]) == [2], "who is in stays in"
    assert "reloaded" in running.reload(listen=listen)
    assert running.call("echo", [3]) == [3]


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
def test_an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client(server):
    running = server(listen={"rpc": ["[::]:0"], "allow": ["127.0.0.1/32"]})
    port = running.address.rpartition(":")[2]
    assert is_closed_at_once(f"[::1]:{port}")
    with running.connect(f"127.0.0.1:{port}") as client:
        assert client.call("echo", [1]) == [1]


def test_who_shows_a_token_may_call(server, tokens):
    running = server(listen={"token_file": tokens(FIRST, SECOND)})
    for params in ({"token": FIRST}, [SECOND]):
        with running.connect() as client:
            assert client.call("rpc.auth", params) is True
            assert client.call("echo", ["x" * 10_000]) == ["x" * 10_000]
    with running.connect() as client:  # without a round trip
        client.send(request("rpc.auth", [FIRST], None) + request("echo", [1], 7))
        assert client.answer()["id"] == 7


def test_the_token_comes_in_any_framing(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    auth, echo = request("rpc.auth", [FIRST]).strip(), request("echo", [1], 2).strip()
    for framed in (Netstrings, ContentLength):
        with framed(running.address) as client:
            client.send(framed.frame(auth) + framed.frame(echo))
            assert json.loads(client.read_message())["result"] is True
            assert json.loads(client.read_message())["result"] == [1]


@pytest.mark.parametrize(
    "first, id",
    [
        (request("echo", [1], 5), 5),
        (request("rpc.auth", ["the-first-token-of-al"], 5), 5),
        (request("rpc.auth", ["the-first-token-of-all", "more"], 5), 5),
        (request("rpc.auth", {"token": 7}, '"'), '"'),
        (request("rpc.auth", None, 5), 5),
        (b"[" + request("rpc.auth", [FIRST], 5).strip() + b"]\n", None),
        (request("echo", None, None), None),
        (b"{not json\n", None),
        (request("rpc.auth", ["x" * 5000], 5), None),
        (request("echo", ["x" * 200_000], 5), None),
    ],
    ids=["another method", "wrong", "too many", "no text", "no params", "in a batch",
         "notification", "no JSON", "long", "very long"],
)
def test_who_shows_none_is_told_so_and_closed(server, tokens, first, id):
    running = server(listen={"token_file": tokens(FIRST)})
    with running.connect() as client:
        client.send(first + request("rpc.auth", [FIRST], 8) + request("echo", [9], 9))
        (answer,) = client.read_to_end()
        assert_unauthorized(json.loads(answer), id)
    running.wait_for_line(r"event=clients_refused why=token count=1 total=1 last=127.0.0.1:\d+")
    assert not [line for line in running.lines if "first-token" in line]


def test_a_wrong_token_later_closes_too(server, tokens):
    running = server(listen={"token_file": tokens(FIRST)})
    with running.connect() as client:
        assert client.call("rpc.auth", [FIRST]) is True
        client.send(request("rpc.auth", [SECOND], 2))
        (answer,) = client.read_to_end()
        assert_unauthorized(json.loads(answer), 2)


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
    # Nor is a body waited for of who may not send one.
    connection = HTTPConnection(running.address, timeout=DEADLINE_S)
    connection.putrequest("POST", "/")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    assert connection.getresponse().status == 401


def test_a_reload_changes_the_tokens(server, tokens):
    listen = {"token_file": tokens(FIRST)}
    running = server(listen=listen)
    with running.connect() as before:
        assert before.call("rpc.auth", [FIRST]) is True
        tokens(SECOND)
        assert "reloaded" in running.reload(listen=listen)
        assert post(running, f"Bearer {FIRST}").status == 401
        assert post(running, f"Bearer {SECOND}").status == 200
        assert before.call("echo", [1]) == [1], "who is in stays in"
        tokens("short")
        refused = running.reload(listen=listen)
        assert "reload_failed" in refused and "found 5" in refused and "short" not in refused
        assert post(running, f"Bearer {SECOND}").status == 200


def test_an_address_that_is_open_to_all_is_warned_of(server, tokens):
    warning = r"level=warning .*event=open_to_all address=0.0.0.0:\d+ "
    server(listen={"rpc": ["0.0.0.0:0"]}).wait_for_line(warning)
    for name, listen in {
        "loopback": {"rpc": ["127.0.0.1:0", "[::1]:0"]},
        "allowed": {"rpc": ["0.0.0.0:0"], "allow": ["127.0.0.1"]},
        "tokens": {"rpc": ["0.0.0.0:0"], "token_file": tokens(FIRST)},
    }.items():
        running = server(name=name, listen=listen)
        assert not [line for line in running.lines if "open_to_all" in line], running.lines


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
    assert done.returncode == 71 and "does not take the token" in done.stderr, done
    done = run("call", "--token-file", tmp_path / "none", "echo", "[1]")
    assert done.returncode == 64 and f"cannot read {tmp_path}/none" in done.stderr, done
    done = run("call", "echo", "[1]")
    assert done.returncode == 1 and done.stderr.startswith("error -32001: "), done
