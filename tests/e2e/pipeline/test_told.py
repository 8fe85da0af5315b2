"""What a handler is told of its jobs (handlers/tells.c)."""

import json
import os
import signal
from http.client import HTTPConnection

import pytest
from client import DEADLINE_S
from scripted_upstream import ScriptedUpstream, answer
from server import HANDLERS, compile_handler


@pytest.fixture(scope="session")
def tells(tmp_path_factory):
    """tells(...): the configuration of a handler that answers with what it was told."""
    folder = tmp_path_factory.mktemp("handlers")
    library = compile_handler(folder / "tells.so", HANDLERS / "tells.c")
    return lambda **options: {"library": library} | options


def test_two_handlers_of_one_library_describe_themselves(server, tells):
    handlers = {
        name: tells(says=json.dumps({"summary": f"Tells as {name}."})) for name in ("one", "other")
    }
    running = server(handlers=handlers | {"silent": tells()})
    methods = {method["name"]: method for method in running.call("rpc.discover")["methods"]}
    assert methods["one"]["summary"] == "Tells as one."
    assert methods["other"]["summary"] == "Tells as other."
    assert "summary" not in methods["silent"]


def test_the_name_of_the_method(server, tells):
    """Names may be long, and jobs of several methods may be in one batch of a handler."""
    names = ["a", "a.b \u00e4", "x" * 3000]
    running = server(
        workers={"count": 1},
        handlers={"tells": tells(batch=8)},
        methods={name: {"steps": [{"run": "tells"}]} for name in names},
    )
    with running.connect() as client:
        calls = [{"jsonrpc": "2.0", "id": i, "method": name} for i, name in enumerate(names * 4)]
        client.send(json.dumps(calls).encode() + b"\n")
        assert [one["result"]["method"] for one in client.answer()] == names * 4


@pytest.mark.parametrize("id", ["17", "1.50e1", "null", r'"a\u00e4\"}"', '"' + "x" * 254 + '"'])
def test_the_id_as_the_client_wrote_it(server, tells, id):
    running = server(handlers={"tells": tells()})
    with running.connect() as client:
        for params in ("", ', "params": [1]', ', "params": {"id": 3}'):
            client.send(f'{{"jsonrpc": "2.0", "id": {id}, "method": "tells"{params}}}\n'.encode())
            assert f'"id":{id},"traceparent":"","inputs":[],' in client.read().decode()


def test_the_names_of_the_steps_before(server, tells):
    running = server(
        handlers={"echo": {}, "tells": tells(), "other": tells()},
        methods={
            "one": {"steps": [{"run": "echo"}, {"run": "tells"}]},
            "all": {"steps": [{"run": "tells"}, {"run": "echo"}, {"run": "other"}]},
        },
    )
    assert running.call("tells", [1])["inputs"] == []
    assert running.call("one", [1])["inputs"] == [["echo", [1]]]
    (name, first), second = running.call("all", [1])["inputs"]
    assert name == "tells" and first["inputs"] == [] and second == ["echo", [1]]


def test_the_name_of_an_upstream(server, tells):
    with ScriptedUpstream(lambda connection, _: connection.sendall(answer(b"[7]"))) as upstream:
        running = server(
            upstreams={"profiles": {"url": upstream.url}},
            handlers={"tells": tells()},
            methods={"tells": {"steps": [{"fetch": "profiles"}, {"run": "tells"}]}},
        )
        assert running.call("tells")["inputs"] == [["profiles", [7]]]


def test_the_traceparent(server, tells):
    """It is that of params._meta, else that of the HTTP request. One that does not have the
    standard's form counts as absent."""
    running = server(handlers={"tells": tells()})

    def told(headers: dict, **meta) -> str:
        connection = HTTPConnection(running.address, timeout=DEADLINE_S)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tells", "params": {"_meta": meta}}
        headers = {"Content-Type": "application/json"} | headers
        connection.request("POST", "/", json.dumps(body), headers)
        response = json.load(connection.getresponse())
        connection.close()
        return response["result"]["traceparent"]

    one, other = (f"00-{n:032x}-{n:016x}-01" for n in (1, 2))
    assert told({}) == ""
    assert told({"Traceparent": one}) == one
    assert told({}, traceparent=one) == one
    assert told({"traceparent": other}, traceparent=one) == one
    assert told({"traceparent": one}, traceparent="00") == one
    assert told({"traceparent": "00"}) == ""
    assert running.call("tells", {"_meta": {"traceparent": other}})["traceparent"] == other


def test_the_forks_of_its_process(server, tells):
    """The library's fork callbacks are called once for each fork, however many handlers it serves.
    There are two canaries and a worker."""
    running = server(workers={"count": 1}, handlers={"one": tells(), "other": tells()})
    for name in ("one", "other"):
        assert running.call(name)["forks"] == [3, 2, 1]
    os.kill(running.workers()[0], signal.SIGKILL)
    assert running.call("one")["forks"] == [4, 3, 1]
