"""Python handlers: what is loaded, what is refused and why, and what clients are told."""

import re
import subprocess
from textwrap import dedent

import pytest

TAKES = """
    from dataclasses import dataclass
    from typing import Any, List, Literal, NotRequired, Optional, TypedDict, Union
    class User(TypedDict, total=False):
        id: int
    class Note(TypedDict):
        id: int
        text: "NotRequired[str]"
    @dataclass
    class Event:
        name: str
        weights: list[float] = ()
    def run({}): return {}
"""

# annotation of a parameter -> values that are valid, values that are not
ANNOTATIONS = {
    "int": ([1, -5], ["1", 1.5, None, True]),
    "float": ([1, 1.5], ["1", None]),
    "str": (["", "a"], [1, None]),
    "bool": ([True], [1]),
    "list[int]": ([[], [1, 2]], [[1, "2"], {}]),
    "dict[str, int]": ([{}, {"a": 1}], [{"a": "b"}, []]),
    "Optional[str]": ([None, "a"], [1]),
    "int | str": ([1, "a"], [None, []]),
    "Literal['a', 'b', 3]": (["a", 3], ["c", 4]),
    "User": ([{}, {"id": 1}, {"id": 1, "more": 2}], [{"id": "1"}, []]),
    "Note": ([{"id": 1}, {"id": 1, "text": "a"}], [{"text": "a"}, {"id": 1, "text": 2}]),
    "List": ([[], [1, "a"]], [{}]),
    "Any": ([None, 1, [{}]], []),
    "dict": ([{}], [[]]),
    "'int'": ([1], ["1"]),
}


def refusal(server, handler, **others):
    running = server(wait=False, handlers={"f": handler} | others)
    assert running.process.wait() == 78
    return re.search(r'event=not_started error="(.*)"$', running.lines[-1]).group(1)


@pytest.mark.parametrize(
    "code, name, says",
    [
        ("def run(): return 1", "ruin", r"handler.py has no ruin; did you mean run\?"),
        ("def run(:", "run", r"handler.py:1: SyntaxError: invalid syntax"),
        ("x = 1\ny = 1 / 0", "run", r"handler.py:2: ZeroDivisionError: division by zero"),
        ("import absent_module", "run", r"handler.py:1: ModuleNotFoundError: No module named"),
        ("run = 7", "run", r"expected a function or a class, found int"),
        ("class Run: pass", "Run", r"expected a run\(\) or run_batch\(\) in the class"),
        ("class Run:\n def __init__(self): open('/absent')\n def run(self): pass", "Run",
         r"handler.py:2: FileNotFoundError"),
        ("class Run:\n def run(self): pass\n def warm_up(self): 1 / 0", "Run",
         r"warm-up: \S*handler.py:3: ZeroDivisionError"),
        ("class Run:\n def run(self): pass\n def self_test(self): assert False, 'no'", "Run",
         r"self-test: \S*handler.py:3: AssertionError: no"),
        ("class Run:\n def run(self): pass\n def self_test(self): return False", "Run",
         r"self-test: self_test\(\) returned False"),
        ("import numpy as np\nclass Run:\n def run(self): pass\n"
         " def self_test(self): return np.float64(1) == 2", "Run",
         r"self-test: self_test\(\) returned False"),
        ("class Run:\n def run(self): pass\n async def self_test(self): pass", "Run",
         r"expected def, found async def"),
        ("class Run:\n def run(self): pass\n async def run_batch(self, jobs): pass", "Run",
         r"expected def, found async def"),
        ("from dataclasses import dataclass\n@dataclass\nclass Node:\n next: 'Node | None' = None\n"
         "def run(n: Node): pass", "run",
         r"parameter n: expected no type that contains itself, found Node"),
        ("import functools\nrun = functools.partial(int, 1)", "run",
         r"expected a function or a class, found partial"),
        ("def run(a: set): pass", "run", r"parameter a: expected int, .*, found set"),
        ("def run(*a): pass", "run", r"parameter a: expected one that can be given by name"),
        ("import sys; sys.exit(3)", "run", r"handler.py:1: SystemExit: 3"),
    ],
)
def test_what_is_refused_is_named_with_its_place(server, python, code, name, says):
    assert re.search(says, refusal(server, python(code, name)))


def test_a_file_with_the_name_of_a_module_of_python(server, python):
    assert "there is another module json already" in refusal(
        server, python("def run(): pass", file="json")
    )


def test_a_thread_that_is_left_running(server, python):
    says = refusal(server, python("""
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True, name="refresher").start()
        def run(): pass
    """))
    assert re.search(r"left 1 threads running \(refresher, .*\), expected none", says)


def test_libraries_get_one_thread_each(server, python):
    running = server(handlers={"f": python("""
        import os
        import numpy as np
        def run(): return [os.environ[n + "_NUM_THREADS"] for n in ("OPENBLAS", "OMP", "MKL")]
    """)})
    assert running.call("f") == ["1", "1", "1"]


def test_a_class_gets_its_options(server, python):
    code = """
        class Model:
            def __init__(self, options):
                self.got = [options["word"], options.get("limit", 3), options.get("rest")]
            def run(self): return self.got
    """
    running = server(handlers={"f": python(code, "Model", word="x", limit=5, rest=[1, "a"])})
    assert running.call("f") == ["x", 5, [1, "a"]]
    says = refusal(server, python(code, "Model", word="x", limti=5)).replace("\\", "")
    assert says.endswith('unknown option "limti": nothing reads it; did you mean limit?')
    says = refusal(server, python(code, "Model", word="x", size=5))
    assert says.endswith("nothing reads it; known: limit, rest, word")
    says = refusal(server, python("def run(): pass", word="x"))
    assert says.endswith("nothing reads it; known: none")


