"""`ringmaster dev FILE.py`: functions are methods, a save is a reload, a breakpoint a prompt."""

import contextlib
import os
import pty
import re
import signal
import subprocess
from textwrap import dedent

import pytest
from client import request
from proc import wait_until
from processes import Process
from server import Server

HELLO = """
    import json
    from dataclasses import dataclass
    @dataclass
    class Point:
        x: int
        y: int
    def area(a: Point, b: Point, scale: float = 2.0):
        return abs((a.x - b.x) * (a.y - b.y)) * scale
    def fail():
        raise ValueError("on purpose")
    def _hidden(): pass
    class Greeter:
        def run(self, name: str): return "hello " + name
    class Model:
        def __init__(self, options): self.file = options["model_file"]
        def run(self): pass
"""


@pytest.fixture
def hello(tmp_path):
    """hello(code) -> the file, as an editor saves it: it replaces the one before."""

    def save(code: str):
        new = tmp_path / "hello.new"
        new.write_text(dedent(code))
        return new.replace(tmp_path / "hello.py")

    return save


@pytest.fixture
def dev(server):
    """dev(file, before=()) -> a started Server that serves the functions of the file."""

    def start(file, before=()) -> Server:
        argv = [*before, server.program, "dev", file, "--listen", "127.0.0.1:0"]
        server.servers.append(Server(Process.start(argv, env={"TERM": "dumb"}), file))
        return server.servers[-1]

    return start


def test_public_functions_and_classes_are_methods(dev, hello, server):
    running = dev(hello(HELLO)).wait_until_ready()
    running.wait_for_line(r"event=left_out name=Model why=.*options")
    calls = lambda: running.process.output
    wait_until(lambda: len(calls()) == 3, "a line for each method")
    assert calls()[1:] == [f"ringmaster call --to {running.address} fail",
                           f"ringmaster call --to {running.address} "
                           """Greeter '{"name": "text"}'"""]
    command = calls()[0].replace("ringmaster", str(server.program), 1)
    assert subprocess.check_output(command, shell=True, timeout=30) == b"0.0\n"
    assert running.call("area", [{"x": 1, "y": 1}, {"x": 4, "y": 3}]) == 12.0
    assert running.call("Greeter", ["you"]) == "hello you"
    assert running.error_of("_hidden").code == -32601
    # The traceback comes line by line as Python prints it, not as events of the log.
    assert running.error_of("fail").message == "ValueError: on purpose"
    running.wait_for_line(r"^ValueError: on purpose$")
    assert "Traceback (most recent call last):" in running.lines


def test_the_printed_configuration_serves_the_same(hello, server, monkeypatch):
    file = hello(HELLO)
    run = lambda *words: subprocess.run([server.program, *words], capture_output=True, text=True,
                                        timeout=30)
    config = file.with_suffix(".toml")
    config.write_text(run("dev", file, "--print-config").stdout)
    assert run("check", "-c", config).stdout == f"{config}: ok\n"
    assert re.findall(r"methods\.(\w+)", config.read_text()) == ["area", "fail", "Greeter"]
    monkeypatch.setenv("VIRTUAL_ENV", "/folder")
    assert run("dev", file, "--print-config").stdout.count('venv = "/folder"') == 3


def test_a_save_is_served(dev, hello):
    running = dev(hello("def one(): return 1")).wait_until_ready()
    seen = len(running.lines)
    hello("def one(): return 11\ndef two(): return 2")
    running.wait_for_line("event=reloaded", seen)
    assert (running.call("one"), running.call("two")) == (11, 2)
    wait_until(lambda: len(running.process.output) == 3, "the calls to be printed anew")
    seen = len(running.lines)
    hello("def two(): return 22")
    running.wait_for_line("event=reloaded", seen)
    assert running.call("two") == 22
    assert running.error_of("one").code == -32601


BROKEN = {
    "x = 1\ndef one(:": r"hello.py:2: SyntaxError",
    "x = 1\ny = 1 / 0\ndef one(): pass": r"hello.py:2: ZeroDivisionError",
    "def _one(): pass": r"expected a public function",
}


def test_a_broken_save_leaves_the_former_version(dev, hello):
    running = dev(hello("def one(): return 1")).wait_until_ready()
    for code, says in BROKEN.items():
        seen = len(running.lines)
        hello(code)
        running.wait_for_line(f"event=reload_failed .*{says}", seen)
        assert running.call("one") == 1
        # Besides the traceback, one line says why.
        assert sum(says in line for line in running.lines[seen:]) == 1
    seen = len(running.lines)
    hello("def one(): return 11")
    running.wait_for_line("event=reloaded", seen)
    assert running.call("one") == 11


@pytest.mark.parametrize("code", BROKEN)
def test_a_file_that_is_broken_at_the_start_is_waited_for(dev, hello, code):
    running = dev(hello(code))
    running.wait_for_line(f"event=not_started .*{BROKEN[code]}")
    running.wait_for_line("event=waiting_for_save")
    seen = len(running.lines)
    hello("def (")
    running.wait_for_line("event=not_started .*SyntaxError", seen)
    hello("def one(): return 1")
    assert running.wait_until_ready().call("one") == 1
    seen = len(running.lines)
    hello("def one(): return 2")
    running.wait_for_line("event=reloaded", seen)
    assert running.call("one") == 2


def test_of_other_files_only_those_that_are_imported_count(dev, hello, tmp_path):
    """Otherwise a module that writes a file would be loaded again without end."""
    helper = tmp_path / "helper.py"
    helper.write_text("import deeper")
    (tmp_path / "deeper.py").write_text("y = 1")
    code = """
        import pathlib, time
        import helper
        pathlib.Path(__file__).with_name("written.py").write_text(f"x = {time.time()}")
        def one(): return helper.deeper.y
    """
    running = dev(hello(code)).wait_until_ready()
    for y in (2, 3):
        seen = len(running.lines)
        (tmp_path / "deeper.py").write_text(f"y = {y}")
        running.wait_for_line("event=reloaded", seen)
        assert running.call("one") == y
    assert sum("event=reloading" in line for line in running.lines) == 2


def test_what_is_wrong_with_a_result_is_shown(dev, hello):
    running = dev(hello("def nan(): return [float('nan')]\ndef text(): return b'x'"))
    running.wait_until_ready()
    assert running.error_of("nan").message == "result[0]: NaN is no JSON"
    running.wait_for_line(r"hello.py:nan: result\[0\]: NaN is no JSON$")
    assert running.error_of("text").code == -32603
    running.wait_for_line("^text: the handler's result is not JSON: ")


def test_in_the_background_the_terminal_is_left_alone(server, hello):
    """Keys that are typed there are for the program in the foreground."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    file = hello("import sys\ndef read(): return sys.stdin.read()")
    script = 'exec < "$0"; set -m; "$@" & echo $!; wait'
    process = Process.start(["bash", "-c", script, os.ttyname(theirs), server.program, "dev", file,
                             "--listen", "127.0.0.1:0"], env={"TERM": "dumb"})
    server.servers.append(Server(process, file))
    running = server.servers[-1].wait_until_ready()
    assert running.call("read") == ""
    wait_until(lambda: process.output, "the number of the job")
    os.kill(int(process.output[0]), signal.SIGTERM)
    assert process.wait() == 0
    os.close(ours)
    os.close(theirs)


def test_a_breakpoint_is_a_prompt_in_the_terminal(dev, hello):
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    received = bytearray()

    def wait_for(regex: str) -> re.Match:
        def find():
            with contextlib.suppress(BlockingIOError):
                received.extend(os.read(ours, 65536))
            return re.search(regex, received.decode())

        wait_until(find, f"{regex} in the terminal")
        return find()

    file = hello("def double(number: int):\n    breakpoint()\n    return 2 * number")
    name = os.ttyname(theirs)
    running = dev(file, ["sh", "-c", f'exec "$0" "$@" < {name} > {name} 2> {name}'])
    running.address = wait_for(r"ready +address=(\S+)").group(1)
    running.processes()
    client = running.connect()
    client.send(request("double", [4]))
    wait_for(r"hello.py\(3\)double\(\)\s+-> return 2 \* number\s+\(Pdb\) ")
    os.write(ours, b"number = 20\nc\n")
    assert client.answer()["result"] == 40
    received.clear()
    client.send(request("double", [4]))
    wait_for(r"\(Pdb\) ")
    # SIGHUP: the terminal was closed.
    assert running.stop(signal.SIGHUP) == 0
    os.close(ours)
    os.close(theirs)
