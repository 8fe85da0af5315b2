"""How scenarios evaluate their measurements."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "bench"), str(TESTS / "e2e/support")]

from context import cpu_us_per_request, others_share  # noqa: E402
from scenarios import fair, interests, latency, many, overload  # noqa: E402
from token_clients import Load  # noqa: E402


def report(results: int, sent: int, ms: float = 100) -> dict:
    """The report of a load whose pN is N times `ms`."""
    latencies = {f"p{percent:g}": percent * ms * 1000 for percent in latency.PERCENTS}
    return {"results": results, "sent": sent, "latency_us": latencies}


def test_percentiles_are_of_all_that_was_sent():
    assert latency.at({"ms": latency.of_all_sent(report(1000, 1000))}, 99) == 9900
    half = {"ms": latency.of_all_sent(report(500, 1000))}
    assert latency.at(half, 49.5) == 9900  # the p99 of the requests that had an answer
    assert latency.at(half, 99) is None and latency.shown_ms(half, 99) == "> 9,990"


@pytest.mark.parametrize("errors, lost, p99_ms, is_held", [
    ({}, 0, 200, True), ({}, 0, 201, False), ({}, 1, 100, False), ({"503": 1}, 0, 100, False)])
def test_a_rate_is_held_when_all_are_answered_in_time(errors, lost, p99_ms, is_held):
    made = {"errors": errors, "lost": lost, "latency_us": {"p99": p99_ms * 1000}}
    assert interests.is_held(made) is is_held


def test_only_a_rate_that_was_not_held_bounds_the_highest_rate():
    assert interests.next_rate(400, None) == 600
    assert interests.next_rate(400, 600) == 500 and interests.next_rate(0.0, 600) == 300


def test_cpu_is_shared_out_among_two_cores():
    made = {"cpu_s": {"master": 1, "fork server": 0, "worker 0": 2, "worker 1": 1}, "wall_s": 10,
            "upstream_cpu_s": 0.5, "own_cpu_us_per_request": 20, "sent": 50_000}
    assert interests.shares(made) == pytest.approx(
        {"master": 0.05, "workers": 0.15, "feature service": 0.025, "load": 0.05})


def test_a_share_above_the_whole_capacity_is_no_figure():
    assert overload.credible(0.5) == 0.5 and overload.credible(1.05) == 1.05
    assert overload.credible(1.8) is None and overload.credible(None) is None


def test_cpu_per_request_counts_all_answers():
    made = {"results": 90, "errors": {"-32009": 10}, "cpu_s": {"master": 0.001, "worker 0": 0.0005}}
    assert cpu_us_per_request(made) == pytest.approx(15)
    assert cpu_us_per_request(made, "worker") == pytest.approx(5)
    assert cpu_us_per_request(made | {"results": 0, "errors": {}}) is None


def test_the_share_of_other_processes_is_the_rest_of_the_busy_time():
    made = {"cpu_s": {"master": 1.0}, "upstream_cpu_s": 0.5, "own_cpu_us_per_request": 10,
            "sent": 50_000, "wall_s": 10}
    whole_s = 10 * os.cpu_count()
    assert others_share(made, 2.0 + whole_s / 4) == pytest.approx(0.25)
    assert others_share(made, 1.9) == 0


def test_calibration_is_off_by_the_worst_of_the_percentiles():
    calibration = many.Calibration()
    calibration.count, calibration.within = 200, {"p50": 104, "p90": 170, "p99": 198}
    assert calibration.off_by() == pytest.approx(0.05)


def test_workers_are_as_busy_as_all_loads_together_keep_them():
    loads = [{"results": 600, "duration_s": 10}, {"results": 30, "duration_s": 5}]
    assert fair.busy_part(*loads) == pytest.approx(66 * 0.03 / 2)


def test_token_clients_count_each_request_after_the_warm_up_once(tmp_path):
    """Of four requests, one gets an error, and one no answer."""
    tokens, ids = set(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        async for line in reader:
            asked = json.loads(line)
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": True}
            if asked["method"] == "rpc.auth":
                tokens.update(asked["params"])
            else:
                assert asked["params"] == [asked["id"]]
                ids.append(asked["id"])
                if asked["id"] % 4 == 1:
                    continue
                if asked["id"] % 4 == 0:
                    answer = answer | {"error": {"code": -32009}}
                    del answer["result"]
            writer.write(json.dumps(answer).encode() + b"\n")

    async def run() -> dict:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await Load(argparse.Namespace(
                to=f"127.0.0.1:{port}", token_file=tmp_path / "tokens", rate=400, duration_s=0.3,
                warm_up_s=0.1, drain_s=0.2, in_time_ms=0, seed=1, method="echo", params="[$i]",
            )).run()

    (tmp_path / "tokens").write_text("first the-first-token\nsecond the-second-token\n")
    made = asyncio.run(run())
    assert tokens == {"the-first-token", "the-second-token"}
    assert sorted(ids) == list(range(1, len(ids) + 1))
    counted = sorted(ids)[-made["sent"]:]
    assert 0 < made["sent"] < len(ids)
    assert made["lost"] == sum(id % 4 == 1 for id in counted)
    assert made["errors"] == {"-32009": sum(id % 4 == 0 for id in counted)}
    assert made["results"] == made["in_time"] == sum(id % 4 > 1 for id in counted)
