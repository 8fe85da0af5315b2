"""SIGHUP: the new configuration is served, and no request fails because of the reload."""

import os
import signal
import socket
import time

import pytest
from client import RpcError, request
from held_upstream import HeldUpstream
from proc import descriptors, is_alive, wait_until, zombies_under


def gone(*pids: int):
    wait_until(lambda: not any(map(is_alive, pids)), "the old generation to be gone")


def test_another_worker_count_limit_method_and_handler(server, probe):
    running = server()
    old = [running.fork_server(), *running.workers().values()]
    assert "workers=3" in running.reload(
        workers={"count": 3},
        limits={"batch_items": 1},
        handlers={"sum": probe("sum")},
        methods={"add": {"steps": [{"run": "sum"}]}},
    )
    assert running.call("add", [1, 2]) == 3
    with pytest.raises(RpcError) as unknown:
        running.call("echo", [1])
    assert unknown.value.code == -32601
    with running.connect() as client:
        client.send(b"[" + b",".join([request("add", [1], 1)[:-1]] * 2) + b"]\n")
        assert client.answer()["error"]["code"] == -32010
    assert len(running.workers()) == 3
    gone(*old)


def priority(pid: int) -> tuple[int, int]:
    policy = os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK  # the master has that flag
    return policy, os.getpriority(os.PRIO_PROCESS, pid)


IDLE_S = 3
IDLE, LOW, NORMAL = (os.SCHED_IDLE, 10), (os.SCHED_OTHER, 10), (os.SCHED_OTHER, 0)


def before_load() -> list[str]:
    """What gives a server the normal priority, even if the tests have a low one."""
    return ["nice", "-n", str(-os.nice(0)), "chrt", "--other", "0"]


@pytest.mark.needs("priority")
@pytest.mark.parametrize("is_late", [False, True])
def test_handlers_load_at_low_priority(server, probe, gate, is_late):
    """The serving workers keep their CPU time. After half of the timeout the load gets its share
    of the CPUs."""
    held = gate()
    running = server(before=before_load())
    running.configure(handlers={"echo": {}, "slow": probe("hold", gate=held.path)},
                      workers={"start_timeout_ms": 10_000 if is_late else 60_000})
    begin = time.monotonic()
    running.send(signal.SIGHUP)
    loading = held.wait_for_runs(1)[0]
    found = priority(loading)
    assert found == IDLE or time.monotonic() > begin + IDLE_S
    wait_until(lambda: priority(loading) != IDLE, "the load to leave idle priority")
    if is_late:
        wait_until(lambda: priority(loading) == NORMAL, "the load to get its share")
        return
    assert priority(loading) == LOW
    held.open()
    running.wait_for_line("event=reloaded")
    assert {priority(pid) for pid in running.processes()} == {NORMAL}


@pytest.mark.alone  # the load begins at idle priority
@pytest.mark.needs("priority")
def test_a_late_load_gets_its_share_for_threads_and_descendants_too(server, python, gate):
    held = gate()
    code = f"""
        import os, subprocess, threading, time
        over = threading.Event()
        thread = threading.Thread(target=over.wait, daemon=True)
        thread.start()
        shell = subprocess.Popen(["sh", "-c", "sleep 3600 & echo $!; wait"], stdout=subprocess.PIPE,
                                 text=True)
        ids = [os.getpid(), thread.native_id, shell.pid, int(shell.stdout.readline())]
        with open("{held.started}.new", "w") as file:
            file.write("".join(f"{{id}}\\n" for id in ids))
        os.rename("{held.started}.new", "{held.started}")
        while not os.path.exists("{held.path}"):
            time.sleep(0.001)
        def run(): pass
    """
    running = server(before=before_load())
    running.configure(handlers={"slow": python(code)}, workers={"start_timeout_ms": 60_000})
    begin = time.monotonic()
    running.send(signal.SIGHUP)
    loading = held.wait_for_runs(4)
    found = {priority(id) for id in loading}
    assert found == {IDLE} or time.monotonic() > begin + IDLE_S
    wait_until(lambda: {priority(id) for id in loading} == {LOW}, "all to leave idle priority")


def test_requests_in_flight_are_finished_by_the_old_generation(server, probe, gate):
    """The new configuration lacks their method, and the worker of one of them dies."""
    old = {"echo": {}, "hold": probe("hold")}
    running, held = server(handlers=old, methods={"hold": {"attempts": 3}}), gate()
    with running.connect() as client:
        client.send(b"".join(held.request(id) for id in range(5)))
        first = held.wait_for_runs(2)
        before = [running.fork_server(), *running.workers().values()]
        assert running.reload(handlers={"echo": {}}).startswith("event=reloaded")
        assert client.call("echo", ["new"]) == ["new"]
        lines = len(running.lines)
        running.process.send(signal.SIGHUP)  # once more, while the jobs still run
        running.wait_for_line("event=reloaded", lines)
        os.kill(first[0], signal.SIGKILL)
        held.wait_for_runs(3)
        held.open()
        answers = client.answers(5)
        assert all(answers[id]["result"] == held.params() for id in range(5))
        gone(*before)
        assert client.call("echo", ["newest"]) == ["newest"]


