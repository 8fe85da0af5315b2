"""The parameters of a handler's function: how they are filled, and what clients are told."""

import inspect
import json
import typing
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, Callable

from ringmaster._schema import Build, Unknown, build_of, default_of, schema_of


@dataclass
class Filled:
    """One parameter, in the form that the plug-in reads."""

    name: str
    is_required: bool
    is_view: bool  # gets the bytes where they lie
    build: Build | None
    default: Any  # for run_batch(); of no meaning if is_required


class Signature:
    """Raises Unknown if a parameter cannot be described to clients; the error names it."""

    def __init__(self, function: Callable[..., Any] | None):
        self.parameters: list[Filled] = []
        # True: the handler also gets members and inputs that none of its parameters names, because
        # it has **rest, or because it has a run_batch() and no run().
        self.takes_rest = function is None
        self.description = ""
        if function is None:
            return
        try:
            hints = typing.get_type_hints(function)
        except NameError as error:
            raise Unknown(f"an annotation cannot be resolved: {error}") from None
        described: list[dict[str, Any]] = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is Parameter.VAR_KEYWORD:
                self.takes_rest = True
                continue
            try:
                self._add(parameter, hints.get(parameter.name, Any), described)
            except Unknown as error:
                raise Unknown(f"parameter {parameter.name}: {error}") from None
        self.description = json.dumps(_describe(function, hints, described), allow_nan=False)

    def _add(self, parameter: Parameter, annotation: Any, described: list[dict[str, Any]]):
        if parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL):
            raise Unknown("expected one that can be given by name, found a positional one")
        has_default = parameter.default is not Parameter.empty
        is_view = annotation is memoryview
        is_described = parameter.name != "_meta"  # the server's own, in every request
        # schema_of() refuses a class that contains itself, of which build_of() finds no end.
        schema = schema_of(annotation) if is_described and not is_view else {}
        build = None if is_view else build_of(annotation)
        filled = Filled(parameter.name, not has_default, is_view, build, parameter.default)
        self.parameters.append(filled)
        if not is_described:
            return
        described.append({"name": parameter.name, "schema": schema | default_of(parameter.default)})
        # In OpenRPC a required parameter cannot follow an optional one. In Python a keyword-only
        # parameter can: the description then says that it is optional.
        if not has_default and all("required" in other for other in described[:-1]):
            described[-1]["required"] = True


def _describe(function: Callable[..., Any], hints: dict[str, Any], params: list[dict[str, Any]]):
    summary, _, more = (inspect.getdoc(function) or "").partition("\n")
    texts = {"summary": summary.strip(), "description": more.strip()}
    try:
        result = schema_of(hints.get("return", Any))
    except Unknown:
        result = {}  # results are not checked
    return {name: text for name, text in texts.items() if text} | {
        "params": params,
        "result": {"name": "result", "schema": result},
    }
