"""Upstreams with `resolve`: the addresses of a host name, which come and go."""

import ssl
import threading
from collections import Counter
from pathlib import Path

import pytest
from certificates import make_certificate
from client import DEADLINE_S, RpcError
from collector import Collector
from feature_client import FeatureService
from flaky_upstream import FAILED, burst, counted
from network import Machine
from proc import wait_until
from scripted_upstream import ScriptedUpstream, answer
from server import with_names

ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"


class Everywhere(ScriptedUpstream):
    """Answers `true` at each address of this host, or fails at those in `failing`. It answers no
    request before `at_once` have come. `requests`, `open` connections and those that were ever
    `opened` are counted by address."""

    def __init__(self, at_once=1):
        self.requests: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self.failing: set[str] = set()
        self._lock = threading.Lock()
        self._gate = threading.Barrier(at_once)
        super().__init__(self._answer, "0.0.0.0")

    def _count(self, counter: Counter, address: str, more: int):
        with self._lock:
            counter[address] += more

    def _answer(self, connection, body):
        address = connection.getsockname()[0]
        self._count(self.requests, address, 1)
        self._gate.wait(DEADLINE_S)
        connection.sendall(FAILED if address in self.failing else answer(b"true"))

    def _serve(self, connection):
        address = connection.getsockname()[0]
        self._count(self.open, address, 1)
        self._count(self.opened, address, 1)
        super()._serve(connection)
        self._count(self.open, address, -1)


class Name:
    """The host name many.test. `before`: the command of a process that knows it."""

    def __init__(self, folder: Path):
        self._file = folder / "addresses"
        self.before = ["env", *with_names(folder), f"ADDRESSES={self._file}"]

    def set(self, *addresses: str):
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{address}\n" for address in addresses))
        new.replace(self._file)

    def lose(self):
        self._file.unlink()


@pytest.fixture
def name(tmp_path):
    return Name(tmp_path)


@pytest.fixture
def resolving(asking, name):
    """resolving(upstream, ...): a server that asks it at many.test."""

    def start(upstream, **keys):
        return asking(f"http://many.test:{upstream.port}/", before=name.before, resolve=True,
                      timeout_ms=20_000, **keys)  # fmt: skip

    return start


def wait_for_addresses(running, *addresses: str, left_out=0, after=0):
    listed = ",".join(addresses)
    running.wait_for_line(f"event=upstream_addresses upstream=users addresses={listed} "
                          f"left_out={left_out}$", after)  # fmt: skip


def test_the_addresses_of_a_name_are_followed(resolving, name):
    name.set(TWO, ONE, TWO)
    with Everywhere() as upstream:
        running = resolving(upstream, idempotent=True, attempts=2)
        wait_for_addresses(running, ONE, TWO)
        with running.connect() as client:
            assert burst(client, 100) == 100
            assert min(upstream.requests[ONE], upstream.requests[TWO]) > 0

            upstream.failing = {TWO}
            while counted(running, "addresses_ejected") == 0:
                burst(client, 20)
            running.wait_for_line(
                f"event=address_ejected upstream=users address={TWO} reason=http_503")

            name.set(ONE, TWO, THREE)
            wait_for_addresses(running, ONE, TWO, THREE)
            assert burst(client, 100) == 100
            assert upstream.requests[THREE] > 0
            assert counted(running, "addresses") == 3
            assert counted(running, "addresses_ejected") == 1  # what is known of it stays

            name.set(ONE, THREE)
            wait_for_addresses(running, ONE, THREE)
            before = Counter(upstream.requests)
            assert burst(client, 100) == 100
            assert upstream.requests[TWO] == before[TWO]
            assert min(upstream.requests[one] - before[one] for one in (ONE, THREE)) > 0
            assert counted(running, "addresses") == 2
            assert counted(running, "addresses_ejected") == 0
            wait_until(lambda: upstream.open[TWO] == 0, "the connections to it to be ended")
            assert min(upstream.open[ONE], upstream.open[THREE]) > 0


def test_connections_to_several_addresses_are_used_again(resolving, name):
    """No connection is made to an address while one is idle there: as many as it has ever had
    requests at once. 60 fetches at once need several of libcurl's handles."""
    name.set(ONE, TWO, THREE)
    at_once, most = 60, Counter()
    with Everywhere(at_once) as upstream:
        running = resolving(upstream)
        wait_for_addresses(running, ONE, TWO, THREE)
        with running.connect() as client:
            for _ in range(20):
                before = Counter(upstream.requests)
                assert burst(client, at_once) == at_once
                most |= upstream.requests - before
        assert min(most.values()) > 10
        assert upstream.opened == most


