"""Python handlers: how a job becomes a call, and what a call answers."""

import json
import os

import pytest
from client import request
from proc import private_bytes


def test_a_function_gets_its_parameters_by_name_or_position(server, python):
    running = server(handlers={"f": python("""
        def run(user_id, limit=10, *, unit="ms"):
            return [user_id, limit, unit]
    """)})
    assert running.call("f", {"user_id": 1}) == [1, 10, "ms"]
    assert running.call("f", {"user_id": 1, "unit": "s", "other": [{}]}) == [1, 10, "s"]
    assert running.call("f", [1, 2]) == [1, 2, "ms"]
    failed = running.error_of("f", {"limit": 3})
    assert failed.code == -32602
    assert failed.message == "params: expected user_id (required), found no such member"


def test_what_no_parameter_asks_for_is_not_parsed(server, python):
    """Such a member stays text: when parsed, an int of so many digits is refused."""
    running = server(handlers={"f": python("def run(a): return a"), "g": python(
        "def run(a, b): return a", file="other")})
    with running.connect() as client:
        text = '{"a": 1, "b": [' + "1" * 5000 + "]}"
        client.send(b'{"jsonrpc":"2.0","id":1,"method":"f","params":%s}' % text.encode())
        assert client.answers(1)[1]["result"] == 1
        client.send(b'{"jsonrpc":"2.0","id":2,"method":"g","params":%s}' % text.encode())
        assert client.answers(1)[2]["error"]["code"] == -32602


def test_a_step_before_fills_the_parameter_of_its_name(server, python):
    running = server(
        handlers={
            "users": python("def run(n): return {'n': n}", file="first"),
            "f": python("""
                def run(n: int, users: dict, extra: memoryview = None):
                    return [n, users, extra]
            """),
        },
        methods={"f": {"steps": [{"run": "users"}, {"run": "f"}]}},
    )
    assert running.call("f", {"n": 7}) == [7, {"n": 7}, None]
    # The step's output counts, whatever the params have.
    assert running.call("f", {"n": 7, "users": {"n": 8}}) == [7, {"n": 7}, None]


def test_clients_need_not_send_what_an_earlier_step_fills(server, python):
    """The annotation of the parameter makes no difference."""
    running = server(
        handlers={
            "total": python("def run(n): return n + 1", file="first"),
            "f": python("def run(total: int, n: int, more: list = ()): return [total, n]"),
        },
        methods={"f": {"steps": [{"run": "total"}, {"run": "f"}]}},
    )
    assert running.call("f", {"n": 7}) == [8, 7]
    assert running.error_of("f", {"total": 8}).code == -32602  # the first step lacks n
    described = {method["name"]: method for method in running.call("rpc.discover")["methods"]}
    assert [param["name"] for param in described["f"]["params"]] == ["n"]


def test_rest_gets_all_others(server, python):
    running = server(handlers={"f": python("def run(a, **rest): return rest")})
    assert running.call("f", {"a": 1, "b": 2, "_meta": {}, "c": [3]}) == {"b": 2, "c": [3]}


def test_a_memoryview_has_the_bytes_where_they_lie(server, python):
    running = server(handlers={"f": python("""
        def run(a: memoryview, b: memoryview):
            assert a.readonly and not isinstance(a.obj, bytes)
            return [bytes(a).decode(), len(b)]
    """)})
    assert running.call("f", {"a": [1, {"x": "y"}], "b": "long"}) == ['[1,{"x":"y"}]', 6]


@pytest.mark.parametrize("kept", ["a", "np.frombuffer(a, np.uint8)", "a[1:]", "[a]", "a.obj"])
def test_a_kept_view_ends_the_worker(server, python, kept):
    """The worker ends after the answer, so that no later job finds the view."""
    running = server(
        workers={"count": 1},
        may_crash=True,
        handlers={"f": python(f"""
            import numpy as np
            kept = []
            def run(a: memoryview):
                if kept: return "found"
                kept.append({kept})
                return "kept"
        """)},
    )
    for _ in range(3):
        assert running.call("f", {"a": "secret"}) == "kept"
    running.wait_for_lines("handler.py:run: kept a memoryview of a job", 3)


def test_a_view_in_a_cycle_ends_with_its_job(server, python):
    running = server(workers={"count": 1}, handlers={"f": python("""
        def run(a: memoryview):
            cycle = [a]
            cycle.append(cycle)
            return len(a)
    """)})
    workers = running.workers()
    assert [running.call("f", {"a": n}) for n in (1, 22, 333)] == [1, 2, 3]
    assert running.workers() == workers


