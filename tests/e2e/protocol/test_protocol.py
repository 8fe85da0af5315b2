"""JSON-RPC 2.0 as the contract has it, over a real socket and in every framing: the tables of
vectors.py.
"""

import pytest
import vectors
from answers import Error, check
from framings import FRAMINGS, Framed
from server import Server
from vectors import CONTRACT, SPECIFICATION, Vector

BEFORE = vectors.echo(b'"before"')
AFTER = vectors.echo(b'"after"')


@pytest.fixture(scope="module")
def running(module_server, probe) -> Server:
    """One server for the whole table: no message may disturb the next."""
    return module_server(
        limits={"batch_items": vectors.BATCH_ITEMS}, handlers=vectors.handlers(probe)
    )


def is_bad_json(vector: Vector) -> bool:
    return isinstance(vector.answer, Error) and vector.answer.code == -32700


# Text that is not JSON ends a concatenated stream, or keeps it waiting: test_stream.py.
CASES = [
    pytest.param(vector, framing, id=f"{framing.__name__}: {vector.name}")
    for framing in FRAMINGS
    for vector in (*SPECIFICATION, *CONTRACT)
    if framing.outlives_bad_json or not is_bad_json(vector)
]


@pytest.mark.parametrize(("vector", "framing"), CASES)
def test_a_message_is_answered(running: Server, vector: Vector, framing: type[Framed]):
    """Sends the message between two requests that must be served, so that the next answer shows
    that nothing came back for a notification."""
    with framing(running.address) as client:
        for message in (BEFORE, vector, AFTER):
            client.send_message(message.message)
            if message.answer is not None:
                check(client.read_message(), message.answer)
            elif framing.answers_everything:
                assert client.read_message() == b""
