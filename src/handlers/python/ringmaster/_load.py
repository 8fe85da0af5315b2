"""Finds the object that `python = "FILE.py:NAME"` or "MODULE:NAME" names, or says why it cannot."""

import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

_THREAD_VARIABLES = {
    "libopenblas": "OPENBLAS_NUM_THREADS",
    "libgomp": "OMP_NUM_THREADS",
    "libomp": "OMP_NUM_THREADS",
    "libiomp": "OMP_NUM_THREADS",
    "libmkl": "MKL_NUM_THREADS",
}


class Refused(Exception):
    """Why the handler cannot be loaded, for the operator."""


def find(target: str) -> Any:
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise Refused(f'python: expected "FILE.py:NAME" or "MODULE:NAME", found "{target}"')
    module = _import_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    try:
        return getattr(module, name)
    except AttributeError:
        known = [each for each in vars(module) if not each.startswith("_")]
        nearest = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise Refused(f"{place} has no {name}{hint}") from None


def _import_file(path: Path) -> ModuleType:
    """Does what `import NAME` does in the file's folder: the file may import modules from there."""
    name = path.stem
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) == str(path):
            return known
        raise Refused(f"{path}: there is another module {name} already; give the file another name")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def explain(error: BaseException) -> str:
    """The last line of the traceback, and the place: "score.py:12: NameError: ..."."""
    line = "".join(traceback.format_exception_only(error)).strip().rpartition("\n")[2]
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {line}"
    ours = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", ours))
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {line}" if frames else line


def limit_threads():
    """Limits each library to one thread: there is one worker for each core, and a process with
    threads cannot be forked. Call this before any import of these libraries."""
    for variable in _THREAD_VARIABLES.values():
        os.environ.setdefault(variable, "1")


def thread_count() -> int:
    return len(os.listdir("/proc/self/task"))


def refuse_threads(allowed: int):
    """Raises Refused if there are more than `allowed` threads, and names what may have started
    them."""
    count = thread_count() - allowed
    if count <= 0:
        return
    threading = sys.modules.get("threading")
    names = [thread.name for thread in threading.enumerate()[1:]] if threading else []
    tasks = Path("/proc/self/task")
    names += {(task / "comm").read_text().strip() for task in list(tasks.iterdir())[-count:]}
    maps = Path("/proc/self/maps").read_text()
    causes = [
        f"{library} is loaded: set {variable}=1, found {os.environ.get(variable)}"
        for library, variable in _THREAD_VARIABLES.items()
        if library in maps and os.environ.get(variable) != "1"
    ]
    raise Refused(
        f"left {count} threads running ({', '.join(names)}), expected none: a process with threads "
        "cannot be forked safely. " + "; ".join(causes)
    )
