"""The bound that loads are compared with: the ideal queue is right in cases with a known answer."""

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench/bounds"))

from ideal_queue import NS_PER_MS, latencies_ns, percentile  # noqa: E402


def poisson(rate_per_ms, count):
    """`count` arrivals in ns, always the same."""
    chance = random.Random(1)
    at_ms, arrivals = 0.0, []
    for _ in range(count):
        at_ms += chance.expovariate(rate_per_ms)
        arrivals.append(int(at_ms * NS_PER_MS))
    return arrivals


def in_ms(latencies):
    return [latency / NS_PER_MS for latency in latencies]


def test_a_request_alone_takes_a_fetch_and_a_run():
    arrivals = [n * 1000 * NS_PER_MS for n in range(100)]
    assert in_ms(latencies_ns(arrivals, servers=2)) == [100] * 100


def test_requests_together_wait_for_the_core_that_is_free_first():
    assert in_ms(latencies_ns([0] * 5, servers=2)) == [100, 100, 130, 130, 160]
    # The third request's fetch ends at 90 ms; the first core is free at 100 ms.
    assert in_ms(latencies_ns([0, 15 * NS_PER_MS, 20 * NS_PER_MS], servers=2)) == [100, 100, 110]


def test_one_server_waits_as_long_as_the_formula_for_m_d_1_says():
    load, service_ms = 0.8, 30
    arrivals = poisson(load / service_ms, 200_000)
    waits = [latency - 100 for latency in in_ms(latencies_ns(arrivals, servers=1))]
    assert min(waits) == 0
    expected = load * service_ms / (2 * (1 - load))  # Pollaczek and Khinchine
    assert sum(waits) / len(waits) == pytest.approx(expected, rel=0.03)


def test_percentiles_are_those_of_the_nearest_rank():
    values = list(range(1, 201))
    assert [percentile(values, p) for p in (0, 50, 99, 100)] == [1, 100, 198, 200]
