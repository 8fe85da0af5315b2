"""`ringmaster bench`: a load, and its report."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from client import DEADLINE_S

BRIEF = ["--warm-up-s", "0", "--duration-s", "0.3"]


@pytest.fixture
def bench(build, start):
    def run(*arguments):
        process = start([build / "ringmaster", "bench", *arguments], name="bench")
        return process.wait(DEADLINE_S), process

    return run


@pytest.fixture
def report(bench):
    def run(*arguments) -> dict:
        code, process = bench("--json", *BRIEF, *arguments)
        assert code in (0, 1), process.lines
        found = json.loads("".join(process.output))
        assert code == (0 if found["results"] > 0 else 1)
        return found

    return run


def test_a_closed_loop_keeps_as_many_at_once(holding, gate, report):
    """The client sends the next request once one is answered. An unanswered request is lost."""
    running, held = holding(), gate()
    loop = ["--to", running.address, "--concurrency", 8, "--connections", 2]
    found = report(*loop, "--drain-s", "0.1", "hold", json.dumps(held.params()))
    assert found["sent"] == found["lost"] == 8 and found["results"] == 0
    held.open()
    found = report(*loop, "echo", "[1]")
    assert found["results"] == found["sent"] > 8
    assert found["errors"] == {} and found["lost"] == 0 and found["unexpected"] == 0
    latency = found["latency_us"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]


def test_an_open_loop_sends_what_it_is_told_to(server, report):
    running = server()
    found = report("--to", running.address, "--rate", 100, "--arrivals", "constant", "echo")
    assert found["sent"] == 29  # the thirtieth would start at the end
    assert found["results"] == 29


def test_requests_are_numbered_and_errors_counted_by_code(server, probe, report):
    running = server(handlers={"sum": probe("sum"), "echo": {}})
    assert report("-c", write(running), "sum", "[$i,1]")["errors"] == {}
    assert list(report("--to", running.address, "no_such_method")["errors"]) == ["-32601"]


def write(running) -> str:
    """A configuration that names the address which the system chose."""
    config = running.config.with_name("address.toml")
    text = running.config.read_text().replace("127.0.0.1:0", running.address)
    config.write_text(text)
    return str(config)


def test_large_params_come_from_a_file(server, report, tmp_path):
    running = server()
    params = tmp_path / "params.json"
    params.write_text(json.dumps(["x" * (1 << 20)]) + "\n")
    found = report("--to", running.address, "echo", f"@{params}")
    assert found["results"] == found["sent"] >= 1 and found["errors"] == {}


def test_results_in_time_are_counted(server, report):
    running = server(handlers={"burn": {}})
    both = ["--to", running.address, "--rate", "50", "burn", '{"cpu_ms":3}']
    strict, easy = report("--in-time-ms", "1", *both), report("--in-time-ms", "9999", *both)
    assert strict["in_time"] == 0 and easy["in_time"] == easy["results"] > 0


@pytest.mark.parametrize("is_kept", [True, False])
def test_over_http(report, is_kept):
    """The server keeps each connection, or ends it with its answer."""

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps({"jsonrpc": "2.0", "result": asked["params"], "id": asked["id"]})
            status = 200 if self.path == "/rpc" else 503
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            if not is_kept:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *unused):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        to = ["--to", "127.0.0.1:%d" % service.server_address[1], "--connections", "3"]
        found = report(*to, "--http", "/rpc", "--concurrency", "3", "echo", "[1]")
        assert found["results"] == found["sent"] >= 3 and found["unexpected"] == 0
        assert list(report(*to, "--http", "/busy", "echo", "[1]")["errors"]) == ["503"]
        service.shutdown()


def test_an_idle_http_connection_may_end(report):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"result\":1}"

    def serve_one(connection) -> bool:
        if not (asked := connection.recv(4096)):
            return False
        assert asked.endswith(b"}")  # the whole request: it is small, and sent at once
        connection.sendall(answer)
        return True

    def serve(listener):
        first, second = listener.accept()[0], listener.accept()[0]
        with first:
            # The idle second connection ends before the first answer, after which the client may
            # use it.
            assert first.recv(1, socket.MSG_PEEK)
            second.close()
            serve_one(first)
            with listener.accept()[0] as third:
                while serve_one(third) and serve_one(first):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        to = ["--to", "127.0.0.1:%d" % listener.getsockname()[1], "--connections", "2"]
        found = report(*to, "--http", "/rpc", "echo")
        assert found["results"] == found["sent"] >= 2
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_for_people(server, bench):
    running = server()
    code, process = bench("--to", running.address, *BRIEF, "echo", "[1]")
    text = "\n".join(process.output)
    assert code == 0 and "0 lost" in text and "p99" in text and "us of CPU a request" in text


@pytest.mark.parametrize(
    "arguments, code, says",
    [
        (["--to", "127.0.0.1:1", "echo"], 71, "127.0.0.1:1"),
        (["echo", "{"], 64, "JSON object or array"),
        (["echo", "@/no/such/file"], 64, "/no/such/file"),
        (["--arrivals", "poison", "echo"], 64, "did you mean poisson"),
        (["--rate", "-1", "echo"], 64, "--rate"),
        ([], 64, "expected a METHOD"),
    ],
)
def test_impossible_arguments_are_refused(bench, arguments, code, says):
    found, process = bench(*BRIEF, *arguments)
    assert found == code and says in "\n".join(process.lines)
