"""JSON-RPC 2.0 over HTTP, as the Python baselines speak it: single requests, no batches."""

from typing import Any

import ujson

PARSE_ERROR, INVALID_REQUEST, NO_SUCH_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
OVERLOADED, TOO_LATE, WORKER_DIED, UPSTREAM_FAILED = -32009, -32012, -32014, -32015

# Enough for a payload of 16 MiB, and for the message around it.
REQUEST_BYTES_MAX = 32 << 20


class RpcError(Exception):
    """Becomes an error response. Pickle sends the arguments through a pipe, and the other process
    makes the same exception of them."""

    def __init__(self, code: int, message: str):
        super().__init__(code, message)
        self.code = code
        self.message = message


def dumps(value: Any) -> str:
    return ujson.dumps(value, escape_forward_slashes=False)


def read(body: bytes) -> tuple[Any, str, Any]:
    """id, method and params of a request."""
    try:
        request = ujson.loads(body)
    except ValueError as fault:
        raise RpcError(PARSE_ERROR, str(fault)) from None
    is_ours = isinstance(request, dict) and request.get("jsonrpc") == "2.0"
    if not is_ours or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "expected one JSON-RPC 2.0 request")
    return request.get("id"), request["method"], request.get("params")


def answer(id: Any, result: str) -> str:
    """A response; `result` is JSON text already."""
    return f'{{"jsonrpc":"2.0","id":{dumps(id)},"result":{result}}}'


def failure(id: Any, error: RpcError) -> str:
    told = {"code": error.code, "message": error.message}
    return dumps({"jsonrpc": "2.0", "id": id, "error": told})
