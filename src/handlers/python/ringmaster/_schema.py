"""Turns annotations into JSON Schema, and into functions that make objects of JSON values."""

import dataclasses
import inspect
import math
import types
import typing
from typing import Any, Callable

_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_UNIONS = (typing.Union, types.UnionType)

Build = Callable[[Any], Any]


class Unknown(Exception):
    """An annotation that JSON Schema cannot express."""


def schema_of(annotation: Any, within: tuple = ()) -> dict[str, Any]:
    """`within`: the classes that have this annotation inside."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, object, inspect.Parameter.empty):
        return {}
    if annotation is None or annotation in _SCALARS:
        return {"type": _SCALARS[annotation if annotation is not None else type(None)]}
    if annotation is list or origin is list:
        items = {"items": schema_of(*arguments, within)} if arguments else {}
        return {"type": "array"} | items
    if annotation is dict or origin is dict:
        if not arguments:
            return {"type": "object"}
        if arguments[0] is not str:
            raise Unknown(f"expected keys of type str, found {annotation}")
        return {"type": "object", "additionalProperties": schema_of(arguments[1], within)}
    if origin is typing.Literal and all(type(value) in _SCALARS for value in arguments):
        return {"enum": list(arguments)}
    if origin in _UNIONS:
        return {"anyOf": [schema_of(argument, within) for argument in arguments]}
    if annotation in within:
        raise Unknown(f"expected no type that contains itself, found {annotation.__name__}")
    if typing.is_typeddict(annotation) or _is_dataclass(annotation):
        return _schema_of_class(annotation, (*within, annotation))
    raise Unknown(
        "expected int, float, str, bool, list[...], dict[str, ...], Optional, Union, Literal, a "
        f"TypedDict, a dataclass or Any, found {inspect.formatannotation(annotation)}"
    )


def build_of(annotation: Any) -> Build | None:
    """The function that turns a JSON value into an argument. None: the value is the argument."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if _is_dataclass(annotation):
        return _build_dataclass(annotation)
    if origin in _UNIONS:
        builds = [build_of(argument) for argument in arguments if argument is not type(None)]
        if not any(builds):
            return None
        if len(builds) > 1:
            raise Unknown(f"expected a dataclass or None, found {annotation}")
        return lambda value: None if value is None else builds[0](value)
    inner = build_of(arguments[-1]) if origin in (list, dict) and arguments else None
    if inner is None:
        return _build_typed_dict(annotation) if typing.is_typeddict(annotation) else None
    if origin is list:
        return lambda value: [inner(item) for item in value]
    return lambda value: {key: inner(item) for key, item in value.items()}


def default_of(value: Any) -> dict[str, Any]:
    """The default, for documentation, if JSON can express it."""
    is_shown = type(value) in _SCALARS and not (type(value) is float and not math.isfinite(value))
    return {"default": value} if is_shown else {}


def _is_dataclass(annotation: Any) -> bool:
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)


def _fields(cls: type) -> dict[str, bool]:
    """The fields that the constructor takes -> whether the field is required."""
    missing = dataclasses.MISSING
    return {
        field.name: field.default is missing and field.default_factory is missing
        for field in dataclasses.fields(cls)
        if field.init
    }


def _keys(cls: type) -> dict[str, bool]:
    """The keys of a TypedDict -> whether the key is required. Where annotations are texts,
    __required_keys__ does not know of Required and NotRequired."""
    found = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        while typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        mark = typing.get_origin(hint)
        is_marked = mark in (typing.Required, typing.NotRequired)
        found[name] = mark is typing.Required if is_marked else name in cls.__required_keys__
    return found


def _schema_of_class(cls: type, within: tuple) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    if _is_dataclass(cls):
        required = _fields(cls)
        # The constructor would refuse other members.
        extra: dict[str, Any] = {"additionalProperties": False}
    else:
        required = _keys(cls)
        extra = {}
    properties = {name: schema_of(hints[name], within) for name in required}
    names = [name for name, is_required in required.items() if is_required]
    return {"type": "object", "properties": properties, "required": names} | extra


def _build_dataclass(cls: type) -> Build:
    hints = typing.get_type_hints(cls)
    builds = {name: build for name in _fields(cls) if (build := build_of(hints[name]))}
    if not builds:
        return lambda value: cls(**value)
    return lambda value: cls(**_with(value, builds))


def _build_typed_dict(cls: type) -> Build | None:
    hints = typing.get_type_hints(cls)
    builds = {name: build for name in hints if (build := build_of(hints[name]))}
    return (lambda value: _with(value, builds)) if builds else None


def _with(value: dict, builds: dict[str, Build]) -> dict:
    return value | {name: build(value[name]) for name, build in builds.items() if name in value}
