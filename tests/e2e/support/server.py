"""Server: a running ringmaster; server: the fixture that starts one from keyword arguments.

    def test_it(server):
        running = server(limits={"requests_in_flight": 3}, methods={"echo": {"timeout_ms": 50}})
        assert running.call("echo", [1]) == [1]

After each test every server that still runs gets SIGTERM and must exit 0. No server may leave a
process behind, and no sanitizer may have reported a fault.
"""

import json
import os
import re
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from client import Client, RpcError, request
from proc import children, descendants, descriptors, is_alive, start_time, survivors, wait_until
from processes import Process

# For a server whose memory is measured: ASan would keep up to 256 MB of freed memory.
MEASURED = {"ASAN_OPTIONS": "quarantine_size_mb=1:malloc_context_size=0"}

HANDLERS = Path(__file__).parent / "handlers"

SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:"
)


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return str(value) if isinstance(value, int) else json.dumps(str(value))


def configuration(**sections: dict[str, Any]) -> str:
    """The file's text. Defaults: port 0, two workers, which stay root if the tests are, the handler
    echo, and for every handler a method of its name with a long timeout. A key with the value None
    is left out."""
    handlers = sections.setdefault("handlers", {"echo": {}})
    sections["listen"] = {"rpc": ["127.0.0.1:0"], "status": ""} | sections.get("listen", {})
    # Workers keep the tests' user: handlers write into the tests' folders, which only their owner
    # may use. The machine may have no Landlock. test_privileges.py tests the server's defaults.
    defaults = {"count": 2, "user": "root", "sandbox": "best-effort"}
    sections["workers"] = defaults | sections.get("workers", {})
    methods = {name: {} for name in handlers} | sections.get("methods", {})
    sections["methods"] = {
        name: {"timeout_ms": 60_000, "steps": [{"run": name}]} | method
        for name, method in methods.items()
    }
    lines = []
    for section, content in sections.items():
        tables = {section: content}
        if section in ("secrets", "upstreams", "handlers", "methods"):
            tables = {f"{section}.{json.dumps(name)}": table for name, table in content.items()}
        for name, table in tables.items():
            lines.append(f"[{name}]")
            lines += [f"{key} = {toml(v)}" for key, v in table.items() if v is not None]
    return "\n".join(lines)


