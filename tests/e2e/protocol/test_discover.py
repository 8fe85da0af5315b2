"""The server describes its methods (rpc.discover), and checks params against its handlers'
descriptions."""

import json
import os
import signal
import subprocess

import pytest
from client import RpcError, request
from interop.programs import FOLDER, node_program
from server import HANDLERS, compile_handler

NUMBER = {"name": "number", "required": True, "schema": {"type": "integer"}}


@pytest.fixture(scope="session")
def describing(tmp_path_factory):
    """describing(description, ...): the configuration of a handler with this description, which
    answers each job with the size of its batch."""
    folder = tmp_path_factory.mktemp("handlers")

    def make(description: dict | str, **options) -> dict:
        text = description if isinstance(description, str) else json.dumps(description)
        target = folder / f"says{len(list(folder.iterdir()))}.so"
        flag = f"-DDESCRIPTION={json.dumps(text)}"
        return {"library": compile_handler(target, HANDLERS / "batches.c", flag)} | options

    return make


@pytest.fixture(scope="module")
def running(module_server, root):
    return module_server(
        upstreams={"users": {"url": "http://127.0.0.1:1/"}},
        handlers={
            "echo": {}, "burn": {}, "interests": {"model": root / "conf/models/interests.ubj"},
        },
        methods={
            "interests.predict": {
                "steps": [{"fetch": "users", "body": {"user_id": "${params.user_id}"}},
                          {"run": "interests"}],
            },
        },
    )  # fmt: skip


def refusal(running, method: str, params=None) -> str:
    refused = running.error_of(method, params)
    assert refused.code == -32602
    assert refused.data == {
        "reason": "invalid_params", "retryable": False, "executed": False,
    }  # fmt: skip
    return refused.message


def method_of(document: dict, name: str) -> dict:
    return next(method for method in document["methods"] if method["name"] == name)


@pytest.mark.parametrize(
    "method, params, says",
    [
        ("burn", {"cpu_ms": "1"}, 'params/cpu_ms: expected type number, found "1"'),
        ("burn", {"cpu_ms": -0.5}, "params/cpu_ms: expected minimum 0, found -0.5"),
        ("burn", {"cpu_ms": 600_001}, "params/cpu_ms: expected maximum 600000, found 600001"),
        ("burn", {"ms": 1}, "params: expected cpu_ms (required), found no such member"),
        ("burn", None, "params: expected cpu_ms (required), found no such member"),
        ("burn", [None], "params/0: expected type number, found null"),
        ("burn", [],
         "params: expected minItems 1, found an array of 0 elements; in their order: cpu_ms"),
        ("burn", [1, 2],
         "params: expected maxItems 1, found an array of 2 elements; in their order: cpu_ms"),
        ("interests", [1], 'params: expected type ["object"], found an array'),
        ("interests", {"user_id": 1, "events": [{"category": "news"}, {"ts": 5}]},
         "params/events/1: expected category (required), found no such member"),
        ("interests", {"user_id": 1, "events": [{"category": "x"}]},
         'params/events/0/category: expected enum ["frontpage","news"'),
        ("interests", {"user_id": 1.5, "events": []},
         "params/user_id: expected type integer, found 1.5"),
    ],
)  # fmt: skip
def test_params_that_do_not_fit(running, method, params, says):
    workers = running.workers()
    assert says in refusal(running, method, params)
    assert running.call("echo", [1]) == [1]
    assert running.workers() == workers


def test_params_that_a_fetch_step_lacks(running):
    """The server refuses such params before it calls any handler."""
    with pytest.raises(RpcError, match="user_id") as refused:
        running.call("interests.predict", {"events": []})
    assert refused.value.code == -32602


def test_params_that_fit(running):
    for params in ({"cpu_ms": 0}, [0], {"cpu_ms": 0, "more": [[]]}):
        assert running.call("burn", params) == {"cpu_ms": 0}
    assert running.call("burn", {"cpu_ms": 0, "_meta": {"timeout_ms": 9000, "traceparent": "00"}})
    assert running.call("interests", {"user_id": 7, "events": [{"category": "bbs"}]})


def test_without_declared_params_any_params_are_served(running):
    with running.connect() as client:
        for params in (b"[1e400,[]]", rb'{"a":"\ud800"}', b"[" * 127 + b"]" * 127):
            client.send(b'{"jsonrpc":"2.0","id":1,"method":"echo","params":' + params + b"}\n")
            assert client.read() == b'{"jsonrpc":"2.0","id":1,"result":' + params + b"}"


