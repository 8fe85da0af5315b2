"""The tail profile: what slow and failed jobs do that normal ones do not."""

import json
import os
import re
import signal
import struct

import pytest
from client import request
from proc import wait_until
from server import HANDLERS, compile_handler
from status_port import ON, ask, status_of

PROFILES = ("/profile", "/profile.txt", "/profile.folded")


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handlers")
    return {"library": compile_handler(folder / "branches.so", HANDLERS / "branches.c")}


def start(server, branches, workers=None, **method):
    methods = {"score": method, "short": {"timeout_ms": 2000, "steps": [{"run": "score"}]}}
    # Workers do not walk their stacks where a sanitizer catches faults.
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"}
    return server(listen=ON, workers=workers or {}, handlers={"score": branches},
                  methods=methods, env=env, may_crash=True)  # fmt: skip


def profile_of(running, method="score") -> dict:
    status, text = ask(status_of(running), "/profile")
    assert status == 200
    return json.loads(text)["methods"].get(method, {})


def functions_in(profile, kind: str) -> set[str]:
    return {name.split(" ")[0] for stack in profile.get(kind, []) for name in stack["stack"]}


def wait_for_function(running, kind: str, function: str, method="score"):
    """A profile is kept for a second."""
    found = lambda: function in functions_in(profile_of(running, method), kind)
    wait_until(found, f"{function} in the {kind} jobs")


def run_jobs(running):
    """One job in 200 takes the slow path."""
    with running.connect() as client:
        for begin in range(0, 1200, 50):
            ids = range(begin, begin + 50)
            params = [{"normal_ms": 2, "slow_ms": 40 * (id % 200 == 100)} for id in ids]
            client.send(b"".join(map(request, ["score"] * len(ids), params, ids)))
            client.answers(len(ids))


def test_the_branch_that_only_slow_jobs_take_is_the_first_line(server, branches):
    running = start(server, branches)
    run_jobs(running)
    address = status_of(running)
    status, text = ask(address, "/profile.txt")
    assert status == 200
    head, _, titles, first, *_ = text.splitlines()
    slow = r"score: [1-9]\d* slow jobs \(longer than [\d.]+ ms\), 0 failed, \d+ normal ones"
    assert re.fullmatch(slow, head)
    assert titles.split() == ["slow", "normal", "difference", "function,", "with", "those", "that",
                              "it", "has", "called"]  # fmt: skip
    assert first.endswith(" slow_branch (branches.so)"), text
    profile = profile_of(running)
    assert profile["differences"][0]["function"] == "slow_branch (branches.so)"
    assert profile["differences"][0]["normal"] == 0
    assert {"slow_branch", "use_cpu"} <= functions_in(profile, "slow")
    assert {"normal_branch", "use_cpu"} <= functions_in(profile, "normal")
    assert "slow_branch" not in functions_in(profile, "normal")
    folded = ask(address, "/profile.folded")[1]
    line = r"^score;slow;.*;slow_branch \(branches\.so\);use_cpu \(branches\.so\).* \d+$"
    assert re.search(line, folded, re.MULTILINE), folded


def test_functions_in_python_take_the_place_of_the_interpreter(server, python):
    running = start(server, python("""
        import time

        def use_cpu(ms):
            end = time.thread_time() + ms / 1000
            while time.thread_time() < end:
                sum(range(100))

        class Model:
            def normal_branch(self, ms):
                use_cpu(ms)

            def slow_branch(self, ms):
                sorted([ms], key=use_cpu)  # a function in C calls use_cpu()

        def run(normal_ms, slow_ms):
            Model().normal_branch(normal_ms)
            if slow_ms:
                Model().slow_branch(slow_ms)
    """))
    run_jobs(running)
    text = ask(status_of(running), "/profile.txt")[1]
    # Not the first line for certain: use_cpu() calls C functions of the interpreter, and few
    # samples of normal jobs are taken, maybe none in these functions.
    line = r"^ *[1-9][\d.]* % +0\.0 % .* Model\.slow_branch \(handler\.py:13\)$"
    assert re.search(line, text, re.MULTILINE), text
    folded = ask(status_of(running), "/profile.folded")[1]
    branch = r"run \(handler\.py:16\);Model\.slow_branch \(handler\.py:13\)"
    line = rf"^score;slow;.*;{branch};.+;use_cpu \(handler\.py:4\).* \d+$"
    assert re.search(line, folded, re.MULTILINE), folded


