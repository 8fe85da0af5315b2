"""`ringmaster call` and `discover` by TLS: trusted CAs, client certificates, errors."""

import contextlib
import json
import os
import socket
import ssl
import subprocess
import threading

import pytest
from certificates import ca, made, make_expired, own  # noqa: F401 (fixtures)
from client import DEADLINE_S
from tls_server import ANSWER, answers, read_request, serve  # noqa: F401 (fixture)

LOCALHOST = pytest.mark.needs("localhost")


@pytest.fixture
def ask(build):
    """ask("call", ARGUMENT, ...): runs the program to its end."""

    def run(command, *arguments, env=None) -> subprocess.CompletedProcess:
        return subprocess.run([build / "ringmaster", command, *arguments], capture_output=True,
                              text=True, timeout=DEADLINE_S, env={**os.environ, **(env or {})})

    return run


def assert_failed(done: subprocess.CompletedProcess, *says: str, code: int = 71):
    assert (done.returncode, done.stdout) == (code, ""), done
    (line,) = done.stderr.splitlines()[:1] if code == 64 else done.stderr.splitlines()
    for text in says:
        assert text in line, line


@LOCALHOST
def test_call_and_discover(server, own, ca, ask, tokens):
    file = tokens("the-token-of-all-tokens")
    running = server(listen=own.listen() | {"token_file": file})
    port = running.address.rpartition(":")[2]
    to = ["--ca", ca.file, "--token-file", file, "--to"]
    for address in (running.address, f"tls://localhost:{port}"):
        done = ask("call", *to, address, "echo", '["ä"]')
        assert (done.returncode, done.stdout, done.stderr) == (0, '["ä"]\n', ""), done
        assert "openrpc" in json.loads(ask("discover", *to, address).stdout)
    text = json.dumps(["x" * 100_000])
    assert ask("call", *to, running.address, "echo", text).stdout == text + "\n"
    assert not [line for line in running.lines if "clients_refused" in line]


@pytest.mark.parametrize("host", [
    "127.0.0.1", pytest.param("[::1]", marks=pytest.mark.needs("ipv6")),
    pytest.param("localhost", marks=LOCALHOST)])  # fmt: skip
def test_the_server_name_is_sent_for_a_name_not_for_an_address(serve, ca, ask, host):
    named = []
    address, failures = serve(answers, host="127.0.0.1" if host == "localhost" else host,
                            sni_callback=lambda _, name, __: named.append(name))
    address = address.replace("127.0.0.1", host)
    assert ask("call", "--ca", ca.file, "--to", address, "echo").stdout == "7\n"
    assert named == [host if host == "localhost" else None]
    assert failures() == ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_cas_of_the_system_are_trusted(serve, ca, ask, version):
    address, _ = serve(answers, maximum_version=version)
    assert ask("call", "--to", address, "echo", env={"SSL_CERT_FILE": ca.file}).stdout == "7\n"


def test_a_long_answer_is_read_whole(serve, ca, ask):
    text = "x" * 3_000_000

    def answer(tls: ssl.SSLSocket):
        read_request(tls)
        tls.sendall(ANSWER.replace(b"7", b'"%s"' % text.encode()))

    address, _ = serve(answer)
    assert ask("call", "--ca", ca.file, "--to", address, "echo").stdout == f'"{text}"\n'


def test_an_untrusted_certificate_is_named(serve, made, own, ca, ask):
    other = made("other-ca")
    address, _ = serve(answers)
    assert_failed(ask("call", "--ca", other.file, "--to", address, "echo"),
                  f"the certificate of {address}: expected one that a CA in {other.file} has "
                  "signed, found CN = server: ")
    address, _ = serve(answers)
    assert_failed(ask("discover", "--to", address), "a CA in the system's store (--ca FILE names")
    address, _ = serve(answers, certificate=other)
    assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"), "CN = other-ca", "self")