def test_the_deepest_params_there_can_be(running):
    """The params are as deep as a message may be, in a member that the description lacks."""
    with running.connect() as client:
        deep = b'{"cpu_ms":0,"more":' + b"[" * 126 + b"]" * 126 + b"}"
        client.send(b'{"jsonrpc":"2.0","id":1,"method":"burn","params":' + deep + b"}\n")
        assert client.answer()["result"] == {"cpu_ms": 0}


def test_a_job_that_does_not_fit_is_not_in_its_batch(server, probe, gate, describing):
    running = server(
        workers={"count": 1},
        handlers={"hold": probe("hold"), "batches": describing({"params": [NUMBER]}, batch=8)},
    )
    held = gate()
    with running.connect() as client:
        held.hold(client, "hold")
        for id, number in enumerate([1, "x", 3]):
            client.send(request("batches", [number], id))
        client.send(request("none", id="all are in"))
        assert client.answer()["id"] == "all are in"
        held.open()
        answers = client.answers(4)
    assert answers[0]["result"] == answers[2]["result"] == 2
    assert answers[1]["error"]["message"] == 'params/0: expected type integer, found "x"'


def test_the_document(running):
    document = running.call("rpc.discover")
    assert document["openrpc"] == "1.2.6"
    assert document["servers"][0]["url"] == f"http://{running.address}/"
    names = [method["name"] for method in document["methods"]]
    assert names == ["burn", "echo", "interests", "interests.predict"]
    predict = method_of(document, "interests.predict")
    assert predict["paramStructure"] == "by-name"
    assert [(p["name"], p.get("required", False)) for p in predict["params"]] == [
        ("user_id", True), ("events", False),
    ]  # fmt: skip
    known = document["components"]["errors"]
    for method in document["methods"]:
        errors = [error["$ref"].rpartition("/")[2] for error in method["errors"]]
        assert set(errors) <= known.keys()
        assert ("upstream_failed" in errors) == (method["name"] == "interests.predict")


def test_the_document_is_asked_for_like_any_result(running):
    document = running.call("rpc.discover")
    with running.connect() as client:
        client.send(request("rpc.discover", id=None) + request("rpc.discover", {"x": 1}, "y"))
        assert client.answer() == {"jsonrpc": "2.0", "id": "y", "result": document}
        client.send(b'{"method":"rpc.discover","params":[null],"id":7}\n')
        assert client.answer() == {"id": 7, "result": document, "error": None}
        batch = [json.loads(request(method, [1], id)) for id, method in
                 enumerate(["rpc.discover", "echo", "rpc.discovers"])]  # fmt: skip
        client.send(json.dumps(batch).encode() + b"\n")
        answers = {answer["id"]: answer for answer in json.loads(client.read())}
        assert answers[0]["result"] == document and answers[1]["result"] == [1]
        assert answers[2]["error"]["code"] == -32601


def test_many_documents_at_once_are_refused_beyond_what_may_wait(running):
    """A thousand requests of 60 bytes must not cost the server 60 kilobytes each."""
    size = len(json.dumps(running.call("rpc.discover"), separators=(",", ":")))
    count = (1 << 20) // size * 3
    one = {"jsonrpc": "2.0", "method": "rpc.discover"}
    with running.connect() as client:
        client.send(json.dumps([one | {"id": id} for id in range(count)]).encode() + b"\n")
        answers = json.loads(client.read())
    refused = [answer["error"] for answer in answers if "error" in answer]
    assert len(answers) == count and count / 2 < len(refused) < count * 3 / 4
    assert {(e["code"], e["data"]["reason"]) for e in refused} == {(-32009, "unsent_answers")}


def test_many_documents_in_batches_that_wait_are_refused_alike(holding, gate):
    """Each batch waits for a long call: the limit is for all batches of a connection together."""
    running = holding()
    size = len(json.dumps(running.call("rpc.discover"), separators=(",", ":")))
    each = (1 << 20) // size // 2
    one = {"jsonrpc": "2.0", "method": "rpc.discover"}
    held = gate()
    with running.connect() as client:
        for id in range(6):
            batch = [json.loads(held.request(id)), *(one | {"id": n} for n in range(each))]
            client.send(json.dumps(batch).encode() + b"\n")
        client.send(request("no_such_method", [], "last"))
        assert client.answer()["id"] == "last"  # so the server has read all requests before it
        held.open()
        answers = [json.loads(client.read()) for _ in range(6)]
    refused = [sum("error" in answer for answer in batch) for batch in answers]
    assert all(len(batch) == each + 1 for batch in answers)
    assert 3 * each <= sum(refused) < 5 * each, (each, refused)


