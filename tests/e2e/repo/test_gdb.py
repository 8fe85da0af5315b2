"""The commands of scripts/gdb/ringmaster.py show what a live master holds."""

import re
import subprocess

import pytest
from proc import is_sanitized


@pytest.fixture
def gdb(root):
    """gdb(pid, command, ...) -> the output of the commands in a gdb attached to the process."""

    def run(pid, *commands):
        argv = ["gdb", "-batch", "-nx", "-p", str(pid), "-x", root / "scripts/gdb/ringmaster.py"]
        for command in commands:
            argv += ["-ex", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=50)
        return done.stdout + done.stderr

    return run


@pytest.mark.needs("gdb")
def test_jobs_with_workers_and_in_the_queue_are_shown(server, probe, gate, gdb):
    running = server(handlers={"hold": probe("hold")}, methods={"hold": {"timeout_ms": 50_000}})
    if is_sanitized(running.pid):
        pytest.skip("a sanitizer's build does not say where serve() has its variables")
    held = gate()
    client = running.connect()
    client.send(b"".join(held.request(id) + b"\n" for id in (1, 2, 3)))
    held.wait_for_runs(2)
    shown = gdb(running.pid, "rm-ring", "rm-workers", "rm-jobs")
    assert re.search(r"generation 1: 0 of \d+ ring entries in use\n", shown), shown
    for slot, pid in running.workers().items():
        assert re.search(rf"  {slot} +{pid} +up +awake +[01]/1\n", shown), shown
    assert f"{running.config}: 3 of 10000 jobs\n" in shown
    pattern = r"(\d) +(published|queued) +hold +0 run +([01]) +[01] +\d+ ms left of 50000 ms"
    jobs = re.findall(pattern, shown)
    assert jobs == [("0", "published", "1"), ("1", "published", "1"), ("2", "queued", "0")], shown
    held.open()
    assert sorted(client.answers(3)) == [1, 2, 3]


@pytest.mark.needs("gdb")
def test_a_process_that_is_no_master_is_named_so(server, gdb):
    running = server()
    assert "expected a master in its event loop" in gdb(running.workers()[0], "rm-jobs")
