"""token_clients.py --token-file FILE --to HOST:PORT METHOD PARAMS: an open loop of many clients.

Has the options of `ringmaster bench --rate`, and prints the same report, as far as scenarios read
it. But here each token of FILE is a client with a connection of its own, and each request is sent
by a client that is drawn at random: the arrivals of each client are Poisson, like those of all.
Latency counts from the intended start.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "bench"), str(TESTS / "e2e/support")]

from bounds.ideal_queue import percentile  # noqa: E402
from client import DEADLINE_S, request  # noqa: E402

PERCENTS = (50, 90, 99)


class Load:
    def __init__(self, options: argparse.Namespace):
        self._options = options
        members = f'"method":{json.dumps(options.method)},"params":{options.params}'
        self._request = f'{{"jsonrpc":"2.0","id":$i,{members}}}\n'.encode()
        self._counted_from = 0.0
        self._number = 0  # of the last request
        self._starts: dict[int, float] = {}  # of the requests without an answer
        self._took_s: list[float] = []  # of the results that are counted
        self._error_took_s: list[float] = []
        self._errors: Counter[str] = Counter()
        self._sent = 0

    async def run(self) -> dict[str, Any]:
        lines = self._options.token_file.read_text().splitlines()
        clients = [await self._connect(line.split()[-1]) for line in lines]
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self._read(reader)) for reader, _ in clients]
            cpu_s = time.process_time()
            await self._call([writer for _, writer in clients])
            cpu_s = time.process_time() - cpu_s
            for reader in readers:
                reader.cancel()
        return self._report(cpu_s * 1e6 / max(self._number, 1))

    async def _call(self, clients: list[asyncio.StreamWriter]):
        options = self._options
        at = time.monotonic()
        self._counted_from = at + options.warm_up_s
        end = self._counted_from + options.duration_s
        dice = random.Random(options.seed)
        while (at := at + dice.expovariate(options.rate)) < end:
            await asyncio.sleep(at - time.monotonic())
            self._send(dice.choice(clients), at)
        while self._starts and time.monotonic() < end + options.drain_s:
            await asyncio.sleep(0.01)

    async def _connect(self, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = self._options.to.rpartition(":")
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request("rpc.auth", [token]))
            answer = json.loads(await reader.readline())
        assert answer.get("result") is True, answer
        return reader, writer

    def _send(self, writer: asyncio.StreamWriter, intended: float):
        self._number += 1
        self._sent += intended >= self._counted_from
        self._starts[self._number] = intended
        writer.write(self._request.replace(b"$i", b"%d" % self._number))

    async def _read(self, reader: asyncio.StreamReader):
        async for line in reader:
            answer, now = json.loads(line), time.monotonic()
            intended = self._starts.pop(answer["id"])
            if intended < self._counted_from:
                continue
            if "result" in answer:
                self._took_s.append(now - intended)
            else:
                self._errors[str(answer["error"]["code"])] += 1
                self._error_took_s.append(now - intended)

    def _report(self, own_cpu_us: float) -> dict[str, Any]:
        in_time_s = self._options.in_time_ms / 1e3 or float("inf")
        return {
            "sent": self._sent, "results": len(self._took_s),
            "in_time": sum(took_s <= in_time_s for took_s in self._took_s),
            "errors": dict(self._errors),
            "lost": sum(start >= self._counted_from for start in self._starts.values()),
            "latency_us": latency_us(self._took_s),
            "error_latency_us": latency_us(self._error_took_s),
            "own_cpu_us_per_request": own_cpu_us,
        }


def latency_us(took_s: list[float]) -> dict[str, float]:
    found = sorted(took_s) or [0.0]  # as `ringmaster bench` has it: 0 where nothing was measured
    return {f"p{percent}": percentile(found, percent) * 1e6 for percent in PERCENTS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    for option in ("--rate", "--duration-s", "--warm-up-s", "--drain-s"):
        parser.add_argument(option, type=float, required=True)
    parser.add_argument("--in-time-ms", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("method")
    parser.add_argument("params")
    print(json.dumps(asyncio.run(Load(parser.parse_args()).run())))


if __name__ == "__main__":
    main()