def test_a_reload_waits_while_two_former_configurations_finish(holding, gate):
    running, gates = holding(), [gate("first"), gate("second"), gate("third")]
    with running.connect() as client:
        for held in gates[:2]:
            held.hold(client, held.path.name)
            before = len(running.lines)
            running.process.send(signal.SIGHUP)
            running.wait_for_line("event=reloaded", before)
        gates[2].hold(client, "third")
        running.process.send(signal.SIGHUP)
        running.wait_for_line("event=reload_waits former=2")
        assert running.call("echo", ["meanwhile"]) == ["meanwhile"]
        before = len(running.lines)
        gates[1].open()
        assert client.answer()["id"] == "second"
        running.wait_for_line("event=reloaded", before)
        for held in (gates[0], gates[2]):
            held.open()
            client.answer()
    assert running.stop() == 0


def test_a_fork_server_that_dies_while_its_generation_drains(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        held.hold(client, 1)
        old = running.fork_server()
        running.reload()
        os.kill(old, signal.SIGKILL)
        held.wait_for_runs(2)
        held.open()
        assert client.answer()["result"] == held.params()
    gone(old)
    assert running.call("echo", [1]) == [1]


def test_processes_that_do_not_end_are_ended(server, probe, gate):
    """One server's worker stays in a job that it has answered. The other server is stopped while a
    handler's load() does not return. Each takes 5 s: two servers let them pass at the same time."""
    held = gate()
    stopping = server(name="stopping")
    stopping.configure(handlers={"echo": {}, "slow": probe("hold", gate=held.path)})
    stopping.send(signal.SIGHUP)
    held.wait_for_runs(1)
    assert len(stopping.processes()) == 5
    stopping.send(signal.SIGTERM)

    running = server(workers={"count": 1}, handlers={"stays": probe("stays")})
    old = [running.fork_server(), *running.workers().values()]
    assert running.call("stays", {}) == "answered"
    running.reload()
    gone(*old)
    assert stopping.wait() == 0  # wait() asserts that no process is left


@pytest.fixture(scope="module")
def running(module_server):
    """A server whose folder has a FIFO. Its configuration is the default before each test and
    after it."""
    running = module_server()
    os.mkfifo(running.config.parent / "fifo")
    return running


@pytest.mark.parametrize(
    "sections, says",
    [
        ({"handlers": {"m": {"library": "echo", "model": "no/such.ubj"}}}, "no/such.ubj"),
        ({"limits": {"payload_memory_bytes": "1MiB"}}, "payload_memory_bytes"),
        ({"handlers": {"m": {"library": "echo", "model": "fifo"}}}, "found a FIFO"),
        ({"listen": {"token_file": "fifo"}}, "found a FIFO"),
    ],
)
def test_a_bad_configuration_changes_nothing(running, sections, says):
    workers, before = running.workers(), len(running.lines)
    line = running.reload(**sections)
    assert line.startswith("event=reload_failed") and says in line
    assert running.workers() == workers and running.call("echo", [1]) == [1]
    since = running.lines[before:]
    assert any("event=bad_configuration" in line and says in line for line in since)
    assert running.reload().startswith("event=reloaded")


@pytest.mark.parametrize(
    "behave, says",
    [
        ("fails_self_test", "expected 42, found 41"),
        ("crashes_in_self_test", "SIGKILL"),
        ("crashes_in_load", "SIGKILL"),
        ("hangs_in_self_test", "start_timeout_ms"),
    ],
)
def test_a_handler_that_does_not_start_changes_nothing(running, probe, behave, says):
    running.assert_one_generation()
    workers, processes = running.workers(), running.processes()
    line = running.reload(
        workers={"start_timeout_ms": 200 if behave.startswith("hangs") else 60_000},
        handlers={"echo": {}, "bad": probe(behave)},
    )
    assert line.startswith("event=reload_failed") and says in line
    assert running.workers() == workers and running.call("echo", [1]) == [1]
    wait_until(lambda: running.processes() == processes, "the new processes to be gone")
    assert running.reload().startswith("event=reloaded")


def test_a_failed_reload_starts_no_second_fork_server(server):
    """Each failed reload starts one fork server, even if the next reload is already requested."""
    running = server()
    running.configure(handlers={"echo": {"unknown": 1}})
    for failed in range(0, 10, 2):
        before = len(running.lines)
        running.send(signal.SIGHUP)
        running.wait_for_line("event=reloading", before)
        running.send(signal.SIGHUP)
        running.wait_for_lines("event=reload_failed", failed + 2)
    assert running.reload().startswith("event=reloaded")
    assert "gen=12 " in running.wait_for_lines("event=handlers_loaded", 2)[-1]
    wait_until(lambda: not zombies_under(running.pid), "all fork servers to be reaped")


def test_other_addresses(server, tmp_path):
    """Addresses that stay are not touched; a removed address keeps the connections it has."""
    first, second = f"unix:{tmp_path}/first.sock", f"unix:{tmp_path}/second.sock"
    running = server(listen={"rpc": ["127.0.0.1:0", first]})
    tcp = running.addresses[0]
    with running.connect(first) as old, running.connect(tcp) as kept:
        running.reload(listen={"rpc": [second, "127.0.0.1:0"]})
        assert set(running.addresses) == {tcp, second}
        with pytest.raises(OSError):
            running.connect(first)
        for client in (old, kept, running.connect(second), running.connect(tcp)):
            assert client.call("echo", [1]) == [1]


def test_an_address_in_use_changes_nothing(server, tmp_path):
    running = server()
    wanted = f"unix:{tmp_path}/new.sock"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        in_use = "127.0.0.1:%d" % taken.getsockname()[1]
        line = running.reload(listen={"rpc": [wanted, in_use]})
    assert line.startswith("event=reload_failed") and in_use in line
    with pytest.raises(OSError):
        running.connect(wanted)
    assert running.call("echo", [1]) == [1]


def test_costs_are_known_to_the_next_configuration(server):
    running = server(handlers={"burn": {}})
    running.call("burn", {"cpu_ms": 500})
    running.reload(handlers={"burn": {}}, workers={"count": 1})
    params = {"cpu_ms": 0, "_meta": {"timeout_ms": 400}}
    with running.connect() as client:
        client.send(request("burn", params, 1) + request("burn", params, 2))
        # The server admits the first request to measure the cost anew: see trials.h.
        assert client.answers(2)[2]["error"]["data"]["reason"] == "too_late"


def test_reloads_leave_nothing_behind(server):
    running = server()
    before = len(descriptors(running.pid))
    for _ in range(5):
        running.reload()
    wait_until(lambda: len(running.processes()) == 4, "the old generations to be gone")
    wait_until(lambda: len(descriptors(running.pid)) == before, "their descriptors to be closed")


def test_another_reload_is_requested_during_a_reload(server, probe, gate):
    """The server loads the file as it is at the last signal."""
    running, held = server(), gate()
    running.configure(handlers={"echo": {}, "slow": probe("hold", gate=held.path)})
    running.send(signal.SIGHUP)
    held.wait_for_runs(1)
    running.configure(workers={"count": 1}, handlers={"echo": {}})
    running.send(signal.SIGHUP)
    running.send(signal.SIGHUP)
    assert running.call("echo", [1]) == [1]
    held.open()
    running.wait_for_line("event=reloaded .*workers=1 ")
    with pytest.raises(RpcError):
        running.call("slow", {})


def test_a_reload_is_requested_during_the_start(server, probe, gate):
    held = gate()
    running = server(wait=False, handlers={"echo": {}, "slow": probe("hold", gate=held.path)})
    held.wait_for_runs(1)
    running.configure(workers={"count": 1})
    running.send(signal.SIGHUP)
    held.open()
    running.wait_until_ready()
    running.wait_for_line("event=reloaded .*workers=1 ")


def test_an_interrupt_during_a_reload(server, probe, gate):
    """The server stops although load() has not returned."""
    running, held = server(), gate()
    running.configure(handlers={"echo": {}, "slow": probe("hold", gate=held.path)})
    running.send(signal.SIGHUP)
    held.wait_for_runs(1)
    assert len(running.processes()) == 5
    assert running.stop(signal.SIGINT) == 0  # stop() asserts that no process is left


def test_fetches_that_are_under_way_outlive_the_reload(server):
    count = 20
    with HeldUpstream() as upstream:
        sections = {
            "upstreams": {"users": {"url": upstream.url, "timeout_ms": 20_000}},
            "methods": {"features": {"steps": [
                {"fetch": "users", "body": {"user_id": "${params.user_id}"}}, {"run": "echo"},
            ]}},
        }  # fmt: skip
        running = server(**sections)
        with running.connect() as client:
            client.send(b"".join(request("features", {"user_id": id}, id) for id in range(count)))
            wait_until(lambda: upstream.requests == count, f"{count} fetches")
            assert running.reload(**sections).startswith("event=reloaded")
            assert running.call("echo", ["new"]) == ["new"]
            upstream.open()
            answers = client.answers(count)
    assert all(answers[id]["result"] == {"user_id": id} for id in range(count))
    assert upstream.requests == count
