"""The functions that the plug-in calls: its parts that need not be fast, or are easier in Python.

There is one Handler for each section [handlers.NAME]. start() sets Python's handler of SIGINT; the
plug-in then restores the process's action for SIGINT.
"""

import dataclasses
import datetime
import gc
import inspect
import json
import os
import signal
import sys
import time
import traceback
from typing import Any, Callable

import ringmaster
from ringmaster._load import Refused, explain, find, limit_threads, refuse_threads, thread_count
from ringmaster._options import Options
from ringmaster._schema import Unknown
from ringmaster._signature import Signature

# CPython specializes a function that runs often: it writes to the function's code in memory. With
# warm-up calls CPython does so before the fork, and the workers go on sharing the code's pages.
WARM_UP_CALLS = 64
WARM_UP_S = 1.0
TRACEBACK_CHARACTERS = 8000
MESSAGE_BYTES = 1024  # the server cuts longer messages
OVERRAN = -32012  # RM_OVERRAN of handler.h


class Handler:
    def __init__(self, target: str, options: list[tuple[str, str]]):
        threads = thread_count()
        try:
            self._load(target, Options(options))
        except Unknown as error:
            raise Refused(f"{target}: {error}") from None
        except BaseException as error:
            if not isinstance(error, Refused):
                traceback.print_exc()
            raise Refused(explain(error)) from None
        refuse_threads(threads)

    def _load(self, target: str, options: Options):
        found = find(target)
        self._object = found
        if inspect.isclass(found):
            self._object = found(options) if _takes_options(found) else found()
            self.run = getattr(self._object, "run", None)
            self.run_batch = getattr(self._object, "run_batch", None)
            if self.run is None and self.run_batch is None:
                raise Refused(f"{target}: expected a run() or run_batch() in the class, found none")
        elif inspect.isroutine(found):
            self.run, self.run_batch = found, None
        else:
            raise Refused(f"{target}: expected a function or a class, found {type(found).__name__}")
        others = [getattr(self._object, name, None) for name in ("warm_up", "self_test")]
        if any(map(inspect.iscoroutinefunction, (self.run, self.run_batch, *others))):
            raise Refused(f"{target}: expected def, found async def: workers run one job at a time")
        if fault := options.fault():
            raise Refused(f"{target}: {fault}")
        self.signature = Signature(self.run)

    def warm_up(self):
        threads = thread_count()
        try:
            self._call_warm_up()
        except BaseException as error:
            traceback.print_exc()
            raise Refused(explain(error)) from None
        refuse_threads(threads)
        # The objects that are alive now stay. The collector would write to each of them, and so
        # make each worker copy their memory.
        gc.collect()
        gc.freeze()
        gc.disable()

    def _call_warm_up(self):
        warm_up = getattr(self._object, "warm_up", None)
        if warm_up is None:
            return
        end = time.monotonic() + WARM_UP_S
        for _ in range(WARM_UP_CALLS):
            warm_up()
            if time.monotonic() > end:
                return

    def self_test(self):
        test = getattr(self._object, "self_test", None)
        try:
            found = None if test is None else test()
            if found is not None and not found:  # a comparison in NumPy gives NumPy's own False
                raise Refused(f"self_test() returned {found!r}")
        except BaseException as error:
            traceback.print_exc()
            raise Refused(explain(error)) from None


def _takes_options(cls: type) -> bool:
    return cls.__init__ is not object.__init__ and len(inspect.signature(cls).parameters) > 0


def plain(value: Any) -> Any:
    """Replaces a value of a type that JSON lacks by one that JSON has."""
    if isinstance(value, datetime.date):  # a datetime, too
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dtype = getattr(value, "dtype", None)  # NumPy's arrays and scalars
    if dtype is not None and getattr(dtype, "kind", "") in "biufUO":
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")


class Overrun(KeyboardInterrupt):
    """Raised in a job shortly before its worker is ended. The job's stack is in the log already."""


def failure(error: BaseException, debug_bytes: int) -> tuple[int, str, Any]:
    """Code, message and data that answer the job. Logs exceptions other than Error and Overrun.

    `debug_bytes`: the most bytes of message and data together, with a traceback; 0: no traceback.
    """
    # A class derived from Error may never have called Error's __init__().
    code = getattr(error, "code", None) if isinstance(error, ringmaster.Error) else None
    if type(code) is int and -(2**31) <= code < 2**31:
        return code, str(error), getattr(error, "data", None)
    if isinstance(error, Overrun):
        return OVERRAN, str(error), None
    text = _cut("".join(traceback.format_exception(error)), TRACEBACK_CHARACTERS)
    sys.stderr.write(text)
    sys.stderr.flush()
    message = ": ".join(filter(None, [type(error).__name__, str(error)]))
    room = debug_bytes - min(_size(message), MESSAGE_BYTES)
    characters = TRACEBACK_CHARACTERS if debug_bytes else 0
    while characters and _size(json.dumps({"traceback": text}, ensure_ascii=False)) >= room:
        characters //= 2
        text = _cut(text, characters)
    return -32000, message, {"traceback": text} if characters else None


def _cut(text: str, characters: int) -> str:
    """The text, without its middle if it has more than `characters`."""
    half = characters // 2
    return text if len(text) <= characters else f"{text[:half]}\n...\n{text[len(text) - half:]}"


def _size(text: str) -> int:
    return len(text.encode(errors="backslashreplace"))


def interrupt(*_):
    raise Overrun("the job overruns its timeout")


def _flush_output():
    """Called before a fork: else each worker would print the buffered text, too."""
    sys.stdout.flush()
    sys.stderr.flush()


def _reseed_numpy():
    """Like numpy.random.seed(), which would write to three times as many pages of the worker."""
    numpy: Any = sys.modules.get("numpy")
    if numpy and "numpy.random" in sys.modules:
        key = numpy.frombuffer(os.urandom(624 * 4), numpy.uint32)
        numpy.random.set_state(("MT19937", key, len(key)))


def start(job: Callable[[], ringmaster.Job]):
    ringmaster._job = job
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # log lines at once
    limit_threads()
    signal.signal(signal.SIGINT, interrupt)
    os.register_at_fork(before=gc.freeze, after_in_child=_reseed_numpy)
    os.register_at_fork(before=_flush_output)