def test_the_document_survives_the_fork_server(server):
    running = server()
    document = running.call("rpc.discover")
    before = len(running.lines)
    os.kill(running.fork_server(), signal.SIGKILL)
    running.wait_for_line(r"event=worker_ready", before)
    assert running.call("rpc.discover") == document


def test_a_reload_brings_another_document(server, describing):
    running = server(methods={"echo": {"summary": "The first."}})
    assert method_of(running.call("rpc.discover"), "echo")["summary"] == "The first."
    says = {"summary": "Counts.", "params": [NUMBER], "result": {"name": "n", "schema": {}}}
    running.reload(handlers={"echo": {}, "new": describing(says)})
    document = running.call("rpc.discover")
    assert method_of(document, "echo")["summary"].startswith("Returns its params")
    new = method_of(document, "new")
    assert (new["summary"], new["params"]) == ("Counts.", [NUMBER])
    assert refusal(running, "new", ["x"]) == 'params/0: expected type integer, found "x"'


@pytest.mark.parametrize(
    "description, says",
    [
        ("{", "its description: expected a key in quotes at byte 1"),
        ({"name": "x"}, "its description/name: unknown member"),
        ({"params": [NUMBER | {"schema": {"type": "int"}}]},
         "its description/params/0/schema/type: expected one or more of null"),
        ({"~" * 60_000: "x"}, "its description/~0~0~0"),  # each ~ is ~0 in the error
        ({"summary": "x" * 62_000}, "its description: expected at most 61440 bytes"),
    ],
)  # fmt: skip
def test_an_invalid_description_is_refused(server, describing, description, says):
    """A start or reload fails and names the handler and the place; the running server goes on."""
    bad = describing(description)
    running = server()
    document = running.call("rpc.discover")
    line = running.reload(handlers={"echo": {}, "bad": bad})
    assert line.startswith("event=reload_failed") and "handler bad (" in line and says in line
    assert running.call("rpc.discover") == document
    refused = server(wait=False, name="refused", handlers={"bad": bad})
    assert refused.wait() == 78
    assert "handler bad (" in refused.lines[-1] and says in refused.lines[-1]


def test_the_command_prints_it_for_people(build, running):
    def discover(*arguments):
        return subprocess.run([build / "ringmaster", "discover", *arguments], capture_output=True,
                              text=True, timeout=30)  # fmt: skip

    done = discover("--to", running.address)
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout) == running.call("rpc.discover")
    assert done.stdout.startswith('{\n  "openrpc": "1.2.6",\n  "info": {\n')
    assert discover("--to", "127.0.0.1:1").returncode == 71
    assert discover("--to", running.address, "-c", running.config).returncode == 64
    assert discover("echo").returncode == 64


def test_the_tools_of_openrpc_are_content(server, feature_service, root):
    """The document is valid, and every method does what the document says."""
    upstream = feature_service()
    steps = [{"fetch": "users", "body": {"user_id": "${params.user_id}"}}, {"run": "interests"}]
    running = server(
        upstreams={"users": {"url": upstream.url}},
        handlers={
            "echo": {}, "burn": {}, "interests": {"model": root / "conf/models/interests.ubj"},
        },
        methods={"interests.predict": {"steps": steps}},
    )  # fmt: skip
    program = node_program(FOLDER / "node/open_rpc_document.js")
    # Not burn: with params made up from its schema a call could take ten minutes.
    done = subprocess.run([*program, running.address, "echo", "interests"], capture_output=True,
                          text=True, timeout=30)  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["fault"] is None
    assert [call for call in seen["calls"] if call["failure"] is not None] == []
    called = {(call["method"], call["kind"]) for call in seen["calls"]}
    assert called == {
        ("burn", "example"), ("echo", "example"), ("interests", "example"),
        ("interests.predict", "example"), ("echo", "faked"), ("interests", "faked"),
    }  # fmt: skip
