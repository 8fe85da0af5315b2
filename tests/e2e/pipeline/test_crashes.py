"""A worker that crashes reports a backtrace; its job is answered; its exit status is that of the
crash."""

import re
import shutil

import pytest
from client import RpcError

# Sanitizers report a bad access themselves, and end the process in their own way.
SANITIZED = ("asan", "tsan")


@pytest.fixture
def crashing(server, probe):
    """crashing(behave): a server with a method of that name that runs once, and what it logs of
    its worker's end."""

    def start(behave: str):
        running = server(
            may_crash=True,
            workers={"count": 1},
            handlers={"echo": {}, behave: probe(behave)},
            methods={behave: {"attempts": 1}},
        )
        with pytest.raises(RpcError) as died:
            running.call(behave, {"text": "a = \"b\""})
        assert died.value.code == -32014 and died.value.data["executed"] == "unknown"
        assert running.call("echo", [1]) == [1]
        return running, running.wait_for_line(r"event=worker_died .*").group(0)

    return start


@pytest.mark.parametrize("behave, how, why, function", [
    ("crashes", "SIGSEGV", "SEGV_MAPERR at 0x8", "misbehave"),
    ("writes_params", "SIGSEGV", r"SEGV_ACCERR at 0x[0-9a-f]+", "misbehave"),
    ("overflows", "SIGSEGV", r"SEGV_(?:MAP|ACC)ERR at 0x[0-9a-f]+", "overflow"),
    ("aborts", "SIGABRT", r"sent by process \d+", "misbehave"),
])  # fmt: skip
def test_a_crash_is_logged_with_its_backtrace(crashing, build, behave, how, why, function):
    if build.name in SANITIZED and how == "SIGSEGV":
        pytest.skip("the sanitizer reports it")
    running, died = crashing(behave)
    worker = re.fullmatch(
        rf"event=worker_died (worker=0 gen=1 pid=\d+) how={how}"
        rf" request=\d+ id=1 method={behave} attempt=1",
        died,
    ).group(1)
    line = running.wait_for_line(r"event=backtrace .*").group(0)
    logged = re.fullmatch(
        rf'event=backtrace {worker} signal={how} why="{why}" frames="(.*)"', line
    )
    assert logged, line
    frames = logged.group(1).split(" < ")
    assert any(re.fullmatch(rf"{function}\+0x\w+ \(probe\.so\+0x\w+\)", at) for at in frames), line
    if behave != "overflows":  # its stack is deeper than the frames that a report keeps
        assert "ringmaster::worker::serve_jobs(" in line


def test_a_librarys_symbols_are_read_once(server, probe, tmp_path):
    """To read those of a large library takes hundreds of milliseconds: not for each crash."""
    handler = probe("aborts")
    library = shutil.copy(handler["library"], tmp_path / "handler.so")
    running = server(may_crash=True, workers={"count": 1}, methods={"aborts": {"attempts": 1}},
                     handlers={"aborts": handler | {"library": library}})
    for _ in range(2):
        before = len(running.lines)
        with pytest.raises(RpcError):
            running.call("aborts")
        line = running.wait_for_line("event=backtrace .*", before).group(0)
        assert "misbehave+0x" in line
        (tmp_path / "handler.so").unlink(missing_ok=True)


def test_a_handler_that_handles_a_signal_itself_is_not_disturbed(crashing):
    running, died = crashing("handles_signals")
    assert 'how="exit 7"' in died
    assert not [line for line in running.lines if "event=backtrace" in line]


def test_a_worker_that_exits_or_is_killed_has_no_backtrace(crashing):
    running, died = crashing("exits")
    assert 'how="exit 0"' in died
    assert not [line for line in running.lines if "event=backtrace" in line]
