"""params._meta: what a client may ask about its own request (timeout_ms: test_deadlines.py)."""

import json
import re
from http.client import HTTPConnection

import pytest
from client import DEADLINE_S, request

BOTH = {"cost": True, "quote": True}


@pytest.fixture(scope="module")
def running(module_server):
    return module_server()


def ask(client, method: str, **params) -> dict:
    client.send(request(method, params))
    return client.answer()


def assert_quote(meta: dict):
    quote = meta["quote_ms"]
    assert quote.keys() == {"p50", "p90", "p99"}, meta
    assert min(quote.values()) >= 0, meta  # each is learned by itself: p50 may exceed p90
    assert 0 <= meta["free"] <= 1, meta


def test_the_cpu_time_is_that_of_the_handler(server):
    running = server(handlers={"burn": {}})
    with running.connect() as client:
        answer = ask(client, "burn", cpu_ms=20, _meta={"cost": True})
    assert answer["result"] == {"cpu_ms": 20}
    assert answer["_meta"].keys() == {"cpu_us"}
    assert 20_000 <= answer["_meta"]["cpu_us"] < 40_000  # CPU time: another process adds none


def test_a_quote_stands_beside_results_and_errors(holding, gate, probe):
    running = holding(workers={"count": 1}, limits={"requests_in_flight": 100})
    held = gate()
    with running.connect() as client:
        answer = ask(client, "echo", _meta={"quote": True})
        assert_quote(answer["_meta"])
        assert "cpu_us" not in answer["_meta"]
        held.hold(client, "held")
        late = ask(client, "echo", _meta={"quote": True, "timeout_ms": 1})
        assert late["error"]["code"] in (-32009, -32012)
        assert_quote(late["_meta"])


def test_the_check_of_params_that_do_not_fit_is_a_cost(server):
    running = server(workers={"count": 1}, handlers={"burn": {}})
    with running.connect() as client:

        def quoted_ms():
            return ask(client, "burn", cpu_ms=0, _meta={"quote": True})["_meta"]["quote_ms"]["p50"]

        for _ in range(10):
            assert ask(client, "burn", cpu_ms=0)["result"] == {"cpu_ms": 0}
        before_ms = quoted_ms()
        for _ in range(10):
            error = ask(client, "burn", more=[[1]] * 800_000, cpu_ms="none")["error"]
            assert error["code"] == -32602 and error["data"]["executed"] is False, error
        assert quoted_ms() > 3 * before_ms


def test_a_quote_without_a_request(holding, gate):
    running = holding(workers={"count": 1})
    held = gate()
    with running.connect() as client:
        assert client.call("echo", {}) == {}
        client.send(request("rpc.quote", {"method": "echo"}))
        idle = client.answer()["result"]
        assert_quote(idle)
        assert idle.keys() == {"quote_ms", "free"}
        held.hold(client, "held")
        client.send(request("rpc.quote", {"method": "echo"}))
        assert client.answer()["result"]["free"] == 0
        held.open()
        assert client.answer()["id"] == "held"
    assert len(held.runs()) == 1


@pytest.mark.parametrize("params, why", [
    (None, 'expected the params {"method": NAME}'),
    ([], 'expected the params {"method": NAME}'),
    ({"method": 7}, 'expected the params {"method": NAME}'),
    ({"method": "echoo"}, "there is no method echoo"),
])  # fmt: skip
def test_a_quote_is_about_a_method_of_the_server(running, params, why):
    error = running.error_of("rpc.quote", params)
    assert error.code == -32602 and why in error.message


def test_http_responses_tell_the_load_where_it_is_configured(server):
    for name, listen in {"told": {"endpoint_load_metrics": True}, "silent": {}}.items():
        running = server(name=name, listen=listen)
        connection = HTTPConnection(*running.address.split(":"), timeout=DEADLINE_S)
        connection.request("POST", "/", request("echo", [1])[:-1],
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        assert b"[1]" in response.read()
        found = response.headers["endpoint-load-metrics"]
        if listen:
            assert re.fullmatch(r"TEXT application_utilization=[01]\.\d\d", found), found
        else:
            assert found is None
        connection.close()


@pytest.mark.parametrize("meta", [{}, {"cost": False, "quote": False}, {"timeout_ms": 60_000}])
def test_a_client_that_does_not_ask_is_told_nothing(running, meta):
    with running.connect() as client:
        assert "_meta" not in ask(client, "echo", _meta=meta)
        assert "_meta" not in ask(client, "echo", text="cost", cost=True)


@pytest.mark.parametrize("name", ["cost", "quote"])
@pytest.mark.parametrize("value", [1, "true", None, {}])
def test_other_values_are_refused(running, name, value):
    with running.connect() as client:
        error = ask(client, "echo", _meta={name: value})["error"]
    assert error["code"] == -32602
    assert f"expected true or false as params._meta.{name}, found" in error["message"]


def test_batches_long_results_and_http_have_it_too(running):
    long = {"_meta": BOTH, "text": "x" * 100_000}
    with running.connect() as client:
        answer = ask(client, "echo", **long)
        assert answer["result"] == long and answer["_meta"]["cpu_us"] >= 0
        items = [request("echo", {"_meta": BOTH}, 1), request("echo", {}, 2)]
        client.send(b"[" + b",".join(item.strip() for item in items) + b"]\n")
        first, second = client.answer()
        assert first["_meta"].keys() == {"cpu_us", "quote_ms", "free"}
        assert "_meta" not in second
    connection = HTTPConnection(running.address, timeout=DEADLINE_S)
    connection.request("POST", "/", request("echo", {"_meta": BOTH}),
                       {"Content-Type": "application/json"})
    assert_quote(json.loads(connection.getresponse().read())["_meta"])


def test_json_rpc_1_has_no_such_member(running):
    with running.connect() as client:
        client.send(b'{"method":"echo","params":[{"_meta":{"cost":true}}],"id":1}\n')
        assert client.answer().keys() == {"id", "result", "error"}
