"""The status page: its files, its text for curl, its functions in node, and itself in a browser."""

import contextlib
import json
import shutil
import subprocess
import threading
from http.client import HTTPConnection

import pytest
from client import DEADLINE_S, request
from status_port import ON, ask, status_of

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
POLICY = {"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
          "img-src 'self' data:", "base-uri 'none'", "form-action 'none'",
          "frame-ancestors 'none'"}  # fmt: skip
HTML_METHOD = '<b>&"method'
HTML_CLIENT = "<img/src=x>"
HTML_ID = "<img/src=y>"
TOKEN = "the-token-of-a-hostile-client"


def get(address: str, path: str, accept: str, method="GET"):
    """(headers, body) of an answer with 200."""
    connection = HTTPConnection(address, timeout=DEADLINE_S)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Accept": accept})
        response = connection.getresponse()
        assert response.status == 200
        return response.headers, response.read().decode()


@pytest.fixture
def page_folder(root):
    return root / "src/master/admin/page"


def test_each_file_of_the_page_is_served(server, page_folder):
    address = status_of(server(listen=ON))
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
    for file in page_folder.iterdir():
        path = "/" if file.name == "index.html" else f"/{file.name}"
        headers, text = get(address, path, BROWSER)
        assert text == file.read_text()
        assert headers["Content-Type"] == f"{types[file.suffix]}; charset=utf-8"
        assert set(headers["Content-Security-Policy"].split("; ")) == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        headers, text = get(address, path, BROWSER, "HEAD")
        assert text == "" and headers["Content-Type"].startswith(types[file.suffix])


def test_curl_gets_text_and_a_browser_html_at_the_same_time(server):
    running = server(listen=ON)
    address = status_of(running)
    assert running.call("echo", [1]) == [1]
    for _ in range(2):  # the server caches both answers for a moment
        headers, text = get(address, "/", "*/*")
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "serving: 2 of 2 workers are up" in text
        assert all(f" {pid} " in text for pid in running.workers().values())
        assert get(address, "/", BROWSER)[1].startswith("<!doctype html>")
    assert ask(address, "/", "POST")[0] == 405


def test_the_text_counts_methods_and_errors(server):
    running = server(listen=ON)
    address = status_of(running)
    with running.connect() as client:
        for i in range(3):
            client.call("echo", [i])
        client.send(request("nothing"))
        client.answer()
    lines = [line.split() for line in get(address, "/", "*/*")[1].splitlines()]
    assert ["echo", "3", "0", "0"] in [line[:4] for line in lines]
    assert ["(no", "such", "method)", "-32601", "method_not_found", "1"] in lines


def test_the_functions_of_the_page(page_folder, root, tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node: not installed")
    shutil.copytree(page_folder, tmp_path / "page")
    shutil.copy(root / "tests/e2e/inside/page_functions.test.js", tmp_path / "page")
    (tmp_path / "page/package.json").write_text('{"type": "module"}')
    done = subprocess.run(["node", "--test", "--test-reporter=tap"], cwd=tmp_path / "page",
                          capture_output=True, text=True, timeout=4 * DEADLINE_S)
    assert done.returncode == 0, done.stdout
    assert "\n# fail 0\n" in done.stdout and "\n# pass 0\n" not in done.stdout


@contextlib.contextmanager
def calling(client, *methods: str):
    """Calls these methods ten times a second, so that the timeline always has recent requests."""
    done = threading.Event()

    def call():
        while not done.wait(0.1):
            for method in methods:
                client.send(request(method, [1], HTML_ID))
                client.answer()
    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield
    finally:
        done.set()
        caller.join()


@pytest.mark.timeout(600)
@pytest.mark.needs("browser")
def test_in_a_browser(server, tokens, root, tmp_path):
    running = server(
        listen=ON | {"token_file": tokens(f"{HTML_CLIENT} {TOKEN}")},
        methods={HTML_METHOD: {"steps": [{"run": "echo"}]}, "echo": {}},
    )
    folder = tmp_path / "browser"
    shutil.copytree(root / "tests/e2e/support/browser", folder)
    (folder / "node_modules").symlink_to(root / "build/browser/node_modules")
    served = {"methods": [HTML_METHOD, "echo"], "clients": [HTML_CLIENT], "id": HTML_ID}
    with running.connect() as client:
        client.call("rpc.auth", [TOKEN])
        client.send(request("<i>nothing</i>"))
        assert client.answer()["error"]["code"] == -32601
        with calling(client, HTML_METHOD, "echo"):
            done = subprocess.run(
                ["node", folder / "status_page.js", f"http://{status_of(running)}/",
                 json.dumps(served)],
                capture_output=True, text=True, timeout=20 * DEADLINE_S)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ok: ") == 12, done.stdout
