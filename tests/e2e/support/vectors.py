"""JSON-RPC messages and their answers, in any framing.

A Vector is one message. Its answer is None (no answer), or as in answers.py. The tables:
SPECIFICATION has the examples of https://www.jsonrpc.org/specification, CONTRACT has cases that the
specification leaves open.

The vectors need a server with METHODS (see handlers()) and BATCH_ITEMS as limit.
"""

from collections.abc import Callable
from dataclasses import dataclass

from answers import Batch, Error, result

BATCH_ITEMS = 50
METHODS = ("echo", "subtract", "sum", "get_data", "update", "notify_hello", "notify_sum")


def handlers(probe: Callable[..., dict]) -> dict[str, dict]:
    """The server's handlers, and methods, for these vectors."""
    made = {name: probe(name) for name in ("subtract", "sum", "get_data")}
    made |= {name: {"library": "echo"} for name in ("update", "notify_hello", "notify_sum")}
    return made | {"echo": {}}


@dataclass(frozen=True)
class Vector:
    name: str
    message: bytes
    answer: None | bytes | Error | Batch


def echo(id: bytes, params: bytes = b"[1]") -> Vector:
    """A request whose id and params the answer must repeat byte for byte."""
    return Vector(
        f"echo id {id[:40]!r} params {params[:40]!r}",
        b'{"jsonrpc":"2.0","method":"echo","params":' + params + b',"id":' + id + b"}",
        b'{"jsonrpc":"2.0","id":' + id + b',"result":' + params + b"}",
    )


def request(members: bytes) -> bytes:
    """A valid request for echo, except for these members."""
    return b'{"jsonrpc":"2.0","method":"echo",' + members + b"}"


NOT_A_REQUEST = Error(-32600, reason="invalid_request")

SPECIFICATION = (
    Vector(
        "positional parameters",
        b'{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        b'{"jsonrpc":"2.0","id":1,"result":19}',
    ),
    Vector(
        "positional parameters, the other way round",
        b'{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        b'{"jsonrpc":"2.0","id":2,"result":-19}',
    ),
    Vector(
        "named parameters",
        b'{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42},'
        b' "id": 3}',
        b'{"jsonrpc":"2.0","id":3,"result":19}',
    ),
    Vector(
        "named parameters, the other way round",
        b'{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23},'
        b' "id": 4}',
        b'{"jsonrpc":"2.0","id":4,"result":19}',
    ),
    Vector(
        "a notification",
        b'{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}',
        None,
    ),
    Vector("a notification of an unknown method", b'{"jsonrpc": "2.0", "method": "foobar"}', None),
    Vector(
        "an unknown method",
        b'{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        Error(-32601, b'"1"', reason="method_not_found"),
    ),
    Vector(
        "invalid JSON",
        b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        Error(-32700, reason="parse_error"),
    ),
    Vector(
        "an invalid request",
        b'{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
        NOT_A_REQUEST,
    ),
    Vector(
        "a batch of invalid JSON",
        b'[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        b' {"jsonrpc": "2.0", "method" ]',
        Error(-32700, reason="parse_error"),
    ),
    Vector("an empty array", b"[]", NOT_A_REQUEST),
    Vector("an invalid batch that is not empty", b"[1]", Batch((NOT_A_REQUEST,))),
    Vector("an invalid batch", b"[1,2,3]", Batch((NOT_A_REQUEST,) * 3)),
    Vector(
        "a batch",
        b'[ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        b' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},'
        b' {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
        b' {"foo": "boo"},'
        b' {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
        b' {"jsonrpc": "2.0", "method": "get_data", "id": "9"} ]',
        Batch(
            (
                result("1", 7),
                result("2", 19),
                NOT_A_REQUEST,
                Error(-32601, b'"5"'),
                result("9", ["hello", 5]),
            )
        ),
    ),
    Vector(
        "a batch of notifications",
        b'[ {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        b' {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]} ]',
        None,
    ),
)

IDS = tuple(
    echo(id)
    for id in (
        b"0", b"-1", b"1.0", b"-0", b"1e2", b"1E+2", b"0.10e-05", b"1e400", b"-1e-400",
        b"123456789012345678901234567890123456789", b'""', b'"x"', b'" "', b'"\\u00e9"',
        b'"\\u00E9"', "\"é€😀\"".encode(), b'"\\ud83d\\ude00"', b'"\\ud800"', b'"a\\"b\\\\c\\/d\\n"',
        b'"\\u0000"', b'"' + b"i" * 254 + b'"', b"1" * 256, b"null",
    )
)  # fmt: skip

