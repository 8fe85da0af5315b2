"""JSON-RPC 2.0 as the contract has it, over a real socket: the tables of vectors.py."""

import pytest
import vectors
from server import Server
from vectors import CONTRACT, SPECIFICATION, Vector


@pytest.fixture(scope="module")
def running(module_server, probe) -> Server:
    """One server for the whole table: no message may disturb the next."""
    return module_server(
        limits={"batch_items": vectors.BATCH_ITEMS}, handlers=vectors.handlers(probe)
    )


@pytest.mark.parametrize("vector", [*SPECIFICATION, *CONTRACT], ids=lambda vector: vector.name)
def test_a_message_is_answered(running: Server, vector: Vector):
    """Between two requests that must be served, whatever the message was: that nothing comes back
    for a notification is seen by what comes next."""
    with running.connect() as client:
        assert client.call("echo", ["before"]) == ["before"]
        client.send(vector.message + b"\n")
        if vector.answer is not None:
            vectors.check(client.read(), vector.answer)
        assert client.call("echo", ["after"]) == ["after"]
