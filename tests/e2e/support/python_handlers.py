"""Handlers in Python for tests: the code is written to a file, and served from there."""

from pathlib import Path
from textwrap import dedent

import pytest


@pytest.fixture
def python(tmp_path):
    """python(code, name="run", file="handler", **keys): the keys of a handler's section."""

    def write(code: str, name: str = "run", file: str = "handler", **keys):
        path = Path(tmp_path) / f"{file}.py"
        path.write_text(dedent(code))
        return {"python": f"{path}:{name}"} | keys

    return write
