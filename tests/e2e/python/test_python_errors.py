"""Python handlers: what clients and the log are told of errors."""

import os
import subprocess
from textwrap import dedent

import pytest

RAISES = """
    import os, sys
    import ringmaster

    class Unspeakable(Exception):
        def __str__(self):
            raise self

    def forever(n):
        return forever(n + 1)

    def run(what):
        if what == "params":
            raise ringmaster.InvalidParams("items/0/count", "expected a positive number")
        if what == "error":
            raise ringmaster.Error(17, "expected luck, found none")
        if what == "details":
            raise ringmaster.Error(17, "see", {"where": [1, 2.5]})
        if what == "no details":
            raise ringmaster.Error(17, "see", [float("nan")])
        if what == "text":
            raise ValueError("several\\nlines")
        if what == "bare":
            raise KeyError
        if what == "own":
            raise Own("x")
        if what == "exit":
            sys.exit(3)
        if what == "recursion":
            return forever(0)
        if what == "unspeakable":
            raise Unspeakable
        if what == "code":
            for code in (0, -32000, -32768, 2**31, "17", 17.0):
                try:
                    ringmaster.Error(code, "x")
                except ValueError as error:
                    wrong = error
                else:
                    return f"{code!r} was accepted"
            raise wrong
        if what == "_exit":
            os._exit(3)
        return "fine"

    class Own(ringmaster.Error):
        def __init__(self, what):
            self.what = what
"""


@pytest.fixture(scope="module")
def raising(module_server, module_python):
    return module_server(handlers={"f": module_python(RAISES)})


@pytest.mark.parametrize(
    "what, code, message",
    [
        ("params", -32602, "params/items/0/count: expected a positive number"),
        ("error", 17, "expected luck, found none"),
        ("no details", -32000, "data[0]: NaN is no JSON"),
        ("own", -32000, "Own: x"),
        ("text", -32000, "ValueError: several\nlines"),
        ("bare", -32000, "KeyError"),
        ("exit", -32000, "SystemExit: 3"),
        ("recursion", -32000, "RecursionError: maximum recursion depth exceeded"),
        ("unspeakable", -32000, "Unspeakable"),
        ("code", -32000, "ValueError: expected a code that JSON-RPC leaves free, found 17.0"),
    ],
)
def test_an_exception_answers_the_job(raising, what, code, message):
    workers = raising.workers()
    failed = raising.error_of("f", [what])
    assert failed.code == code and failed.message.startswith(message)
    assert raising.call("f", ["fine"]) == "fine"
    assert raising.workers() == workers


def test_an_error_has_details(raising):
    assert raising.error_of("f", ["details"]).data["details"] == {"where": [1, 2.5]}
    assert "details" not in raising.error_of("f", ["error"]).data


def test_os_exit_ends_the_worker(server, python):
    running = server(may_crash=True, handlers={"f": python(RAISES)})
    assert running.error_of("f", ["_exit"]).code == -32014
    assert running.call("f", ["fine"]) == "fine"


def test_a_worker_without_memory_fails_its_job_and_lives_on(server, python, build):
    """The arguments or the result, too, may find no memory: the code is -32000, not -32602."""
    if build.name != "release":
        pytest.skip("a sanitizer needs terabytes of addresses")
    running = server(workers={"count": 1}, handlers={"f": python("""
        import resource
        def run(what, values=None):
            if what == "limit":
                with open("/proc/self/statm") as file:
                    used = int(file.read().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + (16 << 20), -1))
            if what == "objects":
                return len([bytes(1 << 20) for _ in range(64)])
            if what == "result":
                return ["x" * (1 << 20)] * 64
            return "fine"
    """)})
    workers = running.workers()
    assert running.call("f", ["limit"]) == "fine"
    for params, message in {
        ("objects",): "MemoryError",
        ("arguments", ((),) * 1_000_000): "MemoryError",
        ("result",): "std::bad_alloc",
    }.items():
        failed = running.error_of("f", params)
        assert (failed.code, failed.message) == (-32000, message)
        assert running.call("f", ["fine"]) == "fine"
    assert running.workers() == workers


def test_the_traceback_of_an_unintended_exception_is_logged(server, python):
    running = server(handlers={"f": python(RAISES)})
    running.error_of("f", ["error"])
    running.error_of("f", ["bare"])
    running.wait_for_line(r'event=output .*text="Traceback \(most recent call last\):"')
    running.wait_for_line(r"event=output .*handler.py.*, line 24, in run")
    running.wait_for_line(r"event=output .*text=KeyError")
    assert not any("found none" in line for line in running.lines)


def test_a_client_gets_the_traceback_where_debug_allows_it(server, python):
    """A reload can allow it. An error that is raised as ringmaster.Error has no traceback."""
    running = server(handlers={"f": python(RAISES)})
    assert "details" not in running.error_of("f", ["bare"]).data
    running.reload(workers={"debug": True}, handlers={"f": python(RAISES)})
    traceback = running.error_of("f", ["bare"]).data["details"]["traceback"]
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert "handler.py\", line 24, in run\n" in traceback and traceback.endswith("\nKeyError\n")
    assert running.error_of("f", ["details"]).data["details"] == {"where": [1, 2.5]}
    assert "details" not in running.error_of("f", ["error"]).data


