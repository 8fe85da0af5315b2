"""overload.py BUILD: goodput at twice and ten times of what the workers can do.

    tests/soak/overload.py build/release --seconds 10 --rounds 3

`burn` of 30 ms with two workers, alone and behind a fetch of 70 ms, Poisson arrivals, 1 s allowed;
asked by `ringmaster bench`, latency from the intended start. Capacity is measured before and after
each overload, in a closed loop on the same server, since these machines have other things to do:
the figure is a ratio in one run. Prints a line for each run, then one JSON object.
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

CPU_MS = 30
WORKERS = 2
AT_ONCE = {"burn": 2 * WORKERS, "fetch_and_burn": 12 * WORKERS}  # enough to keep the workers busy
PARAMS = json.dumps({"user_id": 1, "cpu_ms": CPU_MS})
REFUSED = "-32009"
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


class Bench:
    def __init__(self, build: Path, address: str, seconds: float):
        self.command = [build / "ringmaster", "bench", "--json", "--to", address]
        self.seconds = seconds

    def ask(self, method: str, seconds: float, *options: Any) -> dict[str, Any]:
        argv = [*self.command, "--duration-s", seconds, *options, method, PARAMS]
        done = subprocess.run([str(word) for word in argv], capture_output=True, check=True)
        return json.loads(done.stdout)

    def capacity(self, method: str) -> float:
        made = self.ask(method, self.seconds / 3, "--concurrency", AT_ONCE[method])
        return made["results_per_s"]

    def overload(self, method: str, rate: float, seed: int) -> dict[str, Any]:
        made = self.ask(method, self.seconds, "--rate", rate, "--seed", seed, "--connections", 4)
        assert made["lost"] == made["unexpected"] == 0, made
        refused = made["errors"].pop(REFUSED, 0)
        return {
            # Of those that came in that time: the last of them are answered a moment after it.
            "goodput": made["results"] / self.seconds,
            "results": made["results"],
            "refused": refused,
            "late_or_failed": sum(made["errors"].values()),
            "refused_p99_ms": made["error_latency_us"]["p99"] / 1000,
        }


def run(server: Program, bench: Bench, rounds: int) -> list[dict[str, Any]]:
    runs = []
    for method in AT_ONCE:
        before = bench.capacity(method)
        for number in range(rounds):
            for factor in (2, 10):
                made = bench.overload(method, factor * WORKERS * 1000 / CPU_MS, number)
                after = bench.capacity(method)
                made |= {
                    "method": method, "times": factor, "capacity": mean((before, after)),
                    "rss_mib": server.rss_mib(),
                }
                made["ratio"] = made["goodput"] / made["capacity"]
                before = after
                runs.append(made)
                print("{method:15} {times:3}x  capacity {capacity:5.1f}/s  goodput {goodput:5.1f}/s"
                      "  {ratio:4.0%}  late {late_or_failed}  refused {refused} in p99"
                      " {refused_p99_ms:.2f} ms  rss {rss_mib} MiB".format(**made),
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
            bench = Bench(given.build, server.address, given.seconds)
            print(json.dumps(run(server, bench, given.rounds), indent=1))
        finally:
            server.stop()
            upstream.stop()


if __name__ == "__main__":
    main()