def test_an_upstream_moves_after_lookups_that_failed(resolving, name):
    name.set(ONE)
    with Everywhere() as upstream:
        running = resolving(upstream)
        wait_for_addresses(running, ONE)
        with running.connect() as client:
            name.lose()
            running.wait_for_line("event=lookup_failed upstream=users name=many.test error=")
            assert burst(client, 20) == 20
            assert upstream.open[ONE] > 0

            name.set(TWO)
            running.wait_for_line("event=lookup_succeeded upstream=users name=many.test")
            wait_for_addresses(running, TWO)
            before = upstream.requests[ONE]
            assert burst(client, 20) == 20
            assert upstream.requests == {ONE: before, TWO: 20}
            wait_until(lambda: upstream.open[ONE] == 0, "the connections to it to be ended")


def test_a_name_of_which_each_lookup_finds_another_part(resolving, name):
    with Everywhere() as upstream:
        name.set(ONE)
        running = resolving(upstream)
        seen = 0
        for found, next in ((ONE, TWO), (TWO, ONE), (ONE, TWO)):
            wait_for_addresses(running, found, after=seen)
            seen = len(running.lines)
            name.set(next)
        wait_for_addresses(running, ONE, TWO)
        with running.connect() as client:
            assert burst(client, 100) == 100
        assert min(upstream.requests[ONE], upstream.requests[TWO]) > 0


@pytest.mark.needs("networks", "ipv6")
def test_an_address_of_one_link(server, build, start, name, tmp_path):
    """It is reached by its interface only."""
    machine = Machine()
    try:
        machine.ip("-6", "addr", "add", "fe80::5/64", "dev", "lo", "nodad")
        name.set("fe80::5%lo")
        program = [*machine.enter, build / "feature_service", "--listen", "[::]:0"]
        port = FeatureService(start(program, name="upstream")).port
        running = server(
            before=[*machine.enter, *name.before],
            listen={"rpc": [f"unix:{tmp_path}/rpc"]},
            upstreams={"users": {"url": f"http://many.test:{port}/features", "resolve": True}},
            methods={"m": {"steps": [{"fetch": "users", "body": {"user_id": 7}}]}},
        )
        wait_for_addresses(running, "fe80::5%1")
        assert running.call("m")["user_id"] == 7
    finally:
        machine.process.kill()


def test_addresses_beyond_the_limit_are_left_out(resolving, name):
    name.set(*(f"127.0.0.{number}" for number in range(10, 30)))
    with Everywhere() as upstream:
        running = resolving(upstream)
        wait_for_addresses(running, *(f"127.0.0.{number}" for number in range(10, 26)), left_out=4)
        with running.connect() as client:
            assert burst(client, 200) == 200
        assert len(upstream.requests) == counted(running, "addresses") == 16


@pytest.mark.parametrize("names, is_right", [("DNS:many.test", True), (f"IP:{ONE}", False)],
                         ids=["name", "address"])  # fmt: skip
def test_the_certificate_must_be_that_of_the_name(asking, name, tmp_path, names, is_right):
    name.set(ONE)
    ca = make_certificate(tmp_path, "ca")
    its = make_certificate(tmp_path, "its", ca, names=names)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(its.file, its.key)
    asked_for = []
    tls.sni_callback = lambda socket, host, context: asked_for.append(host)
    with Collector(tls=tls) as upstream:
        port = upstream.url.rpartition(":")[2].rstrip("/")
        running = asking(f"https://many.test:{port}/", before=name.before, resolve=True,
                         timeout_ms=20_000, tls_ca_file=ca.file)  # fmt: skip
        wait_for_addresses(running, ONE)
        if is_right:
            assert running.call("get") == {}
            assert upstream.received[0].headers["host"] == f"many.test:{port}"
        else:
            with pytest.raises(RpcError) as failed:
                running.call("get")
            assert failed.value.data["reason"] == "protocol"
        assert asked_for == ["many.test"]


def test_a_server_stops_while_a_lookup_hangs(asking, tmp_path):
    gate = tmp_path / "never"
    before = ["env", *with_names(tmp_path), f"SLOW_NAMES={gate}"]
    running = asking("http://upstream.test:1/", before=before, resolve=True)
    wait_until(Path(f"{gate}.calls").exists, "the lookup to begin")
    assert running.stop() == 0
