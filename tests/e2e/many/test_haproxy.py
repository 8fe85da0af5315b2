"""conf/haproxy.cfg: a real HAProxy in front of three servers."""

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, RemoteDisconnected

import pytest
from certificates import ca, made, own  # noqa: F401 (fixtures)
from client import DEADLINE_S, Client, connect, request
from probes import SBIN
from proc import wait_until
from status_port import status_of
from tls import TlsClient

pytestmark = pytest.mark.needs("haproxy")

CLIENT = "127.0.0.5"
NODES = 3
HAPROXY = shutil.which("haproxy", path=SBIN)


class Balancer:
    """A running HAProxy; `raw`, `tls` and `http` are the addresses of its front ends."""

    def __init__(self, addresses: dict[str, str], control):
        self.raw, self.tls, self.http = (addresses[name] for name in ("raw", "tls", "http"))
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

    def wait_until_up(self):
        """Waits until each server is up, its agent has answered, and its weight is whole."""
        def is_up(one):
            return (one["status"], one["agent_status"], one["weight"]) == ("UP", "L7OK", "100")

        wait_until(lambda: all(is_up(one) for backend in ("raw", "tls", "http")
                               for one in self.servers(backend).values()), "all servers to be up")


def written_for(text: str, nodes, listening: dict[str, socket.socket], control) -> str:
    """The configuration with the addresses of this test, and without a change of user."""
    for name, its in listening.items():
        bind = rf"(frontend {name}\n.*\n  bind) \S+"
        text, count = re.subn(bind, rf"\1 fd@{its.fileno()}", text)
        assert count == 1
    for number, node in enumerate(nodes, 1):
        port = status_of(node).rpartition(":")[2]
        for kind, address in {7070: node.addresses[0], 7443: node.addresses[1]}.items():
            address = address.removeprefix("tls://")
            text, count = re.subn(rf"10.0.0.1{number}:{kind} port 7071 agent-port 7071",
                                  f"{address} port {port} agent-port {port}", text)
            assert count == (2 if kind == 7070 else 1)
    text = re.sub(r"  (user|group) haproxy\n", "", text)
    # A server that starts, or comes back, gets its whole weight at once.
    return text.replace(" slowstart 10s", "").replace("/run/haproxy/admin.sock", str(control))


@contextmanager
def running_haproxy(config, pass_fds):
    haproxy = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", HAPROXY, "-db", "-f",
         config], pass_fds=pass_fds, stdin=subprocess.DEVNULL,
        stdout=config.with_suffix(".log").open("w"), stderr=subprocess.STDOUT)  # fmt: skip
    try:
        yield
        assert haproxy.poll() is None, config.with_suffix(".log").read_text()
    finally:
        haproxy.kill()
        haproxy.wait()


@pytest.fixture
def behind(server, root, tmp_path, own, probe):
    """behind(...): three servers, and the balancer in front of them."""
    with ExitStack() as stack:
        def start(**sections):
            listen = own.listen() | {"rpc": ["127.0.0.1:0", "tls://127.0.0.1:0"],
                                     "status": "127.0.0.1:0", "proxy_from": ["127.0.0.1"]}
            handlers = {"echo": {}, "hold": probe("hold")}
            nodes = [server(name=f"node{number}", listen=listen, handlers=handlers,
                            log={"access": "all"}, **sections)
                     for number in range(1, NODES + 1)]
            listening = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                         for name in ("raw", "tls", "http")}
            config, control = tmp_path / "haproxy.cfg", tmp_path / "haproxy.sock"
            original = (root / "conf/haproxy.cfg").read_text()
            config.write_text(written_for(original, nodes, listening, control))
            stack.enter_context(running_haproxy(config, [one.fileno() for one in
                                                         listening.values()]))
            addresses = {name: "127.0.0.1:%d" % one.getsockname()[1]
                         for name, one in listening.items()}
            balancer = Balancer(addresses, control)
            wait_until(control.exists, "HAProxy to start")
            balancer.wait_until_up()
            return nodes, balancer

        yield start


