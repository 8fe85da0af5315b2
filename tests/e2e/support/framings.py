"""The client side of all framings: sends a message, and reads an answer.

    with ContentLength(server.address) as client:
        client.send_message(b'{"jsonrpc":"2.0",...}')
        assert client.read_message() == b'{"jsonrpc":"2.0",...}'
"""

import time
from datetime import datetime, timezone

from client import DEADLINE_S, Client


class Framed(Client):
    """A client that sends and reads messages, not bytes."""

    # Whether a message that is not JSON leaves the connection usable.
    outlives_bad_json = True
    # Whether a message without an answer gets a response, too: HTTP's empty body.
    answers_everything = False

    def send_message(self, message: bytes):
        self.send(self.frame(message))

    @staticmethod
    def frame(message: bytes) -> bytes:
        raise NotImplementedError

    def read_message(self) -> bytes:
        raise NotImplementedError

    def read_until(self, end: bytes) -> bytes:
        """The bytes before `end`."""
        deadline = time.monotonic() + DEADLINE_S
        while end not in self._received:
            self._receive_more(deadline)
        found, _, self._received = self._received.partition(end)
        return found

    def read_bytes(self, count: int) -> bytes:
        deadline = time.monotonic() + DEADLINE_S
        while len(self._received) < count:
            self._receive_more(deadline)
        found, self._received = self._received[:count], self._received[count:]
        return found


class Lines(Framed):
    @staticmethod
    def frame(message: bytes) -> bytes:
        return message + b"\n"

    def read_message(self) -> bytes:
        return self.read()


class Concatenated(Lines):
    """Values that share lines."""

    outlives_bad_json = False

    @staticmethod
    def frame(message: bytes) -> bytes:
        return message


class ContentLength(Framed):
    @staticmethod
    def frame(message: bytes) -> bytes:
        return b"Content-Length: %d\r\n\r\n%s" % (len(message), message)

    def read_message(self) -> bytes:
        head = self.read_until(b"\r\n\r\n")
        assert head.startswith(b"Content-Length: "), head
        return self.read_bytes(int(head.removeprefix(b"Content-Length: ")))


class Http(Framed):
    answers_everything = True

    @staticmethod
    def frame(message: bytes, *fields: bytes) -> bytes:
        return b"".join((
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
            *(field + b"\r\n" for field in fields),
            b"Content-Length: %d\r\n\r\n%s" % (len(message), message),
        ))

    def read_response(self) -> tuple[int, dict[str, str], bytes]:
        """Status, fields by their names in lower case, and body."""
        status, *lines = self.read_until(b"\r\n\r\n").decode().split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        assert status.startswith("HTTP/1.1 "), status
        return int(status.split()[1]), fields, self.read_bytes(int(fields["content-length"]))

    def read_message(self) -> bytes:
        status, fields, body = self.read_response()
        assert status == 200, (status, body)
        assert "connection" not in fields, fields
        assert fields.get("content-type") == ("application/json" if body else None)
        return body


def seconds_of(date: str) -> float:
    """Seconds since 1970 of a Date field in the only form that HTTP servers may send."""
    found = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")
    return found.replace(tzinfo=timezone.utc).timestamp()


FRAMINGS = (Lines, Concatenated, ContentLength, Http)
