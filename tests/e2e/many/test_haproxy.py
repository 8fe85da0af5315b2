"""conf/haproxy.cfg: a real HAProxy in front of three servers."""

import json
import signal
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPSConnection, RemoteDisconnected

import pytest
from certificates import ca, made, own, with_key  # noqa: F401 (fixtures)
from client import DEADLINE_S, Client, request
from haproxy import CONFIGURATION, HAPROXY, Balancer, adapted, replace, running_haproxy
from proc import wait_until
from status_port import status_of
from tls import TlsClient

pytestmark = pytest.mark.needs("haproxy")

CLIENT = "127.0.0.5"
NODES = 3
FRONT_ENDS = {7070: "raw", 7443: "tls", 8080: "http", 8443: "https"}  # by port in the file


def written_for(text: str, nodes, listening: dict[str, socket.socket]) -> str:
    """The configuration with the addresses of this test."""
    for port, its in listening.items():
        text = replace(text, rf"bind :{port}\b", f"bind fd@{its.fileno()}")
    for number, node in enumerate(nodes, 1):
        status = status_of(node).rpartition(":")[2]
        for port, address, count in zip((7070, 7443), node.addresses, (2, 1)):
            address = address.removeprefix("tls://")
            text = replace(text, rf"10.0.0.1{number}:{port} port 7071 agent-port 7071",
                           f"{address} port {status} agent-port {status}", count)
    return text


@pytest.fixture
def behind(server, tmp_path, own, probe):
    """behind(...): three servers, and the balancer in front of them."""
    with ExitStack() as stack:
        def start(**sections):
            listen = own.listen() | {"rpc": ["127.0.0.1:0", "tls://127.0.0.1:0"],
                                     "status": "127.0.0.1:0", "proxy_from": ["127.0.0.1"]}
            handlers = {"echo": {}, "hold": probe("hold")}
            nodes = [server(name=f"node{number}", listen=listen, handlers=handlers,
                            log={"access": "all"}, **sections)
                     for number in range(1, NODES + 1)]
            listening = {port: stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                         for port in FRONT_ENDS}
            config, control = tmp_path / "haproxy.cfg", tmp_path / "haproxy.sock"
            text = adapted(control, with_key(own, tmp_path))
            config.write_text(written_for(text, nodes, listening))
            addresses = {name: "127.0.0.1:%d" % listening[port].getsockname()[1]
                         for port, name in FRONT_ENDS.items()}
            pass_fds = [one.fileno() for one in listening.values()]
            _, balancer = stack.enter_context(
                running_haproxy(config, control, pass_fds=pass_fds, addresses=addresses))
            balancer.wait_until_up()
            return nodes, balancer

        yield start


def post(balancer: Balancer, method: str, params, id=1, source="127.0.0.1",
         tls: ssl.SSLContext | None = None):
    """One request over HTTP. Returns the status and the body."""
    options = {"timeout": DEADLINE_S, "source_address": (source, 0)}
    connection = (HTTPSConnection(balancer.addresses["https"], context=tls, **options) if tls else
                  HTTPConnection(balancer.addresses["http"], **options))
    connection.request("POST", "/", request(method, params, id)[:-1],
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_haproxy_takes_the_file(own, tmp_path):
    file = tmp_path / "haproxy.cfg"
    file.write_text(CONFIGURATION.read_text().replace("/etc/haproxy/ringmaster.pem",
                                                      str(with_key(own, tmp_path))))
    checked = subprocess.run([HAPROXY, "-c", "-f", file], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


def test_the_clients_address_arrives_by_every_way(behind, ca):
    nodes, balancer = behind()
    with Client(balancer.addresses["raw"], CLIENT) as raw:
        assert raw.call("echo", [1]) == [1]
    with TlsClient(balancer.addresses["tls"], ca, source=CLIENT) as tls:
        assert tls.call("echo", [2]) == [2]
    assert post(balancer, "echo", [3], source=CLIENT)[0] == 200
    tls = ssl.create_default_context(cafile=str(ca.file))
    assert post(balancer, "echo", [4], source=CLIENT, tls=tls)[0] == 200

    def told():
        return sum(f"client={CLIENT} " in line for node in nodes for line in node.lines
                   if "event=request " in line)

    wait_until(lambda: told() == 4, f"four requests of {CLIENT}")


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
    with Client(balancer.addresses["raw"]) as raw:
        held.hold(raw, "held")
        stopping, name = node_of(balancer, nodes)
        stopping.send(signal.SIGTERM)
        stopping.wait_for_line("event=stop_announced notice_ms=5000")
        wait_until(lambda: not balancer.servers("raw")[name]["status"].startswith("UP"),
                   f"{name} to get no more connections")
        for number in range(2 * NODES):
            with Client(balancer.addresses["raw"]) as other:
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
