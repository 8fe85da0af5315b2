"""Service: ringmaster, installed in a container and run by the container's systemd."""

import shutil
import time

from client import Client
from container import Container
from proc import start_time, survivors, title, wait_until
from server import Gate, configuration

ADDRESS = "127.0.0.1:7070"
SERVICE, SOCKET = "ringmaster.service", "ringmaster.socket"
HANDLER = "/opt/probe.so"
OVERRIDES = "/run/systemd/system/ringmaster.service.d"


class InnerGate(Gate):
    """A gate in the service's own folder, which exists while the service runs."""

    def __init__(self, container: Container):
        super().__init__(container.path("/run/ringmaster/gate"))

    def params(self, **more):
        return {"gate": "/run/ringmaster/gate", **more}


class Service:
    def __init__(self, container: Container):
        self.container = container
        self.config = container.path("/etc/ringmaster/ringmaster.toml")
        self.shipped = self.config.read_text()

    def systemctl(self, *arguments: str) -> str:
        return self.container.run("systemctl", *arguments)

    def show(self, name: str) -> str:
        return self.systemctl("show", "--value", "--property", name, SERVICE).strip()

    def seconds_in_state(self) -> float:
        """Seconds since the last change of the service's state."""
        return time.monotonic() - int(self.show("StateChangeTimestampMonotonic")) / 1e6

    def configure(self, **sections):
        listen = {"rpc": [ADDRESS]}
        self.config.write_text(configuration(listen=listen, **sections))

    def override(self, **settings):
        """Overrides settings of [Service], as an operator does."""
        folder = self.container.path(OVERRIDES)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{key}={value}" for key, value in settings.items()]
        (folder / "test.conf").write_text("\n".join(["[Service]", *lines, ""]))
        self.systemctl("daemon-reload")

    def connect(self) -> Client:
        return self.container.connect(ADDRESS)

    def call(self, method: str, params=None):
        with self.connect() as client:
            return client.call(method, params)

    def processes(self) -> list[int]:
        return self.container.processes(SERVICE)

    def started(self) -> dict[int, str]:
        """pid -> start time, which identifies each process."""
        return {pid: start_time(pid) for pid in self.processes()}

    def master(self) -> int:
        (pid,) = [pid for pid in self.processes() if title(pid).startswith("ringmaster: master")]
        return pid

    def journal(self) -> str:
        """The journal since the last start."""
        return self.container.run(
            "journalctl", "-o", "cat", f"_SYSTEMD_INVOCATION_ID={self.show('InvocationID')}")

    def wait_for_line(self, text: str):
        wait_until(lambda: text in self.journal(), f"the journal to say {text}")

    def wait_for_restart(self, count: int):
        wait_until(lambda: (self.show("NRestarts"), self.show("ActiveState")) ==
                   (str(count), "active"), f"restart {count}")

    def reset(self):
        self.systemctl("stop", SOCKET, SERVICE)
        self.systemctl("reset-failed")
        shutil.rmtree(self.container.path(OVERRIDES), ignore_errors=True)
        self.config.write_text(self.shipped)
        self.systemctl("daemon-reload")


def assert_gone(processes: dict[int, str]):
    wait_until(lambda: not survivors(processes), "every process of the old master to be gone")
