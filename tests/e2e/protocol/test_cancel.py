"""$/cancelRequest: a cancelled request is not executed, if it has not begun."""

import json

import pytest
from client import request
from framings import FRAMINGS, ContentLength

CANCELLED = {"code": -32800, "message": "the client cancelled the request"}


def cancel(id, answered_as=None) -> bytes:
    """A notification. With `answered_as` a request, whose answer confirms the cancellation."""
    return request("$/cancelRequest", {"id": id}, answered_as)[:-1]


@pytest.fixture
def held(server, probe, gate):
    """(server, gate, connect): the server has one worker; connect(framing) returns a client whose
    request `held` holds the worker."""
    running = server(workers={"count": 1}, handlers={"echo": {}, "hold": probe("hold")})
    holding = gate("held")

    def connect(framing=ContentLength):
        client = framing(running.address)
        client.send_message(holding.request("held")[:-1])
        holding.wait_for_runs(1)
        return client

    return running, holding, connect


def read_cancelled(client, id, executed):
    answer = json.loads(client.read_message())
    assert answer["id"] == id, answer
    data = {"reason": "cancelled", "retryable": False, "executed": executed}
    assert answer["error"] == CANCELLED | {"data": data}


@pytest.mark.parametrize("framing", [one for one in FRAMINGS if not one.answers_everything],
                         ids=lambda framing: framing.__name__)  # fmt: skip
def test_a_request_that_has_not_begun_never_runs(held, gate, framing):
    _, holding, connect = held
    waiting = gate("waiting")
    waiting.open()
    with connect(framing) as client:
        client.send_message(waiting.request(1)[:-1])
        client.send_message(cancel(1))
        read_cancelled(client, 1, executed=False)
        holding.open()
        assert json.loads(client.read_message())["id"] == "held"
        client.send_message(request("echo", ["after"], 2)[:-1])
        assert json.loads(client.read_message())["result"] == ["after"]
    assert not waiting.was_reached()


def test_a_running_request_is_answered_at_once_and_only_once(held):
    _, holding, connect = held
    with connect() as client:
        client.send_message(cancel("held"))
        read_cancelled(client, "held", executed="unknown")
        client.send_message(cancel("held"))
        holding.open()
        client.send_message(request("echo", ["after"], 2)[:-1])
        assert json.loads(client.read_message())["result"] == ["after"]


def test_a_client_cancels_only_its_own_requests_by_their_exact_ids(held):
    running, holding, connect = held
    with connect() as client, ContentLength(running.address) as other:
        other.send_message(cancel("held"))
        for id in ("h\\u0065ld", 1, None, ["held"]):
            client.send_message(cancel(id))
        client.send_message(b'{"jsonrpc":"2.0","method":"$/cancelRequest"}')
        client.send_message(b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":["held"]}')
        for one in (client, other):
            one.send_message(request("no_such_method", None, 1)[:-1])
            assert json.loads(one.read_message())["error"]["code"] == -32601
        holding.open()
        answer = json.loads(client.read_message())
        assert answer["id"] == "held" and "result" in answer


def test_a_notification_cannot_be_cancelled(held, gate):
    """A notification has no id, and a cancellation without params names no request."""
    _, holding, connect = held
    waiting = gate("waiting")
    waiting.open()
    with connect() as client:
        client.send_message(waiting.request(None)[:-1])
        client.send_message(b'{"jsonrpc":"2.0","method":"$/cancelRequest","id":1}')
        assert json.loads(client.read_message())["result"] is None
        holding.open()
        assert json.loads(client.read_message())["id"] == "held"
        waiting.wait_for_runs(1)


def test_an_item_of_a_batch_can_be_cancelled(held):
    _, holding, connect = held
    batch = [json.loads(request("echo", [id], id)) for id in (1, 2)]
    with connect() as client:
        client.send_message(json.dumps(batch).encode())
        client.send_message(cancel(1, answered_as="cancel"))
        assert json.loads(client.read_message())["id"] == "cancel"
        holding.open()
        found = [json.loads(client.read_message()) for _ in range(2)]
        answers = next(one for one in found if isinstance(one, list))
        by_id = {answer["id"]: answer for answer in answers}
        assert by_id[1]["error"]["code"] == -32800 and by_id[2]["result"] == [2]


def test_a_cancellation_with_an_id_is_answered(held):
    _, holding, connect = held
    with connect() as client:
        client.send_message(cancel("held", answered_as="cancel"))
        read_cancelled(client, "held", executed="unknown")
        assert client.read_message() == b'{"jsonrpc":"2.0","id":"cancel","result":null}'
        holding.open()
