"""The master's time slices are short, so that it runs as soon as it is woken; others' are not."""

import ctypes
import os
import platform
import struct

import pytest

SYS_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # sched_attr: size, policy, flags, nice, priority, runtime
SHORTEST_NS = 100_000


def time_slice_ns(pid: int) -> int:
    found = ctypes.create_string_buffer(ATTRIBUTES.size)
    call = SYS_SCHED_GETATTR[platform.machine()]
    assert ctypes.CDLL(None).syscall(call, pid, found, ATTRIBUTES.size, 0) == 0
    return ATTRIBUTES.unpack(found.raw)[5]


def threads(pid: int) -> list[int]:
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]


def test_only_the_masters_first_thread_has_short_time_slices(server):
    if platform.machine() not in SYS_SCHED_GETATTR:
        pytest.skip("the number of sched_getattr is not known for this machine")
    default_ns = time_slice_ns(os.getpid())
    if default_ns == 0:
        pytest.skip("the kernel has no time slices of a thread's own: before Linux 6.12")
    running = server()
    with running.connect() as client:
        client.call("echo", ["x" * 500_000])  # parsed by another thread
    assert time_slice_ns(running.pid) == SHORTEST_NS
    others = [*threads(running.pid), running.fork_server(), *running.workers().values()]
    others.remove(running.pid)
    assert [time_slice_ns(thread) for thread in others] == [default_ns] * len(others)
