"""The installed service under the systemd of a container: start, reload, watchdog, death, stop,
sockets that outlive the service. The tests share one container; each test starts the service."""

import os
import shutil
import signal
import time

import probes
import pytest
from callers import Callers
from client import request
from container import NEEDS, boot
from installation import make_install
from proc import title, wait_until
from service import HANDLER, SERVICE, SOCKET, InnerGate, Service, assert_gone

pytestmark = NEEDS


@pytest.fixture(scope="module")
def container(root, build, probe, tmp_path_factory):
    if build.name in ("asan", "tsan"):
        pytest.skip("the unit forbids what a sanitizer needs")
    probes.require("landlock", "seccomp")  # which the installed configuration asks for
    stage = tmp_path_factory.mktemp("stage") / "root"  # a folder that all may enter
    make_install(root, build, DESTDIR=stage, PREFIX="/usr/local")
    (stage / "opt").mkdir()
    shutil.copy(probe("hold")["library"], stage / HANDLER.lstrip("/"))
    with boot(stage, tmp_path_factory.mktemp("container")) as booted:
        yield booted


@pytest.fixture
def service(container):
    """The installed service, not running, before and after the test."""
    made = Service(container)
    yield made
    made.reset()
    assert made.processes() == []


@pytest.fixture
def holding(service):
    """The service with a handler that holds its jobs at a gate."""
    service.configure(handlers={"echo": {}, "hold": {"library": HANDLER, "behave": "hold"}})
    return service


@pytest.fixture
def gate(container):
    return InnerGate(container)


def test_it_serves_as_it_was_installed(service):
    service.systemctl("enable", "--now", SERVICE)
    call = ("ringmaster", "call", "echo", '["at once"]')  # as conf/service.toml says
    assert service.container.run(*call) == '["at once"]\n'
    workers = [pid for pid in service.processes() if title(pid).startswith("ringmaster: worker")]
    assert service.show("StatusText") == f"serving: {len(workers)} of {len(workers)} workers are up"
    # The service can fork a worker anew in its sandbox.
    os.kill(workers[0], signal.SIGKILL)
    service.wait_for_line("event=worker_died")
    wait_until(lambda: service.journal().count("event=worker_ready") > len(workers), "a new worker")
    assert service.show("NRestarts") == "0"
    service.systemctl("disable", "--now", SERVICE)
    assert service.show("Result") == "success" and service.show("ExecMainStatus") == "0"


def test_a_method_is_added_as_its_configuration_says(service):
    service.systemctl("start", SERVICE)
    reload = ("ringmaster", "reload", "-c", "/etc/ringmaster/ringmaster.toml", "--wait")
    added = '\n[handlers.burn]\n\n[methods.burn]\nsteps = [{ run = "burn" }]\n'
    service.config.write_text(service.shipped + added)
    assert service.container.run(*reload) == "reloaded: generation 2 serves\n"
    assert service.call("burn", {"cpu_ms": 1}) == {"cpu_ms": 1}
    service.config.write_text(service.shipped + added.replace("burn", "brun"))
    with pytest.raises(AssertionError, match="78\n.*the server refused the reload: .*brun.so"):
        service.container.run(*reload)
    assert service.call("burn", {"cpu_ms": 1}) == {"cpu_ms": 1}


def test_a_start_ends_when_the_workers_are_up_however_long_they_load(service, gate):
    """The load takes longer than TimeoutStartSec: the master asks systemd for more time."""
    slow = {"library": HANDLER, "behave": "hold", "gate": "/run/ringmaster/gate"}
    service.configure(handlers={"echo": {}, "slow": slow})
    service.override(TimeoutStartSec="3s")
    service.systemctl("start", "--no-block", SERVICE)
    wait_until(gate.was_reached, "the handler to load")
    wait_until(lambda: service.seconds_in_state() > 3.5, "more than TimeoutStartSec to pass")
    assert service.show("ActiveState") == "activating"
    assert service.show("StatusText") == "starting: loading handlers"
    with pytest.raises(ConnectionRefusedError):
        service.connect()
    gate.open()
    service.systemctl("start", SERVICE)  # waits for the start that is under way
    assert service.call("echo", [1]) == [1]
    assert service.show("StatusText").startswith("serving: ")


