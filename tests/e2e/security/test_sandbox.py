"""The calls that the sandbox allows a handler, and those that it refuses."""

import errno
import os
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest
from client import DEADLINE_S
from server import HANDLERS, compile_handler

# The log's text where the kernel has no Landlock.
NO_LANDLOCK = f"landlock: {os.strerror(errno.ENOSYS)}"

# call that the sandbox refuses -> its outcome for every user without the sandbox
REFUSED = {
    "socket": "done",
    "unix_socket": "done",
    "connect": "EINVAL",
    "io_uring": "EFAULT",
    "exec": "ENOENT",
    "fork": "done",
    "kill_parent": "done",
    "kill_all": "done",
    "tgkill_parent": "done",
    "own_signals": "done",
    "own_signals_by_struct": "done",
    "own_signals_by_ioctl": "done",
    "own_signals_by_group": "done",
    "choose_signal": "done",
    "signal_when_ready": "done",
    "signal_when_ready_by_ioctl": "done",
    "limit_parent": "done",
    "outlive": "done",
    "hide": "done",
    "ptrace": "ESRCH",
    "read_parent": "done",
    "pin_parent": "done",
    "schedule_parent": "done",
    "attributes_of_parent": "done",
    "renice_parent": "done",
    "renice_group": "ESRCH",
    "renice_user": "ESRCH",
    "io_of_parent": "done",
    "io_of_group": "ESRCH",
    "shmat": "EINVAL",
    "shmctl": "EINVAL",
    "semop": "EINVAL",
    "msgsnd": "EINVAL",
    "msgrcv": "EINVAL",
    "remap": "EINVAL",
    "datagram_pair": "done",
    "raw_pair": "done",
    "addressed_send": "EISCONN",
    "urgent_send": "done",
    "maker_of_output": "done",
    "send_message": "done",
    "shutdown": "done",
    "lease": "done",
    "delegate": "EBADF",
    "drive_terminal": "ENOTTY",
    "free_shared": "done",
    "collapse": "done",
}
# The sandbox refuses these, too. Without it the privileged may make them.
PRIVILEGED = ["mount", "unshare", "keyctl", "bpf", "perf"]
ALLOWED = [
    "kill_self", "thread", "name_self", "files", "stream_pair", "seqpacket_pair", "send",
    "pin_self", "schedule_self", "attributes_of_self", "renice_self", "io_of_self", "no_wait",
    "advise", "receive", "receive_message", "read_output", "type_of_output",
    "stay_visible",
]

# A leak sanitizer forks, and the child traces its parent to find leaks.
LEAK_SANITIZER_NEEDS = {"fork", "ptrace"}


@pytest.fixture(scope="session")
def without_landlock(tmp_path_factory):
    """A command that executes another one without Landlock."""
    program = tmp_path_factory.mktemp("programs") / "without_landlock"
    source = HANDLERS.parent / "without_landlock.c"
    subprocess.run([os.environ.get("CC", "cc"), "-o", program, source], check=True)
    return [program]


@pytest.fixture(scope="module")
def sandboxed(module_server, tries):
    return module_server(handlers={"tries": tries}, workers={"count": 1})


@pytest.fixture(scope="module")
def free(module_server, tries):
    return module_server(
        name="free", handlers={"tries": tries}, workers={"count": 1, "sandbox": False}
    )


