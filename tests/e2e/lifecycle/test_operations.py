"""What an operator sees and does: process titles, descriptors, signals, log lines and files."""

import json
import os
import re
import signal
import socket

import pytest
from client import DEADLINE_S, request
from proc import descriptors, is_alive, is_asleep, is_pending, title, wait_until, zombies_under


def test_processes_say_what_they_are(server, probe, gate):
    running = server(
        workers={"count": 1},
        handlers={"hold": probe("hold")},
        methods={"interests.predict": {"steps": [{"run": "hold"}]}},
    )
    assert title(running.pid) == f"ringmaster: master {running.config}"
    assert title(running.fork_server()) == "ringmaster: fork server gen=1"
    worker = running.workers()[0]
    assert title(worker) == "ringmaster: worker 0 gen=1"
    held = gate()
    with running.connect() as client:
        held.hold(client, 1, "interests.predict")
        assert title(worker) == "ringmaster: worker 0 gen=1 interests.predict"
        held.open()
        client.answer()
    wait_until(lambda: title(worker) == "ringmaster: worker 0 gen=1", "the worker to be idle")


def test_a_worker_has_only_the_descriptors_that_it_needs(server):
    """A worker gets none of the other descriptors with which the server itself was started."""
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    try:
        running = server(
            before=["bash", "-c", f'exec "$@" {write_end + 10}>&1 9>&2', "bash"],
            listen={"rpc": ["127.0.0.1:0"]},
        )
        assert 9 in descriptors(running.pid)
        assert running.call("echo", [1]) == [1]
        for pid in running.workers().values():
            found = descriptors(pid)
            assert sorted(found) == [0, 1, 2, 6], found
            assert found[0] == "/dev/null" and found[6] == "anon_inode:[eventfd]"
        assert not [name for name in descriptors(running.fork_server()).values() if "TCP" in name]
    finally:
        os.close(read_end)
        os.close(write_end)


def test_signals_of_other_servers_are_ignored(server):
    """Only the first signal of each kind is logged: a terminal sends WINCH again and again."""
    running = server()
    for name in ("USR2", "WINCH"):
        for _ in range(3):
            running.send(getattr(signal, f"SIG{name}"))
            running.wait_for_line(f"level=warning .*event=signal_ignored signal={name}$")
            assert running.call("echo", [1]) == [1], name
    running.send(signal.SIGPIPE)
    assert running.call("echo", [1]) == [1]
    assert running.stop() == 0
    assert len([line for line in running.lines if "event=signal_ignored" in line]) == 2


def test_one_worker_more_and_fewer(server):
    running = server(workers={"count": 1})
    for wanted in (2, 3):
        before = len(running.lines)
        running.send(signal.SIGTTIN)
        running.wait_for_line(f"event=worker_count wanted={wanted}", before)
        running.wait_for_worker(wanted - 1, before)
    for wanted in (2, 1):
        leaving = running.workers()[wanted]
        before = len(running.lines)
        running.send(signal.SIGTTOU)
        running.wait_for_line(f"event=worker_count wanted={wanted}", before)
        running.wait_for_line(rf"event=worker_left worker={wanted} gen=1 pid={leaving}", before)
        assert not is_alive(leaving)
    before = len(running.lines)
    running.send(signal.SIGTTOU)  # the last worker stays
    running.wait_for_line("event=worker_count wanted=1", before)
    assert running.call("echo", [1]) == [1]
    assert len(running.processes()) == 3 and zombies_under(running.pid) == []


def test_a_worker_that_must_leave_finishes_its_job(holding, gate):
    running, held = holding(), gate()
    with running.connect() as client:
        client.send(held.request(1) + held.request(2))
        held.wait_for_runs(2)
        before = len(running.lines)
        running.send(signal.SIGTTOU)
        running.wait_for_line("event=worker_count wanted=1", before)
        held.open()
        assert all("result" in answer for answer in client.answers(2).values())
        running.wait_for_line("event=worker_left worker=1", before)
        assert client.call("echo", [1]) == [1]
    assert len(held.runs()) == 2


def test_a_worker_that_must_leave_finishes_the_system_call_that_it_is_in(server, probe, gate):
    running = server(workers={"count": 1}, handlers={"reads": probe("reads")})
    fifo = gate()
    os.mkfifo(fifo.path)
    writer = os.open(fifo.path, os.O_RDWR | os.O_CLOEXEC)
    with running.connect() as client:
        [worker] = fifo.hold(client, 1, "reads")
        wait_until(lambda: is_asleep(worker), "the handler to read")
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: not is_pending(worker, signal.SIGTERM), "SIGTERM to be handled")
        os.write(writer, b"42")
        assert client.answer().get("result") == 42
    os.close(writer)
    running.wait_for_line(f"event=worker_left worker=0 gen=1 pid={worker}")


