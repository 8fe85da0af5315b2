"""Fleet: three servers, the nodes, and their upstream behind HAProxy with conf/haproxy.cfg. Each of
them is a machine of its own.

    with Fleet(build, folder) as fleet, fleet.load(rate=50) as load:
        begin = fleet.kill("node1")
        load.wait_until_back(begin)
        fleet.start("node1")

Whatever happens to a node returns the time at which it happened. Each node has a small disk of its
own for jobs that took long, which all do.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from certificates import make_certificate, with_key
from haproxy import BACKENDS, adapted, replace, running_haproxy
from network import Network
from open_load import OpenLoad
from proc import wait_until
from processes import Process
from server import Launcher, Server

BALANCER, UPSTREAM, CLIENT = "10.0.0.1", "10.0.0.20", "10.0.0.30"
NODES = {"node1": "10.0.0.11", "node2": "10.0.0.12", "node3": "10.0.0.13"}  # as in the file
FETCH_MS = 30
WITH_DISK = ["unshare", "--mount", "sh", "-c", """
    mkdir -p "$0" && mount -t tmpfs -o size=2m tmpfs "$0" || exit 1
    [ "$1" = pipe ] || exec 2>> "$0/log"
    shift && exec "$@" """]
HANDLER = """
import os
def run(user_id: int, users: memoryview) -> list:
    fd = os.open({runs!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, b"%d\\n" % user_id)
    os.close(fd)
    return [user_id, {version}]
"""


class Fleet:
    """`nodes`: those of the start. `logs_on_disk`: the node whose log is on its disk. `intervals`:
    replaces the times in conf/haproxy.cfg, pattern -> text."""

    def __init__(self, build: Path, folder: Path, nodes=tuple(NODES), logs_on_disk: str = "",
                 intervals: dict[str, str] | None = None, notice_ms: int = 4000):
        self.runs = folder / "runs"  # the number of each request that was executed, one a line
        self.servers: dict[str, Server] = {}
        self._folder, self._build = folder, build
        self._intervals, self._notice_ms = intervals or {}, notice_ms
        self._first, self._logs_on_disk = nodes, logs_on_disk
        self._stack = ExitStack()

    def __enter__(self):
        with ExitStack() as stack:
            self._set_up(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure):
        return self._stack.__exit__(*failure)

    def _set_up(self, stack: ExitStack):
        folder = self._folder
        self._certificate = make_certificate(folder, "server")
        network = self.network = stack.enter_context(Network(BALANCER))
        self.machines = {name: network.add(address) for name, address in NODES.items()}
        self.client = network.add(CLIENT)
        upstream = [*network.add(UPSTREAM).enter, self._build / "feature_service", "--listen",
                    f"{UPSTREAM}:7080", "--delay-ms", FETCH_MS]
        stack.enter_context(Process.start(upstream, log=folder / "upstream.log"))
        self._launcher = Launcher(self._build, folder)
        stack.callback(self._launcher.finish)
        stack.callback(self._stop)
        for name in self._first:
            self._launch(name, version=1)
        config, control = folder / "haproxy.cfg", folder / "haproxy.sock"
        self._configure(self._first)
        self._haproxy, self.balancer = stack.enter_context(
            running_haproxy(config, control, "-W", before=network.hub.enter))
        self.balancer.wait_until_up()

    def _stop(self):
        """Stops all nodes at once, since each of them takes notice_ms."""
        running = [one for one in self.servers.values() if one.process.returncode is None]
        for one in running:
            one.send(signal.SIGTERM)
        for one in running:
            one.wait()

    def configuration(self, nodes) -> str:
        """HAProxy's, with these nodes."""
        text = adapted(self._folder / "haproxy.sock", with_key(self._certificate, self._folder))
        text = replace(text, "backend http\n  mode http\n",
                       r"\g<0>  http-after-response set-header x-node %[srv_name]\n")
        for pattern, replacement in self._intervals.items():
            text = replace(text, pattern, replacement)
        for name in NODES.keys() - set(nodes):
            text = replace(text, rf"  server {name} .*\n", "", len(BACKENDS))
        return text

    def _configure(self, nodes):
        (self._folder / "haproxy.cfg").write_text(self.configuration(nodes))

    def methods(self, name: str, version: int) -> dict:
        """The sections of a node's configuration that make its methods."""
        file = self._folder / f"record{version}.py"
        file.write_text(HANDLER.format(runs=str(self.runs), version=version))
        steps = [{"fetch": "users", "body": {"user_id": "${params.user_id}"}}, {"run": "record"}]
        return {"upstreams": {"users": {"url": f"http://{UPSTREAM}:7080/features",
                                        "timeout_ms": 20_000}},
                "handlers": {"record": {"python": f"{file}:run"}},
                "methods": {"record": {"timeout_ms": 20_000, "slow_ms": 1, "steps": steps}},
                "log": {"access": "all"}}

    def enter(self, name: str) -> list:
        """The command that executes a node on its machine."""
        log = "disk" if name == self._logs_on_disk else "pipe"
        return [*self.machines[name].enter, *WITH_DISK, self._disk(name), log]

    def _launch(self, name: str, version: int):
        address, tls = NODES[name], self._certificate
        self.servers[name] = self._launcher(
            name=name, wait=False, before=self.enter(name),
            listen={"rpc": [f"{address}:7070", f"tls://{address}:7443"],
                    "status": f"{address}:7071", "proxy_from": [BALANCER],
                    "tls_certificate_file": tls.file, "tls_key_file": tls.key},
            shutdown={"notice_ms": self._notice_ms},
            crashes={"folder": self._disk(name) / "kept", "count": 20},
            **self.methods(name, version))

    def _disk(self, name: str) -> Path:
        return self._folder / f"disk-{name}"

    def disk(self, name: str) -> Path:
        """The disk of a running node, from outside."""
        return Path(f"/proc/{self.servers[name].pid}/root{self._disk(name)}")

    @contextmanager
    def load(self, rate: float, in_time_s: float = 2.0) -> Iterator[OpenLoad]:
        load = OpenLoad((BALANCER, 8080), "record", lambda number: {"user_id": number}, rate,
                        self.client.enter_thread, in_time_s)
        try:
            yield load
        finally:
            load.end()

    def start(self, name: str, version: int = 1) -> float:
        begin = time.monotonic()
        self._launch(name, version)
        self.balancer.wait_until_up(name)
        return begin

    def add(self, name: str) -> float:
        """Starts one more node, and reloads HAProxy with a line more in each back end."""
        self._launch(name, version=1)
        self._configure([*self.servers])
        begin = time.monotonic()
        self._haproxy.send(signal.SIGUSR2)
        wait_until(lambda: name in self.balancer.servers("http"), f"HAProxy to know {name}")
        self.balancer.wait_until_up(name)
        return begin

    def drain(self, name: str) -> float:
        """As docs/load-balancing.md says."""
        begin = time.monotonic()
        self._tell(name, "disable agent {}", "set server {} state drain")
        return begin

    def take_back(self, name: str):
        self._tell(name, "set server {} state ready", "enable agent {}")
        self.balancer.wait_until_up(name)

    def stop(self, name: str):
        """Returns once the node has ended by itself."""
        assert self.servers[name].stop() == 0

    def kill(self, name: str) -> float:
        begin = time.monotonic()
        self.servers[name].send(signal.SIGKILL)
        self.servers[name].process.wait()
        return begin

    def cut_off(self, name: str) -> float:
        begin = time.monotonic()
        self.machines[name].cut()
        return begin

    def connect(self, name: str):
        self.machines[name].connect()
        self.balancer.wait_until_up(name)

    @contextmanager
    def slowed(self, name: str, step_s: float = 0.02) -> Iterator[float]:
        """Stops all processes of the node half of the time."""
        pids, is_over = self.servers[name].processes(), threading.Event()

        def take_turns():
            while not is_over.is_set():
                for number in (signal.SIGSTOP, signal.SIGCONT):
                    for pid in pids:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, number)
                    time.sleep(step_s)

        thread = threading.Thread(target=take_turns, daemon=True)
        thread.start()
        try:
            yield time.monotonic()
        finally:
            is_over.set()
            thread.join()

    @contextmanager
    def filled(self, name: str) -> Iterator[float]:
        """Fills the disk of the node; removes what fills it at the end."""
        fill = self.disk(name) / "fill"
        done = subprocess.run(["cp", "/dev/zero", fill], capture_output=True, text=True)
        assert "No space left" in done.stderr
        try:
            yield time.monotonic()
        finally:
            fill.unlink()

    def _tell(self, name: str, *commands: str):
        for backend in BACKENDS:
            for command in commands:
                said = self.balancer.command(command.format(f"{backend}/{name}"))
                assert not said.strip(), said
