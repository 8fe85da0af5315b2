"""The functions of a Python file as a configuration, for `ringmaster dev`. A program of its own.

It parses the file and does not import it. It prints a JSON object: either `problem`, why the file
cannot be served, or these members:

configuration  the text of a configuration that serves the functions, to lie beside the file
calls          what follows `ringmaster call`, for each method
left_out       [name, why] of each handler that cannot be served without a configuration
"""

import ast
import json
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any

_SCALARS = {"int": 1, "float": 1.5, "str": "text", "bool": True}
_BARE_KEY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Classes = dict[str, ast.ClassDef]


class LeftOut(Exception):
    """Why a function or a class is no method."""


def _member(cls: ast.ClassDef, name: str, classes: Classes) -> Function | None:
    """A method of the class, or of one of its bases in the same file."""
    for node in cls.body:
        if isinstance(node, Function) and node.name == name:
            return node
    bases = [classes[base.id] for base in cls.bases if isinstance(base, ast.Name)
             and base.id in classes and base.id != cls.name]
    return next(filter(None, (_member(base, name, classes) for base in bases)), None)


def _parameters(function: Function) -> list[tuple[ast.arg, ast.expr | None]]:
    """Each parameter that is given by name, with its default."""
    given = function.args
    if given.posonlyargs or given.vararg:
        raise LeftOut("a parameter cannot be given by name")
    if isinstance(function, ast.AsyncFunctionDef):
        raise LeftOut("expected def, found async def: a worker runs one job at once")
    required = len(given.args) - len(given.defaults)
    defaults = [None] * required + given.defaults + given.kw_defaults
    return list(zip(given.args + given.kwonlyargs, defaults, strict=True))


def _class_parameters(cls: ast.ClassDef, classes: Classes) -> list[tuple[ast.arg, Any]] | None:
    """Those of run(). None: the class is no handler."""
    run = _member(cls, "run", classes)
    batch = _member(cls, "run_batch", classes)
    if run is None and batch is None:
        return None
    init = _member(cls, "__init__", classes)
    if init and any(default is None for _, default in _parameters(init)[1:]):
        raise LeftOut("its __init__() needs options, which only a configuration can give")
    return _parameters(run)[1:] if run else []


def _fields(cls: ast.ClassDef, classes: Classes) -> dict[str, Any]:
    others = {name: other for name, other in classes.items() if name != cls.name}
    return {node.target.id: _example(node.annotation, others) for node in cls.body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}


def _name(node: ast.expr) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _example(annotation: ast.expr | None, classes: Classes) -> Any:
    """A value that fits the annotation; 1 where none is known."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.Constant):
        return annotation.value
    if isinstance(annotation, ast.BinOp):
        return _example(annotation.left, classes)
    if isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        name = _name(annotation.value)
        if name == "Literal":
            return ast.literal_eval(parts[0])
        if name in ("list", "List"):
            return [_example(parts[0], classes)]
        if name in ("dict", "Dict"):
            return {"key": _example(parts[-1], classes)}
        return _example(parts[0], classes)  # Optional, Union, Annotated
    name = _name(annotation) if annotation else ""
    if name in classes:
        return _fields(classes[name], classes)
    return {"list": [], "dict": {}}.get(name, _SCALARS.get(name, 1))


def _call(name: str, parameters: list[tuple[ast.arg, Any]], classes: Classes) -> str:
    params = {}
    for parameter, default in parameters:
        try:
            value = _example(parameter.annotation, classes)
            value = value if default is None else ast.literal_eval(default)
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (ValueError, TypeError, SyntaxError):  # no JSON, or only known when it runs
            continue
        params[parameter.arg] = value
    return f"{name} {shlex.quote(json.dumps(params, ensure_ascii=False))}" if params else name


def _section(file: str, name: str, call: str) -> str:
    quoted = json.dumps(name, ensure_ascii=False)
    key = name if all(letter in _BARE_KEY for letter in name) else quoted
    target = json.dumps(f"{file}:{name}", ensure_ascii=False)
    return (f"[handlers.{key}]\npython = {target}\n\n# ringmaster call {call}\n"
            f"[methods.{key}]\nsteps = [{{ run = {quoted} }}]\n")


def describe(path: Path) -> dict[str, Any]:
    tree = ast.parse(path.read_bytes(), str(path))
    # Of two with the same name Python keeps the last.
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
        expected = "expected a public function or a class with run(), found none"
        return {"problem": "; ".join([f"{path}: {expected}", *notes])}
    head = f"# The functions of {path.name}: serve it with `ringmaster serve -c {path.stem}.toml`\n"
    sections = [_section(path.name, name, call) for name, call in calls.items()]
    return {
        "configuration": "\n".join([head, *(f"# {note}" for note in notes), *sections]),
        "calls": list(calls.values()),
        "left_out": list(left_out.items()),
    }


def main(path: Path) -> dict[str, Any]:
    try:
        return describe(path)
    except OSError as error:
        return {"problem": f"{path}: {error.strerror}"}
    except (SyntaxError, ValueError) as error:  # ValueError: a byte 0
        traceback.print_exception(error, limit=0)
        place = f"{path}:{error.lineno}" if isinstance(error, SyntaxError) else str(path)
        line = "".join(traceback.format_exception_only(error)).strip().rpartition("\n")[2]
        return {"problem": f"{place}: {line}"}


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1])), sys.stdout)