class Server:
    def __init__(self, process, config: Path):
        self.process = process
        self.config = config
        self.pid: int = process.pid
        self.address = ""  # of its first listener
        self.addresses: list[str] = []
        self.worker_count = 0
        self.may_crash = False  # the test makes workers crash: sanitizers may report it
        self._seen: dict[int, str] = {}
        self._clients: list[Client] = []

    @property
    def lines(self) -> list[str]:
        return self.process.lines

    def wait_for_line(self, regex: str, after: int = 0) -> re.Match:
        return self.process.wait_for_line(regex, after=after)

    def wait_for_lines(self, text: str, count: int) -> list[str]:
        """Waits for `count` lines with this text, and returns them. A line that the server logs
        before an answer may reach us after the answer."""
        found = lambda: [line for line in self.lines if text in line]
        try:
            wait_until(lambda: len(found()) >= count, f"{count} lines with {text}")
        except AssertionError as late:
            raise AssertionError("\n".join([f"{late}, found:", *self.lines[-50:]])) from None
        return found()

    def wait_until_ready(self):
        ready = self.wait_for_line(r"event=ready address=(\S+) workers=(\d+)")
        self.addresses = ready.group(1).split(",")
        self.address = self.addresses[0]
        self.worker_count = int(ready.group(2))
        self.processes()
        return self

    def connect(self, address: str | None = None, source: str = "") -> Client:
        """A client that is closed after the test at the latest."""
        self._clients.append(Client(address or self.address, source))
        return self._clients[-1]

    def call(self, method: str, params: Any = None) -> Any:
        with Client(self.address) as client:
            return client.call(method, params)

    def error_of(self, method: str, params: Any = None) -> RpcError:
        """The error of a call, which must fail."""
        with pytest.raises(RpcError) as failed:
            self.call(method, params)
        return failed.value

    def workers(self) -> dict[int, int]:
        """slot -> pid of the worker that was last ready there, in the newest generation."""
        found = re.findall(r"event=worker_ready worker=(\d+) gen=(\d+) pid=(\d+)", self._text())
        latest = max((int(gen) for _, gen, _ in found), default=0)
        return {int(slot): int(pid) for slot, gen, pid in found if int(gen) == latest}

    def fork_server(self) -> int:
        return int(re.findall(r"event=handlers_loaded .*fork_server_pid=(\d+)", self._text())[-1])

    def wait_for_worker(self, slot: int, after: int) -> int:
        """The pid of the next worker in that slot, once it is ready."""
        pattern = rf"event=worker_ready worker={slot} gen=\d+ pid=(\d+)"
        return int(self.wait_for_line(pattern, after).group(1))

    def processes(self) -> list[int]:
        """The pids of live masters, fork servers and workers."""
        found = [self.pid, *descendants(self.pid)]
        self._seen |= {pid: start_time(pid) for pid in found}
        return [pid for pid in found if is_alive(pid)]

    def left_over(self) -> list[int]:
        """The processes of the server that were seen at some time and are still alive."""
        return survivors(self._seen)

    def send(self, number: signal.Signals):
        self.processes()
        self.process.send(number)

    def configure(self, **sections):
        """Replaces the configuration atomically: the server may be reading it for a reload."""
        new = self.config.with_suffix(".new")
        new.write_text(configuration(**sections))
        new.replace(self.config)

    def reload(self, **sections) -> str:
        """Reloads with this configuration. Returns what reload_file() returns."""
        self.configure(**sections)
        return self.reload_file()

    def reload_file(self) -> str:
        """Reloads. Returns the log line at its end: event=reloaded or event=reload_failed."""
        before = len(self.lines)
        self.send(signal.SIGHUP)
        line = self.wait_for_line(r"event=(reloaded|reload_failed) .*", before).group(0)
        if line.startswith("event=reloaded"):
            self.addresses = re.search(r"address=(\S+)", line).group(1).split(",")
            self.address = self.addresses[0]
        self.processes()
        return line

    def wait(self) -> int:
        """Waits until the server and all its processes are gone. Returns the exit code."""
        code = self.process.wait()
        self.assert_gone()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.send(number)
        return self.wait()

    def assert_gone(self):
        wait_until(lambda: not self.left_over(), "no process of the server to be left")

    def assert_one_generation(self):
        """Waits until former and refused deployments are gone, with their processes and memory. No
        request may be in flight."""
        def memory(what: str) -> int:
            return sum(f"memfd:ringmaster-{what}" in name
                       for name in descriptors(self.pid).values())

        wait_until(lambda: len(children(self.pid)) <= 1, "one fork server to be left")
        wait_until(lambda: memory("control") <= 1, "the memory of one generation to be left")
        wait_until(lambda: memory("payload") <= 1, "the memory of one deployment to be left")

    def assert_nothing_held(self):
        """Job slots and payload memory are free when a deployment ends, unless it was cut short."""
        ends = [line for line in self.lines if "event=deployment_ended" in line]
        if not any("event=stopping_now" in line for line in self.lines):
            held = [line for line in ends if not line.endswith(" in_flight=0 payload_bytes=0")]
            assert not held, held

    def finish(self):
        """The checks after every test."""
        for client in self._clients:
            client.close()
        if self.process.returncode is None:
            self.assert_one_generation()
            code = self.stop()
            assert code == 0, (code, self.lines[-20:])
        self.assert_gone()
        self.assert_nothing_held()
        reports = [line for line in self.lines if SANITIZER_REPORT.search(line)]
        assert self.may_crash or not reports, self.lines

    def _text(self) -> str:
        return "\n".join(self.lines)


