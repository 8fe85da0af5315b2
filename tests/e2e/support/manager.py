"""Manager: the service manager's side of sd_notify(3): tests read the messages."""

import socket
from pathlib import Path

from client import DEADLINE_S


class Manager:
    """The socket to which sd_notify(3) sends."""

    def __init__(self, path: Path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))

    def receive(self) -> dict[str, str]:
        self.socket.settimeout(DEADLINE_S)
        return self._parse(self.socket.recv(65536))

    def receive_until(self, key: str) -> list[dict[str, str]]:
        """The messages up to the first one with that key."""
        found = [self.receive()]
        while key not in found[-1]:
            found.append(self.receive())
        return found

    def receive_all(self) -> list[dict[str, str]]:
        """The messages that have come already."""
        self.socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self._parse(self.socket.recv(65536)))
            except BlockingIOError:
                return found

    def is_silent_for(self, seconds: float) -> bool:
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(65536)
        except TimeoutError:
            return True
        return False

    @staticmethod
    def _parse(message: bytes) -> dict[str, str]:
        return dict(line.split("=", 1) for line in message.decode().splitlines())
