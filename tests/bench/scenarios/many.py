"""Three nodes: who chooses among them, how they add up, and what the loss of one costs."""

import asyncio
import contextlib
import json
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import probes
from bounds.ideal_queue import percentile
from client import request
from contender import ROOT
from context import SEED, Context
from fleet import BALANCER, NODES, Fleet
from network import Machine
from open_load import exchange
from proc import stopped
from targets import number, ratio, target

sys.path.insert(0, str(ROOT / "docs/examples"))
from balanced_client import BalancedClient  # noqa: E402

TITLE = "three nodes"
JOB_MS, WORKERS, LOAD = 50, 4, 0.8
STALL_S, LEARNING_S = 5, 3
QUOTA, BURN_MS = 0.15, 5
RATE = 50
ABOUT = f"""Three servers and HAProxy, each in a network namespace of its own, on the cores of one
machine. *Choice*: {WORKERS} workers a node run jobs that sleep {JOB_MS} ms, {2 * JOB_MS} ms on
node1, so that the machine's cores are not what is measured; Poisson arrivals at {LOAD:.0%} of what
all can do. All processes of node2 are stopped for {STALL_S} s. The requests go over
docs/examples/balanced_client.py, or over HTTP through HAProxy with conf/haproxy.cfg, which
balances by leastconn, or with `balance roundrobin`. In the load by quotes, a quarter of the
requests are each sent together with an `rpc.quote`. The calibration is how many of these are done
within the quoted p50, p90 and p99; the first {LEARNING_S} s do not count. *Adding up*: `burn`
{BURN_MS} ms in a closed loop through HAProxy; a control group limits each node to {QUOTA} cores.
*Loss*: {RATE} requests a second through HAProxy; the goodput is back when 95 % of the requests of a
second have their results within a second."""
HANDLER = """
import time
def run(ms: float) -> float:
    time.sleep({factor} * ms / 1e3)
    return ms
"""
ROUND_ROBIN = """
frontend round_robin
  mode http
  bind :8081
  default_backend round_robin

backend round_robin
  mode http
  balance roundrobin
  retry-on conn-failure 503
"""


class Nodes(Fleet):
    """Nodes with the methods of this scenario. `quota`: the cores of each; 0: all."""

    def __init__(self, context: Context, name: str, nodes=tuple(NODES), quota: float = 0):
        folder = context.folder / name
        folder.mkdir()
        super().__init__(context.build, folder, nodes, notice_ms=0)
        self._quota, self._groups = quota, []

    def __exit__(self, *failure):
        super().__exit__(*failure)
        for group in self._groups:
            group.rmdir()

    def methods(self, name: str, version: int) -> dict[str, Any]:
        file = self._folder / f"hold-{name}.py"
        file.write_text(HANDLER.format(factor=2 if name == "node1" else 1))
        return {"workers": {"count": 1 if self._quota else WORKERS},
                "handlers": {"hold": {"python": f"{file}:run"}, "burn": {}},
                "methods": {"hold": {"timeout_ms": 20_000}}}

    def enter(self, name: str) -> list:
        if not self._quota:
            return super().enter(name)
        self._groups.append(quota_group(name, self._quota))
        join = f'echo $$ > "{self._groups[-1]}/cgroup.procs" && exec "$@"'
        return [*super().enter(name), "sh", "-c", join, "sh"]

    def configuration(self, nodes) -> str:
        servers = "".join(f"  server {name} {NODES[name]}:7070 port 7071 agent-port 7071\n"
                          for name in nodes)
        return super().configuration(nodes) + ROUND_ROBIN + servers


def quota_group(name: str, cores: float) -> Path:
    """A new control group, version 1 or 2, that limits the CPU time."""
    period_us = 20_000
    group = Path("/sys/fs/cgroup/cpu")
    is_v1 = (group / "cpu.cfs_quota_us").exists() or (group / "cgroup.procs").exists()
    group = (group if is_v1 else group.parent) / f"ringmaster-bench-{os.getpid()}-{name}"
    group.mkdir()
    if is_v1:
        (group / "cpu.cfs_period_us").write_text(str(period_us))
        (group / "cpu.cfs_quota_us").write_text(str(round(cores * period_us)))
    else:
        (group / "cpu.max").write_text(f"{round(cores * period_us)} {period_us}")
    return group


def on_machine(machine: Machine, run: Callable[[], Awaitable[Any]]) -> Any:
    """What the coroutine returns, whose connections are made on this machine."""
    found = []

    def body():
        machine.enter_thread()
        found.append(asyncio.run(run()))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return found[0]