def test_more_and_fewer_workers_under_load_cost_no_request(server):
    running = server(handlers={"burn": {}})
    with running.connect() as client:
        client.send(b"".join(request("burn", {"cpu_ms": 1}, id) for id in range(300)))
        for number in [signal.SIGTTIN, signal.SIGTTIN, signal.SIGTTOU, signal.SIGTTOU] * 4:
            before = len(running.lines)
            running.send(number)
            running.wait_for_line("event=worker_count", before)
        answers = client.answers(300)
    assert all(answer.get("result") == {"cpu_ms": 1} for answer in answers.values())


def test_a_worker_is_recycled_after_so_many_jobs(server):
    """The server has one worker, because any of several could get the next job."""
    running = server(workers={"count": 1, "max_jobs": 20})
    with running.connect() as client:
        for _ in range(3):
            pid = running.workers()[0]
            client.send(b"".join(request("echo", [id], id) for id in range(20)))
            assert all("result" in answer for answer in client.answers(20).values())
            running.wait_for_line(
                rf"event=worker_recycled worker=0 gen=1 pid={pid} why=max_jobs jobs=20 "
                r"grown_bytes=\d+$"
            )
            running.wait_for_line(f"event=worker_left worker=0 gen=1 pid={pid}$")
            running.wait_for_line(rf"event=worker_ready worker=0 gen=1 pid=(?!{pid}\b)")
            wait_until(lambda: running.workers()[0] != pid, "the next one to be known")
    assert not any("event=worker_died" in line for line in running.lines)


def test_workers_that_ignore_the_order_to_leave_are_replaced(server, probe):
    """A busy worker goes on with jobs, since the master still publishes them for another worker. At
    the same time an idle worker of another server ignores the order. Each master waits 5 s."""
    deaf = {"echo": {}, "deaf": probe("ignores_sigterm")}
    idle = server(name="idle", workers={"count": 1, "max_jobs": 3}, handlers=deaf)
    pid = idle.workers()[0]
    for _ in range(3):
        assert idle.call("deaf") == "ignored"
    running = server(workers={"count": 2, "max_jobs": 3}, handlers=deaf,
                     methods={"deaf": {"attempts": 5}})
    ended = lambda: any("event=worker_overstayed " in line for line in running.lines)

    def serve_many() -> bool:
        client.send(b"".join(request("deaf", [], id) for id in range(100)))
        assert all("result" in answer for answer in client.answers(100).values())
        return ended()

    with running.connect() as client:
        wait_until(serve_many, "a worker to be ended")
    found = running.wait_for_line(r"event=worker_overstayed (worker=\d) gen=1 (pid=\d+) jobs=\d+")
    running.wait_for_line(rf"event=worker_died {found[1]} gen=1 {found[2]} how=SIGKILL")
    assert running.stop(signal.SIGINT) == 0  # it does not wait for the other worker, which is deaf
    idle.wait_for_line(rf"event=worker_recycled worker=0 gen=1 pid={pid} ")
    idle.wait_for_line(rf"event=worker_frozen worker=0 gen=1 pid={pid} state=S ")
    idle.wait_for_line(f"event=worker_died worker=0 gen=1 pid={pid} how=SIGKILL")
    assert idle.call("echo", [1]) == [1]


def test_a_worker_that_grows_is_recycled_between_its_jobs(server, probe):
    running = server(
        workers={"count": 1, "max_rss_bytes": "32MiB"}, handlers={"grow": probe("grows")}
    )
    first = running.workers()[0]
    assert running.call("grow", {"size": 1 << 20}) == "grown"
    assert running.call("grow", {"size": 64 << 20}) == "grown"
    recycled = rf"event=worker_recycled .*pid={first} why=max_rss_bytes jobs=\d+ grown_bytes=(\d+)"
    assert int(running.wait_for_line(recycled).group(1)) > 32 << 20
    running.wait_for_line(rf"event=worker_ready worker=0 gen=1 pid=(?!{first}\b)")
    assert running.call("grow", {"size": 1 << 20}) == "grown"


def test_workers_that_die_at_once_are_a_crash_loop_that_burns_nothing(server, probe):
    """No worker finishes a job, so the next one starts later each time."""
    running = server(
        may_crash=True,
        workers={"count": 1},
        handlers={"bad": probe("aborts")},
        methods={"bad": {"attempts": 6}},
    )
    with running.connect() as client:
        client.send(request("bad", {}))
        running.wait_for_line("event=crash_looping worker=0 gen=1 deaths=5")
        assert client.answer()["error"]["code"] == -32014
    assert len(running.wait_for_lines("event=worker_died", 6)) == 6