def test_objects_that_json_lacks(server, python):
    running = server(handlers={"f": python("""
        import datetime, dataclasses
        import numpy as np

        @dataclasses.dataclass
        class Point:
            x: int
            at: datetime.datetime

        @dataclasses.dataclass
        class Node:
            children: list

        def deep(depth):
            return Node([deep(depth - 1)]) if depth > 0 else datetime.date(2024, 1, 2)

        def run(what):
            return {
                "numpy": [np.int64(1), np.float32(0.5), np.bool_(True), np.arange(4).reshape(2, 2)],
                "time": [datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 3, 4, 5)],
                "point": Point(1, datetime.datetime(2024, 1, 2)),
                "deep": deep(60),
                "bytes": b'{"a": 1}',
                "nan": {"users": [1, {"score": np.array([1, np.nan])}]},
                "set": [{1}],
                "datetime64": np.datetime64("2024-01-01"),
                "endless": np.longdouble(1),
            }[what]
    """)})
    assert running.call("f", ["numpy"]) == [1, 0.5, True, [[0, 1], [2, 3]]]
    assert running.call("f", ["time"]) == ["2024-01-02", "2024-01-02T03:04:05"]
    assert running.call("f", ["point"]) == {"x": 1, "at": "2024-01-02T00:00:00"}
    assert json.dumps(running.call("f", ["deep"])).count('{"children": [') == 60
    assert running.call("f", ["bytes"]) == {"a": 1}
    for what, says in {
        "nan": "result.users[1].score[1]: NaN is no JSON",
        "set": "result[0]: TypeError: set is no JSON",
        "datetime64": "result: TypeError: datetime64 is no JSON",
        "endless": "result: expected nesting of at most 128, found more, or a cycle",
    }.items():
        failed = running.error_of("f", [what])
        assert failed.code == -32000 and failed.message == says


def test_run_batch_gets_a_list_of_jobs(server, python):
    running = server(workers={"count": 1}, handlers={"f": python("""
        import ringmaster
        class Model:
            def run_batch(self, jobs):
                assert all(job.method == "f" and job.deadline_s > 0 for job in jobs)
                if jobs[0].get("ends"):
                    return []
                return [job["x"] if job["x"] else ringmaster.Error(7, "zero") for job in jobs]
    """, "Model", batch=8)})
    assert running.call("f", {"x": [1]}) == [1]
    failed = running.error_of("f", {"x": 0})
    assert (failed.code, failed.message) == (7, "zero")
    failed = running.error_of("f", {"ends": 1})
    assert failed.code == -32000
    assert failed.message.endswith("expected run_batch() to return a list of 1 results, found 0")
    assert running.error_of("f", {"y": 0}).message == "KeyError: 'x'"
    failed = running.error_of("f", [1])
    assert failed.code == -32602
    assert failed.message == "params: expected at most 0 by position, found more"


def test_a_job_of_run_batch_has_the_defaults_of_run(server, python, probe, gate):
    code = """
        class Model:
            def run(self, x, limit: int = 10, *, more=None): return [x, limit, more]
            def run_batch(self, jobs): return [dict(job) for job in jobs]
    """
    running = server(
        workers={"count": 1}, handlers={"hold": probe("hold"), "f": python(code, "Model", batch=8)}
    )
    held = gate()
    with running.connect() as client:
        held.hold(client, "hold")
        client.send(request("f", {"x": 1}, 1) + request("f", {"x": 2, "limit": 3, "y": 0}, 2))
        client.send(request("none", id="all are in"))
        assert client.answer()["id"] == "all are in"
        held.open()
        answers = client.answers(3)
    assert answers[1]["result"] == {"x": 1, "limit": 10, "more": None}
    assert answers[2]["result"] == {"x": 2, "limit": 3, "more": None}


def test_a_wrong_job_of_a_batch_fails_alone(server, python, probe, gate):
    code = """
        class Model:
            def run_batch(self, jobs): return [job["x"] for job in jobs]
    """
    running = server(
        workers={"count": 1}, handlers={"hold": probe("hold"), "f": python(code, "Model", batch=8)}
    )
    held = gate()
    assert running.call("f", {"x": 0}) == 0
    with running.connect() as client:
        held.hold(client, "hold")
        client.send(request("f", {"x": 1}, 1) + request("f", [2], 2) + request("f", {"x": 3}, 3))
        client.send(request("none", id="all are in"))
        assert client.answer()["id"] == "all are in"
        held.open()
        answers = client.answers(4)
    assert answers[2]["error"]["code"] == -32602
    assert [answers[n]["result"] for n in (1, 3)] == [1, 3]


def test_the_job_in_hand(server, python):
    running = server(handlers={"f": python("""
        import time
        import ringmaster
        def run():
            job = ringmaster.job()
            left_s = job.deadline_s - time.monotonic()
            return [job.method, job.id, job.traceparent, 0 < left_s <= 60]
    """)})
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with running.connect() as client:
        client.send(request("f", {"_meta": {"traceparent": trace}}, "a\u00e9"))
        client.send(request("f", {}, 7))
        answers = client.answers(2)
    assert answers["a\u00e9"]["result"] == ["f", "a\u00e9", trace, True]
    assert answers[7]["result"] == ["f", 7, None, True]


def test_values_come_back_as_they_went_in(server, python):
    running = server(handlers={"f": python("def run(a): return a")})
    values = [None, True, 0, -1, 2**80, 0.1, 1e300, "", "é€😀\ud800\u0000\n", [[]], {"": {"a": []}}]
    for value in values:
        assert running.call("f", [value]) == value
        assert json.dumps(running.call("f", {"a": value})) == json.dumps(value)


def test_the_memory_of_a_long_result_is_freed(server, python):
    # A sanitizer holds back freed memory.
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}
    handlers = {"f": python("def run(size): return 'x' * size")}
    running = server(workers={"count": 1}, handlers=handlers, env=env)
    assert running.call("f", [1]) == "x"
    [worker] = running.workers().values()
    before = private_bytes(worker)
    assert running.error_of("f", [100_000_000]).code == -32008
    assert running.call("f", [1]) == "x"
    assert private_bytes(worker) < before + 50_000_000
    assert list(running.workers().values()) == [worker]