def test_a_worker_survives_samples_at_any_instruction_of_python(server, python):
    """Generators, exceptions and recursion; many more samples than its own timer takes."""
    running = start(server, python("""
        def walk(depth):
            if depth == 0:
                raise ValueError("the end")
            yield depth
            yield from walk(depth - 1)

        def run(rounds):
            for _ in range(rounds):
                seen = []
                try:
                    for each in walk(100):
                        seen.append(sorted([each], key=lambda one: -one)[0])
                except ValueError:
                    pass
            return sum(seen)
    """), workers={"count": 1}, attempts=1)  # fmt: skip
    (pid,) = running.workers().values()
    with running.connect() as client:
        for _ in range(20):
            client.send(b"".join(request("score", [1], id) for id in range(50)))
            for _ in range(1000):
                os.kill(pid, signal.SIGRTMAX - 1)
            assert {one["result"] for one in client.answers(50).values()} == {5050}
        assert client.call("score", [100]) == 5050
    assert running.workers() == {0: pid}
    wait_for_function(running, "slow", "walk")


def test_jobs_that_killed_their_worker_and_jobs_that_overran(server, branches):
    running = start(server, branches, attempts=1)
    assert running.error_of("score", {"normal_ms": 60, "end": "abort"}).code == -32014
    wait_for_function(running, "failed", "normal_branch")
    assert running.error_of("short", {"normal_ms": 1, "end": "never"}).code == -32012
    running.wait_for_lines("event=worker_died", 2)
    wait_for_function(running, "slow", "endless_branch", "short")
    assert running.error_of("score", {"normal_ms": 1, "slow_ms": 60, "end": "fail"}).code == 1
    wait_for_function(running, "failed", "slow_branch")


def test_workers_killed_while_they_are_sampled(server, branches):
    running = start(server, branches, attempts=10)
    with running.connect() as client:
        for round in range(4):
            before = len(running.lines)
            client.send(request("score", {"normal_ms": 100}, round))
            for slot, pid in running.workers().items():
                os.kill(pid, signal.SIGKILL)
                running.wait_for_worker(slot, before)
            assert client.answer()["result"] is None
    for path in PROFILES:
        assert ask(status_of(running), path)[0] == 200


def test_without_jobs_and_when_it_is_off(server, branches):
    running = start(server, branches)
    assert ask(status_of(running), "/profile") == (200, '{"period_ms":10,"methods":{}}\n')
    assert ask(status_of(running), "/profile.txt") == (200, "no method has been sampled yet\n")
    assert ask(status_of(running), "/profile.folded") == (200, "")
    for path in PROFILES:
        assert ask(status_of(running), path, "HEAD") == (200, "")
    off = start(server, branches, workers={"profile": False}, attempts=1)
    assert off.error_of("score", {"normal_ms": 60, "end": "abort"}).code == -32014
    assert ask(status_of(off), "/profile.txt") == (200, "no method has been sampled yet\n")


def test_names_come_without_a_fork_server_that_answers(server, branches):
    """After a while the profile shows the addresses alone."""
    running = start(server, branches, attempts=1)
    assert running.error_of("score", {"normal_ms": 60, "end": "abort"}).code == -32014
    os.kill(running.fork_server(), signal.SIGSTOP)
    try:
        names = functions_in(profile_of(running), "failed")
    finally:
        os.kill(running.fork_server(), signal.SIGCONT)
    assert names and all(re.fullmatch("0x[0-9a-f]+", name) for name in names)


PAGE = 4096
RESULT_BYTES = 1 << 20
# As src/ipc has it: a result ring for two of the longest results, in pages; then the sample ring.
SAMPLES = (128 + 2 * (RESULT_BYTES + 32) + PAGE - 1) // PAGE * PAGE
SAMPLE_BYTES = 512
SAMPLE_COUNT = 127


@pytest.mark.parametrize("what", ["ones", "zeroes", "a forged sample"])
def test_a_worker_that_writes_over_its_samples(server, scribbles, gate, what):
    """No damage: the master answers, and shows at most what the worker has written."""
    # The head, then a sample: the job in slot 0, its first publication, and too large numbers of
    # ticks, depth and frames.
    forged = struct.pack("<Q504xQII", 1, 1, 0xFFFFFFFF, 0xFFFFFFFF) + b"\x41" * 480
    hex, times = {
        "ones": ("ff", SAMPLE_BYTES * (1 + SAMPLE_COUNT)),
        "zeroes": ("00", SAMPLE_BYTES * (1 + SAMPLE_COUNT)),
        "a forged sample": (forged.hex(), 1),
    }[what]
    running = server(
        listen=ON,
        limits={"response_bytes": RESULT_BYTES},
        handlers={"score": scribbles, "echo": {}},
        methods={"score": {"attempts": 1, "timeout_ms": 500}},
    )  # fmt: skip
    opened = gate()
    opened.open()
    params = opened.params(memory="ringmaster-results", offset=SAMPLES, hex=hex, times=times)
    assert running.error_of("score", params).code == -32012
    running.wait_for_line("event=worker_died")
    stacks = [one["stack"] for one in profile_of(running)["slow"]]
    forged = ["0x0"] * 2 + ["0x4141414141414141"] * 60
    assert (forged in stacks) == (what == "a forged sample"), stacks
    assert running.call("echo", [1]) == [1]
    assert not [line for line in running.lines if "memory_damaged" in line]
