"""held_threads(pid): holds the threads of a server, so that a message is being parsed for as long
as a test needs it.

    with held_threads(running.pid):
        client.send(long_message)
        wait_until_read(client)
        ...  # the server has all of the message, and parses it
"""

import contextlib
import ctypes
import fcntl
import os
import struct
from pathlib import Path

from client import Client
from proc import wait_until

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
SIOCOUTQ = 0x5411

libc = ctypes.CDLL(None, use_errno=True)


def _ptrace(request: int, thread: int):
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace of thread {thread}")


@contextlib.contextmanager
def held_threads(pid: int):
    """Stops all threads of a server but its event loop, so that a long message stays unparsed until
    the end of the block. Mark the tests that use it with needs("ptrace")."""
    threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    threads.remove(pid)
    assert len(threads) >= 5, threads  # the parser, and the four of libuv's pool
    for thread in threads:
        _ptrace(PTRACE_SEIZE, thread)
        _ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
    try:
        yield
    finally:
        for thread in threads:
            try:
                _ptrace(PTRACE_DETACH, thread)
            except ProcessLookupError:
                # The server has ended meanwhile. Its parent is told only once its tracer has waited
                # for the thread.
                os.waitpid(thread, WALL)


def wait_until_read(client: Client):
    """Waits until the server has read all that was sent over its unix socket."""
    def unread() -> int:
        return struct.unpack("i", fcntl.ioctl(client.socket, SIOCOUTQ, b"\0\0\0\0"))[0]

    wait_until(lambda: unread() == 0, "the server to read all")
