"""Contender: a running system that is measured: a baseline, or ringmaster itself.

    with baselines.start("aiohttp_pool", url, build=Path("build/release")) as running:
        running.call("burn", {"cpu_ms": 30})
        subprocess.run([program, "bench", *running.bench_arguments("echo", "[1]"), "--rate", "20"])

Death: its processes die with the thread that started them (processes.py); stop() leaves none.
"""

import http.client
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/support"))

from client import DEADLINE_S, connect  # noqa: E402
from proc import descendants, is_alive, start_time, survivors, wait_until  # noqa: E402
from processes import Process  # noqa: E402

MODEL = ROOT / "conf/models/interests.ubj"


class CallFailed(Exception):
    """An error response. Its text is the whole error, as JSON. `code` is JSON-RPC 2.0's; 0: the
    protocol has no codes."""

    def __init__(self, error: Any):
        super().__init__(json.dumps(error))
        self.code: int = error["code"] if isinstance(error, dict) else 0


@dataclass
class Contender:
    name: str
    address: str  # HOST:PORT
    processes: list[Process]  # started by us; pids() has those that they have started, too
    http_path: str | None = None  # None: JSON values over TCP
    # Not empty: the system speaks JSON-RPC 1.0, as Go's net/rpc does, where these are the names of
    # the methods, and params are an array of one element.
    method_names: dict[str, str] = field(default_factory=dict)
    on_stop: Callable[[], None] = lambda: None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    @property
    def is_json_rpc_1(self) -> bool:
        return bool(self.method_names)

    def method_name(self, method: str) -> str:
        return self.method_names.get(method, method)

    def params(self, params: str) -> str:
        """The params as they are sent, as JSON."""
        return f"[{params}]" if self.is_json_rpc_1 else params

    def pids(self) -> list[int]:
        """All of its processes that live now."""
        found = [pid for one in self.processes for pid in (one.pid, *descendants(one.pid))]
        return [pid for pid in found if is_alive(pid)]

    def bench_arguments(self, method: str, params: str) -> list[str]:
        """The arguments with which `ringmaster bench` asks this system."""
        path = ["--http", self.http_path] if self.http_path else []
        return ["--to", self.address, *path, self.method_name(method), self.params(params)]

    def call(self, method: str, params: Any) -> Any:
        """The result, or CallFailed."""
        asked = json.loads(self.params(json.dumps(params)))
        request = {"jsonrpc": "2.0", "id": 1, "method": self.method_name(method), "params": asked}
        exchange = self._over_http if self.http_path else self._over_tcp
        answer = json.loads(exchange(json.dumps(request).encode()))
        assert answer["id"] == 1, answer
        if answer.get("error") is not None:
            raise CallFailed(answer["error"])
        return answer["result"]

    def _over_http(self, request: bytes) -> bytes:
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        try:
            connection.request("POST", self.http_path, request,
                               {"Content-Type": "application/json"})  # fmt: skip
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (response.status, body[:200])
            return body
        finally:
            connection.close()

    def _over_tcp(self, request: bytes) -> bytes:
        with connect(self.address) as connection, connection.makefile("rb") as answers:
            connection.sendall(request + b"\n")
            return answers.readline()

    def stop(self):
        started = {pid: start_time(pid) for pid in self.pids()}
        for process in self.processes:
            process.stop()
            process.kill()  # the rest of its process group
        self.on_stop()
        wait_until(lambda: not survivors(started), f"no process of {self.name} to be left")