def test_a_traceback_is_bounded(server, python):
    running = server(workers={"debug": True}, handlers={"f": python("""
        def run():
            raise ValueError("x" * 100_000)
    """)})
    failed = running.error_of("f")
    assert len(failed.message) == 1024
    assert 8000 <= len(failed.data["details"]["traceback"]) < 8010
    running.wait_for_line(r"event=output .*text=\.\.\.")
    assert sum(len(line) for line in running.lines if "event=output" in line) < 12_000


def test_a_traceback_is_cut_to_fit_a_response(server, python):
    texts = ["said", "\x01" * 600, "\u20ac" * 1000, "\ud800" * 150]
    running = server(
        workers={"debug": True}, limits={"response_bytes": 1024},
        handlers={"f": python(f"TEXTS = {texts}\ndef run(n): raise ValueError(TEXTS[n])")},
    )
    for n, text in enumerate(texts):
        failed = running.error_of("f", [n])
        assert failed.code == -32000 and failed.message.startswith("ValueError: "), ascii(text)
        if text == "said":
            traceback = failed.data["details"]["traceback"]
            assert traceback.startswith("Traceback (most")
            assert traceback.endswith("ValueError: said\n")


def test_a_result_that_is_no_json_is_logged(server, python):
    """The author of the handler should see the fault, not only the client."""
    running = server(handlers={"f": python("""
        def run(what):
            return {"nan": [float("nan")], "bytes": b"[1"}[what]
    """)})
    assert running.error_of("f", ["nan"]).code == -32000
    running.wait_for_line(r'event=output .*method=f text="\S*handler.py:run: result\[0\]: NaN is')
    assert running.error_of("f", ["bytes"]).code == -32603
    running.wait_for_line("event=output .*method=f text=.f: the handler's result is not JSON: exp")


def test_an_output_that_does_not_fit_is_the_fault_of_its_step(server, python):
    running = server(
        handlers={
            "users": python("def run(): return {'name': 1}", file="first"),
            "f": python("""
                from dataclasses import dataclass
                @dataclass
                class User:
                    id: int
                def run(users: User): pass
            """),
        },
        methods={"f": {"steps": [{"run": "users"}, {"run": "f"}]}},
    )
    failed = running.error_of("f")
    assert failed.code == -32015
    assert failed.message.startswith("users: TypeError: User.__init__() got an unexpected keyword")


def test_only_some_exceptions_of_a_dataclass_refuse_the_value(server, python):
    running = server(handlers={"f": python("""
        import builtins
        import ringmaster
        from dataclasses import dataclass
        @dataclass
        class User:
            error: str
            def __post_init__(self):
                if self.error == "Error":
                    raise ringmaster.Error(17, ringmaster.job().method)
                raise getattr(builtins, self.error)("said")
        def run(user: User): pass
    """)})
    for error, found in {
        "ValueError": (-32602, "params/user: ValueError: said"),
        "TypeError": (-32602, "params/user: TypeError: said"),
        "Error": (17, "f"),
        "KeyError": (-32000, "KeyError: 'said'"),
        "KeyboardInterrupt": (-32000, "KeyboardInterrupt: said"),
    }.items():
        failed = running.error_of("f", [{"error": error}])
        assert (failed.code, failed.message) == found
    running.wait_for_line(r"event=output .*text=\"KeyError: 'said'\"")


def test_output_of_a_handler_is_logged_with_its_job(server, python):
    running = server(handlers={"f": python("""
        import sys
        import ringmaster
        def run():
            print("printed")
            ringmaster.log("noted", score=0.5)
            print("begun", end="")
            print("unfinished", end="", file=sys.stderr)
    """)})
    assert running.call("f") is None
    running.wait_for_line(r"event=output .*text=printed")
    running.wait_for_line(r'event=output .*text="noted score=0.5"')
    running.wait_for_line(r"event=output .*method=f text=begununfinished")


def test_what_a_worker_prints_without_a_job_is_logged_also_without_a_line_end(server, python):
    running = server(workers={"sandbox": False}, handlers={"f": python("""
        import subprocess
        def run():
            subprocess.Popen(["sh", "-c", "sleep 0.5; printf late"], stdout=1)
    """)})
    assert running.call("f") is None
    running.wait_for_line(r"event=output .*text=late")


def test_an_async_function_is_refused(server, python):
    running = server(wait=False, handlers={"f": python("async def run(): return 1")})
    assert running.process.wait() == 78
    assert "expected def, found async def" in running.lines[-1]


def test_the_package_works_without_a_server(build, tmp_path):
    """For example, the tests of a handler import it."""
    code = """
        import ringmaster
        job = ringmaster.Job({"x": 1}, method="f")
        assert job["x"] == 1 and job.method == "f" and ringmaster.job().id is None
        try:
            raise ringmaster.InvalidParams("user_id", "expected one")
        except ringmaster.Error as error:
            assert error.code == -32602 and str(error) == "params/user_id: expected one"
        ringmaster.log("noted", score=1)
    """
    done = subprocess.run(
        ["/usr/bin/python3", "-c", dedent(code)],
        env=os.environ | {"PYTHONPATH": str(build / "handlers/python")},
        capture_output=True, text=True, timeout=30, cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "noted score=1\n")
