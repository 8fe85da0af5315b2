"""FeatureService: a running feature service and a client for it."""

import http.client
import json
import re
import socket

from client import DEADLINE_S

CATEGORIES = (
    "frontpage news tech local opinion on-air misc weather msn-news health living "
    "business msn-sports sports summary bbs travel"
).split()


class FeatureService:
    def __init__(self, process):
        self.process = process
        listening = process.wait_for_line(r"event=listening address=(\S+):(\d+) users=(\d+)")
        self.host = listening.group(1)
        self.port = int(listening.group(2))
        self.user_count = int(listening.group(3))
        self.address = f"{self.host}:{self.port}"
        self.url = f"http://{self.address}/features"

    def connect(self):
        """A keep-alive connection (http.client)."""
        return http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE_S)

    def socket(self):
        """A connected raw socket."""
        return socket.create_connection((self.host, self.port), timeout=DEADLINE_S)

    def ask(self, user_id, fault=None, connection=None):
        """(status, body in bytes) of one request."""
        with_body = json.dumps({"user_id": user_id})
        return self.post(with_body, {"X-Fault": fault} if fault else {}, connection)

    def post(self, body, headers=None, connection=None):
        own = connection or self.connect()
        try:
            own.request("POST", "/features", body, headers or {})
            response = own.getresponse()
            return response.status, response.read()
        finally:
            if connection is None:
                own.close()

    def events(self, user_id):
        status, body = self.ask(user_id)
        assert status == 200, body
        answer = json.loads(body)
        assert answer["user_id"] == user_id
        return answer["events"]


def read_until(sock, pattern, limit=1 << 20):
    """Bytes of a socket up to the first match of the pattern (bytes)."""
    data = b""
    while not re.search(pattern, data):
        piece = sock.recv(65536)
        assert piece, f"the connection ended before {pattern!r}: {data[-200:]!r}"
        data += piece
        assert len(data) < limit
    return data


def request_bytes(user_id, *header_lines):
    body = json.dumps({"user_id": user_id})
    lines = ["POST /features HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *header_lines]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def read_all(sock):
    """Bytes of a socket up to its end."""
    return b"".join(iter(lambda: sock.recv(65536), b""))
