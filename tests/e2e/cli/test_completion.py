"""The TAB key completes a command line, in each shell for which there is a completion file."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
from client import DEADLINE_S

FILES = {"bash": "ringmaster.bash", "zsh": "_ringmaster", "fish": "ringmaster.fish"}
BASH = ["bash", "--norc", "--noprofile", "-i"]
ZSH = ["zsh", "-f", "-i"]


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, argv, environment):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, environment | {"TERM": "dumb", "PS1": "> "})
        self.shown = ""

    def read_until(self, pattern):
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self.shown)):
            left = deadline - time.monotonic()
            assert left > 0, f"expected {pattern}, found {self.shown!r}"
            if select.select([self.descriptor], [], [], left)[0]:
                self.shown += os.read(self.descriptor, 1 << 16).decode(errors="replace")
        return found

    def type(self, keys):
        self.shown = ""
        os.write(self.descriptor, keys.encode())

    def complete(self, line):
        """Presses TAB after `line`; then `echo`, put before the completed line, prints it."""
        self.type(line + "\t\x01echo \x05\r")
        return self.read_until(r"\n(ringmaster [^\r]*)\r")[1]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)


@pytest.fixture
def complete(request, root, build):
    """complete(line) -> the line after TAB, or with fish the possible ends of the line."""
    shell = request.param
    assert shutil.which(shell), f"there is no {shell}: scripts/setup.sh test installs it"
    environment = os.environ | {"PATH": f"{build}:{os.environ['PATH']}"}
    file = root / "conf/completion" / FILES[shell]
    if shell == "fish":
        yield lambda line: subprocess.run(
            ["fish", "-c", f"source {file}; complete -C '{line}'"], env=environment,
            capture_output=True, text=True, check=True, timeout=DEADLINE_S).stdout
        return
    terminal = Terminal(BASH if shell == "bash" else ZSH, environment)
    set_up = (f"source {file}" if shell == "bash" else
              f"fpath=({file.parent} $fpath); autoload -U compinit; compinit -u -D")
    terminal.type(f"PS1='> '; {set_up}; echo set''up\r")
    terminal.read_until("setup\r")
    yield terminal.complete
    terminal.close()


@pytest.mark.parametrize("complete", FILES, indirect=True)
def test_commands_options_values_files_and_methods(complete, server, tmp_path):
    running = server(handlers={"echo": {}}, methods={"a.method": {"steps": [{"run": "echo"}]}})
    (tmp_path / "only.toml").touch()
    for line, end in {"ringmaster ser": "serve", "ringmaster serve --log-fo": "--log-format",
                      "ringmaster serve --log-format j": "json",
                      "ringmaster bench --arrivals p": "poisson",
                      f"ringmaster check -c {tmp_path}/on": "only.toml",
                      f"ringmaster dev {tmp_path}/on": "only.toml",
                      f"ringmaster call --to {running.address} a.": "a.method",
                      f"ringmaster bench --to={running.address} ec": "echo"}.items():
        completed = complete(line).rstrip()
        assert end in re.split(r"[\s/]", completed), f"{line}: {completed}"
