"""Programs: compiles the clients' programs, if they need it, and has the commands that start them.

Needs nothing from the network: packages are those of Debian, and of scripts/npm_install.sh, which
`make test` runs before.
"""

import os
import shutil
import subprocess
from pathlib import Path

from interop.matrix import Client

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parents[3] / "build/interop"
NODE = BUILD / "node"
LIBJSONRPCCPP = ["-ljsonrpccpp-client", "-ljsonrpccpp-common", "-ljsoncpp", "-lcurl", "-lpthread"]
# Uses only Debian's packages, and stamps no commit (-buildvcs): the tree may be no clone.
GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "-buildvcs=false",
      "GOCACHE": str(BUILD / "go_cache")}  # fmt: skip


def _run(*argv: str | Path, **env: str):
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, f"{argv[0]}: {done.stderr}"


def _go(source: Path) -> list[str]:
    program = BUILD / source.stem
    _run("go", "build", "-o", program, source, source.parent / "checks.go", **GO)
    return [str(program)]


def _cpp(source: Path) -> list[str]:
    program = BUILD / source.stem
    _run("g++", "-std=c++14", "-O1", "-w", "-o", program, source, *LIBJSONRPCCPP)
    return [str(program)]


def node_program(source: Path) -> list[str]:
    wanted, installed = FOLDER / "node/package-lock.json", NODE / "installed.json"
    assert installed.exists() and installed.read_bytes() == wanted.read_bytes(), (
        f"expected the packages of {wanted}: scripts/npm_install.sh {wanted.parent} {NODE}")
    shutil.copytree(source.parent, NODE, dirs_exist_ok=True)  # modules lie beside their packages
    return ["node", str(NODE / source.name)]


class Programs:
    """Each program is made ready once, when it is first asked for."""

    def __init__(self):
        self._ready: dict[str, list[str]] = {}
        BUILD.mkdir(parents=True, exist_ok=True)

    def argv(self, client: Client) -> list[str]:
        source = FOLDER / client.program
        if client.program not in self._ready:
            prepare = {".go": _go, ".cc": _cpp, ".js": node_program, ".sh": lambda it: [str(it)],
                       ".py": lambda it: ["/usr/bin/python3", str(it)]}  # fmt: skip
            self._ready[client.program] = prepare[source.suffix](source)
        return [*self._ready[client.program], client.transport]
