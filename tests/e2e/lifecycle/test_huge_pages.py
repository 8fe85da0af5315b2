"""The heap of a server and of its handlers asks the kernel for huge pages."""

import re
import sys
from pathlib import Path

import pytest
from proc import is_sanitized

HEAP = re.compile(r"\[heap\]\n(?:(?!VmFlags).*\n)*VmFlags: (.*)")


def asks_for_huge_pages(pid: int) -> bool:
    flags = HEAP.findall(Path(f"/proc/{pid}/smaps").read_text())
    assert flags, f"process {pid} has no heap"
    return any("hg" in each.split() for each in flags)


@pytest.mark.needs("huge_pages")
@pytest.mark.parametrize(
    "tunables, arguments, asks",
    [(None, [], True), ("glibc.malloc.perturb=1", [], True), ("glibc.malloc.hugetlb=0", [], False),
     (None, ["--inline"], False)])
def test_the_heap_asks_for_huge_pages_unless_the_operator_refuses(
        server, tunables, arguments, asks):
    """Or debugs: some debuggers lose a program that executes itself."""
    running = server(env={"GLIBC_TUNABLES": tunables}, arguments=arguments)
    if is_sanitized(running.process.pid):
        pytest.skip("a sanitizer has an allocator of its own")
    assert {asks_for_huge_pages(pid) for pid in running.processes()} == {asks}


def test_the_process_keeps_its_name(server):
    running = server(env={"GLIBC_TUNABLES": None})
    assert Path(f"/proc/{running.process.pid}/comm").read_text() == "ringmaster\n"


@pytest.mark.needs("root")
def test_a_program_whose_tunables_glibc_ignores_is_started_once(server):
    """As one with the set-group-ID bit, or with capabilities of its file."""
    code = "import os, sys; os.setegid(65534); os.execv(sys.argv[1], sys.argv[1:])"
    running = server(before=[sys.executable, "-c", code])
    assert running.call("echo", [1]) == [1]
