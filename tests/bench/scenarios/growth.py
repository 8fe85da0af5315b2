"""Whether a request costs more on many connections, with many workers, with many fetches under way,
or after many requests."""

from statistics import median
from typing import Any

from context import Context, cpu_us_per_request
from cpu import rss_bytes
from ringmaster import Ringmaster
from systems import end
from targets import number, target

TITLE = "growth"
ABOUT = """CPU of all of the server's processes per `echo`. *Connections*: the rate is the same each
time (Poisson), since a closed loop on each connection would also change how many requests are under
way. (A low rate would measure how long the machine takes to put processes to sleep and wake them.)
*Workers*: the same load, for servers with 1, 2, 4 and 8 workers. *Fetches*: `interests.predict` at
one rate, with upstreams that take 2, 25 and 250 ms, so that 8, 100 and 1,000 fetches are under way;
the master's CPU alone. *Requests*: the same load after so many requests were answered, and the
master's resident memory. *Flat*: no cost is more than 10 % from the median of its row."""
RATE = 20_000
FETCHES_RATE = 4_000
FETCHES_MS = {2: 8, 25: 100, 250: 1000}  # the upstream's delay -> fetches under way
AT_ONCE, CONNECTIONS = 256, 16
MIB = 1 << 20


def probe(context: Context, system: Ringmaster, connections: int) -> dict[str, Any]:
    made = context.load(system, "echo", ["$i"], seconds=context.pick(1.5, 5), rate=RATE,
                        connections=connections, warm_up_s=0.3)
    failed = sum(made["errors"].values()) + made["lost"]
    return {"us": cpu_us_per_request(made), "failed": failed}


def spread(values: list[float]) -> float:
    """The largest distance of a value from the median, relative to the median."""
    return max(abs(value / median(values) - 1) for value in values)


def over_connections(context: Context, system: Ringmaster) -> list[dict[str, Any]]:
    counts = (1, 10, 100, 1000)
    rounds = [{count: probe(context, system, count) for count in counts}
              for _ in range(context.pick(2, 5))]
    return merged("connections", rounds)


def over_workers(context: Context) -> list[dict[str, Any]]:
    systems = {count: context.ringmaster(workers=count) for count in (1, 2, 4, 8)}
    rounds = [{count: probe(context, system, CONNECTIONS) for count, system in systems.items()}
              for _ in range(context.pick(2, 5))]
    for system in systems.values():
        end(system)
    return merged("workers", rounds)


def over_fetches(context: Context) -> list[dict[str, Any]]:
    systems = {count: context.ringmaster(context.upstream(delay_ms))
               for delay_ms, count in FETCHES_MS.items()}
    rounds = [{count: probe_fetches(context, system) for count, system in systems.items()}
              for _ in range(context.pick(2, 5))]
    for system in systems.values():
        end(system)
    return merged("fetches", rounds)


def probe_fetches(context: Context, system: Ringmaster) -> dict[str, Any]:
    made = context.load(system, "interests.predict", {"user_id": "$i"},
                        seconds=context.pick(3, 8), rate=FETCHES_RATE, connections=CONNECTIONS)
    failed = sum(made["errors"].values()) + made["lost"]
    return {"us": cpu_us_per_request(made, "master"), "failed": failed}


def merged(key: str, rounds: list[dict[int, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{key: count, "us": median(each[count]["us"] for each in rounds),
             "failed": sum(each[count]["failed"] for each in rounds)} for count in rounds[0]]


def over_requests(context: Context, system: Ringmaster) -> list[dict[str, Any]]:
    rows, answered = [], 0
    for exponent in range(3, context.pick(5, 7) + 1):
        while answered < 10**exponent:
            left = 10**exponent - answered
            rate = {"rate": left, "seconds": 1} if left < 10_000 else {
                "concurrency": AT_ONCE, "seconds": min(30, left / 200_000 + 0.2)}
            made = context.load(system, "echo", ["$i"], connections=CONNECTIONS, warm_up_s=0,
                                **rate)
            answered += max(1, made["results"])
        found = [probe(context, system, CONNECTIONS) for _ in range(context.pick(2, 3))]
        rows.append({"requests": answered, "us": median(one["us"] for one in found),
                     "rss_mib": rss_bytes(system.server.pid) / MIB,
                     "failed": sum(one["failed"] for one in found)})
        context.say(f"after {answered:,} requests: {rows[-1]['us']:.1f} us,"
                    f" {rows[-1]['rss_mib']:.1f} MiB")
        answered += int(RATE * context.pick(1.5, 5)) * len(found)
    return rows


def plot(name: str, rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    return {"kind": "lines", "name": name, "title": f"What a request costs, by {key}", "x": key,
            "y": "CPU µs per request", "log": "x",
            "series": [{"label": "ringmaster", "points": [[row[key], row["us"]] for row in rows]}]}


def run(context: Context) -> dict[str, Any]:
    by_age = over_requests(context, context.ringmaster())  # of a server that was just started
    by_workers = over_workers(context)
    by_fetches = over_fetches(context)
    by_connections = over_connections(context, context.ringmaster())
    cost = lambda rows: spread([row["us"] for row in rows])  # noqa: E731
    many = f"{by_age[-1]['requests']:,}"
    return {
        "targets": [
            target("cost flat from 1 to 1,000 connections: at most 10 % from the median",
                   cost(by_connections), "<=", 0.1, "%"),
            target("cost flat from 8 to 1,000 fetches under way: at most 10 % from the median",
                   cost(by_fetches), "<=", 0.1, "%"),
            target(f"cost flat from 10³ to {many} requests: at most 10 % from the median",
                   cost(by_age), "<=", 0.1, "%"),
            target(f"memory flat over {many} requests: at most 10 % from the median",
                   spread([row["rss_mib"] for row in by_age]), "<=", 0.1, "%"),
        ],
        "tables": [
            *({"title": f"{RATE} requests a second, by {key}",
               "columns": [key, "CPU µs a request", "errors and lost"],
               "rows": [[row[key], number(row["us"]), row["failed"]] for row in rows]}
              for key, rows in (("connections", by_connections), ("workers", by_workers))),
            {"title": f"{FETCHES_RATE} fetches a second, by how many are under way",
             "columns": ["fetches", "CPU µs of the master a request", "errors and lost"],
             "rows": [[row["fetches"], number(row["us"]), row["failed"]] for row in by_fetches]},
            {"title": "After so many requests",
             "columns": ["requests", "CPU µs a request", "MiB of the master", "errors and lost"],
             "rows": [[f"{row['requests']:,}", number(row["us"]), number(row["rss_mib"]),
                       row["failed"]] for row in by_age]},
        ],
        "plots": [plot("growth_connections", by_connections, "connections"),
                  plot("growth_workers", by_workers, "workers"),
                  plot("growth_fetches", by_fetches, "fetches"),
                  plot("growth_requests", by_age, "requests")],
        "raw": {"connections": by_connections, "workers": by_workers,
                "fetches": by_fetches, "requests": by_age},
    }