BAD_IDS = tuple(
    Vector(f"the id {id[:20]!r}", request(b'"id":' + id), NOT_A_REQUEST)
    for id in (b"true", b"false", b"{}", b"[]", b"[1]", b'"' + b"i" * 255 + b'"', b"1" * 257)
)

PARAMS = tuple(
    echo(b"1", params)
    for params in (
        b"[]", b"{}", b"[null,true,false]", b"[1.50,1E5,-0.0,1e400]",
        b'["\\ud800","\\udc00\\ud800"]',
        b'{"a":{"b":[{}]}}', b'{ "spaced" :\t[ 1 , 2 ] }', b'["\\u0000\\u001f\\/"]',
        '["é€😀 \u2028"]'.encode(), b'{"a":1,"a":2}', b"[" * 127 + b"]" * 127,
        b'["' + b"x" * 100_000 + b'"]', b'{"id":2,"jsonrpc":3,"method":[]}',
    )
)  # fmt: skip

ENVELOPE = (
    Vector("no params", request(b'"id":1'), b'{"jsonrpc":"2.0","id":1,"result":null}'),
    Vector(
        "params null is as no params",
        request(b'"params":null,"id":1'),
        b'{"jsonrpc":"2.0","id":1,"result":null}',
    ),
    *(
        Vector(
            f"params {params!r}",
            request(b'"params":' + params + b',"id":"p"'),
            Error(-32600, b'"p"', says="params"),
        )
        for params in (b'"bar"', b"1", b"true", b"false", b'""', b"0")
    ),
    *(
        Vector(
            f"jsonrpc {version!r}",
            b'{"jsonrpc":' + version + b',"method":"echo","id":7}',
            Error(-32600, b"7", says="jsonrpc"),
        )
        for version in (b'"1.0"', b"2.0", b'"2"', b"null", b'""', b'["2.0"]', b'"2.0 "')
    ),
    Vector("no jsonrpc", b'{"method":"echo","id":7}', Error(-32600, b"7", says="jsonrpc")),
    Vector("no method", b'{"jsonrpc":"2.0","id":7}', Error(-32600, b"7", says="method")),
    Vector("an escape in jsonrpc", b'{"jsonrpc":"2\\u002e0","method":"\\u0065cho","id":1}',
           b'{"jsonrpc":"2.0","id":1,"result":null}'),
    Vector("members in any order", b'{"id":1,"params":[2],"method":"echo","jsonrpc":"2.0"}',
           b'{"jsonrpc":"2.0","id":1,"result":[2]}'),
    Vector("an unknown member", request(b'"extra":{"id":9},"id":1'),
           b'{"jsonrpc":"2.0","id":1,"result":null}'),
    Vector("two ids", request(b'"id":1,"id":2'), NOT_A_REQUEST),
    Vector("the same id twice", request(b'"id":1,"id":1'), NOT_A_REQUEST),
    Vector("two methods", request(b'"method":"sum","id":1'), Error(-32600, b"1")),
    Vector("two params", request(b'"params":[1],"params":[2],"id":1'), Error(-32600, b"1")),
    Vector("two jsonrpc", request(b'"jsonrpc":"2.0","id":1'), Error(-32600, b"1")),
    Vector("a key twice, once escaped", request(b'"i\\u0064":1,"id":1'), NOT_A_REQUEST),
    Vector("an unknown key twice", request(b'"x":1,"y":1,"\\u0078":2,"id":1'), Error(-32600, b"1")),
    Vector("two ids and two methods", request(b'"id":1,"i\\u0064":2,"method":"m"'), NOT_A_REQUEST),
    Vector("the method null", b'{"jsonrpc":"2.0","method":null,"id":"a"}', Error(-32600, b'"a"')),
    Vector("a method that is an object", b'{"jsonrpc":"2.0","method":{"method":"m"},"id":1}',
           Error(-32600, b"1", says="method")),
    Vector("an error's excerpt of characters of three bytes",
           request('"params":"x{}","id":"p"'.format("€" * 20).encode()),
           Error(-32600, b'"p"', says="€...")),
    Vector("wrong params without an id", request(b'"params":false'), NOT_A_REQUEST),
    Vector("an empty object", b"{}", NOT_A_REQUEST),
    Vector("a method that is nearly known", b'{"jsonrpc":"2.0","method":"ecko","id":1}',
           Error(-32601, b"1", reason="method_not_found", says="echo")),
    Vector("rpc.*", b'{"jsonrpc":"2.0","method":"rpc.nothing","id":1}', Error(-32601, b"1")),
    Vector("a timeout that is no number", request(b'"params":{"_meta":{"timeout_ms":"5"}},"id":1'),
           Error(-32602, b"1", reason="invalid_params", says="timeout_ms")),
    Vector("a response", b'{"jsonrpc":"2.0","id":1,"result":2}', NOT_A_REQUEST),
    Vector("a response of version 1", b'{"id":1,"result":null,"error":"x"}', NOT_A_REQUEST),
    Vector("a response in a batch", b'[{"jsonrpc":"2.0","id":1,"result":2}]',
           Batch((NOT_A_REQUEST,))),
    Vector("an error response", b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}',
           NOT_A_REQUEST),
    # Two servers that are connected to each other must not go on for ever.
    Vector("what we answer to a response",
           b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m"}}', None),
    Vector("what we answer to a batch of responses",
           b'[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m"}}]', None),
    Vector("a notification with wrong params", request(b'"params":{"_meta":{"timeout_ms":-1}}'),
           None),
)  # fmt: skip

