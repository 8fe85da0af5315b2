"""A server that cannot start reports why, with the right exit code, and leaves no process
behind."""

import os
import socket
from pathlib import Path

import pytest
from client import request
from server import compile_handler


def assert_refused(running, code: int, *says: str):
    assert running.wait() == code, running.lines
    last = running.lines[-1]
    assert all(text in last for text in says), running.lines
    assert not [line for line in running.lines if "event=ready" in line]


def test_a_second_server_at_the_same_address(server, tmp_path):
    path = f"unix:{tmp_path}/rpc.sock"
    first = server(listen={"rpc": ["127.0.0.1:0", path]})
    for address in first.addresses:
        second = server(wait=False, name="second", listen={"rpc": [address]})
        assert_refused(second, 71, address, "Address already in use")
        with first.connect(address) as client:
            assert client.call("echo", [1]) == [1]


def test_a_stale_unix_socket_is_taken_over(server, tmp_path):
    path = tmp_path / "rpc.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    assert server(listen={"rpc": [f"unix:{path}"]}).call("echo", [1]) == [1]


def test_a_file_in_the_place_of_a_unix_socket_is_kept(server, tmp_path):
    path = tmp_path / "rpc.sock"
    path.write_text("precious")
    assert_refused(server(wait=False, listen={"rpc": [f"unix:{path}"]}), 71, str(path))
    assert path.read_text() == "precious"


def test_an_unknown_host(server):
    refused = server(wait=False, listen={"rpc": ["no-such-host.invalid:0"]})
    assert_refused(refused, 71, "no-such-host.invalid")


@pytest.mark.parametrize("source, says", [
    ("", "bad.so"),  # a text file
    ("int other(void) { return 0; }\n", "ringmaster_handler()"),
    ("int nobody_has(void);\nint other(void) { return nobody_has(); }\n", "nobody_has"),
])
def test_a_library_that_is_no_handler(server, tmp_path, source, says):
    library = tmp_path / "bad.so"
    library.write_text("no library")
    if source:
        (tmp_path / "bad.c").write_text(source)
        compile_handler(library, tmp_path / "bad.c")
    refused = server(wait=False, handlers={"bad": {"library": library}})
    assert_refused(refused, 78, "event=not_started", "handler bad", says)


OF_ANOTHER_ABI = """
#include <ringmaster/handler.h>
static const rm_handler handler = {ABI};
const rm_handler* ringmaster_handler(void) { return &handler; }
"""


@pytest.mark.parametrize("abi", [0, 99])
def test_a_handler_of_another_abi(server, tmp_path, abi):
    (tmp_path / "new.c").write_text(OF_ANOTHER_ABI)
    library = compile_handler(tmp_path / "new.so", tmp_path / "new.c", f"-DABI={abi}")
    refused = server(wait=False, handlers={"new": {"library": library}})
    assert_refused(refused, 78, "handler new", f"ABI {abi}", "rebuild")


def test_a_missing_model(server, probe):
    refused = server(wait=False, handlers={"m": probe("silent", model="no/such/model.ubj")})
    assert_refused(refused, 78, "handlers.m.model", "no/such/model.ubj")


@pytest.mark.parametrize(
    "behave, says",
    [
        ("does_not_load", "expected a model, found a probe"),
        ("does_not_warm_up", "expected a warm place"),
        ("leaves_a_thread", "thread"),
        ("fails_self_test", "self-test: expected 42, found 41"),
        ("crashes_in_self_test", "self-test ended its process (SIGKILL)"),
        ("exits_in_self_test", "self-test ended its process (exit 3)"),
    ],
)
def test_a_handler_that_does_not_load(server, probe, behave, says):
    refused = server(wait=False, handlers={"echo": {}, "stubborn": probe(behave)})
    assert_refused(refused, 78, "event=not_started", "handler stubborn", says)


