"""count_costs.py OUT: counts what one request costs the master: system calls, allocations, copies.

System calls by strace -c of the running master, allocations and copied bytes by a preloaded library
(count_costs.c). Each figure is the difference of two counts around COUNT requests, divided by
COUNT. The server has served as many requests before, so the costs of its start and growth are not
counted. Prints a table.
"""

import argparse
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "e2e/support"))

from client import request  # noqa: E402
from feature_client import FeatureService  # noqa: E402
from processes import Process  # noqa: E402
from server import Launcher  # noqa: E402

COUNT = 2000
LARGE_BYTES = 1 << 20
LARGE_COUNT = 50
MODEL = TESTS.parent / "conf/models/interests.ubj"

FETCH = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}


class Costs:
    """The counters of count_costs.c in a file."""

    def __init__(self, folder: Path):
        self.library = folder / "count_costs.so"
        source = Path(__file__).with_name("count_costs.c")
        command = ["cc", "-O2", "-fno-builtin", "-fno-tree-loop-distribute-patterns"]
        command += ["-shared", "-fPIC"]
        subprocess.run([*command, "-o", self.library, source], check=True)
        self.file = folder / "costs"
        self.file.write_bytes(bytes(16))

    def command(self) -> list[str]:
        """The words before a command that make the program count."""
        return ["env", f"LD_PRELOAD={self.library}", f"COUNT_COSTS_FILE={self.file}"]

    def read(self) -> tuple[int, int]:
        """(allocations, copied bytes) so far."""
        return struct.unpack("QQ", self.file.read_bytes())


def ask(client, lines: list[bytes], depth: int):
    """Sends all lines, at most `depth` at once; each must have a result."""
    for begin in range(0, len(lines), depth):
        part = lines[begin : begin + depth]
        client.send(b"".join(part))
        for answer in client.read_many(len(part)):
            assert b'"result":' in answer[:200], answer[:200]


def count_system_calls(running, client, lines: list[bytes], depth: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile("r") as report:
        tracer = Process.start(["strace", "-f", "-c", "-o", report.name, "-p", running.pid])
        tracer.wait_for_line("attached")
        ask(client, lines, depth)
        tracer.stop(2)
        rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", report.read(), re.M)
    return {name: int(calls) / len(lines) for calls, name in rows if name != "total"}


def measure(running, costs: Costs, name: str, make, depth: int):
    lines = [make(id) for id in range(COUNT)]
    with running.connect() as client:
        ask(client, lines, depth)
        before = costs.read()
        ask(client, lines, depth)
        allocations = (costs.read()[0] - before[0]) / COUNT
        calls = count_system_calls(running, client, lines, depth)
    shown = ", ".join(f"{n} {c:.2f}" for n, c in sorted(calls.items(), key=lambda item: -item[1])
                      if c >= 0.01)
    print(f"| {name} | {depth} | {sum(calls.values()):.1f} ({shown}) | {allocations:.1f} |")


def measure_copies(running, costs: Costs, name: str, make):
    lines = [make(id) for id in range(LARGE_COUNT)]
    with running.connect() as client:
        ask(client, lines, 1)
        before = costs.read()
        ask(client, lines, 1)
        copied = (costs.read()[1] - before[1]) / LARGE_COUNT / LARGE_BYTES
    print(f"| {name} | {copied:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the build")
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        costs = Costs(Path(folder))
        upstream = Process.start([out / "feature_service", "--listen", "127.0.0.1:0",
                                  "--delay-ms", "1"])  # so that the master waits
        url = FeatureService(upstream).url
        launcher = Launcher(out, Path(folder))
        running = launcher(
            before=costs.command(),
            upstreams={"users": {"url": url, "timeout_ms": 20_000}},
            handlers={"echo": {}, "interests": {"model": MODEL}},
            methods={"interests": {"steps": [FETCH, {"run": "interests"}]}},
        )
        echo = lambda id: request("echo", [id], id)  # noqa: E731
        predict = lambda id: request("interests", {"user_id": id + 1}, id)  # noqa: E731
        large = request("echo", ["x" * (LARGE_BYTES - 4)], 1)
        print("| request | at once | system calls of the master | allocations |\n|---|---|---|---|")
        for depth in (1, 100):
            measure(running, costs, "echo", echo, depth)
            measure(running, costs, "fetch, then interests", predict, depth)
        print("\n| request | times its bytes were copied in the master |\n|---|---|")
        measure_copies(running, costs, "echo of 1 MiB (params in, the same out)", lambda id: large)
        launcher.finish()
        upstream.stop()


if __name__ == "__main__":
    main()
