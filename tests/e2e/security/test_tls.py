"""TLS: real clients, with OpenSSL and other libraries; client and server certificates."""

import json
import select
import shutil
import ssl
import subprocess

import pytest
from answers import Error
from certificates import ca, made, own  # noqa: F401 (fixtures)
from client import DEADLINE_S, request
from tls import StepwiseTls, TlsClient, address_of, raw


def s_client(running, *arguments, data: bytes) -> bytes:
    """The server's answer to openssl's own client, one line."""
    command = ["openssl", "s_client", "-quiet", "-connect", address_of(running), *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        try:
            process.stdin.write(data)
            process.stdin.flush()
            assert select.select([process.stdout], [], [], DEADLINE_S)[0], "no answer"
            return process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_calls(server, own, ca, version):
    running = server(listen=own.listen())
    with TlsClient(running.address, ca, maximum_version=version) as client:
        assert client.socket.version() == version.name.replace("_", ".")
        assert client.call("echo", ["ä", 1]) == ["ä", 1]
        # One record may hold many requests, and one request may fill many records.
        client.send(b"".join(request("echo", [i], i) for i in range(1000)))
        assert {i: answer["result"] for i, answer in client.answers(1000).items()} == {
            i: [i] for i in range(1000)
        }
        for byte in request("echo", ["slowly"]):
            client.send(bytes([byte]))
        assert client.answer()["result"] == ["slowly"]


def test_plain_and_tls_side_by_side(server, own, ca, tmp_path):
    listen = own.listen()
    listen["rpc"] = ["127.0.0.1:0", "tls://127.0.0.1:0", f"unix:{tmp_path}/rpc.sock"]
    running = server(listen=listen)
    plain, tls, unix = running.addresses
    for address in (plain, unix):
        with running.connect(address) as client:
            assert client.call("echo", [1]) == [1]
    with TlsClient(tls, ca) as client:
        assert client.call("echo", [1]) == [1]


def test_openssl_and_curl(server, own, ca):
    running = server(listen=own.listen())
    answer = s_client(running, "-CAfile", ca.file, "-verify_return_error", "-tls1_2",
                      data=request("echo", ["openssl"]))
    assert json.loads(answer)["result"] == ["openssl"]
    url = f"https://{address_of(running)}/"
    command = ["curl", "-sS", "-v", "--cacert", ca.file, "-H", "content-type: application/json"]
    done = subprocess.run([*command, "-d", request("echo", ["curl"]), url, url],
                          capture_output=True, timeout=DEADLINE_S, text=True)
    assert '"result":["curl"]' in done.stdout, done
    assert "server accepted http/1.1" in done.stderr, "ALPN"
    assert "Re-using existing connection" in done.stderr, "keep-alive"


def test_answers_come_after_the_client_has_ended_its_sending(server, own, ca, gate, probe):
    held = gate()
    running = server(listen=own.listen(), handlers={"hold": probe("hold")})
    with raw(running) as connection:
        half = StepwiseTls(ca)
        half.shake_hands(connection)
        # The client's end comes with its request, which the server answers all the same.
        connection.sendall(half.records(held.request(1)) + half.close_notify())
        held.wait_for_runs(1)
        held.open()
        answer = half.read_to_end(connection)  # to the server's close_notify
        assert json.loads(answer)["id"] == 1
        assert connection.recv(1) == b""


def test_an_end_that_comes_while_requests_wait_comes_after_them(server, own, ca):
    running = server(listen=own.listen(), limits={"in_flight_per_connection": 1})
    with raw(running) as connection:
        half = StepwiseTls(ca)
        half.shake_hands(connection)
        requests = b"".join(request("echo", [i], i) for i in range(50))
        connection.sendall(half.records(requests) + half.close_notify())
        answers = half.read_to_end(connection).splitlines()
        assert [json.loads(answer)["result"] for answer in answers] == [[i] for i in range(50)]


def test_a_tls_client_on_a_plain_port_is_answered_and_closed(server, ca):
    running = server()
    with running.connect() as client:
        client.send(StepwiseTls(ca).first_flight())
        (answer,) = client.read_to_end()
        Error(-32700, reason="unknown_framing").check(answer)
    assert running.call("echo", [1]) == [1]


def test_renegotiation_and_old_versions_are_refused(server, own, ca):
    running = server(listen=own.listen())
    # "R" at the beginning of a line asks for a renegotiation.
    command = ["openssl", "s_client", "-connect", address_of(running)]
    done = subprocess.run([*command, "-tls1_2", "-CAfile", ca.file], input=b"R\n",
                          capture_output=True, timeout=DEADLINE_S)
    assert b"no renegotiation" in done.stderr, done
    done = subprocess.run([*command, "-tls1_1", "-cipher", "ALL@SECLEVEL=0"], input=b"",
                          capture_output=True, timeout=DEADLINE_S)
    assert done.returncode != 0 and b"alert" in done.stderr, done


def test_clients_need_a_certificate_where_there_is_a_client_ca(server, own, ca, made):
    friends, strangers = made("friends"), made("strangers")
    friend, stranger = made("friend", friends), made("stranger", strangers)
    running = server(listen=own.listen(client_ca=friends))
    with TlsClient(running.address, ca, friend) as client:
        assert client.call("echo", [1]) == [1]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for other in (None, stranger):
            # With TLS 1.3 the client learns of the refusal only after the handshake.
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                with TlsClient(running.address, ca, other, maximum_version=version) as client:
                    client.call("echo", [1])
    running.wait_for_line(r"event=clients_refused why=tls count=\d+ total=4 ")
    told = " ".join(line for line in running.lines if "event=clients_refused" in line)
    assert "certificate" in told, told


def serial(running, ca) -> str:
    with TlsClient(running.address, ca) as client:
        return client.socket.getpeercert()["serialNumber"]


def test_a_reload_takes_the_new_certificate(server, own, ca, made, tmp_path):
    listen = own.listen()
    for key, name in (("tls_certificate_file", "now.pem"), ("tls_key_file", "now.key")):
        shutil.copy(listen[key], tmp_path / name)
        listen[key] = tmp_path / name
    running = server(listen=listen)
    first = serial(running, ca)
    with TlsClient(running.address, ca) as before:
        renewed = made("renewed", ca)
        shutil.copy(renewed.file, tmp_path / "now.pem")
        # The key is still the old certificate's: the server refuses the reload, and serves on.
        refused = running.reload(listen=listen)
        assert "reload_failed" in refused and f"key {tmp_path}/now.key" in refused
        assert "key values mismatch" in refused
        assert serial(running, ca) == first
        shutil.copy(renewed.key, tmp_path / "now.key")
        assert "event=reloaded" in running.reload(listen=listen)
        assert serial(running, ca) != first
        assert before.call("echo", [1]) == [1]


def test_a_bad_certificate_is_named_at_the_start(server, own, tmp_path):
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    running = server(wait=False, listen=own.listen() | {"tls_certificate_file": junk})
    assert running.wait() == 78
    assert f"certificate {junk}: no start line" in running.lines[-1]


def test_a_connection_too_many_is_closed(holding, own, ca, gate):
    running, held = holding(listen=own.listen(), limits={"connections": 1}), gate()
    with TlsClient(running.address, ca) as client:
        held.hold(client, 1)
        with raw(running) as other:
            assert other.recv(1) == b""
        held.open()
        assert client.answer()["id"] == 1


@pytest.mark.needs("systemd")
def test_a_socket_that_the_manager_calls_tls(server, own, ca, tmp_path):
    path = f"unix:{tmp_path}/passed.sock"
    activate = ["systemd-socket-activate", "--fdname=tls", "-l", path.removeprefix("unix:")]
    running = server(wait=False, before=activate, listen=own.listen())
    running.wait_for_line("Listening on")
    with TlsClient(path, ca) as client:  # its connection starts the server
        assert client.call("echo", [1]) == [1]
    running.wait_until_ready()
    assert running.addresses == [f"tls://{path}"]