@pytest.mark.parametrize(
    "where, says",
    [
        ("load", ": threw a C++ exception: expected nobody to throw this"),
        ("load, a number", ": threw something that is not a std::exception"),
        ("describe", ": describe() threw a C++ exception: expected nobody"),
        ("warm_up", ": warm-up: threw a C++ exception: expected nobody"),
        ("self_test", ": self-test: threw a C++ exception: expected nobody"),
    ],
)
def test_an_exception_that_the_abi_forbids(server, throws, where, says):
    refused = server(wait=False, handlers={"bad": {"library": throws, "where": where}})
    assert_refused(refused, 78, "event=not_started", "handler bad", says)


@pytest.mark.parametrize("behave", ["hangs_in_load", "hangs_in_self_test"])
def test_a_handler_that_takes_for_ever_to_start(server, probe, behave):
    refused = server(
        wait=False, workers={"start_timeout_ms": 100}, handlers={"slow": probe(behave)}
    )
    assert_refused(refused, 71, "event=not_started", "workers.start_timeout_ms", "being loaded")


def test_a_fork_server_that_is_killed_while_it_loads(server, probe):
    refused = server(wait=False, handlers={"bad": probe("crashes_in_load")})
    assert_refused(refused, 70, "event=not_started", "SIGKILL")


def test_no_clients_before_the_workers_are_ready(server, probe, gate, tmp_path):
    path, held = f"unix:{tmp_path}/rpc.sock", gate()
    loading = probe("hold", gate=held.path)
    running = server(wait=False, listen={"rpc": [path]}, handlers={"echo": {}, "slow": loading})
    held.wait_for_runs(1)
    with pytest.raises(ConnectionRefusedError):
        running.connect(path)
    held.open()
    running.wait_until_ready()
    events = [line.split("event=")[1].split()[0] for line in running.lines if "event=" in line]
    assert events[:3] == ["handlers_loaded", "worker_ready", "worker_ready"]
    assert running.call("echo", [1]) == [1]


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_workers_as_configured(server, count):
    running = server(workers={"count": count})
    assert running.worker_count == count
    assert running.workers().keys() == set(range(count))
    assert len(running.processes()) == 2 + count


@pytest.mark.alone
@pytest.mark.timeout(200)
def test_as_many_workers_as_there_may_be(server):
    available = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
    if int(available) < 4 << 20:
        pytest.skip("expected 4 GiB of available memory for 512 workers")
    running = server(wait=False, workers={"count": 512, "start_timeout_ms": 150_000})
    # A fork of a process with a sanitizer's memory takes many times as long.
    began = running.process.wait_for_line(r"event=(ready|fork_failed|not_started)", timeout=150)
    if "fork_failed" in began.group(0):
        pytest.skip("this machine does not permit 512 processes more")
    running.wait_until_ready()
    assert running.workers().keys() == set(range(512))
    with running.connect() as client:
        client.send(b"".join(request("echo", [id], id) for id in range(2000)))
        answers = client.answers(2000)
    assert all(answers[id]["result"] == [id] for id in range(2000))


def has_cpu_quota() -> bool:
    """Whether a cgroup of this process limits its CPU time."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for folder in (Path(path.lstrip("/")), *Path(path.lstrip("/")).parents):
            for file in ("cpu.max", "unified/cpu.max", "cpu/cpu.cfs_quota_us"):
                root, _, name = f"/sys/fs/cgroup/{file}".rpartition("/")
                limit = Path(root) / folder / name
                if limit.exists() and limit.read_text().split()[0] not in ("max", "-1"):
                    return True
    return False


def test_auto_is_as_many_as_the_cpus_that_we_may_use(server):
    """A cgroup that limits the CPU time makes it fewer: the unit tests of cpu_count() try that."""
    ours = len(os.sched_getaffinity(0))
    running = server(workers={"count": "auto"})
    assert running.worker_count == len(running.workers()) <= ours
    if ours == 1 or has_cpu_quota():
        pytest.skip("expected two CPUs, and no limit of the CPU time")
    assert running.worker_count == ours


def test_auto_heeds_the_affinity_mask(server):
    cpu = min(os.sched_getaffinity(0))
    running = server(workers={"count": "auto"}, before=["taskset", "-c", str(cpu)])
    assert running.worker_count == 1 and len(running.workers()) == 1
