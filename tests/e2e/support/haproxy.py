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
    """A running HAProxy, known by its control socket."""

    def __init__(self, control: Path):
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

    def wait_until_up(self, *nodes: str, backends=BACKENDS):
        """Until each of these servers, or all, is up, its agent has answered, and it gets its whole
        weight."""
        def is_up(one):
            return (one["status"], one["agent_status"], one["weight"]) == ("UP", "L7OK", "100")

        def are_up():
            found = [self.servers(backend) for backend in backends]
            return all(is_up(one) for each in found for name, one in each.items()
                       if not nodes or name in nodes)

        wait_until(are_up, "all servers to be up")


@contextmanager
def running_haproxy(config: Path, control: Path, *options, before=(), pass_fds=()):
    """HAProxy in the foreground; `before`: a command that executes it. Yields (Process,
    Balancer)."""
    log = config.with_suffix(".log")
    argv = [*before, HAPROXY, "-db", *options, "-f", config]
    with Process.start(argv, log=log, pass_fds=pass_fds) as process:
        wait_until(control.exists, "HAProxy to start")
        yield process, Balancer(control)
        assert process.returncode is None, process.lines
