"""`ringmaster top`: a view of a running server, in a terminal and in a pipe."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable

import pytest
from client import DEADLINE_S
from status_port import ON, status_of

BEGIN, END = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture
def top(build):
    """top(ARGUMENT, ...): runs `ringmaster top` in a pipe to its end."""
    def run(*arguments):
        return subprocess.run([build / "ringmaster", "top", *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=DEADLINE_S)

    return run


class Screen:
    """A terminal in which a program runs."""

    def __init__(self, argv, columns: int, rows: int):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.settings = termios.tcgetattr(self.slave)
        self.written = b""
        self.process = subprocess.Popen([str(word) for word in argv], stdin=self.slave,
                                        stdout=self.slave, stderr=subprocess.PIPE,
                                        start_new_session=True,
                                        preexec_fn=self._take_terminal)  # fmt: skip

    def _take_terminal(self):
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def resize(self, columns: int, rows: int):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes):
        os.write(self.master, keys)

    def wait_for(self, regex: bytes, after: int = 0) -> re.Match:
        """Waits for a match behind the first `after` bytes of the output."""
        deadline = time.monotonic() + DEADLINE_S
        while not (found := re.compile(regex).search(self.written, after)):
            left = deadline - time.monotonic()
            assert left > 0, (regex, self.written[after:])
            if select.select([self.master], [], [], left)[0]:
                self.written += os.read(self.master, 65536)
        return found

    def frames(self) -> list[list[bytes]]:
        """The lines of each whole picture, without their attributes."""
        drawn = [part.partition(b"\x1b[J") for part in self.written.split(b"\x1b[H")[1:]]
        return [re.split(rb"\r+\n", re.sub(rb"\x1b\[\d*[mK]", b"", lines))
                for lines, end, _ in drawn if end]

    def wait_for_frame(self, fits: Callable[[list[bytes]], bool]):
        """Waits for a picture for which `fits` is true."""
        while not any(map(fits, self.frames())):
            self.wait_for(rb"\x1b\[J", len(self.written))

    def end(self) -> int:
        """The exit status, once the program has ended."""
        self.wait_for(re.escape(END))
        return self.process.wait(DEADLINE_S)

    def close(self):
        self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def screen(build):
    """screen(ARGUMENT, ...): `ringmaster top` in a terminal of 100 columns and 30 rows."""
    started = []

    def start(*arguments, columns=100, rows=30) -> Screen:
        started.append(Screen([build / "ringmaster", "top", *arguments], columns, rows))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="module")
def served(module_server):
    running = module_server(listen=ON)
    with running.connect() as client:
        for i in range(10):
            client.call("echo", [i])
    return running


def test_a_pipe_gets_plain_lines(served, top):
    done = top("--to", status_of(served), "--count", 2)
    assert done.returncode == 0 and done.stderr == ""
    samples = [text for text in re.split(r"(?m)^(?=ringmaster \d)", done.stdout) if text]
    assert len(samples) == 2 and "\x1b" not in done.stdout
    assert samples[0].startswith(f"ringmaster {served.pid} ")
    assert "rates: since the start" in samples[0] and "rates: last 1" in samples[1]
    rates = [float(re.search(r"(?m)^echo +([\d.]+)", sample).group(1)) for sample in samples]
    assert rates[0] > 0 and rates[1] == 0
    assert len(re.findall(r"(?m)^[01] +\d+ idle ", samples[1])) == 2


def test_a_reader_that_leaves_ends_it(build, served):
    argv = [build / "ringmaster", "top", "--to", status_of(served)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(DEADLINE_S) == -signal.SIGPIPE


def test_the_screen_is_drawn_anew_and_given_back(served, screen):
    shown = screen("--to", status_of(served))
    shown.wait_for(b"rates: last ")
    assert shown.written.startswith(BEGIN)
    assert termios.tcgetattr(shown.slave)[3] & termios.ECHO == 0
    shown.press(b"q")
    assert shown.end() == 0
    assert termios.tcgetattr(shown.slave) == shown.settings
    assert any(line.startswith(b"echo ") for line in shown.frames()[0])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_screen_back(served, screen, how):
    shown = screen("--to", status_of(served))
    shown.wait_for(b"rates: ")
    if how == signal.SIGINT:
        shown.press(b"\x03")  # Ctrl-C
    else:
        shown.process.send_signal(how)
    assert shown.end() == -how
    assert termios.tcgetattr(shown.slave) == shown.settings


def test_the_view_follows_the_size_of_the_terminal(served, screen):
    shown = screen("--to", status_of(served))
    shown.wait_for_frame(lambda lines: max(map(len, lines)) > 60)
    shown.resize(40, 5)
    shown.wait_for_frame(lambda lines: len(lines) <= 5 and max(map(len, lines)) <= 40)


def test_a_server_that_ends_is_said_to_give_no_answer(server, screen):
    running = server(listen=ON)
    shown = screen("--to", status_of(running))
    shown.wait_for(b"rates: ")
    assert running.stop() == 0
    shown.wait_for(b"NO ANSWER: ")
    shown.press(b"q")
    assert shown.end() == 0


def test_no_server_is_an_error(top, tmp_path):
    done = top("--to", f"unix:{tmp_path}/none.sock")
    assert done.returncode == 71 and f"{tmp_path}/none.sock" in done.stderr
    done = top("--count", 0)
    assert done.returncode == 64 and "--count" in done.stderr
