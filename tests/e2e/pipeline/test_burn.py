"""The handler burn, which stands for a model: its params, and how much CPU time it uses."""

import os

from client import request
from proc import cpu_ns

CPU_MS = 200


def test_it_uses_cpu_time_and_not_wall_time(server):
    """Two jobs run at once on one CPU."""
    cpu = min(os.sched_getaffinity(0))
    running = server(
        before=["taskset", "-c", str(cpu)], workers={"count": 2}, handlers={"burn": {}}
    )
    before = {pid: cpu_ns(pid) for pid in running.workers().values()}
    with running.connect() as client:
        client.send(b"".join(request("burn", {"cpu_ms": CPU_MS}, id) for id in range(2)))
        assert all(answer["result"] == {"cpu_ms": CPU_MS} for answer in client.answers(2).values())
    used = sum(cpu_ns(pid) - before[pid] for pid in before)
    assert used >= 2 * CPU_MS * 1_000_000


def test_of_duplicate_keys_the_last_one_counts(server):
    with server(handlers={"burn": {}}).connect() as client:
        client.send(
            b'{"jsonrpc":"2.0","id":1,"method":"burn","params":{"cpu_ms":600000,"cpu_ms":0}}\n'
        )
        assert client.answer()["result"] == {"cpu_ms": 0}
