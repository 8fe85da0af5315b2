"""Python handlers: what the workers share with the fork server, and what each has of its own."""

import json
import re
import time

import pytest
from client import request
from proc import wait_until


def test_each_worker_has_seeds_of_its_own(server, python):
    running = server(
        workers={"count": 1},
        may_crash=True,
        handlers={
            "draw": python("""
                import random
                import numpy as np
                def run(): return [random.random(), np.random.random()]
            """),
            "exit": python("import os\ndef run(): os._exit(3)", file="exit"),
        },
    )
    drawn = []
    for _ in range(2):
        drawn.append(running.call("draw"))
        running.error_of("exit")
    assert drawn[0][0] != drawn[1][0] and drawn[0][1] != drawn[1][1]


def test_what_a_module_prints_is_not_printed_by_workers(server, python):
    running = server(handlers={"f": python("""
        print("loaded", end="")
        def run(): print("ran")
    """)})
    running.call("f")
    running.wait_for_line(r"event=output .*text=ran$")


def test_what_was_loaded_is_frozen_and_the_collector_off(server, python):
    running = server(handlers={"f": python("""
        import gc
        def run(): return [gc.isenabled(), gc.get_freeze_count()]
    """)})
    is_enabled, frozen = running.call("f")
    assert not is_enabled and frozen > 1000


def test_cycles_are_collected_between_jobs(server, python):
    jobs, cycles = 1000, 100
    running = server(workers={"count": 1}, handlers={"f": python(f"""
        import weakref
        class Node: pass
        nodes = weakref.WeakSet()
        def run():
            before = len(nodes)
            for _ in range({cycles}):
                node = Node()
                node.itself = node
                nodes.add(node)
            assert len(nodes) == before + {cycles}
            return len(nodes)
    """)})
    with running.connect() as client:
        client.send(b"".join(request("f", [], n) for n in range(jobs)))
        alive = [answer["result"] for answer in client.answers(jobs).values()]
    assert cycles < max(alive) <= 256 * cycles


def test_the_memory_of_a_large_job_is_used_again(server, python, build):
    """Otherwise each large job would pay for some thousand new pages."""
    if build.name != "release":
        pytest.skip("a sanitizer has an allocator of its own")
    jobs, pages_max = 20, 100
    running = server(workers={"count": 1}, handlers={"f": python("""
        import resource
        def run(a: list): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    """)})
    faults = [running.call("f", [[{"b": 1.5}] * 20_000]) for _ in range(jobs)]
    assert faults[-1] - faults[jobs // 2] < pages_max * jobs / 2


def test_warm_up_runs_before_the_fork(server, python):
    running = server(handlers={"f": python("""
        import os
        class Model:
            pids = []
            def warm_up(self): self.pids.append(os.getpid())
            def run(self): return self.pids
    """, "Model")})
    pids = running.call("f")
    assert 1 < len(pids) <= 64 and set(pids) == {running.fork_server()}


@pytest.mark.parametrize("where", ["run", "result"])
def test_a_job_that_overruns_is_interrupted(server, python, where):
    """Its stack is logged. If the worker can still answer in time, the worker lives on."""
    running = server(
        workers={"count": 1},
        handlers={"f": python("""
            was_interrupted = False

            def spin():
                global was_interrupted
                try:
                    while True:
                        pass
                except KeyboardInterrupt:
                    was_interrupted = True
                    raise

            class Array:  # a result like NumPy's
                class dtype:
                    kind = "i"
                def tolist(self):
                    spin()

            def run(where: str):
                if where == "run":
                    spin()
                return Array() if where == "result" else was_interrupted
        """)},
        methods={"f": {"timeout_ms": 500, "attempts": 1}},
    )

    def is_interrupted():
        assert running.error_of("f", [where]).code == -32012
        return running.call("f", ["nowhere"])  # answered by the same worker

    wait_until(is_interrupted, "an interrupted job")
    running.wait_for_line(r"event=output .*handler.py.*, line \d+ in spin")
    running.wait_for_line(r"event=timeout .*method=f")


def test_a_job_that_overruns_does_not_fail_the_rest_of_its_batch(server, python, probe, gate):
    code = """
        class Model:
            def run_batch(self, jobs):
                while any(job["hangs"] for job in jobs):
                    pass
                return [len(jobs)] * len(jobs)
    """
    running = server(
        workers={"count": 1},
        may_crash=True,
        handlers={"hold": probe("hold"), "f": python(code, "Model", batch=8)},
        methods={"f": {"timeout_ms": 2000}},
    )
    held = gate()
    with running.connect() as client:
        held.hold(client, "hold")
        client.send(request("f", {"hangs": True}, 0))
        time.sleep(1)  # jobs sent now are still in time when the first is late
        client.send(b"".join(request("f", {"hangs": False}, n) for n in (1, 2)))
        client.send(request("none", id="all are in"))
        assert client.answer()["id"] == "all are in"
        held.open()
        answers = client.answers(4)
    assert answers[0]["error"]["code"] == -32012
    assert [answers[n].get("result") for n in (1, 2)] == [1, 1]


def test_a_kept_crash_has_the_stack_of_the_python_code(server, python, build, tmp_path):
    if build.name in ("asan", "tsan"):
        pytest.skip("the sanitizer reports it")
    running = server(may_crash=True, crashes={"folder": tmp_path / "crashes"}, handlers={
        "f": python("""
            import ctypes
            def run(): ctypes.string_at(0)
        """)
    })
    assert running.error_of("f").code == -32014
    running.wait_for_line("event=job_kept")
    [crash] = (tmp_path / "crashes").iterdir()
    for death in json.loads(crash.read_text())["deaths"]:
        stack = "\n".join(death["backtrace"])
        assert re.search(r"^  File .*handler.py.*, line 3 in run$", stack, re.MULTILINE)
