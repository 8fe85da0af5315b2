"""Handlers in Python for tests: the code is written to a file, and served from there."""

from pathlib import Path
from textwrap import dedent

import pytest


def writer(folder: Path):
    def write(code: str, name: str = "run", file: str = "handler", **keys):
        path = folder / f"{file}.py"
        path.write_text(dedent(code))
        return {"python": f"{path}:{name}"} | keys

    return write


@pytest.fixture
def python(tmp_path):
    """python(code, name="run", file="handler", **keys): the keys of a handler's section."""
    return writer(tmp_path)


@pytest.fixture(scope="module")
def module_python(tmp_path_factory):
    """As `python`, for a server that all tests of a module use."""
    return writer(tmp_path_factory.mktemp("python"))
