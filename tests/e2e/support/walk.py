"""Walk: executes a document's blocks of code, one after the other, as printed.

Where: a folder like a clone after `make`, in a network of its own, with an installation in the
PATH. The kinds of blocks:

    sh        commands, which must succeed; lines that begin with "# " are their output. A block
              that ends with `make run`, `ringmaster serve` or `ringmaster dev` starts a server,
              which runs until the next such block. The walk waits until the server is ready, and
              until a reload is done. A block that ends with `python3 -m http.server ... PORT`
              starts an upstream, which runs until the end of the walk
    jsonrpc   "--> MESSAGE" is sent to the server, "<-- MESSAGE" is its answer
    json      must be JSON
    others    a file, where the first line is a comment that names it
    (none)    for readers only

Any other block is an error, except EXAMPLES, which have tests of their own, and those that run
ELSEWHERE.
"""

import json
import os
import re
import shlex
import subprocess

import probes
from interop.programs import GO
from network import Machine
from processes import Process
from readme import Block, blocks

EXAMPLES = ("python", "js", "go", "cpp")
EXAMPLE_DEADLINE_S = 50
READY = {  # the last command of a block -> what a server logs once it serves
    r"make run$": (r"role=feature_service.* event=listening", r"role=master.* event=ready"),
    r"\S*ringmaster (serve -c|dev) \S+$": (r"event=ready\b",),
}
UPSTREAM = r"python3 -m http\.server .* (\d+)$"
# `make run` first installs packages and builds. This is the command that it ends with.
BUILT = {"make run": "scripts/demo.sh build/release"}
ELSEWHERE = {
    "make run": "by the walk of docs/quick-start.md, which has it alone in a block",
    "make test": "this test is a part of it",
    "sudo make install": "test_install.py",
    "sudo systemctl daemon-reload": "test_service_manager.py",
    "sudo systemctl enable --now ringmaster": "test_service_manager.py",
}


def commands_of(code: str) -> list[str]:
    """The commands, without comments."""
    lines = (re.sub(r"(^|\s)# .*", "", line).strip() for line in code.splitlines())
    return [line for line in lines if line]


class Walk:
    def __init__(self, root, build, prefix, folder):
        probes.require("namespaces")
        self.folder = folder / "clone"
        self._script = folder / "commands.sh"
        self._log = folder / "server.log"
        (self.folder / "build").mkdir(parents=True)
        (self.folder / "build/release").symlink_to(build)
        for name in ("conf", "include", "scripts", "src"):
            (self.folder / name).symlink_to(root / name)
        self._env = {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "GOCACHE": GO["GOCACHE"],
                     "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
        self._machine = Machine()
        self._server: Process | None = None
        self._upstreams: list[Process] = []

    def __enter__(self):
        return self

    def __exit__(self, failure, *unused):
        try:
            self.stop()  # after a failure, too: the demo ends its programs only when it is told to
        except AssertionError:
            if failure is None:
                raise
        finally:
            for process in [*self._upstreams, self._machine.process]:
                process.kill()

    def follow(self, document: str):
        for block in blocks(document):
            self._do(block)

    def serve(self, code: str):
        """Runs all lines but the last, then starts the last one."""
        self.stop()
        *before, last = commands_of(code)
        if last not in BUILT:  # the demo runs without features that the machine lacks
            probes.require("landlock", "seccomp")
        self.run("\n".join(before))
        self._server = Process.start(self._argv(f"exec {BUILT.get(last, last)}"), env=self._env,
                                     cwd=self.folder, log=self._log)
        for line in next(lines for end, lines in READY.items() if re.search(end, last)):
            self._server.wait_for_line(line)

    def start_upstream(self, code: str, port: str):
        *before, last = commands_of(code)
        self.run("\n".join(before))
        argv = [*self._machine.enter, *shlex.split(last)]
        self._upstreams.append(Process.start(argv, cwd=self.folder))
        self.run(f"until nc -z 127.0.0.1 {port}; do sleep 0.05; done")

    def stop(self):
        server, self._server = self._server, None
        if server is not None:
            assert server.stop() == 0, server.lines

    def run(self, code: str, folder=None, stdin: str = "") -> str:
        """The output of the commands."""
        done = subprocess.run(self._argv(code), cwd=folder or self.folder, input=stdin, text=True,
                              env=os.environ | self._env, capture_output=True,
                              timeout=EXAMPLE_DEADLINE_S)
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _argv(self, code: str) -> list[str]:
        # The code is in a file: a command that looks for processes by their command line must not
        # find this shell.
        self._script.write_text(code)
        return [*self._machine.enter, "bash", "-e", str(self._script)]

    def _do(self, block: Block):
        if block.language == "sh":
            return self._do_commands(block)
        if block.language == "jsonrpc":
            return self._do_messages(block)
        if block.language == "json":
            return json.loads(block.code)
        if block.language and block.file():
            return (self.folder / block.file()).write_text(block.code)
        assert not block.language or block.language in EXAMPLES, f"{block.place}: no test runs this"

    def _do_commands(self, block: Block):
        commands = commands_of(block.code)
        if any(re.search(end, commands[-1]) for end in READY):
            return self.serve(block.code)
        if upstream := re.search(UPSTREAM, commands[-1]):
            return self.start_upstream(block.code, upstream[1])
        if all(command in ELSEWHERE for command in commands):
            return None
        logged = len(self._server.lines) if self._server else 0
        printed = self.run(block.code).splitlines()
        expected = [line[2:] for line in block.code.splitlines() if line.startswith("# ")]
        assert not expected or printed == expected, f"{block.place}: printed {printed}"
        if "-HUP" in block.code:
            self._server.wait_for_line("event=reloaded", after=logged)

    def _do_messages(self, block: Block):
        lines = block.code.splitlines()
        sent = [line[4:] for line in lines if line.startswith("--> ")]
        expected = [line[4:] for line in lines if line.startswith("<-- ")]
        assert len(sent) + len(expected) == len(lines), f"{block.place}: expected --> and <--"
        came = self.run("nc -N 127.0.0.1 7070", stdin="".join(f"{line}\n" for line in sent))
        assert came.splitlines() == expected, f"{block.place}: came {came}"
