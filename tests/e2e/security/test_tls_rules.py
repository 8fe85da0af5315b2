"""TLS: which key exchanges, suites and client certificates the server accepts."""

import re
import shutil
import ssl
import subprocess
from xml.etree import ElementTree

import pytest
from certificates import ca, made, make_certificate, make_crl, own  # noqa: F401 (fixtures)
from client import DEADLINE_S
from tls import TlsClient, address_of

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def handshake(running, *arguments: str) -> bool:
    """Whether openssl's own client completes its handshake."""
    command = ["openssl", "s_client", "-connect", address_of(running), *arguments]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=DEADLINE_S)
    refused = b"alert" in done.stderr
    assert refused or done.returncode == 0, done
    return not refused


@pytest.fixture
def rsa(tmp_path):
    """A certificate with an RSA key, which the suites that these tests offer need."""
    return make_certificate(tmp_path, "rsa", kind=("rsa:2048",))


def test_finite_field_groups_and_suites_without_forward_secrecy_are_refused(server, rsa):
    running = server(listen=rsa.listen())
    for group in ("X25519", "P-256", "P-384"):
        assert handshake(running, "-tls1_3", "-groups", group), group
    for group in ("ffdhe8192", "ffdhe2048", "P-521", "X448"):
        assert not handshake(running, "-tls1_3", "-groups", group), group
    for suite in ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"):
        assert handshake(running, "-tls1_2", "-cipher", suite), suite
    for suite in ("AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA384"):
        assert not handshake(running, "-tls1_2", "-cipher", suite), suite


@pytest.mark.skipif(shutil.which("sslscan") is None, reason="sslscan is not installed")
def test_sslscan_finds_modern_suites_and_groups_only(server, rsa):
    running = server(listen=rsa.listen())
    command = ["sslscan", "--xml=-", address_of(running)]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=True)
    found = ElementTree.fromstring(done.stdout)
    suites = {one.get("cipher") for one in found.iter("cipher")}
    assert suites, done.stdout
    weak = [name for name in suites
            if not re.fullmatch(r"(TLS_|ECDHE-RSA-)(AES|CHACHA20).*(GCM|POLY1305).*", name)]
    assert not weak, weak
    enabled = {one.get("type") + one.get("version") for one in found.iter("protocol")
               if one.get("enabled") == "1"}
    assert enabled == {"tls1.2", "tls1.3"}
    groups = {one.get("name").split()[0] for one in found.iter("group")}
    assert groups == {"x25519", "secp256r1", "secp384r1"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_revoked_certificate_is_refused(server, own, ca, made, tmp_path, version):
    friends = made("friends")
    friend, former = made("friend", friends), made("former", friends)
    nobody = make_crl(tmp_path, "nobody", friends, [])
    listen = own.listen(client_ca=friends) | {"tls_client_crl_file": nobody}
    running = server(listen=listen)
    with TlsClient(running.address, ca, former, maximum_version=version) as first:
        assert first.call("echo", [1]) == [1]
    listen["tls_client_crl_file"] = make_crl(tmp_path, "one", friends, [former])
    assert "event=reloaded" in running.reload(listen=listen)
    for resumed in (None, first):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            with TlsClient(running.address, ca, former, resumed, maximum_version=version) as client:
                client.call("echo", [1])
    running.wait_for_line("event=clients_refused why=tls .*certificate revoked")
    with TlsClient(running.address, ca, friend, maximum_version=version) as client:
        assert client.call("echo", [1]) == [1]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_with_a_certificate_resumes_no_session(server, own, ca, made, version):
    """The certificate may have expired since, and OpenSSL would not check it again."""
    friends = made("friends")
    running = server(listen=own.listen(client_ca=friends))
    friend = made("friend", friends)
    with TlsClient(running.address, ca, friend, maximum_version=version) as first:
        assert first.call("echo", [1]) == [1]
    with TlsClient(running.address, ca, friend, first) as client:
        assert client.call("echo", [1]) == [1]
        assert not client.socket.session_reused


def test_a_crl_that_has_expired_or_is_none_fails_check_and_reload(
    server, own, ca, made, tmp_path, build
):
    friends = made("friends")
    good = make_crl(tmp_path, "good", friends, [])
    junk = tmp_path / "junk.crl"
    junk.write_text("no list")
    listen = own.listen(client_ca=friends)
    running = server(listen=listen | {"tls_client_crl_file": good})
    for crl, why in (
        (make_crl(tmp_path, "late", friends, [], current=False),
         "expected a valid CRL, found one that expired Jan  2 00:00:00 2020 GMT"),
        (junk, "no start line"),
    ):
        fault = f"TLS: client CRL {crl}: {why}"
        assert fault in running.reload(listen=listen | {"tls_client_crl_file": crl})
        checked = subprocess.run([build / "ringmaster", "check", "-c", running.config], text=True,
                                 capture_output=True, timeout=DEADLINE_S)
        assert checked.returncode == 78 and fault in checked.stdout, checked
    with TlsClient(running.address, ca, made("friend", friends)) as client:
        assert client.call("echo", [1]) == [1]
