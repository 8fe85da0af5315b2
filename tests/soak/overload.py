"""overload.py BUILD: goodput at twice and ten times of what the workers can do.

    tests/soak/overload.py build/release --seconds 10 --rounds 3

`burn` of 30 ms with two workers, alone and behind a fetch of 70 ms, Poisson arrivals, 1 s allowed.
Capacity is measured before and after each overload, in a closed loop on the same server, since
these machines have other things to do: the figure is a ratio in one run. Prints a line for each
run, then one JSON object.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from open_loop import Load, connect, percentiles

PARAMS = {"user_id": 1, "cpu_ms": 30}
WORKERS = 2
WARM_UP_S = 1.0  # of each overload: until the queue is as long as it gets
CONFIGURATION = """
[listen]
rpc = ["127.0.0.1:0"]
[workers]
count = {workers}
[features.users]
url = "http://{upstream}/features"
[handlers.burn]
[methods.burn]
steps = [{{ run = "burn" }}]
[methods.fetch_and_burn]
steps = [{{ fetch = "users", body = {{ user_id = "$params.user_id" }} }}, {{ run = "burn" }}]
"""


class Program:
    """A program that says on stderr at which address it is to be found."""

    def __init__(self, argv: list[Any], log: Path, event: str):
        with open(log, "w") as stderr:
            self.process = subprocess.Popen(argv, stderr=stderr, start_new_session=True)
        give_up = time.monotonic() + 20
        while not (found := re.search(rf"event={event} address=(\S+)", log.read_text())):
            assert self.process.poll() is None and time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)
        self.address = found.group(1)

    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.search(r"VmRSS:\s*(\d+)", status).group(1)) / 1024, 1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def closed_loop(address: str, method: str, seconds: float, concurrency: int) -> float:
    """Answers per second when there always are so many requests under way."""
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": PARAMS}).encode()
    with connect(address) as connection:
        connection.sendall((line + b"\n") * concurrency)
        begun, count = time.monotonic(), 0
        while time.monotonic() < begun + seconds:
            piece = connection.recv(1 << 16)
            connection.sendall((line + b"\n") * piece.count(b"\n"))
            count += piece.count(b'"result"')
        return count / (time.monotonic() - begun)


def overload(address: str, method: str, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    load = Load(address, method, PARAMS, rate, seconds, seed).run()
    assert len(load.answered) == len(load.starts), "requests without an answer"
    done = [when for outcome, when, _ in load.answered.values() if outcome == "ok"]
    refused = [n for n, (outcome, _, _) in load.answered.items() if outcome == "-32009 too_late"]
    answered_ms = lambda since: percentiles([load.answered[n][1] - since[n] for n in refused])
    in_window = sum(WARM_UP_S <= when < seconds for when in done)
    return {
        "goodput": in_window / (seconds - WARM_UP_S),
        "ok": len(done),
        "refused": len(refused),
        "late_or_failed": len(load.starts) - len(done) - len(refused),
        "refused_after_ms": answered_ms(load.starts),
        "refused_by_server_after_ms": answered_ms(load.sent),
    }


def run(server: Program, given: argparse.Namespace) -> list[dict[str, Any]]:
    runs = []
    for method, concurrency in (("burn", 2 * WORKERS), ("fetch_and_burn", 6 * WORKERS)):
        measure = lambda: closed_loop(server.address, method, given.seconds / 3, concurrency)
        before = measure()
        for number in range(given.rounds):
            for factor in (2, 10):
                rate = factor * WORKERS * 1000 / PARAMS["cpu_ms"]
                made = overload(server.address, method, rate, given.seconds, number)
                after = measure()
                made |= {
                    "method": method, "times": factor, "capacity": mean((before, after)),
                    "rss_mib": server.rss_mib(),
                }
                made["ratio"] = made["goodput"] / made["capacity"]
                before = after
                runs.append(made)
                print("{method:15} {times:3}x  capacity {capacity:5.1f}/s  goodput {goodput:5.1f}/s"
                      "  {ratio:4.0%}  late {late_or_failed}  refused {refused} in p99"
                      " {refused_by_server_after_ms[p99]:.2f} ms  rss {rss_mib} MiB".format(**made),
                      file=sys.stderr)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        upstream = Program(
            [given.build / "feature_service", "--listen", "127.0.0.1:0", "--delay-ms", "70"],
            Path(folder) / "upstream.log", "listening")
        config = Path(folder) / "overload.toml"
        config.write_text(CONFIGURATION.format(workers=WORKERS, upstream=upstream.address))
        server = Program([given.build / "ringmaster", "serve", "-c", config],
                         Path(folder) / "server.log", "ready")
        try:
            print(json.dumps(run(server, given), indent=1))
        finally:
            server.stop()
            upstream.stop()


if __name__ == "__main__":
    main()
