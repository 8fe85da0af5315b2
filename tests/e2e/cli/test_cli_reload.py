"""`ringmaster reload`: it reloads a running server, and says whether that succeeded."""

import json
import re
import signal
import socket
import subprocess
from contextlib import contextmanager

import pytest
from client import DEADLINE_S
from proc import wait_until


@pytest.fixture
def reload(build):
    """reload(ARGUMENT, ...): runs `ringmaster reload` to its end."""
    def run(*arguments):
        return subprocess.run([build / "ringmaster", "reload", *map(str, arguments)],
                              capture_output=True, text=True, timeout=DEADLINE_S)

    return run


@pytest.fixture
def in_background(build):
    """in_background(ARGUMENT, ...): starts `ringmaster reload`, and returns its Popen. The process
    is killed after the test."""
    with contextmanager(_background)(build) as start:
        yield start


def _background(build):
    started = []

    def start(*arguments):
        started.append(subprocess.Popen([build / "ringmaster", "reload", *map(str, arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def listen(tmp_path):
    """[listen] with a status port that clients find."""
    return {"status": f"unix:{tmp_path}/status.sock"}


def reloads(listen) -> dict:
    """The status port's answer at /reloads."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE_S)
        client.connect(listen["status"].removeprefix("unix:"))
        client.sendall(b"GET /reloads HTTP/1.0\r\n\r\n")
        head, _, body = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    assert b"Content-Type: application/json\r\n" in head
    return json.loads(body)


def test_a_reload_of_a_valid_configuration(server, reload, listen):
    running = server(listen=listen)
    running.configure(listen=listen, workers={"count": 1})
    done = reload("-c", running.config, "--wait")
    assert (done.returncode, done.stdout, done.stderr) == (0, "reloaded: generation 2 serves\n", "")
    assert "workers=1" in running.wait_for_line("event=reloaded .*").group(0)
    told = reloads(listen)
    (ended,) = told.pop("ended")
    assert told == {"pid": running.pid, "configuration": str(running.config), "state": "serving",
                    "begun": 1}
    assert ended.pop("unix_s") > 1_700_000_000
    assert ended == {"reload": 1, "ok": True, "generation": 2}


def test_without_waiting(server, reload, listen):
    running = server(listen=listen)
    for number, options in enumerate([["-c", running.config], ["--pid", running.pid]], 1):
        done = reload(*options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        running.wait_for_lines("event=reloaded", number)


def test_the_file_may_be_named_in_another_way(server, reload, listen, tmp_path):
    running = server(listen=listen)
    link = tmp_path / "link.toml"
    link.symlink_to(running.config)
    for name in (link, running.config.parent / "." / ".." / tmp_path.name / running.config.name):
        assert reload("-c", name, "--wait", "--pid", running.pid).returncode == 0


@pytest.mark.parametrize("text, says", [
    ("[workers]\ncuont = 1\n", "workers.cuont: unknown key; did you mean count?"),
    ("[workers]\ncount = = 1\n", "not valid TOML"),
])
def test_a_broken_configuration(server, reload, listen, text, says):
    """The server refuses an unknown key. The command itself refuses invalid TOML: it cannot read
    the status address from the file, and finds no server at the default one."""
    running = server(listen=listen)
    good = running.config.read_text()
    running.config.write_text(good.replace("[workers]\n", text))
    done = reload("-c", running.config, "--wait")
    assert (done.returncode, done.stdout) == (78, "")
    if "TOML" not in says:
        assert done.stderr.startswith("ringmaster: the server refused the reload: ")
        running.wait_for_line("event=reload_failed")
    assert says in done.stderr
    assert running.call("echo", [1]) == [1]
    running.config.write_text(good)
    assert reload("-c", running.config, "--wait").stdout.startswith("reloaded: ")


def test_a_handler_that_does_not_load(server, reload, listen, probe):
    running = server(listen=listen)
    running.configure(listen=listen, handlers={"echo": {}, "bad": probe("does_not_load")})
    done = reload("-c", running.config, "--wait")
    assert (done.returncode, done.stdout) == (78, "")
    assert "the server refused the reload: " in done.stderr
    assert "expected a model, found a probe" in done.stderr
    (ended,) = reloads(listen)["ended"]
    assert (ended["ok"], ended["generation"]) == (False, 1)
    assert "expected a model, found a probe" in ended["reason"]


def test_a_reload_during_another_reports_its_own_result(server, in_background, listen, probe, gate):
    """The first reload succeeds. Signals during it become one reload, which fails for all."""
    running, held = server(listen=listen), gate()
    slow = probe("hold", gate=held.path)
    running.configure(listen=listen, handlers={"echo": {}, "slow": slow})
    first = in_background("-c", running.config, "--wait")
    held.wait_for_runs(1)
    assert reloads(listen)["state"] == "reloading"
    running.configure(listen=listen, handlers={"echo": {"unknown": 1}})
    for _ in range(3):
        running.send(signal.SIGHUP)
    later = [in_background("-c", running.config, "--wait") for _ in range(3)]
    held.open()
    out, error = first.communicate(timeout=DEADLINE_S)
    assert (first.returncode, out, error) == (0, "reloaded: generation 2 serves\n", "")
    for process in later:
        out, error = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out) == (78, "")
        assert "unknown" in error
    # The last signals may have begun one more reload, which none of the commands waits for.
    wait_until(lambda: len(reloads(listen)["ended"]) == reloads(listen)["begun"], "all to end")
    ended = [one["ok"] for one in reloads(listen)["ended"]]
    assert ended[0] and not any(ended[1:])
    assert len(ended) <= 5, "the first three signals became one reload"


def test_a_reload_during_the_start(server, in_background, reload, listen, probe, gate):
    held = gate()
    handlers = {"echo": {}, "slow": probe("hold", gate=held.path)}
    running = server(wait=False, listen=listen, handlers=handlers)
    held.wait_for_runs(1)
    assert reloads(listen)["state"] == "starting"
    running.configure(listen=listen, handlers={"echo": {"unknown": 1}})
    running.send(signal.SIGHUP)
    early = in_background("-c", running.config, "--wait")
    held.open()
    running.wait_until_ready()
    error = early.communicate(timeout=DEADLINE_S)[1]
    assert early.returncode == 78 and "unknown" in error
    assert running.call("echo", [1]) == [1]


def test_a_server_that_is_not_there(server, reload, listen, tmp_path):
    running = server(listen=listen)
    config, pid = running.config, running.pid
    assert running.stop() == 0
    done = reload("-c", config, "--wait")
    assert done.returncode == 71 and f"cannot connect to {listen['status']}" in done.stderr
    done = reload("--pid", pid)
    assert done.returncode == 71 and f"find the process {pid}: No such process" in done.stderr
    done = reload("-c", tmp_path / "no.toml")
    assert done.returncode == 78 and "no.toml: no such file" in done.stderr


def test_a_server_that_ends_meanwhile(server, in_background, listen, probe, gate):
    running, held = server(listen=listen), gate()
    running.configure(listen=listen, handlers={"slow": probe("hold", gate=held.path)})
    waiting = in_background("-c", running.config, "--wait")
    held.wait_for_runs(1)
    running.send(signal.SIGTERM)
    error = waiting.communicate(timeout=DEADLINE_S)[1]
    assert waiting.returncode == 71
    assert re.search("stops|cannot connect|closed the connection", error), error


def test_a_server_without_a_status_port(server, reload):
    running = server(listen={"status": ""})
    done = reload("-c", running.config, "--wait")
    assert (done.returncode, done.stdout) == (71, "")
    assert '[listen] status = "" names no status port to ask' in done.stderr
    assert "--pid" in done.stderr
    assert reload("-c", running.config, "--pid", running.pid).returncode == 0
    running.wait_for_line("event=reloaded")


def test_no_other_server_is_reloaded(server, reload, listen):
    """For example, the file has the default status address, and another server listens there."""
    running, other = server(listen=listen), server(name="other", listen={"status": ""})
    other.configure(listen=listen)
    done = reload("-c", other.config, "--wait")
    assert done.returncode == 71
    assert f"serves {running.config}, not {other.config}" in done.stderr
    done = reload("-c", running.config, "--pid", other.pid, "--wait")
    assert done.returncode == 71
    assert f"is process {running.pid}, not {other.pid}" in done.stderr
    assert not [line for line in running.lines + other.lines if "event=reloading" in line]


def test_no_other_program_gets_the_signal(reload):
    with subprocess.Popen(["sleep", "60"]) as sleeps:
        done = reload("--pid", sleeps.pid)
        assert done.returncode == 71
        assert f"process {sleeps.pid}: expected the master of a ringmaster" in done.stderr
        assert sleeps.poll() is None
        sleeps.kill()


def test_something_else_at_the_status_address(server, reload, tmp_path):
    running = server(listen={"status": "127.0.0.1:0"})
    # The server's address for calls speaks HTTP, too, but is no status port.
    config = tmp_path / "wrong.toml"
    config.write_text(running.config.read_text().replace(
        'status = "127.0.0.1:0"', f'status = "{running.address}"'))
    done = reload("-c", config)
    assert done.returncode == 71 and "expected the status port of a ringmaster" in done.stderr


@pytest.mark.parametrize("arguments, says", [
    (["--pid", "0"], "--pid"),
    (["--pid", "x"], "--pid"),
    (["--wiat"], "unknown option --wiat; did you mean --wait?"),
    (["extra"], "unexpected argument extra"),
])
def test_a_wrong_command_line(reload, arguments, says):
    done = reload(*arguments)
    assert (done.returncode, done.stdout) == (64, "") and says in done.stderr
