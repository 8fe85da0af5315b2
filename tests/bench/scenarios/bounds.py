"""The server beside bare programs that only read, copy once and write."""

from statistics import median
from typing import Any

from contender import Contender
from context import Context, cpu_us_per_request
from processes import Process
from ringmaster import FETCH
from scenarios import payloads
from systems import OURS, end
from targets import number, ratio, target

TITLE = "beside bare programs"
ABOUT = """CPU of all processes of a system for a request. `bare_echo` and `bare_proxy`
(`tests/bench/bounds`) wait with epoll, read, copy once, write, and parse nothing. `curl_proxy` is
`bare_proxy` with libcurl. *Fetch and echo*: one POST on a kept connection to a feature service that
answers after a millisecond. *Echo*: one request at a time on each connection, and 20,000 a second,
Poisson. *Large echo*: strings, one request at a time on two connections, CPU seconds a GB. The
systems take turns; each figure is the median of the rounds."""
SIZES = {"64 KiB": 64 << 10, "1 MiB": 1 << 20, "8 MiB": 8 << 20, "16 MiB": 16 << 20}
CONNECTIONS = (1, 10, 100, 1000)
RATE = 20_000


def bare(context: Context, name: str, *arguments: str) -> Contender:
    process = Process.start([context.build / "bench/bounds" / name, *arguments])
    address = process.wait_for_line(r"listening address=(\S+)").group(1)
    return Contender(name, address, [process])


def costs(context: Context, systems: list[Contender], method: str, params: Any,
          **load: Any) -> dict[str, float]:
    """The CPU microseconds of a request, by system."""
    rounds = [{system.name: cpu_us_per_request(context.load(system, method, params, **load))
               for system in systems} for _ in range(context.pick(3, 7))]
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def fetches(context: Context, systems: list[Contender]) -> tuple[list[Any], list[Any]]:
    loads = {"at 3,000/s": {"rate": 3000, "connections": 16},
             "saturated": {"concurrency": 256, "connections": 16}}
    targets, rows = [], []
    for (name, load), limit in zip(loads.items(), (2, 1.5), strict=True):
        found = costs(context, systems, "fetch_echo", {"user_id": "$i"},
                      seconds=context.pick(2, 6), **load)
        rows.append([f"fetch and echo, {name}", *(number(value) for value in found.values())])
        targets += [
            target(f"fetch and echo, {name} ≤ {limit} × the bare proxy's",
                   ratio(found[OURS], found["bare_proxy"]), "<=", limit),
            target(f"fetch and echo, {name} ≤ 1.3 × the proxy's with libcurl",
                   ratio(found[OURS], found["curl_proxy"]), "<=", 1.3)]
    return targets, rows


def echoes(context: Context, systems: list[Contender]) -> tuple[list[Any], list[Any]]:
    found = costs(context, systems, "echo", ["$i"], seconds=context.pick(1.5, 5), concurrency=256,
                  connections=256)
    rows = [["echo, one at a time on 256 connections", *map(number, found.values())]]
    targets = [target("echo on 256 connections ≤ 1.5 × the bare echo's",
                      ratio(found[OURS], found["bare_echo"]), "<=", 1.5)]
    above = []
    for connections in CONNECTIONS:
        found = costs(context, systems, "echo", ["$i"], seconds=context.pick(1.5, 5), rate=RATE,
                      connections=connections)
        rows.append([f"echo, {RATE:,} a second on {connections}", *map(number, found.values())])
        above.append(found[OURS] - found["bare_echo"])
    spread = max(abs(one / median(above) - 1) for one in above)
    targets.append(target("echo on 1 to 1,000 connections: CPU beyond the bare echo's, "
                          "off its median by", spread, "<=", 0.15, "%"))
    return targets, rows


def large(context: Context, systems: list[Contender]) -> tuple[list[Any], list[Any]]:
    targets, rows, ours = [], [], {}
    for label, size in SIZES.items():
        path = payloads.write_params(context.folder, payloads.STRING, size)
        found = costs(context, systems, "echo", path, seconds=context.pick(1.5, 5), concurrency=2,
                      connections=2)
        per_gb = {name: value / size * 1e3 for name, value in found.items()}
        ours[label] = per_gb[OURS]
        rows.append([f"echo of {label}, CPU s a GB", *map(number, per_gb.values())])
        targets.append(target(f"echo of {label} ≤ 1.7 × the bare echo's",
                              ratio(per_gb[OURS], per_gb["bare_echo"]), "<=", 1.7))
    targets.append(target("CPU per GB: echo of 16 MiB ≤ 1.3 × echo of 1 MiB",
                          ratio(ours["16 MiB"], ours["1 MiB"]), "<=", 1.3))
    return targets, rows


def run(context: Context) -> dict[str, Any]:
    upstream = context.upstream(1)
    fetching = {"fetch_echo": {"steps": [FETCH, {"run": "echo"}]}}
    ours = context.ringmaster(upstream, timeout_ms=60_000, methods=fetching)
    address = upstream.split("/")[2]
    proxies = [bare(context, name, address) for name in ("bare_proxy", "curl_proxy")]
    echo = bare(context, "bare_echo")
    targets, by_fetch = fetches(context, [ours, *proxies])
    more, by_echo = echoes(context, [ours, echo])
    most, by_size = large(context, [ours, echo])
    for system in (ours, echo, *proxies):
        end(system)
    return {"targets": [*targets, *more, *most], "tables": [
        {"title": "CPU µs of a request", "columns": ["load", OURS, "bare_proxy", "curl_proxy"],
         "rows": by_fetch},
        {"title": "CPU µs of an echo, and CPU s a GB", "columns": ["load", OURS, "bare_echo"],
         "rows": [*by_echo, *by_size]}]}
