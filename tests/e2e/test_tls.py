"""TLS: real clients, and those who speak it badly, or not at all."""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest
from certificates import Certificate, TlsClient, make_certificate
from client import DEADLINE_S, connect, request
from proc import descriptors, private_bytes, wait_until
from server import MEASURED


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made("name", ca=None): a certificate, made once."""
    folder = tmp_path_factory.mktemp("certificates")
    known: dict[str, Certificate] = {}

    def make(name: str, ca: Certificate | None = None) -> Certificate:
        if name not in known:
            known[name] = make_certificate(folder, name, ca)
        return known[name]

    return make


@pytest.fixture
def ca(made):
    return made("ca")


@pytest.fixture
def own(made, ca):
    return made("server", ca)


def address_of(running) -> str:
    assert running.address.startswith("tls://")
    return running.address.removeprefix("tls://")


def s_client(running, *arguments, data: bytes) -> bytes:
    """The line with which openssl's own client is answered."""
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


def raw(running) -> socket.socket:
    return connect(address_of(running))


def read_to_end(connection: socket.socket) -> bytes:
    pieces = []
    try:
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


class Half:
    """A TLS client that only sends when it is told to: what it would send is in sent()."""

    def __init__(self, ca: Certificate, **options):
        context = ssl.create_default_context(cafile=str(ca.file))
        for name, value in options.items():
            setattr(context, name, value)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")

    def shake_hands(self, connection: socket.socket):
        while True:
            try:
                self.tls.do_handshake()
                connection.sendall(self.outgoing.read())
                return
            except ssl.SSLWantReadError:
                connection.sendall(self.outgoing.read())
                self.incoming.write(connection.recv(1 << 16))

    def first_flight(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def close_notify(self) -> bytes:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def records(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def read_to_end(self, connection: socket.socket) -> bytes:
        """All plaintext until the server says that there is no more."""
        found = b""
        while True:
            try:
                piece = self.tls.read(1 << 16)
                if not piece:
                    return found
                found += piece
            except ssl.SSLWantReadError:
                received = connection.recv(1 << 16)
                assert received, f"cut off after {found!r}"
                self.incoming.write(received)
            except ssl.SSLZeroReturnError:
                return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_calls(server, own, ca, version):
    running = server(listen=own.listen())
    with TlsClient(running.address, ca, maximum_version=version) as client:
        assert client.socket.version() == version.name.replace("_", ".")
        assert client.call("echo", ["ä", 1]) == ["ä", 1]
        # One record may hold many requests, and one request many records.
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


def test_a_megabyte_both_ways(server, own, ca):
    running = server(listen=own.listen())
    text = "x" * (1 << 20)
    with TlsClient(running.address, ca) as client:
        for _ in range(3):
            assert client.call("echo", [text]) == [text]


def test_answers_come_after_the_client_has_ended_its_sending(server, own, ca, gate, probe):
    held = gate()
    running = server(listen=own.listen(), handlers={"hold": probe("hold")})
    with raw(running) as connection:
        half = Half(ca)
        half.shake_hands(connection)
        # The end comes with the request: what is before it counts.
        connection.sendall(half.records(held.request(1)) + half.close_notify())
        held.wait_for_runs(1)
        held.open()
        answer = half.read_to_end(connection)  # to the server's close_notify
        assert json.loads(answer)["id"] == 1
        assert connection.recv(1) == b""


def test_an_end_that_comes_while_requests_wait_comes_after_them(server, own, ca):
    running = server(listen=own.listen(), limits={"in_flight_per_connection": 1})
    with raw(running) as connection:
        half = Half(ca)
        half.shake_hands(connection)
        requests = b"".join(request("echo", [i], i) for i in range(50))
        connection.sendall(half.records(requests) + half.close_notify())
        answers = half.read_to_end(connection).splitlines()
        assert [json.loads(answer)["result"] for answer in answers] == [[i] for i in range(50)]


def test_who_does_not_speak_tls_is_told_and_logged(server, own, ca):
    running = server(listen=own.listen())
    for garbage in (request("echo", [1]), b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(500)):
        with raw(running) as connection:
            connection.sendall(garbage)
            alert = read_to_end(connection)
            assert alert[:1] in (b"\x15", b""), alert
    running.wait_for_line(r"event=clients_refused why=tls count=\d+ total=3 last=.*127.0.0.1:\d+: ")
    with TlsClient(running.address, ca) as client:
        assert client.call("echo", [1]) == [1]


def test_a_tls_client_on_a_plain_port_is_answered_and_closed(server, ca):
    running = server()
    with pytest.raises(ssl.SSLError):
        TlsClient(running.address, ca)
    assert running.call("echo", [1]) == [1]


def test_a_damaged_record_closes_its_connection_only(server, own, ca):
    running = server(listen=own.listen())
    with TlsClient(running.address, ca) as good, raw(running) as connection:
        half = Half(ca)
        half.shake_hands(connection)
        record = bytearray(half.records(request("echo", [1])))
        record[-1] ^= 1
        connection.sendall(record)
        connection.settimeout(DEADLINE_S)
        read_to_end(connection)
        running.wait_for_line("event=clients_refused why=tls .*bad record mac")
        assert good.call("echo", [1]) == [1]


def test_truncated_ones(server, own, ca):
    running = server(listen=own.listen())
    with raw(running) as connection:
        half = Half(ca)
        connection.sendall(half.first_flight()[:100])
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection) == b""
    with raw(running) as connection:
        half = Half(ca)
        half.shake_hands(connection)
        first, second = half.records(request("echo", [1])), half.records(request("echo", [2]))
        connection.sendall(first + second[:-1])
        connection.shutdown(socket.SHUT_WR)
        answer = half.read_to_end(connection)
        assert json.loads(answer)["result"] == [1]
    with TlsClient(running.address, ca) as client:
        assert client.call("echo", [1]) == [1]


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


def test_handshakes_do_not_keep_the_others_waiting(server, own, ca):
    running = server(listen=own.listen() | {"rpc": ["tls://127.0.0.1:0", "127.0.0.1:0"]})
    flights = [Half(ca).first_flight() for _ in range(400)]
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(running.connect(running.addresses[1]))
        assert client.call("echo", [1]) == [1]
        many = [stack.enter_context(raw(running)) for _ in flights]
        with TlsClient(running.address, ca) as last:  # behind all of them
            assert last.call("echo", [1]) == [1]
        # It finds all of them at once, and the request among them.
        os.kill(running.pid, signal.SIGSTOP)
        for connection, flight in zip(many, flights):
            connection.sendall(flight)
        client.send(request("there.is.none"))
        os.kill(running.pid, signal.SIGCONT)
        assert client.answer()["error"]["code"] == -32601
        done = select.select(many, [], [], 0)[0]
        assert len(done) < len(many) // 2, "it was answered after them"
        for connection in many:
            assert connection.recv(1), "and they are, too"


def test_the_slow_are_closed_after_ten_seconds(server, own, ca):
    running = server(listen=own.listen(), limits={"idle_timeout_ms": 0})
    half, late = Half(ca), Half(ca)
    with raw(running) as silent, raw(running) as dribbling, raw(running) as mid_record:
        late.shake_hands(mid_record)
        mid_record.sendall(late.records(request("echo", [1])))
        mid_record.sendall(late.records(request("echo", [2]))[:-1])
        begun = time.monotonic()
        flight, sent = half.first_flight(), 0
        ends = {}
        wanted = {silent, dribbling, mid_record}
        while wanted - ends.keys():
            assert time.monotonic() < begun + DEADLINE_S
            if dribbling not in ends:
                with contextlib.suppress(OSError):
                    dribbling.sendall(flight[sent : sent + 1])
                sent += 1
            for connection in select.select(list(wanted - ends.keys()), [], [], 0.25)[0]:
                try:
                    data = connection.recv(1 << 16)
                except ConnectionResetError:
                    data = b""
                if not data:
                    ends[connection] = time.monotonic() - begun
        assert all(9 < end < 20 for end in ends.values()), ends
        assert sent < len(flight)


def test_one_that_never_reads_is_closed_and_costs_no_more_than_it_may(server, own, ca, probe):
    limits = {"send_timeout_ms": 500, "response_bytes": "1MiB", "request_bytes": "1MiB"}
    running = server(
        listen=own.listen(), limits=limits, env=MEASURED,
        handlers={"echo": {}, "give": probe("give_bytes")},
    )
    count = lambda: sum(name.startswith("socket:") for name in descriptors(running.pid).values())
    with TlsClient(running.address, ca) as good:
        assert good.call("echo", [1]) == [1]
        sockets, before, grown = count(), private_bytes(running.pid), 0
        with TlsClient(running.address, ca) as hog:
            wait_until(lambda: count() == sockets + 1, "it to be let in")
            hog.send(b"".join(request("give", {"size": 1_000_000}, id) for id in range(20)))
            deadline = time.monotonic() + DEADLINE_S
            while count() > sockets and time.monotonic() < deadline:
                assert good.call("echo", [1]) == [1]
                grown = max(grown, private_bytes(running.pid) - before)
            assert count() == sockets
    assert grown < 40 << 20


def test_clients_need_a_certificate_where_there_is_a_client_ca(server, own, ca, made):
    friends, strangers = made("friends"), made("strangers")
    friend, stranger = made("friend", friends), made("stranger", strangers)
    running = server(listen=own.listen(client_ca=friends))
    with TlsClient(running.address, ca, friend) as client:
        assert client.call("echo", [1]) == [1]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for other in (None, stranger):
            # TLS 1.3 tells its client only after the handshake.
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
    port = free_port()
    listen |= {"rpc": [f"tls://127.0.0.1:{port}"]}
    for key, name in (("tls_certificate_file", "now.pem"), ("tls_key_file", "now.key")):
        shutil.copy(listen[key], tmp_path / name)
        listen[key] = tmp_path / name
    running = server(listen=listen)
    first = serial(running, ca)
    with TlsClient(running.address, ca) as before:
        renewed = made("renewed", ca)
        shutil.copy(renewed.file, tmp_path / "now.pem")
        # The key is still the old one's: refused, and what serves serves on.
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


def test_one_too_many_is_closed(server, own, ca):
    running = server(listen=own.listen(), limits={"connections": 1})
    with TlsClient(running.address, ca) as client:
        assert client.call("echo", [1]) == [1]
        with raw(running) as other:
            assert other.recv(1) == b""
        assert client.call("echo", [1]) == [1]


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate is missing"
)
def test_a_socket_that_the_manager_calls_tls(server, own, ca, tmp_path):
    path = f"unix:{tmp_path}/passed.sock"
    activate = ["systemd-socket-activate", "--fdname=tls", "-l", path.removeprefix("unix:")]
    running = server(wait=False, before=activate, listen=own.listen())
    running.wait_for_line("Listening on")
    with TlsClient(path, ca) as client:  # its connection starts the server
        assert client.call("echo", [1]) == [1]
    running.wait_until_ready()
    assert running.addresses == [f"tls://{path}"]
