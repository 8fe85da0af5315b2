"""For Python handlers: errors, a line of the server's log, the job in hand.

The server has this package. It also works without a server (in pytest, in an editor): job() then
returns an empty job.
"""

import math
import sys
from typing import Any, Callable, Mapping

__all__ = ["Error", "InvalidParams", "Job", "job", "log"]

RESERVED_CODES = range(-32768, -31999)  # for JSON-RPC and the server


class Error(Exception):
    """Raise it to fail the job with `code`, which the method's users should know.

    `code` is not 0, and not in -32768..-32000: these are for JSON-RPC and the server.

    `data`, anything that a result may be, reaches clients as `details` in the error's `data`.
    """

    def __init__(self, code: int, message: str, data: Any = None):
        is_free = type(code) is int and -(2**31) <= code < 2**31 and code not in RESERVED_CODES
        if not is_free or code == 0:
            raise ValueError(f"expected a code that JSON-RPC leaves free, found {code!r}")
        super().__init__(message)
        self.code = code
        self.data = data


class InvalidParams(Error):
    """The job fails with -32602. `path` names the parameter: "user_id", "items/0/count"."""

    def __init__(self, path: str, message: str):
        Exception.__init__(self, f"{'/'.join(filter(None, ['params', path]))}: {message}")
        self.code = -32602
        self.data = None


class Job(dict[str, Any]):
    """One job: its arguments by name, and what the server knows of it.

    method       the method that the client has called
    id           of the request; None: a notification, or null
    deadline_s   in seconds of time.monotonic(); past it no client waits for the result
    traceparent  W3C trace context; None: the request has none
    """

    def __init__(
        self,
        arguments: Mapping[str, Any] | None = None,
        *,
        method: str = "",
        id: Any = None,
        deadline_s: float = math.inf,
        traceparent: str | None = None,
    ):
        super().__init__(arguments or {})
        self.method = method
        self.id = id
        self.deadline_s = deadline_s
        self.traceparent = traceparent


_job: Callable[[], Job] = Job  # the server puts its own function here


def job() -> Job:
    """The job in hand, without its arguments. For run(): run_batch() gets its jobs as a list."""
    return _job()


def log(message: object, **fields: object) -> None:
    """Writes a line, `message name=value ...`, to stderr, and so to the server's log."""
    line = " ".join([str(message), *(f"{name}={value}" for name, value in fields.items())])
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