def post(balancer: Balancer, method: str, params, id=1, source="127.0.0.1"):
    """One request over HTTP. Returns the status and the body."""
    host, _, port = balancer.http.rpartition(":")
    connection = HTTPConnection(host, int(port), DEADLINE_S, source_address=(source, 0))
    connection.request("POST", "/", request(method, params, id)[:-1],
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_haproxy_takes_the_file(root):
    checked = subprocess.run([HAPROXY, "-c", "-f",
                              root / "conf/haproxy.cfg"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_the_clients_address_arrives_by_every_way(behind, ca):
    nodes, balancer = behind()
    with Client(balancer.raw, CLIENT) as raw:
        assert raw.call("echo", [1]) == [1]
    with TlsClient(balancer.tls, ca, source=CLIENT) as tls:
        assert tls.call("echo", [2]) == [2]
    assert post(balancer, "echo", [3], source=CLIENT)[0] == 200

    def told():
        return sum(f"client={CLIENT} " in line for node in nodes for line in node.lines
                   if "event=request " in line)

    wait_until(lambda: told() == 3, f"three requests of {CLIENT}")


class Load(threading.Thread):
    """Calls over HTTP, one after the other, each on a new connection, until stop()."""

    def __init__(self, balancer: Balancer):
        super().__init__(daemon=True)
        self.balancer = balancer
        self.answered = 0
        self.failures: list = []
        self._is_over = threading.Event()
        self.start()

    def run(self):
        while not self._is_over.is_set():
            status, body = post(self.balancer, "echo", [self.answered])
            if status != 200 or json.loads(body).get("result") != [self.answered]:
                self.failures.append((status, body))
            self.answered += 1

    def go_on_for(self, count: int):
        goal = self.answered + count
        wait_until(lambda: self.answered >= goal, f"{count} more answers")

    def stop(self):
        self._is_over.set()
        self.join(DEADLINE_S)
        assert not self.is_alive()


def node_of(balancer: Balancer, nodes):
    """The only node with a connection of the raw back end, and its name there."""
    (name,) = [name for name, its in balancer.servers("raw").items() if its["scur"] != "0"]
    return nodes[int(name.removeprefix("node")) - 1], name


def test_a_server_that_stops_under_load_loses_no_request(behind, gate):
    nodes, balancer = behind(shutdown={"notice_ms": 5000})
    held = gate()
    loads = [Load(balancer) for _ in range(3)]
    with Client(balancer.raw) as raw:
        held.hold(raw, "held")
        stopping, name = node_of(balancer, nodes)
        stopping.send(signal.SIGTERM)
        stopping.wait_for_line("event=stop_announced notice_ms=5000")
        wait_until(lambda: not balancer.servers("raw")[name]["status"].startswith("UP"),
                   f"{name} to get no more connections")
        for number in range(2 * NODES):
            with Client(balancer.raw) as other:
                assert other.call("echo", [number]) == [number]
        stopping.wait_for_line("event=stopping in_flight=1$")
        held.open()
        assert raw.answer()["id"] == "held"
    assert stopping.wait() == 0
    for load in loads:
        load.go_on_for(10)
        load.stop()
        assert not load.failures, load.failures


def test_a_server_that_is_killed_fails_its_own_requests_only(behind, gate):
    nodes, balancer = behind()
    held = gate()
    statuses: list[int] = []

    def hold(number):
        try:
            statuses.append(post(balancer, "hold", held.params(), number)[0])
        except RemoteDisconnected:  # if the server's end was a reset
            statuses.append(502)

    threads = [threading.Thread(target=hold, args=(number,), daemon=True)
               for number in range(NODES)]
    for thread in threads:
        thread.start()
    held.wait_for_runs(NODES)  # leastconn: one on each server
    nodes[0].send(signal.SIGKILL)
    nodes[0].process.wait()
    load = Load(balancer)
    load.go_on_for(10)
    held.open()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    load.stop()
    assert not load.failures, load.failures
    assert sorted(statuses) == [200, 200, 502]