@pytest.mark.parametrize(("names", "host", "found"), [
    ("DNS:localhost,DNS:*.example", "127.0.0.1", "DNS:localhost, DNS:*.example"),
    pytest.param("IP:127.0.0.1", "localhost", "IP Address:127.0.0.1", marks=LOCALHOST),
    ("DNS:127.0.0.1", "127.0.0.1", "DNS:127.0.0.1"),
    pytest.param("email:localhost", "localhost", "email:localhost", marks=LOCALHOST),
])  # fmt: skip
def test_a_certificate_of_another_name_is_refused(serve, made, ca, ask, names, host, found):
    address, failures = serve(answers, certificate=made(names, ca, names))
    address = address.replace("127.0.0.1", host)
    assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"),
                  f"the certificate of {address}: expected a certificate for {host}, "
                  f"found one for {found}")
    # The client tells the server, by an alert.
    assert "alert" in failures()


@LOCALHOST
def test_a_common_name_is_no_name(serve, made, ca, ask):
    address, _ = serve(answers, certificate=made("localhost", ca, "email:somebody@localhost"))
    address = address.replace("127.0.0.1", "localhost")
    assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"),
                  "expected a certificate for localhost, found one for email:somebody@localhost")


def test_a_certificate_of_a_thousand_names_is_told_in_a_line(serve, made, ca, ask):
    names = ",".join(f"DNS:{number}.example" for number in range(1000))
    address, _ = serve(answers, certificate=made("thousand", ca, names))
    refused = ask("call", "--ca", ca.file, "--to", address, "echo")
    assert_failed(refused, "found one for DNS:0.example, DNS:1.example")
    assert len(refused.stderr) < 500


def test_a_certificate_that_has_expired_is_refused(serve, ca, ask, tmp_path):
    address, _ = serve(answers, certificate=make_expired(tmp_path, "late", ca))
    assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"),
                  "expected one that is valid now, found that CN = late expired ")


def test_a_server_without_tls_is_told_apart(server, ca, ask):
    running = server()
    address = f"tls://{running.address}"
    done = ask("call", "--ca", ca.file, "--to", address, "echo")
    assert_failed(done, f"expected TLS from {address}, found something else")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_are_not_spoken(serve, ca, ask):
    address, _ = serve(answers, minimum_version=ssl.TLSVersion.TLSv1,
                       maximum_version=ssl.TLSVersion.TLSv1_1)
    done = ask("call", "--ca", ca.file, "--to", address, "echo")
    assert_failed(done, f"TLS with {address}: ", "version")


def test_a_client_certificate_is_shown(server, own, ca, made, ask):
    friends, strangers = made("friends"), made("strangers")
    friend, stranger = made("friend", friends), made("stranger", strangers)
    running = server(listen=own.listen(client_ca=friends))
    call = ["--ca", ca.file, "--to", running.address, "echo", "[1]"]
    done = ask("call", "--cert", friend.file, "--key", friend.key, *call)
    assert (done.returncode, done.stdout) == (0, "[1]\n"), done
    assert_failed(ask("call", *call), "has asked for a client certificate, and was shown none: see "
                                      "--cert and --key")
    done = ask("call", "--cert", stranger.file, "--key", stranger.key, *call)
    assert_failed(done, f"asked for a client certificate, and was shown {stranger.file}")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_that_is_missing_is_asked_for(serve, ca, ask, version):
    address, failures = serve(answers, maximum_version=version, verify_mode=ssl.CERT_REQUIRED)
    assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"),
                  "was shown none: see --cert")
    assert "did not return a certificate" in failures()


def silent(tls: ssl.SSLSocket):
    read_request(tls)
    assert tls.recv(1) == b""


def dribbling(tls: ssl.SSLSocket):
    """Sends a TLS record that never ends, byte by byte."""
    under = socket.socket(fileno=os.dup(tls.fileno()))
    with under, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        under.sendall(b"\x17\x03\x03\x40\x00")
        while True:
            under.sendall(b"x")
            threading.Event().wait(0.01)


@pytest.mark.parametrize("behaviour", [silent, dribbling])
def test_the_deadline_covers_the_answer(serve, ca, ask, behaviour):
    address, _ = serve(behaviour)
    done = ask("call", "--ca", ca.file, "--to", address, "--timeout-ms", "500", "echo")
    assert_failed(done, "no answer from ", "within 500 ms")