@pytest.mark.parametrize(
    "use, unread",
    [
        ("o['a'], o.get('none')", "bc"),
        ("o.pop('a'), o.pop('none', 1)", "bc"),
        ("o.setdefault('a', 2), 'b' in o", "c"),
        ("o.popitem()", ""),
        ("o.items(), len(o)", ""),
        ("{**o}", ""),
        ("o | {}", ""),
        ("o.copy()", ""),
        ("sorted(o)", ""),
        ("len(o), str(o)", "abc"),
    ],
)
def test_what_counts_as_reading_an_option(build, monkeypatch, use, unread):
    monkeypatch.syspath_prepend(build / "handlers/python")
    from ringmaster._options import Options

    options = Options((key, "1") for key in "abc")
    eval(use, {"o": options})
    assert options.unread == set(unread)


def test_one_interpreter_serves_all_handlers(server, python):
    code = "import counter\ncounter.loads += 1\ndef run(): return counter.loads\nrun2 = run"
    python("loads = 0", file="counter")
    handler = python(code)
    other = handler | {"python": handler["python"] + "2"}
    running = server(handlers={"f": handler, "g": other, "h": python(code, file="third")})
    assert [running.call(name) for name in "fgh"] == [2, 2, 2]


def test_a_module_of_a_virtual_environment(server, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    code = "import sys\ndef run(): return sys.prefix\n"
    (venv / "lib/python3.11/site-packages/scores.py").write_text(code)
    section = {"python": "scores:run", "venv": venv}
    running = server(handlers={"f": section})
    assert running.call("f") == str(venv)
    assert "No module named 'scores'" in refusal(server, section | {"venv": ""})
    says = refusal(server, section, g=section | {"venv": ""})
    assert f"venv: expected {venv}, as another handler has it" in says


@pytest.mark.parametrize(
    "text, says",
    [
        ("home = /usr/bin\n", "is no virtual environment"),
        ("version =\n", "is no virtual environment"),
        ("version = 3.9.1\n", "is of Python 3.9.1, expected 3.11"),
    ],
)
def test_a_venv_that_cannot_be_used(server, python, tmp_path, text, says):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").touch()
    (venv / "pyvenv.cfg").write_text(text)
    assert says in refusal(server, python("def run(): pass", venv=venv))


@pytest.fixture(scope="module")
def annotated(module_server, module_python):
    """A server with a method for each of ANNOTATIONS, named so."""
    code = dedent(TAKES)
    return module_server(handlers={
        f"of {annotation}": module_python(code.format(f"a: {annotation}", "a"), file=f"takes{n}")
        for n, annotation in enumerate(ANNOTATIONS)
    })


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_annotations_are_enforced(annotated, annotation):
    valid, invalid = ANNOTATIONS[annotation]
    for value in valid:
        assert annotated.call(f"of {annotation}", {"a": value}) == value
    for value in invalid:
        failed = annotated.error_of(f"of {annotation}", {"a": value})
        assert failed.code == -32602 and failed.message.startswith("params/a"), failed.message


def test_a_misspelt_member_of_a_dataclass_is_named(server, python):
    code = dedent(TAKES).format("a: Event, b: list[Event] = (), c: Optional[Event] = None", "1")
    running = server(handlers={"f": python(code)})
    right, wrong = {"name": "x"}, {"name": "x", "weigths": []}
    for place, params in {"0": [wrong], "1/0": [right, [wrong]], "2": [right, [], wrong]}.items():
        says = running.error_of("f", params).message
        assert says == (f"params/{place}/weigths: expected one of the members name, weights; "
                        "did you mean weights?, found another")


def test_dataclasses_are_built(server, python):
    code = dedent(TAKES)
    takes = "a: Event, b: list[Event] = (), c: Optional[Event] = None"
    returns = "[type(a).__name__, a.name, [type(e).__name__ for e in b], c and c.weights]"
    running = server(handlers={"f": python(code.format(takes, returns))})
    event = {"name": "x", "weights": [1.5]}
    assert running.call("f", [event]) == ["Event", "x", [], None]
    assert running.call("f", [event, [event], event]) == ["Event", "x", ["Event"], [1.5]]
    for wrong in ({"name": 1}, {"weights": []}, event | {"more": 1}):
        assert running.error_of("f", [wrong]).code == -32602


def test_what_clients_are_told(server, python):
    running = server(handlers={"f": python('''
        def run(user_id: int, users: dict, limit: int = 5, body: memoryview = None) -> list[str]:
            """What a user likes.

            The newest first.
            """
            return []
    ''')})
    method = next(m for m in running.call("rpc.discover")["methods"] if m["name"] == "f")
    assert method["summary"] == "What a user likes."
    assert method["description"] == "The newest first."
    assert method["result"]["schema"] == {"type": "array", "items": {"type": "string"}}
    params = {p["name"]: (p["schema"], p.get("required", False)) for p in method["params"]}
    assert params == {
        "user_id": ({"type": "integer"}, True),
        "users": ({"type": "object"}, True),
        "limit": ({"type": "integer", "default": 5}, False),
        "body": ({"default": None}, False),
    }
