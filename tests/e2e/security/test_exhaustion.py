"""The system refuses descriptors, memory or threads, while the server runs and at the start."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from client import Client, RpcError, request
from honest import honest
from proc import descriptors, wait_until
from server import HANDLERS, compile_handler


def sanitized(build: Path) -> bool:
    return b"__sanitizer" in (build / "ringmaster").read_bytes()


def polled(pid: int) -> set[int]:
    """The descriptors that the process's event loop waits for."""
    (loop,) = (fd for fd, name in descriptors(pid).items() if name == "anon_inode:[eventpoll]")
    info = Path(f"/proc/{pid}/fdinfo/{loop}").read_text()
    return {int(fd) for fd in re.findall(r"^tfd:\s*(\d+)", info, re.MULTILINE)}


def listener(running) -> int:
    """The descriptor of the server's only TCP listener."""
    port = f":{int(running.address.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = (line[9] for line in lines if line[1].endswith(port) and line[3] == "0A")
    return next(fd for fd, name in descriptors(running.pid).items() if name == f"socket:[{inode}]")


@contextmanager
def no_more_descriptors(running):
    """The process can open no descriptor: its limit is the lowest number that is free."""
    soft, hard = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    taken = set(descriptors(running.pid))
    lowest = next(fd for fd in range(len(taken) + 1) if fd not in taken)
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_accepting_pauses_and_then_goes_on(server):
    running = server()
    with honest(running), ExitStack() as stack:
        with no_more_descriptors(running):
            clients = [stack.enter_context(running.connect()) for _ in range(5)]
            for number, client in enumerate(clients):
                client.send(request("echo", [number]))
            running.wait_for_line(r"event=accept_paused address=\S+ error=\"Too many open files\"")
            # The server does not spin meanwhile: its loop does not even wait for the listener.
            fd = listener(running)
            wait_until(lambda: fd not in polled(running.pid), "the listener to be left alone")
            assert len([line for line in running.lines if "accept_paused" in line]) == 1
        for number, client in enumerate(clients):
            assert client.answer()["result"] == [number]
        running.wait_for_line("event=accept_resumed")


def test_a_client_that_leaves_makes_room_for_one_that_waits(server):
    running = server()
    with honest(running), running.connect() as first:
        assert first.call("echo", [1]) == [1]
        with no_more_descriptors(running), running.connect() as second:
            second.send(request("echo", [2]))
            running.wait_for_line("event=accept_paused")
            first.close()
            assert second.answer()["result"] == [2]


def test_a_worker_that_dies_is_replaced_without_descriptors(server):
    running = server(workers={"count": 1})
    with running.connect() as client:
        assert client.call("echo", [1]) == [1]
        with no_more_descriptors(running):
            before = len(running.lines)
            os.kill(running.workers()[0], 9)
            running.wait_for_worker(0, before)
            assert client.call("echo", [2]) == [2]


def test_fewer_descriptors_than_connections_are_known_at_the_start(holding, gate):
    running, held = holding(before=["prlimit", "--nofile=148:148"], workers={"count": 3}), gate()
    running.wait_for_line(
        r"event=fewer_connections connections=3 configured=10000 descriptors=148"
    )
    with ExitStack() as stack:
        clients = [stack.enter_context(running.connect()) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(held.request(number))
        held.wait_for_runs(3)
        with Client(running.address) as refused:
            (line,) = refused.read_to_end()
        assert json.loads(line)["error"]["data"]["limit"] == 3
        held.open()
        for number, client in enumerate(clients):
            assert client.answer()["id"] == number


@pytest.mark.parametrize("count", [5, 8, 12, 142])
def test_too_few_descriptors_for_anything(server, count):
    running = server(wait=False, before=["prlimit", f"--nofile={count}:{count}"])
    assert running.wait() == 71
    running.wait_for_line(
        rf"event=not_started error=\"descriptors: expected more than 142, .*nd {count}:"
    )
    assert "LimitNOFILE" in running.lines[-1]


def test_memory_that_the_system_does_not_give(server, build):
    if sanitized(build):
        pytest.skip("sanitizers reserve more address space than there may be")
    running = server(wait=False, before=["prlimit", "--as=200000000"])
    assert running.wait() == 71
    failed = running.wait_for_line(r"event=not_started error=(.*)").group(1)
    assert "Cannot allocate memory" in failed and "ringmaster-payload" in failed


def test_a_worker_waits_for_memory_and_its_generation_lives_on(server, build):
    """There is no memory for the results of a worker that is to replace another."""
    if sanitized(build):
        pytest.skip("sanitizers reserve more address space than there may be")
    running = server(workers={"count": 2}, limits={"response_bytes": "64MiB"})
    fork_server = running.fork_server()
    before = len(running.lines)
    used = int(Path(f"/proc/{running.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.prlimit(running.pid, resource.RLIMIT_AS)
    resource.prlimit(running.pid, resource.RLIMIT_AS, (used + (16 << 20), hard))
    try:
        os.kill(running.workers()[0], signal.SIGKILL)
        running.wait_for_line(
            r"event=fork_failed worker=0 error=.*Cannot allocate memory", before)
        assert running.call("echo", [1]) == [1]
    finally:
        resource.prlimit(running.pid, resource.RLIMIT_AS, (soft, hard))
    running.wait_for_worker(0, before)
    assert running.fork_server() == fork_server


# No other process runs as this user. The kernel counts a user's threads, but not root's.
USER = 61234


@pytest.fixture
def as_another_user():
    """as_another_user(threads) -> the beginning of a command that runs the server as USER, with at
    most so many processes and threads."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if shutil.which("setpriv") is None:
        pytest.skip("this system has no setpriv")
    # The configuration and the handlers lie in folders that only root may enter. The capability
    # lets USER enter them, and with the securebit access(2) says so.
    reads = "+dac_read_search"
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
              f"--inh-caps={reads}", f"--ambient-caps={reads}", "--securebits=+no_setuid_fixup"]
    if subprocess.run([*become, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not let root become another user")
    return lambda threads: ["prlimit", f"--nproc={threads}:{threads}", *become]


def test_a_handler_that_takes_all_threads_leaves_the_master_its_own(
        server, probe, tmp_path, as_another_user):
    crashes = tmp_path / "crashes"
    crashes.mkdir(mode=0o700)
    os.chown(crashes, USER, USER)
    tries = {"library": compile_handler(tmp_path / "tries.so", HANDLERS / "tries.c")}
    running = server(
        before=as_another_user(120), may_crash=True, crashes={"folder": crashes},
        workers={"count": 2}, handlers={"echo": {}, "tries": tries, "poison": probe("aborts")},
        methods={name: {"attempts": 1, "timeout_ms": 60_000} for name in ("tries", "poison")})
    with running.connect() as client:
        client.send(request("tries", {"what": "hold_threads"}))
        assert int(running.wait_for_line(r"holds (\d+) threads").group(1)) > 0
        before = len(running.lines)
        with pytest.raises(RpcError):
            running.call("poison")
        running.wait_for_line("event=job_kept", before)
        running.wait_for_line("event=worker_ready", before)
        assert running.call("echo", [1]) == [1]
        for pid in running.workers().values():
            os.kill(pid, signal.SIGKILL)
        assert client.answer()["error"]["code"] == -32014