class Launcher:
    """Starts servers, each with a configuration of its own in `folder`."""

    def __init__(self, build: Path, folder: Path):
        self.program = build / "ringmaster"
        self.folder = folder
        self.servers: list[Server] = []

    def __call__(
        self, wait=True, arguments=(), env=None, name="server", before=(), may_crash=False,
        **sections,
    ) -> Server:
        """A server that is ready, or (wait=False) only started. `arguments` and `env` are the
        program's; `before`: a command that executes the program."""
        config = self.folder / f"{name}.toml"
        config.write_text(configuration(**sections))
        argv = [*before, self.program, "serve", "-c", config, *arguments]
        running = Server(Process.start(argv, env=env, log=self.folder / f"{name}.log"), config)
        running.may_crash = may_crash
        self.servers.append(running)
        return running.wait_until_ready() if wait else running

    def finish(self):
        with ExitStack() as stack:  # finishes each server, even if another one fails
            for running in self.servers:
                stack.callback(running.process.kill)
                stack.callback(running.finish)


@pytest.fixture
def server(build, tmp_path):
    """A Launcher; see there."""
    launcher = Launcher(build, tmp_path)
    yield launcher
    launcher.finish()


@pytest.fixture(scope="module")
def module_server(build, tmp_path_factory):
    """A Launcher for a server that all tests of a module use."""
    launcher = Launcher(build, tmp_path_factory.mktemp("server"))
    yield launcher
    launcher.finish()


def compile_handler(target: Path, source: Path, *flags: str) -> Path:
    compiler = "c++" if source.suffix == ".cc" else "cc"
    include = HANDLERS.parents[3] / "include"
    command = [os.environ.get("CXX" if compiler == "c++" else "CC", compiler)]
    command += ["-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", f"-I{include}", *flags]
    subprocess.run([*command, "-o", target, source], check=True)
    return target


def with_names(folder: Path) -> list[str]:
    """The environment variables for a process that is to know the names of names.c."""
    library = compile_handler(folder / "names.so", Path(__file__).with_name("names.c"))
    return [f"LD_PRELOAD={library}"]


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """probe(behave, ...): the configuration of a handler with this behaviour (handlers/probe.c)."""
    folder = tmp_path_factory.mktemp("handlers")
    library = compile_handler(folder / "probe.so", HANDLERS / "probe.c")
    return lambda behave, **options: {"library": library, "behave": behave} | options


@pytest.fixture
def holding(server, probe):
    """holding(...): a server with the methods `echo`, and `hold`, whose jobs a Gate holds."""
    return lambda **sections: server(handlers={"echo": {}, "hold": probe("hold")}, **sections)


@pytest.fixture(scope="session")
def tries(tmp_path_factory):
    """The configuration of a handler that tries what a worker must not do (handlers/tries.c)."""
    folder = tmp_path_factory.mktemp("handlers")
    return {"library": compile_handler(folder / "tries.so", HANDLERS / "tries.c")}


@pytest.fixture(scope="session")
def throws(tmp_path_factory):
    """The library of a handler that lets exceptions out (handlers/throws.cc)."""
    folder = tmp_path_factory.mktemp("handlers")
    return compile_handler(folder / "throws.so", HANDLERS / "throws.cc")


class Gate:
    """A gate at which a handler holds its jobs until open()."""

    def __init__(self, path: Path):
        self.path = path
        self.started = Path(f"{path}.started")

    def params(self, **more: Any) -> dict[str, Any]:
        return {"gate": str(self.path), **more}

    def request(self, id: Any, method: str = "hold", **more: Any) -> bytes:
        return request(method, self.params(**more), id)

    def hold(self, client: Client, *request: Any, **more: Any) -> list[int]:
        """Sends a request for this gate, waits until a job has begun here, and returns runs()."""
        client.send(self.request(*request, **more))
        return self.wait_for_runs(1)

    def runs(self) -> list[int]:
        """The pids of the workers that have begun jobs at this gate, one pid for each job."""
        return [int(pid) for pid in self.started.read_text().split()] if self.was_reached() else []

    def was_reached(self) -> bool:
        return self.started.exists()

    def wait_for_runs(self, count: int) -> list[int]:
        wait_until(lambda: len(self.runs()) >= count, f"{count} jobs to begin")
        return self.runs()

    def open(self):
        self.path.touch()


@pytest.fixture
def gate(server, tmp_path):
    """gate(name="gate") -> Gate, closed. All gates are opened after the test, before its servers
    stop."""
    gates = []

    def make(name="gate") -> Gate:
        gates.append(Gate(tmp_path / name))
        return gates[-1]

    yield make
    for made in gates:
        made.open()
