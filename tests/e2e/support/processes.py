r"""Process: a program under test, watched line by line.

    server = Process.start([binary, "serve", "-c", config], log=tmp_path / "server.log")
    port = server.wait_for_line(r"event=listening address=\S+:(\d+)").group(1)
    ...
    assert server.stop(signal.SIGTERM) == 0

Threads: two of its own read stderr and stdout; everything else is for the test's thread.
Death:   kill() is safe at any time and may be repeated; the process also dies with the test run
         (PR_SET_PDEATHSIG), so a killed pytest leaves nothing behind. For Linux the parent is the
         starting thread: start no process in a thread that ends before the test does.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

from client import DEADLINE_S


class ProcessError(AssertionError):
    """The process did not do what the test waited for; the message has its last lines."""


class Process:
    @classmethod
    def start(cls, argv, env=None, cwd=None, log=None, pass_fds=()):
        """Starts argv. `env` is added to this process's environment (a value of None removes a
        variable). `log`: a file for a copy of stderr, to debug a failed test. `pass_fds`: the
        descriptors that it inherits."""
        return cls(argv, env, cwd, log, pass_fds)

    def __init__(self, argv, env, cwd, log, pass_fds):
        self.argv = [str(word) for word in argv]
        merged = {**os.environ, **(env or {})}
        self._popen = subprocess.Popen(
            # setpriv becomes the program itself: the pid is that of argv[0].
            ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
            env={name: str(value) for name, value in merged.items() if value is not None},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops the process
        )
        self.pid = self._popen.pid
        self._is_group_gone = False
        self._changed = threading.Condition()
        self._lines = []
        self._output = []
        self._open_streams = 2
        self._threads = [
            threading.Thread(target=self._read, args=args, daemon=True)
            for args in (
                (self._popen.stderr, self._lines, log),
                (self._popen.stdout, self._output, None),
            )
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.kill()

    @property
    def lines(self):
        """The lines of stderr so far."""
        with self._changed:
            return list(self._lines)

    @property
    def output(self):
        """The lines of stdout so far."""
        with self._changed:
            return list(self._output)

    @property
    def returncode(self):
        """None while it runs; -N when signal N ended it."""
        return self._popen.poll()

    def wait_for_line(self, regex, timeout=DEADLINE_S, after=0):
        """The match of the first line of stderr, from number `after` on, in which regex is found.
        Give after=len(process.lines), taken before an action, to wait for what the action causes.
        Fails at the deadline, or as soon as no more lines can come."""
        pattern = re.compile(regex)
        deadline = time.monotonic() + timeout
        seen = after
        with self._changed:
            while True:
                for line in self._lines[seen:]:
                    if match := pattern.search(line):
                        return match
                seen = max(seen, len(self._lines))
                left = deadline - time.monotonic()
                if self._open_streams == 0:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self._popen.wait(left)  # closed streams come before the exit code
                    raise ProcessError(self._describe(f"ended without a line like {regex!r}"))
                if left <= 0:
                    raise ProcessError(self._describe(f"no line like {regex!r} in {timeout} s"))
                self._changed.wait(left)

    def send(self, signal_number):
        self._popen.send_signal(signal_number)

    def wait(self, timeout=DEADLINE_S):
        """The return code, once the process has ended and all its lines were read."""
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessError(self._describe(f"still running after {timeout} s")) from None
        self._kill_group(0)
        for thread in self._threads:
            # A child that outlives the process may hold the pipes: its lines are not waited for.
            thread.join(1)
        return code

    def stop(self, signal_number=signal.SIGTERM, timeout=DEADLINE_S):
        """Sends the signal and returns the return code; kills the process at the deadline."""
        self.send(signal_number)
        try:
            return self.wait(timeout)
        except ProcessError:
            self.kill()
            raise

    def kill(self):
        """Kills the process and all of its session."""
        self._kill_group(signal.SIGKILL)
        self.wait()

    def _kill_group(self, signal_number):
        # Once the whole group has ended, its number may be that of another group.
        try:
            if not self._is_group_gone:
                os.killpg(self.pid, signal_number)
        except ProcessLookupError:
            self._is_group_gone = True

    def _read(self, stream, lines, log):
        copy = open(log, "a", encoding="utf-8") if log else None
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            if copy:
                print(line, file=copy, flush=True)
            with self._changed:
                lines.append(line)
                self._changed.notify_all()
        if copy:
            copy.close()
        stream.close()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _describe(self, what):
        tail = "\n  ".join(self._lines[-30:])
        code = self._popen.poll()
        state = "running" if code is None else f"return code {code}"
        return f"{' '.join(self.argv)}: {what} ({state}); its last lines:\n  {tail}"
