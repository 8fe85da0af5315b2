"""A TLS server for one client, with scripted behaviour."""

import socket
import ssl
import threading

import pytest
from client import DEADLINE_S

ANSWER = b'{"jsonrpc":"2.0","id":1,"result":7}\n'


def read_request(tls: ssl.SSLSocket):
    assert tls.recv(1 << 16).endswith(b"\n")


def answers(tls: ssl.SSLSocket):
    """A correct server. A correct client then sends close_notify."""
    read_request(tls)
    tls.sendall(ANSWER)
    assert tls.recv(1) == b"", "close_notify"


@pytest.fixture
def serve(own):
    """serve(behaviour, certificate=own, host="127.0.0.1", NAME=...): the server's address, and a
    function that waits for the server's end and returns its failure, or "". The server calls
    behaviour(SOCKET) after the handshake; NAME is any attribute of an SSLContext."""
    listeners, threads = [], []

    def start(behaviour, certificate=own, host="127.0.0.1", **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.file, certificate.key)
        for name, value in options.items():
            setattr(context, name, value)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host.strip("[]"), 0), family=family)
        listener.settimeout(DEADLINE_S)
        listeners.append(listener)
        raised = []

        def run():
            try:
                connection, _ = listener.accept()
                connection.settimeout(DEADLINE_S)
                with context.wrap_socket(connection, server_side=True) as tls:
                    behaviour(tls)
            except (OSError, AssertionError) as error:
                raised.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        threads.append(thread)

        def failures() -> str:
            thread.join(DEADLINE_S)
            return " ".join(map(str, raised))

        return "tls://%s:%d" % (host, listener.getsockname()[1]), failures

    yield start
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
