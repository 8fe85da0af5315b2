"""Upstreams that are slow, fail, stall or get the same request again and again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from client import request
from context import Context
from feature_client import FeatureService
from systems import end
from targets import ratio, target

TITLE = "upstreams"
ABOUT = """Feature services as upstreams, each with a fault of its own. *Service*: two fetches at
once (50 and 70 ms), a third (30 ms) with a member of the first one's answer, and a function in
Python, one request at a time. *Coalesce*: 1,000 equal requests in one write. *Cache*: a method that
is one fetch, of one user, beside `echo`; then the upstream is killed. *Hedge*: 1 % of the answers
take about a second. *Breaker*: the upstream answers 500 to everything, with two attempts; then it
recovers. *Addresses*: three services under one name, of which one fails half of its requests and
one is 20 times slower. They are compared with two healthy services under one name. *Stall*: an
upstream that never answers, beside a method that uses another."""
ASKED = {"user_id": "${params.user_id}"}
ONE, EACH = {"user_id": 7}, {"user_id": "$i"}
RATE = 200
Part = tuple[list[dict[str, Any]], list[Any]]  # targets, and the row of the table


def count(service: FeatureService) -> int:
    """Ends the service. Returns how many requests it got."""
    service.process.stop()
    return int(service.process.wait_for_line(r"event=stopped requests=(\d+)").group(1))


@contextmanager
def system(context: Context, upstreams: dict[str, Any], steps: list[Any] | None = None,
           **sections: Any):
    """A server with these upstreams. Its method `ask` has these steps, by default one fetch."""
    steps = steps or [{"fetch": next(iter(upstreams)), "body": ASKED}]
    methods = {"ask": {"steps": steps}} | sections.pop("methods", {})
    running = context.ringmaster(upstreams=upstreams, methods=methods, **sections)
    yield running
    end(running)


def ms(made: dict[str, Any], percentile: str) -> float:
    return made["latency_us"][percentile] / 1e3


def good(made: dict[str, Any]) -> float:
    return made["results"] / made["sent"]


def service(context: Context) -> Part:
    delays = {"profiles": 50, "users": 70, "prices": 30}
    urls = {name: {"url": context.feature_service("--delay-ms", delay).url}
            for name, delay in delays.items()}
    file = context.folder / "score.py"
    file.write_text("def score(user_id, profile, views, offers):\n"
                    "    return len(profile['events']) + len(views['events'])\n")
    steps = [{"parallel": [{"fetch": "profiles", "as": "profile", "body": ASKED},
                           {"fetch": "users", "as": "views", "body": ASKED}]},
             {"fetch": "prices", "as": "offers", "body": {"user_id": "${profile.user_id}"}},
             {"run": "score"}]
    with system(context, urls, steps, handlers={"score": {"python": f"{file}:score"}}) as running:
        made = context.load(running, "ask", EACH, seconds=context.pick(3, 10))
    more_ms = ms(made, "p50") - 70 - 30
    return ([target("service: p50, less the 70 and 30 ms that the upstreams take, ≤ 3 ms",
                    more_ms, "<=", 3, "ms")],
            ["service", f"p50 {ms(made, 'p50'):.1f} ms"])


def coalesce(context: Context) -> Part:
    upstream, callers = context.feature_service("--delay-ms", 70), 1000
    keys = {"url": upstream.url, "idempotent": True, "coalesce": True}
    with system(context, {"one": keys}) as running:
        with running.server.connect() as client:
            client.send(b"".join(request("ask", ONE, id) for id in range(callers)))
            results = [answer.get("result") for answer in client.answers(callers).values()]
        right = sum(result == results[0] and result["user_id"] == 7 for result in results)
    asked = count(upstream)
    return ([target("coalesce: requests to the upstream", asked, "<=", 1, ""),
             target("coalesce: right answers", right, ">=", callers, "")],
            ["coalesce", f"{asked} asked, {right} right"])


def cache(context: Context) -> Part:
    upstream = context.feature_service()
    keys = {"url": upstream.url, "idempotent": True,
            "cache": {"ttl_ms": 1000, "stale_while_revalidate_ms": 5000,
                      "stale_if_error_ms": 600_000}}
    seconds = context.pick(2, 10)
    with system(context, {"one": keys}) as running:
        rounds = []
        for _ in range(5):
            made = {name: context.load(running, name, params, seconds=seconds / 5)
                    for name, params in (("ask", ONE), ("echo", [1]))}
            rounds.append(ms(made["ask"], "p50") / ms(made["echo"], "p50"))
        hits = sorted(rounds)[len(rounds) // 2]
        upstream.process.kill()
        down = context.load(running, "ask", ONE, seconds=context.pick(8, 60), rate=RATE,
                            warm_up_s=0)
    return ([target("cache: p50 of hits ≤ 1.3 × echo's", hits, "<=", 1.3),
             target("cache: answered with the upstream down", good(down), ">=", 1, "%")],
            ["cache", f"{hits:.2f} × echo; {down['results']} of {down['sent']} with it down"])


def hedge(context: Context) -> Part:
    """A body of five events, one byte each 4 ms, takes about a second."""
    common = ["--delay-ms", 20, "--delay-distribution", "lognormal", "--events", 5]
    healthy = context.feature_service(*common)
    slow = context.feature_service(*common, "--slow-drip-rate", 0.01, "--drip-ms", 4)
    keys = {"url": slow.url, "idempotent": True,
            "hedge": {"after": "p95", "budget_percent": 5}}
    seconds = context.pick(10, 40)
    with system(context, {"healthy": {"url": healthy.url}}) as running:
        due = context.load(running, "ask", EACH, seconds=seconds, rate=RATE)
    with system(context, {"slow": keys}) as running:
        first, made = (context.load(running, "ask", EACH, seconds=each, rate=RATE, warm_up_s=0)
                       for each in (2, seconds))
    more = count(slow) / (first["sent"] + made["sent"]) - 1
    p99 = ratio(ms(made, "p99"), ms(due, "p95"))
    return ([target("hedge: p99 ≤ 1.5 × p95 without the slow answers", p99, "<=", 1.5),
             target("hedge: more requests ≤ 5 %", more, "<=", 0.05, "%")],
            ["hedge", f"p99 {ms(made, 'p99'):.1f} ms, p95 without {ms(due, 'p95'):.1f} ms"])


def breaker(context: Context) -> Part:
    """The params say which fault the upstream has."""
    upstream = context.feature_service("--delay-ms", 5)
    keys = {"url": upstream.url, "idempotent": True, "attempts": 2, "breaker": True}
    steps = [{"fetch": "one", "body": ASKED, "headers": {"X-Fault": "${params.fault}"}}]
    seconds, rate = context.pick(6, 30), 500
    with system(context, {"one": keys}, steps) as running:
        failing = context.load(running, "ask", EACH | {"fault": "fail"}, seconds=seconds, rate=rate,
                               warm_up_s=0)
        well = context.load(running, "ask", EACH | {"fault": "none"}, seconds=4, rate=rate,
                            warm_up_s=0, lead_s=1)
    asked = count(upstream) - well["results"]  # includes some of the recovery's first second
    p99 = failing["error_latency_us"]["p99"] / 1e3
    return ([target("breaker: requests to the failing upstream, × those of callers",
                    asked / failing["sent"], "<=", 1.2),
             target("breaker: p99 of errors", p99, "<=", 5, "ms"),
             target("breaker: good, a second after its recovery", good(well), ">=", 0.999, "%")],
            ["breaker", f"{asked} asked for {failing['sent']} calls; p99 of errors {p99:.1f} ms"])


def addresses(context: Context) -> Part:
    fast, slow = ["--delay-ms", 5], ["--delay-ms", 100]
    healthy = [context.feature_service(*fast).url for _ in range(2)]
    mixed = [context.feature_service(*fast).url, context.feature_service(*slow).url,
             context.feature_service(*fast, "--fail-rate", 0.5).url]
    seconds = context.pick(8, 30)
    keys = {"idempotent": True, "attempts": 2, "breaker": True}
    found = []
    for urls in (healthy, mixed):
        with system(context, {"one": keys | {"url": urls}}) as running:
            found.append(context.load(running, "ask", EACH, seconds=seconds, rate=RATE,
                                      warm_up_s=2))
    due, made = found
    return ([target("addresses: good", good(made), ">=", 0.995, "%"),
             target("addresses: p99 ≤ 1.3 × two healthy ones'",
                    ratio(ms(made, "p99"), ms(due, "p99")), "<=", 1.3)],
            ["addresses", f"{good(made):.2%} good, p99 {ms(made, 'p99'):.1f} ms"])


def stall(context: Context) -> Part:
    well = {"fetch": "well", "body": ASKED}
    upstreams = {"stalls": {"url": context.feature_service("--hang-rate", 1).url},
                 "well": {"url": context.feature_service("--delay-ms", 20).url}}
    seconds = context.pick(6, 20)
    with system(context, upstreams, methods={"well": {"steps": [well]}}) as running:
        alone = context.load(running, "well", EACH, seconds=seconds, rate=RATE)
        with context.background(running, "ask", EACH, rate=100, seconds=seconds + 3):
            beside = context.load(running, "well", EACH, seconds=seconds, rate=RATE, warm_up_s=1)
    p99 = ratio(ms(beside, "p99"), ms(alone, "p99"))
    return ([target("stall: the other method's good answers", good(beside), ">=", 0.999, "%"),
             target("stall: the other method's p99 ≤ 1.1 × alone", p99, "<=", 1.1)],
            ["stall", f"p99 {ms(beside, 'p99'):.1f} ms, alone {ms(alone, 'p99'):.1f} ms"])


PARTS: list[Callable[[Context], Part]] = [service, coalesce, cache, hedge, breaker, addresses,
                                          stall]


def run(context: Context) -> dict[str, Any]:
    targets, rows = [], []
    for part in PARTS:
        its, row = part(context)
        context.say(": ".join(row))
        targets += its
        rows.append(row)
    return {"targets": targets,
            "tables": [{"title": "What was found", "columns": ["part", "found"], "rows": rows}]}
