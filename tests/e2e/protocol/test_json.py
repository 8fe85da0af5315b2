"""Invalid JSON is refused and valid JSON is served, at any place in a message, also where the
server does not use the value.
"""

import pytest
import vectors
from answers import Error, check
from framings import FRAMINGS, Framed, Lines
from json_texts import ACCEPTED, REFUSED
from server import Server

PARSE_ERROR = Error(-32700, reason="parse_error")
AFTER = vectors.echo(b'"after"')


@pytest.fixture(scope="module")
def running(module_server) -> Server:
    return module_server(name="json")


def in_params(text: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"echo","params":[' + text + b"]}"


def in_named_params(text: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":' + text + b"}}"


def in_a_notification(text: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","method":"echo","params":{"a":' + text + b"}}"


def in_the_envelope(text: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"echo","more":' + text + b"}"


def in_a_batch(text: bytes) -> bytes:
    return b'[{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]},' + text + b"]"


def ends_early(message: bytes) -> bool:
    """Whether all brackets outside of strings close early: then the line has two values."""
    depth, in_string, escaped = 0, False, False
    for at, byte in enumerate(message):
        if escaped or (in_string and byte == ord("\\")):
            escaped = not escaped
        elif byte == ord('"'):
            in_string = not in_string
        elif not in_string:
            depth += (byte in b"{[") - (byte in b"}]")
            if depth == 0:
                return at + 1 < len(message)
    return False


PLACES = (in_params, in_named_params, in_a_notification, in_the_envelope, in_a_batch)
# In these places, these texts make valid JSON.
FITS = {(in_params, b""), (in_params, b"1,000.5"), (in_a_batch, b"1,000.5")}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
@pytest.mark.parametrize("framing", [one for one in FRAMINGS if one.outlives_bad_json],
                         ids=lambda framing: framing.__name__)  # fmt: skip
def test_what_is_not_json_is_refused(running: Server, framing: type[Framed], place):
    with framing(running.address) as client:
        for text in REFUSED:
            if (place, text) in FITS or (framing is Lines and ends_early(place(text))):
                continue
            client.send_message(place(text))
            try:
                PARSE_ERROR.check(client.read_message())
            except AssertionError as error:
                raise AssertionError(f"{text!r} was accepted") from error
        client.send_message(AFTER.message)
        check(client.read_message(), AFTER.answer)


@pytest.mark.parametrize("framing", FRAMINGS, ids=lambda framing: framing.__name__)
def test_what_is_json_is_served(running: Server, framing: type[Framed]):
    with framing(running.address) as client:
        for text in ACCEPTED:
            client.send_message(in_params(text))
            assert client.read_message() == b'{"jsonrpc":"2.0","id":1,"result":[' + text + b"]}"
            client.send_message(in_the_envelope(text))
            assert client.read_message() == b'{"jsonrpc":"2.0","id":1,"result":null}'
