"""Python handlers: modules that hang, end their process or leave processes behind when they are
imported. A server that starts says so and ends; one that reloads serves on as before."""

import re

import pytest
from proc import is_alive, wait_until

FINE = "def run(): return 'fine'"

HANGS = "import time\ntime.sleep(3600)"
EXITS = "import os\nos._exit(3)"
STARTS = """
import subprocess
subprocess.Popen(["sleep", "3600"])
def run(): pass
"""
DETACHES = """
import subprocess
subprocess.run(["sh", "-c", "setsid sleep 3600 > /dev/null 2>&1 &"])
def run(): pass
"""
FORKS = """
import os
os.fork()
def run(): pass
"""
FORKS_AND_FAILS = "import os\nos.fork()\n1 / 0"
LEFT = "left 1 processes after load(), expected none"


@pytest.fixture(scope="module")
def running(module_server, module_python):
    return module_server(handlers={"f": module_python(FINE, file="fine")})


@pytest.mark.parametrize(
    "code, exit_code, says",
    [
        (HANGS, 71, "not ready within 500 ms (workers.start_timeout_ms)"),
        (EXITS, 70, "exit 3"),
        (STARTS, 78, LEFT),
        (DETACHES, 78, LEFT),
        (FORKS, 78, LEFT),
        (FORKS_AND_FAILS, 78, "handler.py:3: ZeroDivisionError"),
    ],
)
def test_an_import_that_does_not_end_well(running, server, python, code, exit_code, says):
    """After each test no process of the server may be left."""
    workers = running.workers()
    timeout_ms = 500 if code == HANGS else 60_000
    sections = {"workers": {"start_timeout_ms": timeout_ms}, "handlers": {"f": python(code)}}
    line = running.reload(**sections)
    assert line.startswith("event=reload_failed") and says in line
    assert running.workers() == workers and running.call("f") == "fine"
    wait_until(lambda: len(running.processes()) == 4, "the new processes to be gone")

    refused = server(wait=False, name="second", **sections)
    assert refused.wait() == exit_code
    assert re.search("event=not_started", refused.lines[-1]) and says in refused.lines[-1]


@pytest.mark.parametrize("end", ["time.sleep(3600)", "os.kill(os.getpid(), 9)"])
def test_what_an_import_has_started_dies_with_the_fork_server(running, python, tmp_path, end):
    """The import never ends, or ends the fork server. A busy machine may need more than a second
    to begin the import: the next reload allows more."""
    code = f"""
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "3600"])
        with open("{tmp_path}/new", "w") as file:
            file.write(str(child.pid))
        os.rename("{tmp_path}/new", "{tmp_path}/child")
        {end}
    """
    for timeout_ms in (1000, 5000, 20_000):
        line = running.reload(workers={"start_timeout_ms": timeout_ms},
                              handlers={"f": python(code)})
        assert line.startswith("event=reload_failed")
        if (tmp_path / "child").exists():
            break
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not is_alive(child), "the child to be gone")
