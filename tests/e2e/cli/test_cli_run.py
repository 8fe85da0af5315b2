"""`ringmaster run`: one job of a handler in one process, without a server."""

import json
import os
import signal
import subprocess

import pytest
from client import DEADLINE_S
from server import configuration

HANDLER = """
    import ringmaster
    def run(user_id: int, users: dict = {}) -> dict:
        if user_id == 1:
            raise ValueError("said")
        if user_id == 2:
            raise ringmaster.Error(17, "expected luck", {"a": [1]})
        if user_id == 3:
            breakpoint()
        return {"user_id": user_id, "users": users, "method": ringmaster.job().method}
"""


@pytest.fixture
def ringmaster(build):
    def run(*arguments, stdin="", cwd=None):
        return subprocess.run(
            [build / "ringmaster", *arguments], input=stdin, capture_output=True, text=True,
            timeout=DEADLINE_S, cwd=cwd,
        )

    return run


@pytest.fixture
def run(ringmaster, tmp_path, python):
    """run(ARGUMENT...), with the handlers `f`, in Python, and `echo`. The method `m` runs `f` after
    the steps `users` and `more`."""
    handlers = {"f": python(HANDLER), "echo": {}}
    handlers |= {name: python("def run(): pass", file=name) for name in ("users", "more")}
    methods = {"m": {"steps": [{"run": name} for name in ("users", "more", "f")]},
               "f": {"steps": [{"run": "echo"}]}}
    config = tmp_path / "run.toml"
    config.write_text(configuration(handlers=handlers, methods=methods))
    return lambda *arguments, **options: ringmaster("run", "-c", config, *arguments, **options)


@pytest.mark.parametrize("text", ["{}", "@FILE", "-"])
def test_params_are_given_as_to_call(run, tmp_path, text):
    params = '{"a": [1.50, "\\u00e9"]}'
    (tmp_path / "FILE").write_text(params)
    given = params if text == "{}" else text
    done = run("echo", given, stdin=params if text == "-" else "", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, params + "\n", "")


def test_it_gets_the_results_of_earlier_steps_and_the_name_of_its_method(run, tmp_path):
    (tmp_path / "users.json").write_text('{"events": [1]}')
    done = run("f", "[42]", "--input", f"users=@{tmp_path}/users.json", "--input", 'more="x"')
    expected = {"user_id": 42, "users": {"events": [1]}, "method": "m"}
    assert (done.returncode, json.loads(done.stdout)) == (0, expected), done.stderr
    done = run("f", "[42]", "--input", "users={")
    assert done.returncode == 1 and done.stderr.startswith("error -32015: users: ")


def test_errors_are_those_of_a_server(server, python, ringmaster):
    running = server(handlers={"f": python(HANDLER)})
    for params, code in [('["x"]', -32602), ("{}", -32602), ("[1]", -32000), ("[2]", 17)]:
        ran = ringmaster("run", "-c", running.config, "f", params)
        called = ringmaster("call", "--to", running.address, "f", params)
        assert (ran.returncode, ran.stdout) == (called.returncode, called.stdout) == (1, "")
        assert ran.stderr.splitlines()[-2:] == called.stderr.splitlines()
        assert called.stderr.startswith(f"error {code}: ")
        is_unexpected = code == -32000
        assert ran.stderr.startswith("Traceback (most recent call last):") == is_unexpected


def test_breakpoint_gives_the_terminal_to_the_debugger(run):
    done = run("f", "[3]", stdin="p user_id + 4\ncontinue\n")
    assert done.returncode == 0 and "(Pdb) 7\n" in done.stdout, done.stderr
    assert done.stdout.endswith('"method":"m"}\n')


@pytest.mark.needs("gdb")
def test_gdb_runs_the_same_command(run, monkeypatch):
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # gdb makes leak checks impossible
    done = run("--gdb", "echo", '{"b": 1}', stdin="run\nquit\n")
    assert '{"b": 1}\n' in done.stdout and "exited normally" in done.stdout, done.stderr


def test_a_result_may_be_nested_as_deeply_as_a_request(run):
    params = "[" * 128 + "]" * 128
    done = run("echo", params)
    assert (done.returncode, done.stdout) == (0, params + "\n")


def test_a_process_of_the_shell_lives_on(build, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(configuration(handlers={"echo": {}}))
    run = f"exec {build}/ringmaster run -c {config} echo '[1]'"
    command = f"sleep 60 > /dev/null 2>&1 & echo $!; {run}"
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, timeout=DEADLINE_S)
    pid, result = done.stdout.split()
    os.kill(int(pid), signal.SIGTERM)  # the process still exists
    assert (done.returncode, result) == (0, b"[1]")


def test_a_handler_that_does_not_load_exits_78(ringmaster, tmp_path, python):
    config = tmp_path / "run.toml"
    config.write_text(configuration(handlers={"f": python("import missing_module")}))
    done = ringmaster("run", "-c", config, "f")
    assert (done.returncode, done.stdout) == (78, "")
    assert "handler.py:1: ModuleNotFoundError: No module named 'missing_module'" in done.stderr


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "expected a HANDLER, found none"),
        (["eco"], "has no [handlers.eco]; did you mean echo?"),
        (["echo", "5"], "run: expected PARAMS to be a JSON object or array, found 5"),
        (["echo", "--input", "users"], "expected --input NAME=JSON or NAME=@FILE, found users"),
        (["f", "--input", "user=1"],
         "--input user: no method has such a step before f; did you mean users?"),
        (["f", "--input", "x=1"], "no method has such a step before f; known: users, more"),
        (["users", "--input", "x=1"], "no method has such a step before users; known: none"),
        (["echo", "@absent"], "PARAMS to be in absent, which cannot be read: No such file or dir"),
        (["echo", "@/dev/null"], "PARAMS to be in /dev/null, which is empty"),
        (["echo", "@/"], "PARAMS to be in /, which cannot be read: Is a directory"),
        (["echo", *["--input", "a=1"] * 8], "expected at most 7 times --input, found 8"),
        (["--gdb", "echo", "-"], "with --gdb, stdin is gdb's"),
    ],
)
def test_a_wrong_command_line_exits_64(run, arguments, said):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr
