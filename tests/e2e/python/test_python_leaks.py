"""Python handlers: no kind of job leaves an object, a reference or memory behind.

A worker counts its objects and its memory before and after jobs of each kind.
PYTHON_LEAK_JOBS=1000 runs 1000 jobs of each kind: 10^5 in all.
"""

import os

from client import request

JOBS = int(os.environ.get("PYTHON_LEAK_JOBS", 50))
WARM_UP_JOBS = 50
DEPTH = 100  # requests that are sent before their answers are read
# The plug-in keeps buffers for the next job. They may grow by this size. If each batch of jobs left
# an object of more than 512 bytes, the heap would grow by more. Smaller objects are counted.
BUFFERS_BYTES_MAX = 1024

COUNT = """
    import builtins
    import ctypes
    import gc
    import sys
    import ringmaster

    SHARED = [None, True, False, 0, 1, "", "a", (), b"", int, dict, list, memoryview, *(
        each for each in vars(builtins).values()
        if isinstance(each, type) and issubclass(each, BaseException)
    ), ringmaster.Error, ringmaster.InvalidParams, ringmaster.Job]

    class Heap(ctypes.Structure):
        # struct mallinfo2
        _fields_ = [(name, ctypes.c_size_t) for name in (
            "arena", "ordblks", "smblks", "hblks", "mapped", "usmblks", "fsmblks", "allocated",
            "fordblks", "keepcost")]

    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Heap

    def run():
        gc.collect()
        sys._clear_type_cache()  # the cache refers to names of attributes
        references = [sys.getrefcount(each) for each in SHARED]
        heap = mallinfo()
        objects = [sys.getallocatedblocks(), len(gc.get_objects()), *references]
        return [objects, heap.allocated + heap.mapped]
"""

HANDLER = """
    from dataclasses import dataclass
    from datetime import date
    from typing import Optional, TypedDict
    import numpy as np
    import ringmaster

    @dataclass
    class Event:
        name: str
        weights: list[float] = ()

        def __post_init__(self):
            if self.name == "wrong":
                raise ValueError("a wrong name")

    class User(TypedDict, total=False):
        id: int
        last: Event

    class Unspeakable(Exception):
        def __str__(self):
            raise self

    def echo(a, b=None, **rest):
        return [a, b, rest, ringmaster.job()]

    def typed(a: Event, b: list[Event] = (), c: Optional[Event] = None, d: User = None):
        return [a, b, c, d]

    def view(a: memoryview, b: memoryview = None):
        cycle = [a]
        cycle.append(cycle)
        return bytes(a) if b is None else bytearray(b) if len(b) == 1 else b[:]

    def results(what):
        return {
            "others": [np.int64(1), np.arange(9).reshape(3, 3), date(2024, 1, 2), (1, 2)],
            "keys": {1: 2, None: 3, True: 4, 0.5: 5, "é": 10**30},
            "place": {"a": [1, {"b": {1}}]},
            "infinity": [1, float("inf")],
            "key": {(): 1},
            "digits": 10**5000,
            "buffer": memoryview(bytes(9))[::2],
        }[what]

    def raises(what):
        if what == "details":
            raise ringmaster.Error(17, "see", {"where": [1, 2.5]})
        if what == "no details":
            raise ringmaster.Error(17, "see", {1, 2})
        raise {
            "params": ringmaster.InvalidParams("a/0", "expected more"),
            "value": ValueError("said"),
            "exit": SystemExit(3),
            "group": ExceptionGroup("both", [ValueError(1), OSError(2, "said")]),
            "unspeakable": Unspeakable(),
            "class": KeyError,
            "interrupt": KeyboardInterrupt,
            "memory": MemoryError,
        }[what]

    class Batch:
        def run_batch(self, jobs):
            if any(job.get("raises") for job in jobs):
                raise LookupError(str(len(jobs)))
            if any(job.get("short") for job in jobs):
                return []
            return [ValueError(job["x"]) if job["x"] else [job.id, job, job.method] for job in jobs]
"""

VALUES = [
    *(None, True, False, 0, 1, -7, 300, -(2**40), 2**63, 10**100, 0.5, 1e300),
    *("", "a", "long" * 20, "é", "é€", "é€😀", "\ud800", "\\\"\n\u0000", "x" * 1000),
    *([], {}, [1, [2, [3]]], {"a": {"b": [{"c": None}]}}, {"é" * 40: "new"}),
]
EVENT = {"name": "x", "weights": [1.5]}
# The params of jobs, by method; text is sent as it is.
KINDS = {
    "echo": [
        *({"a": value} for value in VALUES),
        *([value, value] for value in VALUES),
        *({"a": 1, "other": value, "_meta": {}} for value in VALUES),
        *([], {}, {"b": 1}, [1, 2, 3], '{"a": 1e999}', '{"a": %s}' % ("1" * 5000)),
        '{"a": %s1%s}' % ("[" * 60, "]" * 60),
    ],
    "typed": [
        *({"a": EVENT}, [EVENT, [EVENT] * 3, EVENT, {"id": 1, "more": [1]}]),
        *({"a": EVENT, "d": {"last": EVENT}}, {"a": 1}, {"a": EVENT | {"more": 1}}),
        *({"a": {"name": "wrong"}}, {"a": EVENT, "b": [{"name": "wrong"}]}),
    ],
    "view": [{"a": [1, {"b": 2}]}, [1], ["x" * 1000], [1, 2], [1, [1, 2]]],
    "fetched": [{"what": "others"}],
    "unfit": [{"what": "others"}],
    "results": [[what] for what in ("others", "keys", "place", "infinity", "key", "digits",
                                    "buffer")],
    "raises": [[what] for what in ("details", "no details", "params", "value", "exit", "group",
                                   "unspeakable", "class", "interrupt", "memory")],
    "batch": [{"x": 0}, {"x": [1]}, {"x": {"a": 0}}, {}, {"raises": 1}, {"short": 1}, [1]],
}  # fmt: skip


def line(method, params) -> bytes:
    if not isinstance(params, str):
        return request(method, params)
    return f'{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}\n'.encode()


def call_often(client, requests: list[bytes], count: int):
    for one in requests:
        for done in range(0, count, DEPTH):
            depth = min(DEPTH, count - done)
            client.send(one * depth)
            client.read_many(depth)


def test_no_job_leaves_anything_behind(server, python):
    names = ("echo", "typed", "view", "results", "raises")
    running = server(
        workers={"count": 1},
        handlers={name: python(HANDLER, name) for name in names} | {
            "a": python(HANDLER, "results"),
            "batch": python(HANDLER, "Batch", batch=8),
            "count": python(COUNT, file="count"),
        },
        methods={
            "fetched": {"steps": [{"run": "a"}, {"run": "echo"}]},
            "unfit": {"steps": [{"run": "a"}, {"run": "typed"}]},
        },
    )
    workers = running.workers()
    with running.connect() as client:
        for method, kinds in KINDS.items():
            requests = [line(method, params) for params in kinds]
            call_often(client, requests, WARM_UP_JOBS)
            call_often(client, [line("count", [])], WARM_UP_JOBS)
            objects, heap = client.call("count")
            call_often(client, requests, JOBS)
            objects_after, heap_after = client.call("count")
            assert objects_after == objects, method
            assert heap_after < heap + BUFFERS_BYTES_MAX, method
    assert running.workers() == workers
