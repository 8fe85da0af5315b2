"""The log says whether the kernel killed a worker for its memory, or a person did."""

import os
import re
import signal
from pathlib import Path

import probes
import pytest
from client import RpcError

LIMIT_BYTES = 192 << 20


def own_group() -> tuple[Path, str]:
    """The cgroup of this process that may limit memory, and the name of the file with the limit."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return Path("/sys/fs/cgroup/memory") / path[1:], "memory.limit_in_bytes"
        if controllers == "" and (Path("/sys/fs/cgroup") / path[1:] / "memory.events").exists():
            return Path("/sys/fs/cgroup") / path[1:], "memory.max"
    pytest.skip("no cgroup with a memory controller")


@pytest.fixture
def limited_group():
    """A new cgroup with limited memory, and the command that joins it."""
    probes.require("cgroups")
    parent, limit = own_group()
    group = parent / f"ringmaster-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(LIMIT_BYTES))
        if (swap := group / "memory.swap.max").exists():
            swap.write_text("0")  # else the kernel would swap instead of killing
    except OSError as error:
        pytest.skip(f"cannot make a cgroup: {error}")
    yield ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh"]
    group.rmdir()


@pytest.fixture
def running(limited_group, server, probe, build):
    if build.name != "release":
        pytest.skip("a sanitizer's memory is many times ours")
    running = server(
        before=limited_group,
        workers={"count": 1},
        handlers={"echo": {}, "eats": probe("eats_memory")},
        methods={"eats": {"attempts": 1}},
    )
    yield running
    running.stop()  # before its cgroup can be removed


def test_a_worker_killed_for_its_memory_is_told_apart(running):
    start = len(running.lines)
    with pytest.raises(RpcError) as died:
        running.call("eats", {})
    assert died.value.code == -32014
    line = running.wait_for_line(r"event=worker_died .*").group(0)
    assert re.search(r" how=SIGKILL cause=oom request=\d+ id=1 method=eats attempt=1", line)
    assert running.call("echo", [1]) == [1]

    replacement = running.wait_for_worker(0, start)
    before = len(running.lines)
    os.kill(replacement, signal.SIGKILL)
    assert running.wait_for_line(r"event=worker_died .*", before).group(0).endswith("how=SIGKILL")