def test_a_wrong_configuration_is_not_tried_again(service):
    service.config.write_text("[methods]\n")
    with pytest.raises(AssertionError, match="failed"):
        service.systemctl("start", SERVICE)
    assert (service.show("ActiveState"), service.show("ExecMainStatus")) == ("failed", "78")
    assert service.show("NRestarts") == "0"


def test_a_reload_leaves_requests_in_flight_alone(holding, gate):
    holding.systemctl("start", SERVICE)
    master = holding.show("MainPID")
    with holding.connect() as client:
        gate.hold(client, 1)
        holding.systemctl("reload", SERVICE)
        holding.wait_for_line("event=reload")
        gate.open()
        assert client.answer()["result"] == gate.params()
    assert holding.call("echo", [2]) == [2]
    wait_until(lambda: holding.show("ActiveState") == "active", "the reload to end")
    assert (holding.show("MainPID"), holding.show("NRestarts")) == (master, "0")


def keep_busy(service: Service, seconds: float):
    """Sends batches such that some always wait: the master has more work with a batch than this
    client has."""
    batch = b"[" + b",".join(request("echo", [id], id).strip() for id in range(1000)) + b"]\n"
    over = time.monotonic() + seconds
    with service.connect() as first, service.connect() as second:
        for client in (first, second):
            client.send(batch * 4)
        while time.monotonic() < over:
            for client in (first, second):
                client.read()
                client.send(batch)
        for client in (first, second):
            client.read_many(4)


def test_a_frozen_master_is_restarted_and_a_busy_one_is_not(service):
    service.override(WatchdogSec="2s")
    service.systemctl("start", SERVICE)
    old = service.started()
    keep_busy(service, 3)
    assert service.show("NRestarts") == "0" and service.started() == old
    os.kill(service.master(), signal.SIGSTOP)
    service.wait_for_restart(1)
    assert "Watchdog timeout" in service.container.run("journalctl", "-o", "cat", "-u", SERVICE)
    assert_gone(old)
    assert service.call("echo", [1]) == [1]


def test_a_killed_master_is_restarted_and_leaves_nothing(holding, gate):
    holding.systemctl("start", SERVICE)
    old = holding.started()
    assert len(old) == 4  # master, fork server, two workers
    with holding.connect() as client:
        gate.hold(client, 1)  # this worker does not end by itself
        os.kill(holding.master(), signal.SIGKILL)
        holding.wait_for_restart(1)
    assert_gone(old)
    assert holding.call("echo", [1]) == [1]


def test_a_stop_under_load_answers_everything_that_was_admitted(holding, gate):
    """The stop may take up to shutdown.grace_ms, though TimeoutStopSec is shorter."""
    holding.override(TimeoutStopSec="1s")
    holding.systemctl("start", SERVICE)
    held, *clients = [holding.connect() for _ in range(5)]
    held.send(b"".join(gate.request(id) for id in range(20)))
    gate.wait_for_runs(2)
    for client in clients:
        client.send(b"".join(request("echo", [id], id) for id in range(500)))
    held.send(request("no_such_method", [], "last"))
    assert held.answer()["id"] == "last"  # the twenty are admitted
    holding.systemctl("stop", "--no-block", SERVICE)
    holding.wait_for_line("event=stopping")
    wait_until(lambda: holding.seconds_in_state() > 2, "more than TimeoutStopSec to pass")
    assert holding.show("ActiveState") == "deactivating"
    gate.open()
    answers = held.answers(20)
    assert all(answers[id]["result"] == gate.params() for id in range(20))
    for client in clients:
        for id, answer in client.answers(500).items():
            assert answer.get("result") == [id] or answer["error"]["code"] == -32013
        client.close()
    held.close()
    wait_until(lambda: holding.show("ActiveState") == "inactive", "the service to end")
    assert holding.show("Result") == "success" and holding.show("ExecMainStatus") == "0"


def test_no_connection_is_refused_while_an_activated_service_restarts(service):
    service.systemctl("start", SOCKET)
    assert service.show("ActiveState") == "inactive"
    assert service.call("echo", ["the first"]) == ["the first"]  # this call starts the service
    with Callers(service, 4) as callers:
        for _ in range(2):
            callers.wait_for_answers(50)
            old = service.started()
            service.systemctl("restart", SERVICE)
            assert_gone(old)
        callers.wait_for_answers(50)
        assert callers.reset == 0  # no connection is cut off either
        os.kill(service.master(), signal.SIGKILL)
        service.wait_for_restart(1)
        callers.wait_for_answers(50)
    assert callers.failures == []
