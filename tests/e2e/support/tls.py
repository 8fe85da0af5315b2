"""Clients that speak TLS: TlsClient as the library does, StepwiseTls piece by piece."""

import contextlib
import socket
import ssl

import pytest
from certificates import Certificate
from client import Client, connect


def address_of(running) -> str:
    assert running.address.startswith("tls://")
    return running.address.removeprefix("tls://")


def raw(running, source: str = "") -> socket.socket:
    return connect(address_of(running), source)


class TlsClient(Client):
    """`of`: a former client, whose session this one tries to resume."""

    def __init__(self, address: str, ca: Certificate, own: Certificate | None = None,
                 of: "TlsClient | None" = None, source: str = "", **options):
        super().__init__(address.removeprefix("tls://"), source)
        self.context = of.context if of else ssl.create_default_context(cafile=str(ca.file))
        for name, value in options.items():
            setattr(self.context, name, value)
        if own:
            self.context.load_cert_chain(str(own.file), str(own.key))
        self.socket = self.context.wrap_socket(self.socket, server_hostname="127.0.0.1",
                                               session=of.session if of else None)

    def close(self):
        self.session = self.socket.session
        super().close()


class StepwiseTls:
    """TLS of a client that controls when bytes are sent: most methods return the bytes. `group`:
    the only group that it offers."""

    def __init__(self, ca: Certificate, group: str = "", own: Certificate | None = None, **options):
        context = ssl.create_default_context(cafile=str(ca.file))
        if own:
            context.load_cert_chain(str(own.file), str(own.key))
        if group:
            context.set_ecdh_curve(group)
        for name, value in options.items():
            setattr(context, name, value)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")

    def shake_hands(self, connection: socket.socket):
        connection.sendall(self.last_flight(connection))

    def last_flight(self, connection: socket.socket) -> bytes:
        """Shakes hands up to the client's last flight, and returns this flight."""
        while True:
            try:
                self.tls.do_handshake()
                return self.outgoing.read()
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
        """All plaintext until the server's close_notify."""
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
