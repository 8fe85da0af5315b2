"""The master's time slices are short, so that it runs as soon as it is woken; others' are not."""

import ctypes
import os
import platform
import struct

import pytest

SYS_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # sched_attr: size, policy, flags, nice, priority, runtime
SHORTEST_NS = 100_000


def attributes(pid: int) -> tuple[int, int, int]:
    """The thread's policy, nice value and time slice in ns."""
    found = ctypes.create_string_buffer(ATTRIBUTES.size)
    call = SYS_SCHED_GETATTR[platform.machine()]
    assert ctypes.CDLL(None).syscall(call, pid, found, ATTRIBUTES.size, 0) == 0
    _, policy, _, nice, _, slice_ns, *_ = ATTRIBUTES.unpack(found.raw)
    return policy, nice, slice_ns


def time_slice_ns(pid: int) -> int:
    return attributes(pid)[2]


def threads(pid: int) -> list[int]:
    return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]


def test_only_the_masters_first_thread_has_short_time_slices(server):
    if platform.machine() not in SYS_SCHED_GETATTR:
        pytest.skip("the number of sched_getattr is not known for this machine")
    policy, nice, default_ns = attributes(0)
    if policy != os.SCHED_OTHER or nice < 0:
        pytest.skip("the tests run with another policy than SCHED_OTHER, or a negative nice value")
    if default_ns == 0:
        pytest.skip("the kernel has no time slices of a thread's own: before Linux 6.12")
    running = server()
    with running.connect() as client:
        client.call("echo", ["x" * 500_000])  # parsed by another thread
    assert time_slice_ns(running.pid) == SHORTEST_NS
    others = [*threads(running.pid), running.fork_server(), *running.workers().values()]
    others.remove(running.pid)
    assert [time_slice_ns(thread) for thread in others] == [default_ns] * len(others)
