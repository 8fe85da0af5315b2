"""Ideal queue: the latencies of an ideal server under the load of `ringmaster bench --rate RATE`.

Ideal: each request fetches for exactly 70 ms, any number of them at once; then it computes for
exactly 30 ms on the one of `servers` cores that is free first, in the order in which the fetches
end. Nothing else takes time: no network, no parsing, no switching. This is an M/D/c queue, fed
with the same arrivals as the load, so that chance is the same for both. The ideal refuses no
request: at a rate above the cores' capacity its latencies grow with the duration, and are no bound.
"""

import heapq
import json
import math
import subprocess

NS_PER_MS = 1_000_000


def latencies_ns(arrivals_ns, servers, fetch_ns=70 * NS_PER_MS, service_ns=30 * NS_PER_MS):
    """How long each request takes, in the order of the arrivals, which are sorted."""
    return latencies_of([(arrival, fetch_ns, service_ns) for arrival in arrivals_ns], servers)


def latencies_of(requests, servers):
    """The same for requests that take different times: (arrival, fetch, service) each, in the order
    in which their fetches end."""
    free_at = [-math.inf] * servers
    latencies = []
    for arrival, fetch, service in requests:
        done = max(arrival + fetch, free_at[0]) + service
        heapq.heapreplace(free_at, done)
        latencies.append(done - arrival)
    return latencies


def percentile(values, percent):
    """The percentile by the nearest rank, as `ringmaster bench` has it. REQUIRES: `values` are
    sorted, and not empty."""
    return values[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def arrivals_of(program, rate, seed, seconds):
    """When the requests of such a load start, in ns, by the program of arrivals.cc."""
    argv = [str(program), repr(rate), str(seed), repr(seconds)]
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["arrivals_ns"]