def status(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_computation_does_not_need_is_refused(sandboxed, free, build, tmp_path, what):
    params = {"what": what, "folder": str(tmp_path)}
    if (without := free.call("tries", params)) != REFUSED[what]:
        pytest.skip(f"this machine refuses it without the sandbox, too: {without}")
    if build.name == "asan" and what in LEAK_SANITIZER_NEEDS:
        pytest.skip("the leak sanitizer needs it")
    assert sandboxed.call("tries", params) == "EPERM"


@pytest.mark.parametrize("what", PRIVILEGED)
def test_what_only_the_privileged_may_do_is_refused_to_them_too(sandboxed, what):
    assert sandboxed.call("tries", {"what": what}) == "EPERM"


def test_each_call_on_the_list_is_refused(server, tmp_path):
    """The list has calls that no other test tries."""
    library = compile_handler(tmp_path / "calls.so", HANDLERS / "calls.c")
    running = server(handlers={"calls": {"library": library}}, workers={"count": 1})
    assert running.call("calls") == []


@pytest.mark.parametrize("what", ALLOWED)
def test_memory_files_and_threads_are_left(sandboxed, tmp_path, what):
    (tmp_path / "sub").mkdir()
    assert sandboxed.call("tries", {"what": what, "folder": str(tmp_path)}) == "done"


@pytest.mark.needs("landlock")
@pytest.mark.parametrize("what", [
    "open_parent", "oom_score_of_parent", "oom_score_of_self", "oom_score_of_thread",
    "core_pattern"])
def test_the_files_of_processes_and_of_the_kernel_cannot_be_opened(sandboxed, free, what):
    if what != "core_pattern" or os.geteuid() == 0:
        assert free.call("tries", {"what": what}) in ("done", "EROFS")
    assert sandboxed.call("tries", {"what": what}) in ("EACCES", "EPERM", "EROFS")


def test_without_landlock_the_start_fails_and_names_the_way_out(server, without_landlock):
    running = server(wait=False, before=without_landlock, workers={"sandbox": True})
    assert running.wait() == 71
    running.wait_for_line(
        rf"the workers' sandbox: {NO_LANDLOCK}; "
        r"sandbox = ..best-effort.. in \[workers\] skips the steps")


def test_best_effort_goes_without_it_says_so_and_keeps_the_rest(server, without_landlock, tries):
    running = server(
        before=without_landlock, handlers={"tries": tries}, listen={"status": "127.0.0.1:0"},
        workers={"count": 1, "sandbox": "best-effort"})
    running.wait_for_line(
        rf'event=sandbox_incomplete gen=1 missing="{NO_LANDLOCK}"')
    assert running.call("tries", {"what": "socket"}) == "EPERM"
    assert running.call("tries", {"what": "pin_parent"}) == "EPERM"
    address = running.wait_for_line(r"event=listening what=status address=(\S+)").group(1)
    with urllib.request.urlopen(f"http://{address}/readyz", timeout=DEADLINE_S) as answer:
        assert f"the sandbox lacks {NO_LANDLOCK}" in answer.read().decode()


def test_self_tests_run_in_it(server, probe):
    tested = probe("needs_sandbox_in_self_test")
    running = server(handlers={"tested": tested}, workers={"sandbox": "best-effort"})
    assert len(running.workers()) == 2
    free = server(wait=False, handlers={"tested": tested}, workers={"sandbox": False}, name="free")
    assert free.wait() == 78
    free.wait_for_line("self-test: expected a sandbox, found a socket")


def test_a_handler_cannot_make_the_master_wait(server, tries):
    """The handler clears O_NONBLOCK on the bell that it shares with the master, and reads it."""
    running = server(handlers={"tries": tries}, workers={"count": 2})
    for _ in range(4):
        assert running.call("tries", {"what": "deafen"}) == "done"
    for _ in range(200):
        assert running.call("tries", {"what": "kill_self"}) == "done"
    assert running.stop() == 0


def test_outputs_are_sockets_of_which_each_process_has_one_end(server):
    """A pipe's reader waits while a writer holds the pipe's lock, whatever flags the reader has."""
    running = server(workers={"count": 2})
    names = [
        {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (1, 2)}
        for pid in (running.fork_server(), *running.workers().values())
    ]
    assert all(len(each) == 1 for each in names)
    assert len(set.union(*names)) == 3
    assert all(re.fullmatch(r"socket:\[\d+\]", name) for each in names for name in each)


def test_a_worker_has_no_privileges(sandboxed, free):
    worker = status(sandboxed.workers()[0])
    assert worker["NoNewPrivs"] == "1" and worker["Seccomp"] == "2"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(worker[kind], 16) == 0
    if int(status(sandboxed.pid)["CapEff"], 16) != 0:
        assert int(worker["CapBnd"], 16) == 0
    limits = Path(f"/proc/{sandboxed.workers()[0]}/limits").read_text()
    assert re.search(r"Max open files +1024 +1024 ", limits)
    ours = status(os.getpid())
    for pid in (sandboxed.pid, sandboxed.fork_server(), free.workers()[0]):
        other = status(pid)
        assert all(other[key] == ours[key] for key in ("Seccomp", "NoNewPrivs", "CapEff"))


@pytest.mark.parametrize("kind", ["sandboxed", "free"])
def test_memory_that_runs_out_takes_a_worker_first(request, kind):
    running = request.getfixturevalue(kind)
    score = lambda pid: int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert score(running.workers()[0]) == min(1000, score(running.pid) + 500)
    assert score(running.fork_server()) == score(running.pid)
