"""What an attack on the status port costs the requests of clients."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Any

from attacker import CONNECTIONS, HELD_S, SLOW
from compare import interval
from context import Context, cpu_us_per_request
from cpu import cpu_s
from processes import Process
from ringmaster import Ringmaster
from scenarios.bounds import bare
from status_port import ON, status_of
from systems import end
from targets import number, target

TITLE = "the status port under attack"
ATTACKER = Path(__file__).parents[1] / "attacker.py"
SETTLE_S = 1.5
PROBE_EVERY_S, PROBE_TIMEOUT_S = 0.2, 1
ATTACKS = {
    "none": "",
    "slow clients": "slow",
    "connections": "connections",
    "scrapes": "scrapes",
    "all three": "slow,connections,scrapes",
}
ABOUT = f"""A program attacks the server's status port or, in turn, `accept_and_close`
(`tests/bench/bounds`), which accepts each connection and closes it. *Slow clients*: {SLOW} send a
byte of their request a second, {SLOW} ask for a long page and read a kilobyte a second.
*Connections*: {CONNECTIONS:,} that send nothing. Each of these is replaced by a new one after
{HELD_S} s, so {CONNECTIONS // HELD_S} are opened a second. *Scrapes*: each page, once a second.
*Under load*: the master's CPU time for a request, where a closed loop asks for 256 `echo` at once
on 16 connections. *Without load*: the CPU time of the same master that serves no requests. It
varies less, and is an upper bound of what the attack takes under load, since each connection wakes
the master. In both cases a probe asks the status port for `/livez` five times a second, and gives
up after a second."""


def is_live(address: str) -> bool:
    connection = HTTPConnection(address, timeout=PROBE_TIMEOUT_S)
    with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    return False


@contextlib.contextmanager
def probing(address: str) -> Iterator[list[bool]]:
    """Whether each probe so far was answered."""
    done = threading.Event()
    answered: list[bool] = []

    def probe():
        while not done.wait(PROBE_EVERY_S):
            answered.append(is_live(address))
    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield answered
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def attacked(system: Ringmaster, address: str, attack: str) -> Iterator[list[bool]]:
    """Yields whether each probe so far was answered."""
    with Process.start([sys.executable, ATTACKER, address, ATTACKS[attack]]) as attacker:
        attacker.wait_for_line("attacking")
        time.sleep(SETTLE_S)
        with probing(status_of(system.server)) as answered:
            yield answered


def under_load(context: Context, system: Ringmaster, address: str) -> dict[str, float]:
    with attacked(system, address, "all three") as answered:
        made = context.load(system, "echo", ["$i"], concurrency=256, connections=16, warm_up_s=0,
                            seconds=context.pick(4, 8))
    return {"us": cpu_us_per_request(made, "master"), "answered": sum(answered) / len(answered)}


def without_load(context: Context, system: Ringmaster, address: str,
                 attack: str) -> dict[str, float]:
    with attacked(system, address, attack) as answered:
        before, begin = cpu_s(system.server.pid), time.monotonic()
        time.sleep(context.pick(4, 10))
        used = (cpu_s(system.server.pid) - before) / (time.monotonic() - begin)
    return {"ms_per_s": used * 1e3, "answered": sum(answered) / len(answered)}


def run(context: Context) -> dict[str, Any]:
    system = context.ringmaster(listen=ON)
    listener = bare(context, "accept_and_close")
    addresses = {"bare": listener.address, "port": status_of(system.server)}
    pairs = []
    for number_of_pair in range(context.pick(5, 21)):
        order = sorted(addresses, reverse=number_of_pair % 2)
        pairs.append({name: under_load(context, system, addresses[name]) for name in order})
        context.say(", ".join(f"{name}: {pairs[-1][name]['us']:.2f} us" for name in order))
    alone = {attack: without_load(context, system, addresses["port"], attack) for attack in ATTACKS}
    end(listener)
    end(system)
    ratios = [pair["port"]["us"] / pair["bare"]["us"] for pair in pairs]
    us = {name: median(pair[name]["us"] for pair in pairs) for name in addresses}
    answered = median(pair["port"]["answered"] for pair in pairs)
    return {
        "targets": [target("CPU of a request while the status port is attacked ≤ 1.01 × that "
                           "while the bare listener is", median(ratios), "<=", 1.01)],
        "tables": [{
            "title": "Under load, all three attacks: the master's CPU µs of a request",
            "columns": ["bare listener attacked", "status port attacked", "ratio", "95 % interval",
                        "probes answered"],
            "rows": [[number(us["bare"]), number(us["port"]), f"{median(ratios):.3f}",
                      "{:.3f} to {:.3f}".format(*interval(ratios)), f"{answered:.0%}"]],
        }, {
            "title": "Without load: the master's CPU time, ms a second",
            "columns": ["attack", "ms a second", "probes answered"],
            "rows": [[attack, number(made["ms_per_s"]), f"{made['answered']:.0%}"]
                     for attack, made in alone.items()],
        }],
        "raw": {"pairs": pairs, "alone": alone},
    }
