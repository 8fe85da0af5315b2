"""`ringmaster call` against a server with scripted answers."""

import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest
from client import DEADLINE_S
from server import with_names

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ROOT / os.environ.get("RINGMASTER_BUILD", "build/release") / "ringmaster"


def call(*arguments, stdin="", before=()):
    argv = [*before, PROGRAM, "call", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, input=stdin)


class OneAnswer:
    """Takes one connection, reads one line, answers, closes."""

    def __init__(self, listener, answer):
        self.listener = listener
        self.answer = answer
        self.request = b""
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            while not self.request.endswith(b"\n"):
                received = connection.recv(65536)
                if not received:
                    return
                self.request += received
            if self.answer is None:
                connection.recv(1)  # until the client gives up
            for piece in self.answer or []:
                connection.sendall(piece)

    def received(self):
        self.thread.join(10)
        return json.loads(self.request)


@pytest.fixture
def serve():
    """serve(answer) -> (address, server). `answer`: pieces of bytes, or None for no answer."""
    listeners = []

    def serve(answer, path=None):
        listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        listeners.append(listener)
        listener.bind(str(path) if path else ("127.0.0.1", 0))
        listener.listen()
        address = f"unix:{path}" if path else "127.0.0.1:%d" % listener.getsockname()[1]
        return address, OneAnswer(listener, answer)

    yield serve
    for listener in listeners:
        listener.close()


def test_a_result_is_printed_as_it_came(serve):
    address, server = serve([b'{"jsonrpc":"2.0","id":1,', b'"result":{"a":1.50,"b":"\\u00e9"}}\n'])
    done = call("--to", address, "interests.predict", '{"user_id":\n 42}')
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"a":1.50,"b":"\\u00e9"}\n', "")
    assert server.received() == {
        "jsonrpc": "2.0", "id": 1, "method": "interests.predict", "params": {"user_id": 42},
    }
    assert server.request.count(b"\n") == 1


def test_params_may_be_an_array_or_absent(serve):
    address, server = serve([b'{"jsonrpc":"2.0","id":1,"result":null}\n'])
    assert call("--to", address, "check", "[1, [2]]").stdout == "null\n"
    assert server.received()["params"] == [1, [2]]
    address, server = serve([b'{"jsonrpc":"2.0","id":1,"result":null}\n'])
    assert call("--to", address, 'a"b').returncode == 0
    assert server.received() == {"jsonrpc": "2.0", "id": 1, "method": 'a"b'}


def test_params_may_be_in_a_file_or_on_stdin(serve, tmp_path):
    large = [1, "x" * 200_000]  # no argument can be so long
    params = tmp_path / "params.json"
    params.write_text(json.dumps(large, indent=1))
    address, server = serve([b'{"jsonrpc":"2.0","id":1,"result":1}\n'])
    assert call("--to", address, "echo", f"@{params}").stdout == "1\n"
    assert server.received()["params"] == large
    address, server = serve([b'{"jsonrpc":"2.0","id":1,"result":2}\n'])
    assert call("--to", address, "echo", "-", stdin=params.read_text()).stdout == "2\n"
    assert server.received()["params"] == large


def test_it_waits_for_a_server_that_starts(serve, tmp_path):
    """The server's socket does not exist, then nobody listens at it, then the server answers."""
    path = tmp_path / "s"
    argv = [PROGRAM, "call", "--to", f"unix:{path}", "--wait", "20", "echo"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        serve([b'{"jsonrpc":"2.0","id":1,"result":7}\n'], path)
        assert waiting.communicate(timeout=DEADLINE_S)[0] == "7\n"


def test_it_waits_no_longer_than_it_is_told_to(tmp_path):
    started = time.monotonic()
    done = call("--to", f"unix:{tmp_path}/s", "--wait", "0.4", "echo")
    assert done.returncode == 71 and "cannot connect to" in done.stderr
    assert time.monotonic() - started >= 0.4


def test_a_unix_socket_is_called(serve, tmp_path):
    address, _ = serve([b'{"jsonrpc":"2.0","id":1,"result":7}\n'], tmp_path / "s")
    assert call("--to", address, "echo").stdout == "7\n"


def test_an_error_is_printed_with_its_data_and_exits_1(serve):
    address, _ = serve([
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"unknown method \\"ehco\\"",'
        b'"data":{"reason":"method_not_found","retryable":false}}}\n'
    ])
    done = call("--to", address, "ehco")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        'error -32601: unknown method "ehco"',
        '{"reason":"method_not_found","retryable":false}',
    ]