async def poisson(ask: Callable[[int], Awaitable[Any]], rate: float, seconds: float,
                  seed: int = SEED) -> list[float]:
    """Open loop: how long each request took from its intended start, in ms. Infinite: it failed."""
    chance, asked, begin = random.Random(seed), [], time.monotonic()

    async def one(number: int, at: float) -> float:
        await asyncio.sleep(at - time.monotonic())
        try:
            await ask(number)
        except Exception:
            return float("inf")
        return 1e3 * (time.monotonic() - at)

    at = chance.expovariate(rate)
    while at < seconds:
        asked.append(one(len(asked), begin + at))
        at += chance.expovariate(rate)
    return await asyncio.gather(*asked)


def over_http(port: int, method: str, params: dict) -> Callable[[int], Awaitable[Any]]:
    async def ask(number: int) -> None:
        response = await exchange(BALANCER, port, request(method, params, number))
        assert "result" in json.loads(response.partition(b"\r\n\r\n")[2])

    return ask


class Calibration:
    """Requests that are each sent together with an `rpc.quote`, and how many of them were done
    within the quoted p50, p90 and p99. The first LEARNING_S do not count: a server learns its
    quotes."""

    def __init__(self):
        self._begin = time.monotonic() + LEARNING_S
        self.count, self.within = 0, {"p50": 0, "p90": 0, "p99": 0}
        self._in_flight = dict.fromkeys(NODES, 0)

    async def ask(self, number: int) -> None:
        """Asks a node at random: node1, which is half as fast, half as often as each of the others.
        The one that is stopped gets only a few."""
        (name,) = random.choices(list(NODES), (1, 2, 2))
        if self._in_flight[name] < WORKERS:
            self._in_flight[name] += 1
            await self._ask(NODES[name], number)
            self._in_flight[name] -= 1

    async def _ask(self, host: str, number: int) -> None:
        reader, writer = await asyncio.open_connection(host, 7070)
        writer.write(request("rpc.quote", {"method": "hold"}, "quote") +
                     request("hold", {"ms": JOB_MS}, number))
        quote = json.loads(await reader.readline())["result"]["quote_ms"]
        quoted_at = time.monotonic()
        answer = json.loads(await reader.readline())
        took_ms = 1e3 * (time.monotonic() - quoted_at)
        writer.close()
        assert "result" in answer
        if quoted_at < self._begin:
            return
        self.count += 1
        for name in self.within:
            self.within[name] += took_ms <= quote[name]

    def off_by(self) -> float:
        return max(abs(done / self.count - float(name[1:]) / 100)
                   for name, done in self.within.items())


async def by_quotes(rate: float, seconds: float, calibration: Calibration) -> list[float]:
    client, calibrating = BalancedClient([f"{host}:7070" for host in NODES.values()]), rate / 4
    took, _ = await asyncio.gather(
        poisson(lambda number: client.call("hold", {"ms": JOB_MS}, 60), rate - calibrating,
                seconds),
        poisson(calibration.ask, calibrating, seconds, SEED + 1))
    return took


def choice(context: Context) -> dict[str, Any]:
    seconds, before_s = context.pick((16, 5), (60, 20))
    rate = LOAD * WORKERS * 1e3 / JOB_MS * 2.5
    found = {}
    with Nodes(context, "choice") as fleet:
        calibration = Calibration()
        loads = {"quotes": lambda: by_quotes(rate, seconds, calibration)} | {
            policy: lambda port=port: poisson(over_http(port, "hold", {"ms": JOB_MS}), rate,
                                              seconds)
            for policy, port in {"leastconn": 8080, "roundrobin": 8081}.items()}
        for policy, load in loads.items():
            def stall():
                with stopped(*fleet.servers["node2"].processes()):
                    time.sleep(STALL_S)

            timer = threading.Timer(before_s, stall)
            timer.start()
            took = sorted(on_machine(fleet.client, load))
            timer.join()
            fleet.balancer.wait_until_up()
            found[policy] = {"sent": len(took), "failed": took.count(float("inf")),
                             **{f"p{p}": percentile(took, p) for p in (50, 90, 99)}}
            context.say(f"{policy}: p99 {number(found[policy]['p99'])} ms")
    return {"policies": found, "within": calibration.within, "count": calibration.count,
            "off_by": calibration.off_by()}


async def closed(ask: Callable[[int], Awaitable[Any]], at_once: int, seconds: float) -> float:
    """The answers a second; the first second does not count."""
    begin, count = time.monotonic() + 1, 0

    async def again() -> None:
        nonlocal count
        while time.monotonic() < begin + seconds:
            await ask(0)
            count += begin <= time.monotonic() < begin + seconds

    await asyncio.gather(*(again() for _ in range(at_once)))
    return count / seconds


def adding_up(context: Context, count: int) -> dict[str, Any]:
    names = tuple(NODES)[:count]
    with Nodes(context, f"{count}-nodes", names, QUOTA) as fleet:
        before = {name: int(its["stot"]) for name, its in fleet.balancer.servers("http").items()}
        per_s = on_machine(fleet.client, lambda: closed(
            over_http(8080, "burn", {"cpu_ms": BURN_MS}), 8 * count, context.pick(6, 20)))
        shares = [int(its["stot"]) - before[name]
                  for name, its in fleet.balancer.servers("http").items()]
    context.say(f"{count} nodes: {per_s:.1f}/s")
    return {"nodes": count, "per_s": per_s, "imbalance": max(shares) / min(shares)}


def losses(context: Context) -> dict[str, float]:
    """Event -> after how many seconds the goodput was back."""
    folder = context.folder / "losses"
    folder.mkdir()
    found = {}
    nodes = ("node1", "node2")
    with Fleet(context.build, folder, nodes) as fleet, fleet.load(RATE, in_time_s=1) as load:
        load.wait_until_back(time.monotonic())

        def note(event: str, begin: float) -> None:
            found[event] = load.wait_until_back(begin)
            context.say(f"{event}: back after {found[event]:.2f} s")

        note("added", fleet.add("node3"))
        note("drained", fleet.drain("node1"))
        fleet.take_back("node1")
        with fleet.slowed("node2") as begin:
            note("slowed to half", begin)
        with fleet.filled("node3") as begin:
            note("its disk filled", begin)
        note("killed", fleet.kill("node1"))
        fleet.start("node1")
        note("cut off", fleet.cut_off("node2"))
        fleet.connect("node2")
    return found


def run(context: Context) -> dict[str, Any]:
    for lacking in filter(None, map(probes.reason, ("haproxy", "root", "networks", "cgroups"))):
        raise RuntimeError(lacking)
    chosen = choice(context)
    sums = [adding_up(context, count) for count in (1, 2, 3)]
    lost = losses(context)
    p99 = {policy: made["p99"] for policy, made in chosen["policies"].items()}
    return {
        "targets": [
            target("p99 by quotes ≤ 0.7 × leastconn's", ratio(p99["quotes"], p99["leastconn"]),
                   "<=", 0.7),
            target("p99 by quotes ≤ 0.5 × round robin's", ratio(p99["quotes"], p99["roundrobin"]),
                   "<=", 0.5),
            target("quotes are kept as often as they say, off by", chosen["off_by"], "<=", 0.05,
                   "%"),
            *(target(f"{made['nodes']} nodes ≥ 95 % of linear",
                     made["per_s"] / (made["nodes"] * sums[0]["per_s"]), ">=", 0.95, "%")
              for made in sums[1:]),
            target("goodput back after any event", max(lost.values()), "<=", 3, "s"),
        ],
        "tables": [{
            "title": f"One node half as fast, one stopped for {STALL_S} s; ms",
            "columns": ["choice", "sent", "failed", "p50", "p90", "p99"],
            "rows": [[policy, made["sent"], made["failed"], *(number(made[p]) for p in
                                                              ("p50", "p90", "p99"))]
                     for policy, made in chosen["policies"].items()],
        }, {
            "title": f"`burn` {BURN_MS} ms, {QUOTA} cores a node",
            "columns": ["nodes", "answers/s", "busiest node, × the least busy"],
            "rows": [[made["nodes"], number(made["per_s"]), f"{made['imbalance']:.2f}"]
                     for made in sums],
        }, {
            "title": "A node is ...",
            "columns": ["event", "goodput back after, s"],
            "rows": [[event, f"{seconds:.2f}"] for event, seconds in lost.items()],
        }],
        "plots": [],
        "text": f"Of {chosen['count']} quotes were kept: " + ", ".join(
            f"{name} {done / chosen['count']:.1%}" for name, done in chosen["within"].items()) +
                ". " + context.missing_text(),
        "raw": {"choice": chosen, "sums": sums, "losses": lost},
    }