def test_the_deadline_covers_the_handshake(ask):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "tls://127.0.0.1:%d" % listener.getsockname()[1]
        assert_failed(ask("call", "--to", address, "--timeout-ms", "50", "echo"),
                      "no answer from ", "within 50 ms")


def cut_off(piece: bytes):
    """A server that sends `piece`, then closes without close_notify."""

    def behave(tls: ssl.SSLSocket):
        read_request(tls)
        tls.sendall(piece)

    return behave


def test_an_answer_that_is_cut_off_is_an_error(serve, ca, ask):
    for piece in (ANSWER[:-1], b""):
        address, _ = serve(cut_off(piece))
        assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"),
                      f"{address} cut the connection off")
    address, _ = serve(cut_off(ANSWER))
    assert ask("call", "--ca", ca.file, "--to", address, "echo").stdout == "7\n", "it is whole"


def ended(tls: ssl.SSLSocket):
    read_request(tls)
    tls.sendall(ANSWER[:-1])
    tls.unwrap()


def test_an_end_before_the_answer_is_an_error(serve, ca, ask):
    address, _ = serve(ended)
    assert_failed(ask("call", "--ca", ca.file, "--to", address, "echo"),
                  f"{address} closed the connection without an answer")


def test_a_server_that_closes_in_the_handshake_is_named(ask):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        address = "tls://127.0.0.1:%d" % listener.getsockname()[1]

        def close_one():
            with listener.accept()[0] as connection:
                connection.recv(1 << 16)

        thread = threading.Thread(target=close_one, daemon=True)
        thread.start()
        assert_failed(ask("call", "--to", address, "echo"),
                      f"{address} closed the connection in the TLS handshake")
        thread.join(DEADLINE_S)


def test_the_configuration_says_where(serve, own, ca, ask, tmp_path):
    (tmp_path / "echo.so").touch()
    config = tmp_path / "x.toml"
    address, _ = serve(answers)
    text = (f"tls_certificate_file = '{own.file}'\ntls_key_file = '{own.key}'\n"
            "[handlers.h]\nlibrary = './echo.so'\n[methods.m]\nsteps = [{ run = 'h' }]\n")
    config.write_text(f"[listen]\nrpc = ['{address}']\n{text}")
    assert ask("call", "-c", config, "--ca", ca.file, "echo").stdout == "7\n"
    assert_failed(ask("bench", "-c", config, "echo"), f"{address} takes TLS, which this command",
                  code=64)
    # The command prefers an address without TLS; options for TLS are then an error.
    config.write_text(f"[listen]\nrpc = ['{address}', 'unix:{tmp_path}/none']\n{text}")
    assert_failed(ask("call", "-c", config, "echo"), f"cannot connect to unix:{tmp_path}/none")
    assert_failed(ask("call", "-c", config, "--ca", ca.file, "echo"),
                  f"are for tls://HOST:PORT, found unix:{tmp_path}/none", code=64)


def test_what_is_wrong_with_the_command_line_is_told(own, made, ask, tmp_path):
    junk = tmp_path / "junk"
    junk.write_text("no certificate")
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:secret", "-in", own.key,
                    "-out", locked], check=True, timeout=DEADLINE_S)
    to = ["--to", "tls://127.0.0.1:1", "echo"]
    cert, key = ["--cert", own.file], ["--key", own.key]
    for arguments, said in (
        ([*cert, *to], "expected both of --cert and --key, found only --cert"),
        ([*key, *to], "expected both of --cert and --key, found only --key"),
        (["--ca", junk, *to], f"--ca {junk}: "),
        (["--ca", tmp_path / "none", *to], "none: No such file"),
        (["--cert", junk, *key, *to], f"--cert {junk}: "),
        ([*cert, "--key", junk, *to], f"--key {junk}: "),
        ([*cert, "--key", made("another").key, *to], "key values mismatch"),
        ([*cert, "--key", locked, *to], f"--key {locked}: expected a key without a passphrase"),
        (["--ca", own.file, "--to", "127.0.0.1:1", "echo"], "are for tls://HOST:PORT"),
    ):
        assert_failed(ask("call", *arguments), said, code=64)
    assert_failed(ask("bench", *to), "tls://127.0.0.1:1 takes TLS, which this command", code=64)
