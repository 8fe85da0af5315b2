"""What a handler can do in its worker's sandbox, and what is refused."""

import os
import re
from pathlib import Path

import pytest
from server import HANDLERS, compile_handler

# Refused in the sandbox; without it allowed to every user, though some of it ends with an error.
REFUSED = {
    "socket": "done",
    "unix_socket": "done",
    "connect": "ENOTSOCK",
    "io_uring": "EFAULT",
    "exec": "ENOENT",
    "fork": "done",
    "kill_parent": "done",
    "kill_all": "done",
    "tgkill_parent": "done",
    "own_signals": "done",
    "limit_parent": "done",
    "outlive": "done",
    "ptrace": "ESRCH",
    "read_parent": "done",
}
# Refused, too, but without the sandbox the privileged may do it.
PRIVILEGED = ["mount", "unshare", "keyctl", "bpf", "perf"]
ALLOWED = ["kill_self", "thread", "files", "socketpair"]

# A sanitizer that looks for leaks forks, and traces what it looks at.
LEAK_SANITIZER_NEEDS = {"fork", "ptrace"}



@pytest.fixture(scope="session")
def tries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    return {"library": compile_handler(folder / "tries.so", HANDLERS / "tries.c")}


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
def test_what_a_computation_does_not_need_is_refused(sandboxed, free, build, what):
    if (without := free.call("tries", {"what": what})) != REFUSED[what]:
        pytest.skip(f"this machine refuses it without the sandbox, too: {without}")
    if build.name == "asan" and what in LEAK_SANITIZER_NEEDS:
        pytest.skip("the leak sanitizer needs it")
    assert sandboxed.call("tries", {"what": what}) == "EPERM"


@pytest.mark.parametrize("what", PRIVILEGED)
def test_what_only_the_privileged_may_do_is_refused_to_them_too(sandboxed, what):
    assert sandboxed.call("tries", {"what": what}) == "EPERM"


@pytest.mark.parametrize("what", ALLOWED)
def test_memory_files_and_threads_are_left(sandboxed, tmp_path, what):
    (tmp_path / "sub").mkdir()
    assert sandboxed.call("tries", {"what": what, "folder": str(tmp_path)}) == "done"


@pytest.mark.needs("landlock")
def test_the_memory_of_other_processes_cannot_be_opened(sandboxed):
    assert sandboxed.call("tries", {"what": "open_parent"}) in ("EACCES", "EPERM")


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
    for pid in (sandboxed.pid, sandboxed.nursery(), free.workers()[0]):
        other = status(pid)
        assert all(other[key] == ours[key] for key in ("Seccomp", "NoNewPrivs", "CapEff"))


@pytest.mark.parametrize("kind", ["sandboxed", "free"])
def test_memory_that_runs_out_takes_a_worker_first(request, kind):
    running = request.getfixturevalue(kind)
    score = lambda pid: int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert score(running.workers()[0]) == min(1000, score(running.pid) + 500)
    assert score(running.nursery()) == score(running.pid)