def test_a_long_answer_is_read_whole(serve):
    text = "x" * 3_000_000
    address, _ = serve([json.dumps({"jsonrpc": "2.0", "id": 1, "result": text}).encode() + b"\n"])
    assert call("--to", address, "echo").stdout == f'"{text}"\n'


@pytest.mark.parametrize(
    "answer, said",
    [
        ([], "closed the connection without an answer"),
        ([b'{"jsonrpc":"2.0",'], "closed the connection without an answer"),
        ([b"HTTP/1.1 400 Bad Request\r\n"], "something else than JSON-RPC: HTTP/1.1 400"),
        ([b"{}\n"], "something else than JSON-RPC: {}"),
    ],
)
def test_no_answer_exits_71(serve, answer, said):
    address, _ = serve(answer)
    done = call("--to", address, "echo")
    assert (done.returncode, done.stdout) == (71, "")
    assert said in done.stderr and address in done.stderr


def test_silence_ends_at_the_timeout(serve):
    address, _ = serve(None)
    done = call("--to", address, "--timeout-ms", "50", "echo")
    assert done.returncode == 71
    assert f"no answer from {address} within 50 ms" in done.stderr


def test_nobody_there_exits_71(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, but not listening
        address = "127.0.0.1:%d" % held.getsockname()[1]
        done = call("--to", address, "echo")
        assert done.returncode == 71
        assert f"cannot connect to {address}: Connection refused" in done.stderr
    done = call("--to", f"unix:{tmp_path}/none", "echo")
    assert done.returncode == 71
    assert "No such file" in done.stderr


def test_each_address_of_a_name_is_tried(serve, tmp_path):
    address, _ = serve([b'{"jsonrpc":"2.0","id":1,"result":7}\n'])  # the name's second address
    port = address.rpartition(":")[2]
    done = call("--to", f"two.test:{port}", "m", before=["env", *with_names(tmp_path)])
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr


def test_the_address_comes_from_the_configuration(serve, tmp_path):
    address, _ = serve([b'{"jsonrpc":"2.0","id":1,"result":7}\n'])
    (tmp_path / "echo.so").touch()
    config = tmp_path / "x.toml"
    text = "[handlers.h]\nlibrary = './echo.so'\n[methods.m]\nsteps = [{ run = 'h' }]\n"
    config.write_text(f"[listen]\nrpc = ['{address}']\n{text}")
    assert call("-c", config, "echo").stdout == "7\n"
    config.write_text(f"[listen]\nrpc = ['127.0.0.1:0']\n{text}")
    done = call("-c", config, "echo")
    assert done.returncode == 64
    assert "--to" in done.stderr
    config.write_text("[listen]\nrcp = []\n")
    done = call("-c", config, "echo")
    assert done.returncode == 78
    *faults, last = done.stderr.splitlines()
    assert f"{config}:2: listen.rcp: unknown key; did you mean rpc?" in faults
    assert last == (
        f"ringmaster: call: {config} has the faults above; correct them, or use --to instead")


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "expected a METHOD"),
        (["echo", "5"], "expected PARAMS to be a JSON object or array, found 5"),
        (["echo", '{"a":'], "expected PARAMS to be a JSON object or array"),
        (["echo", "@/no/file"], "expected PARAMS to be in /no/file, which cannot be read: No such"),
        (["echo", "-"], "expected PARAMS on stdin, which is empty"),
        (["--wait", "-1", "echo"], "--wait: Value -1 not in range"),
        (["echo", "{}", "extra"], "unexpected argument extra"),
        (["--to", "nonsense", "echo"], 'expected "HOST:PORT"'),
        (["--to", "a:1", "-c", "x", "echo"], "expected either -c or --to, found both"),
        (["--timeout-ms", "0", "echo"], "--timeout-ms"),
        (["--timout-ms", "5", "echo"], "unknown option --timout-ms; did you mean --timeout-ms?"),
    ],
)
def test_a_wrong_command_line_exits_64(arguments, said):
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr
