"""The log on a terminal: lines for a person who watches."""

import contextlib
import os
import pty
import re
import signal
import time

import pytest
from proc import wait_until

STAMP = re.compile(r"(\d\d:\d\d:\d\d)\.\d{3} ")
COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def on_terminal(server):
    """on_terminal(env, ...) -> (server, text): the server's stderr is a new terminal; `text()`
    returns the output so far."""
    ends = []

    def start(env, arguments=(), **sections):
        ours, theirs = pty.openpty()
        ends.append(ours)
        os.set_inheritable(theirs, True)
        os.set_blocking(ours, False)
        received = bytearray()

        def text() -> str:
            with contextlib.suppress(BlockingIOError, OSError):  # EIO: the terminal has no user
                while True:
                    received.extend(os.read(ours, 65536))
            return received.decode().replace("\r\n", "\n")

        running = server(
            wait=False,
            before=["sh", "-c", f'exec "$0" "$@" 2> {os.ttyname(theirs)}'],
            env={"TERM": "xterm-256color", "NO_COLOR": None} | env,
            arguments=arguments,
            **sections,
        )
        is_ready = lambda: re.search(r"\bready\b", COLOUR.sub("", text()))
        wait_until(is_ready, "the server to be ready")
        os.close(theirs)
        running.processes()
        return running, text

    yield start
    for end in ends:
        os.close(end)


def test_lines_on_a_terminal_are_for_a_person(on_terminal):
    before = time.strftime("%H:%M:%S")
    running, text = on_terminal({})
    assert running.stop(signal.SIGTERM) == 0
    lines = text().splitlines()
    assert len(lines) > 5
    for line in lines:
        assert re.match(
            r"\d\d:\d\d:\d\d\.\d{3} \x1b\[3[123]m(info|warning|error) *\x1b\[0m \w+", line
        ), line
        assert "role=" not in line and "event=" not in line
    assert COLOUR.sub("", lines[-1]).endswith("stopped")
    plain = [COLOUR.sub("", line) for line in lines]
    ready = next(line for line in plain if " ready " in line)
    # Local time, level, event and fields each begin in a column of their own.
    assert re.fullmatch(r"\S{12} info    ready {18}address=127\.0\.0\.1:\d+ workers=2.*", ready)
    if before <= (after := time.strftime("%H:%M:%S")):  # not around midnight
        assert all(before <= STAMP.match(line).group(1) <= after for line in plain)


def test_the_time_on_a_terminal_is_local(on_terminal):
    running, text = on_terminal({"TZ": "XYZ-5:30"})
    there = time.gmtime(time.time() + 5.5 * 3600)
    hour, minute = map(int, text()[:5].split(":"))
    assert (there.tm_hour * 60 + there.tm_min - hour * 60 - minute) % 1440 <= 2


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}])
def test_a_terminal_without_colours_gets_none(on_terminal, env):
    _, text = on_terminal(env)
    assert "\x1b" not in text()
    assert re.match(r"\d\d:\d\d:\d\d\.\d{3} info    \w+", text())


def test_an_empty_no_color_means_colours(on_terminal):
    _, text = on_terminal({"NO_COLOR": ""})
    assert "\x1b[32minfo" in text()


def test_json_on_a_terminal_is_json(on_terminal):
    _, text = on_terminal({}, arguments=["--log-format", "json"])
    assert all(line.startswith('{"level":') for line in text().splitlines())