VERSION_1 = (
    Vector("version 1: a result", b'{"method":"echo","params":[{"a":1}],"id":7}',
           b'{"id":7,"result":{"a":1},"error":null}'),
    Vector("version 1: a param that is no object", b'{"method":"echo","params":[[{"a":1}]],"id":7}',
           b'{"id":7,"result":[[{"a":1}]],"error":null}'),
    Vector("version 1: an error is a string", b'{"method":"ecko","params":[1],"id":7}',
           b'{"id":7,"result":null,"error":"there is no method ecko; did you mean echo?"}'),
    Vector("version 1: params of two", b'{"method":"echo","params":[1,2],"id":7}',
           Error(-32600, b"7")),
    Vector("version 1: no params", b'{"method":"echo","params":[],"id":7}', Error(-32600, b"7")),
    Vector("version 1: a notification of one", b'{"method":"echo","params":[1]}', NOT_A_REQUEST),
    Vector("version 1: params an object", b'{"method":"echo","params":{"a":1},"id":7}',
           Error(-32600, b"7")),
)  # fmt: skip

BATCHES = (
    Vector("a batch of one", b"[" + request(b'"id":1') + b"]", Batch((result(1, None),))),
    Vector("arrays in a batch", b"[[],[[]]]", Batch((NOT_A_REQUEST,) * 2)),
    Vector("the same id twice in a batch",
           b"[" + request(b'"params":[1],"id":1') + b"," + request(b'"params":[2],"id":1') + b"]",
           Batch((result(1, [1]), result(1, [2])))),
    Vector("a batch as long as may be",
           b"[" + b",".join([request(b'"id":1')] * BATCH_ITEMS) + b"]",
           Batch((result(1, None),) * BATCH_ITEMS)),
    Vector("a batch that is too long",
           b"[" + b",".join([request(b'"id":1')] * (BATCH_ITEMS + 1)) + b"]",
           Error(-32010, reason="batch_too_large", limit=BATCH_ITEMS)),
    Vector("too long a batch of no requests", b"[" + b"[]," * BATCH_ITEMS + b"1]",
           Error(-32010, reason="batch_too_large", limit=BATCH_ITEMS)),
    Vector("too long a batch of notifications",
           b"[" + b",".join([request(b'"params":[]')] * (BATCH_ITEMS + 1)) + b"]",
           Error(-32010, reason="batch_too_large", limit=BATCH_ITEMS)),
)  # fmt: skip

# json_texts.py has all faults inside of a message.
BAD_JSON = tuple(
    Vector(f"bad JSON: {message[:50]!r}", message,
           Error(-32700, reason="parse_error", says=" at byte "))
    for message in (
        b'{"jsonrpc":"2.0","method":"echo","id":1', b"{", b"[", b"{]", b"[1,]",
        request(b'"id":"\xff"'), b"\xef\xbb\xbf" + request(b'"id":1'),
        request(b'"params":' + b"[" * 128 + b"]" * 128 + b',"id":1'),
        request(b'"params":' + b'{"a":' * 128 + b"1" + b"}" * 128 + b',"id":1'),
        b"[" * 129 + b"]" * 129, b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
    )
)  # fmt: skip

CONTRACT = (*IDS, *BAD_IDS, *PARAMS, *ENVELOPE, *VERSION_1, *BATCHES, *BAD_JSON)
