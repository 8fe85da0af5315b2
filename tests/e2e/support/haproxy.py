"""HAProxy with conf/haproxy.cfg: the file with the addresses of a test, and the running program."""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

from client import connect
from probes import SBIN
from proc import wait_until
from processes import Process

HAPROXY = shutil.which("haproxy", path=SBIN)
CONFIGURATION = Path(__file__).resolve().parents[3] / "conf/haproxy.cfg"
BACKENDS = ("raw", "tls", "http")


def replace(text: str, pattern: str, replacement: str, count: int = 1) -> str:
    """Replaces what must be there `count` times."""
    text, found = re.subn(pattern, replacement, text)
    assert found == count, f"{pattern}: expected {count} times, found {found}"
    return text


def adapted(control: Path, certificate: Path) -> str:
    """conf/haproxy.cfg with this control socket and certificate, and for any user. A server that
    starts, or comes back, gets its whole weight at once."""
    text = replace(CONFIGURATION.read_text(), r"  (user|group) haproxy\n", "", 2)
    text = replace(text, " slowstart 10s", "")
    text = replace(text, "/etc/haproxy/ringmaster.pem", str(certificate))
    return replace(text, "/run/haproxy/admin.sock", str(control))


class Balancer:
    """A running HAProxy. `addresses`: of its front ends, by name."""

    def __init__(self, control: Path, addresses: dict[str, str]):
        self.addresses = addresses
        self._control = control

    def command(self, text: str) -> str:
        with connect(f"unix:{self._control}") as connection:
            connection.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()

    def servers(self, backend: str) -> dict[str, dict[str, str]]:
        """The fields of `show stat` of each server."""
        header, *rows = self.command("show stat").strip().splitlines()
        names = header.removeprefix("# ").split(",")
        found = (dict(zip(names, row.split(","))) for row in rows)
        return {one["svname"]: one for one in found
                if one["pxname"] == backend and one["svname"].startswith("node")}

    def wait_until_up(self, *nodes: str):
        """Until these servers are up, and their agents have answered. Without names: until all are,
        and each gets its whole weight, since it is idle."""
        def is_up(one):
            return ((one["status"], one["agent_status"]) == ("UP", "L7OK") and
                    (nodes or one["weight"] == "100"))

        def are_up():
            found = [self.servers(backend) for backend in BACKENDS]
            return all(is_up(its[name]) for its in found for name in nodes or its)

        wait_until(are_up, f"{nodes or 'all servers'} to be up")


@contextmanager
def running_haproxy(config: Path, control: Path, *options, before=(), pass_fds=(), addresses=None):
    """HAProxy in the foreground; `before`: a command that executes it. Yields its process and the
    Balancer."""
    argv = [*before, HAPROXY, "-db", *options, "-f", config]
    with Process.start(argv, log=config.with_suffix(".log"), pass_fds=pass_fds) as process:
        wait_until(control.exists, "HAProxy to start")
        yield process, Balancer(control, addresses or {})
        assert process.returncode is None, process.lines