def test_a_key_in_its_terminal_is_for_the_master_alone(holding, gate):
    """The terminal signals the master's process group: Ctrl-\\ asks the master to stop, and must
    not end a worker or the fork server."""
    running, held = holding(), gate()
    assert os.getpgid(running.pid) == running.pid
    with running.connect() as client:
        held.hold(client, 1)
        running.processes()
        os.killpg(running.pid, signal.SIGQUIT)
        running.wait_for_line("event=stopping in_flight=1")
        held.open()
        assert client.answer()["result"] == held.params()
    assert running.wait() == 0
    assert len(held.runs()) == 1
    assert not [line for line in running.lines if "_died " in line]


def assert_logfmt(line: str):
    assert re.fullmatch(r'(<\d>)?(\w+=([^\s"=\\]+|"([^"\\]|\\.)*") ?)+', line), line
    assert re.match(r"level=\w+ role=master pid=\d+ event=\w+", line), line


def test_log_lines_are_logfmt(server):
    running = server()
    os.kill(running.workers()[0], signal.SIGKILL)
    running.wait_for_line("event=worker_died")
    assert running.stop() == 0
    assert len(running.lines) > 5
    for line in running.lines:
        assert_logfmt(line)


def test_log_lines_can_be_json(server):
    running = server(wait=False, arguments=["--log-format", "json"])
    running.wait_for_line('"event":"ready"')
    running.processes()
    assert running.stop() == 0
    lines = [json.loads(line) for line in running.lines]
    ready = next(line for line in lines if line["event"] == "ready")
    assert ready["level"] == "info" and ready["role"] == "master" and ready["pid"] == running.pid
    assert ready["workers"] == 2 and ready["address"].startswith("127.0.0.1:")
    assert all(list(line)[:4] == ["level", "role", "pid", "event"] for line in lines)


def test_a_log_file_can_be_rotated(server, tmp_path):
    log, rotated = tmp_path / "master.log", tmp_path / "master.log.1"
    log.write_text("what was there before\n")
    running = server(wait=False, arguments=["--log-file", log])
    wait_until(lambda: "event=ready" in log.read_text(), "event=ready in the log file")
    running.processes()
    first, *rest = log.read_text().splitlines()
    assert first == "what was there before"
    for line in rest:
        time, logged = line.split(" ", 1)
        assert re.fullmatch(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
        assert_logfmt(logged)
    log.rename(rotated)
    running.send(signal.SIGUSR1)
    wait_until(log.exists, "a new log file")
    running.send(signal.SIGTTIN)
    wait_until(lambda: "event=worker_ready" in log.read_text(), "a line in the new log file")
    assert running.stop() == 0
    assert "event=worker_count" not in rotated.read_text()
    assert running.lines == []


def test_a_handler_that_prints_goes_on_when_nobody_reads_stderr(server, probe, tmp_path):
    log, stderr = tmp_path / "master.log", tmp_path / "stderr"
    os.mkfifo(stderr)
    reader = os.open(stderr, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    address = f"unix:{tmp_path}/rpc.sock"
    running = server(
        wait=False,
        before=["sh", "-c", f'exec "$0" "$@" 2> {stderr}'],
        arguments=["--log-file", log],
        listen={"rpc": [address]},
        handlers={"prints": probe("prints")},
    )
    wait_until(lambda: log.exists() and "event=ready" in log.read_text(), "the server to be ready")
    running.processes()
    with running.connect(address) as client:
        assert client.call("prints") == "written"
        os.close(reader)
        assert client.call("prints") == "written"  # the master reads the line
    wait_until(lambda: log.read_text().count('text="a line"') == 2, "both lines in the log file")
    assert "event=worker_died" not in log.read_text()


def test_a_service_manager_that_does_not_read_freezes_nothing(server, tmp_path):
    """The manager's socket is full before the server starts. READY=1 comes once there is room."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with pytest.raises(BlockingIOError):
                while other.sendto(b"x", path):
                    pass
        running = server(env={"NOTIFY_SOCKET": path})
        assert running.call("echo", [1]) == [1]
        manager.settimeout(DEADLINE_S)
        while not manager.recv(4096).startswith(b"READY=1\n"):
            pass
        assert running.stop() == 0


@pytest.mark.parametrize("format", ["logfmt", "json"])
def test_what_is_logged_cannot_forge_a_line(server, probe, format):
    """The operator chooses the method's name, but the name shows how text is quoted."""
    name = 'a "quoted"\nevent=forged \\ é'
    running = server(
        wait=False,
        may_crash=True,
        arguments=["--log-format", format],
        handlers={"bad": probe("aborts")},
        methods={name: {"steps": [{"run": "bad"}]}},
    )
    ready = running.wait_for_line(r"event\W+ready\W.*address\W+(127[\d.]+:\d+)")
    running.processes()
    with running.connect(ready.group(1)) as client:
        client.send(request(name, {}))
        assert client.answer()["error"]["code"] == -32014
    line = running.wait_for_line(r".*event\W+worker_died.*").group(0)
    if format == "json":
        assert json.loads(line)["method"] == name
    else:
        assert_logfmt(line)
        assert not [line for line in running.lines if line.startswith("event=forged")]
