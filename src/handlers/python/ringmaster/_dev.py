"""Writes a configuration for the functions of a Python file. `ringmaster dev` runs this program.

It parses the file and does not import it. It prints a JSON object: either `problem`, why the file
cannot be served, or these members:

configuration  the text of a configuration that serves the functions, to be put beside the file
files          the names of the file and of the files beside it that it imports
calls          the arguments of `ringmaster call`, for each method
left_out       [name, why] of each handler that cannot be served without a configuration
"""

import ast
import contextlib
import json
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any

_SCALARS = {"int": 1, "float": 1.5, "str": "text", "bool": True}
_BARE_KEY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

_ASYNC = "expected def, found async def: workers run one job at a time"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Classes = dict[str, ast.ClassDef]


class LeftOut(Exception):
    """Why a function or a class is no method."""


def _member(cls: ast.ClassDef, name: str, classes: Classes) -> Function | None:
    """A method of the class, or of one of its bases in the same file."""
    for node in cls.body:
        if isinstance(node, Function) and node.name == name:
            return node
    others = {other: node for other, node in classes.items() if other != cls.name}
    bases = [others[base.id] for base in cls.bases
             if isinstance(base, ast.Name) and base.id in others]
    return next(filter(None, (_member(base, name, others) for base in bases)), None)


def _parameters(function: Function) -> list[tuple[ast.arg, ast.expr | None]]:
    """Each parameter that is given by name, with its default."""
    given = function.args
    if given.posonlyargs or given.vararg:
        raise LeftOut("a parameter cannot be given by name")
    if isinstance(function, ast.AsyncFunctionDef):
        raise LeftOut(_ASYNC)
    required = len(given.args) - len(given.defaults)
    defaults = [None] * required + given.defaults + given.kw_defaults
    return list(zip(given.args + given.kwonlyargs, defaults, strict=True))


def _needs_options(init: Function) -> bool:
    given = init.args
    positional = [*given.posonlyargs, *given.args][1:]  # without self
    return len(positional) > len(given.defaults) or None in given.kw_defaults


def _class_parameters(cls: ast.ClassDef, classes: Classes) -> list[tuple[ast.arg, Any]] | None:
    """The parameters of run(). None: the class is no handler."""
    run = _member(cls, "run", classes)
    batch = _member(cls, "run_batch", classes)
    if run is None and batch is None:
        return None
    init = _member(cls, "__init__", classes)
    if init and _needs_options(init):
        raise LeftOut("its __init__() needs options, which only a configuration can give")
    if isinstance(batch, ast.AsyncFunctionDef):
        raise LeftOut(_ASYNC)
    if run is None:
        return []
    is_static = any(_name(decorator) == "staticmethod" for decorator in run.decorator_list)
    return _parameters(run)[0 if is_static else 1:]


def _fields(cls: ast.ClassDef, classes: Classes, depth: int) -> dict[str, Any]:
    return {node.target.id: _example(node.annotation, classes, depth) for node in cls.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}


def _name(node: ast.expr) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _example(annotation: ast.expr | None, classes: Classes, depth: int = 4) -> Any:
    """A value that fits the annotation; 1 if none is known, or below `depth` nested classes."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.Constant):
        return annotation.value
    if isinstance(annotation, ast.BinOp):
        return _example(annotation.left, classes, depth)
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        name = _name(annotation.value)
        if name == "Literal":
            return ast.literal_eval(parts[0])
        if name in ("list", "List"):
            return [_example(parts[0], classes, depth)]
        if name in ("dict", "Dict"):
            return {"key": _example(parts[-1], classes, depth)}
        return _example(parts[0], classes, depth)  # Optional, Union, Annotated
    name = _name(annotation) if annotation else ""
    if name in classes and depth > 0:
        return _fields(classes[name], classes, depth - 1)
    return {"list": [], "dict": {}}.get(name, _SCALARS.get(name, 1))


def _call(name: str, parameters: list[tuple[ast.arg, Any]], classes: Classes) -> str:
    params = {}
    for parameter, default in parameters:
        try:
            value = _example(parameter.annotation, classes)
            value = value if default is None else ast.literal_eval(default)
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except Exception:  # the value is no JSON, too deep, or known only when the code runs
            continue
        if value is None and default is not None:  # its annotation may not allow null
            continue
        params[parameter.arg] = value
    text = json.dumps(params, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML forbids 7f
    return f"{name} {shlex.quote(text)}" if params else name


def _section(file: str, name: str, call: str) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    key = name if all(letter in _BARE_KEY for letter in name) else quoted
    target = json.dumps(f"{file}:{name}", ensure_ascii=False)
    folder = os.environ.get("VIRTUAL_ENV", "")
    venv = f"venv = {json.dumps(folder, ensure_ascii=False)}\n" if folder else ""
    return (f"[handlers.{key}]\npython = {target}\n{venv}\n# ringmaster call {call}\n"
            f"[methods.{key}]\nsteps = [{{ run = {quoted} }}]\n# timeout_ms = 1000\n")


def _imported(tree: ast.Module) -> list[str]:
    """The first part of the name of each module that the file imports. A file in no package has no
    relative imports."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.append(node.module)
    return [name.partition(".")[0] for name in names]


def _files(path: Path, tree: ast.Module) -> list[str]:
    """The names of the file and of the files beside it that it imports, directly or through others.
    They need not exist."""
    names, unread = {path.name}, [tree]
    while unread:
        for module in _imported(unread.pop()):
            file = path.with_name(f"{module}.py")
            if file.name in names:
                continue
            names.add(file.name)
            with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError):
                unread.append(ast.parse(file.read_bytes()))
    return sorted(names)


def describe(path: Path) -> dict[str, Any]:
    tree = ast.parse(path.read_bytes(), str(path))
    # If two functions or classes have the same name, Python keeps the last.
    found = {node.name: node for node in tree.body if isinstance(node, Function | ast.ClassDef)}
    classes = {name: node for name, node in found.items() if isinstance(node, ast.ClassDef)}
    calls, left_out = {}, {}
    for name, node in found.items():
        if name.startswith("_"):
            continue
        try:
            is_class = isinstance(node, ast.ClassDef)
            parameters = _class_parameters(node, classes) if is_class else _parameters(node)
            if parameters is not None:
                calls[name] = _call(name, parameters, classes)
        except LeftOut as why:
            left_out[name] = str(why)
    notes = [f"without {name}: {why}" for name, why in left_out.items()]
    if not calls:
        expected = "expected a public function or a class with run() or run_batch(), found none"
        return {"problem": "; ".join([f"{path}: {expected}", *notes])}
    head = f"# The functions of {path.name}: serve it with `ringmaster serve -c {path.stem}.toml`\n"
    sections = [_section(path.name, name, call) for name, call in calls.items()]
    return {
        "configuration": "\n".join([head, *(f"# {note}" for note in notes), *sections]),
        "files": _files(path, tree),
        "calls": list(calls.values()),
        "left_out": list(left_out.items()),
    }


def main(path: Path) -> dict[str, Any]:
    try:
        return describe(path)
    except OSError as error:
        return {"problem": f"{path}: {error.strerror}"}
    except (SyntaxError, ValueError, RecursionError) as error:  # e.g. a byte 0, too deep nesting
        traceback.print_exception(error, limit=0)
        place = f"{path}:{error.lineno}" if isinstance(error, SyntaxError) else str(path)
        line = "".join(traceback.format_exception_only(error)).strip().rpartition("\n")[2]
        return {"problem": f"{place}: {line}"}


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1])), sys.stdout)
