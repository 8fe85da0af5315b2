"""ideal_queue.py ARRIVALS RATE [SERVERS]: what an ideal server would make of the load of
`ringmaster bench --rate RATE`. ARRIVALS is the program of arrivals.cc.

Ideal: each request fetches for exactly 70 ms, any number of them at once; then it computes for
exactly 30 ms on the one of SERVERS cores that is free first, in the order in which the fetches end.
Nothing else takes time: no network, no parsing, no switching. That is an M/D/c queue, fed with the
very arrivals of the load instead of others like them, so that chance is the same on both sides. It
refuses nobody: beyond what SERVERS can do its latencies grow with the duration and bound nothing.

Prints {"bound":"ideal_queue",...} with the latencies in ms of the requests that the load counts:
those that start after its warm-up.
"""

import argparse
import heapq
import json
import math
import subprocess

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


def latencies_ns(arrivals_ns, servers, fetch_ns=70 * NS_PER_MS, service_ns=30 * NS_PER_MS):
    """How long each request takes, in the order of the arrivals, which are sorted."""
    free_at = [0] * servers
    latencies = []
    for arrival in arrivals_ns:
        done = max(arrival + fetch_ns, free_at[0]) + service_ns
        heapq.heapreplace(free_at, done)
        latencies.append(done - arrival)
    return latencies


def percentile(values, percent):
    """By the nearest rank, as `ringmaster bench` has it; `values` are sorted, and not empty."""
    return values[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def arrivals_of(program, rate, seed, seconds):
    """When the requests of that load start, in ns."""
    argv = [str(program), repr(rate), str(seed), repr(seconds)]
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["arrivals_ns"]


def ideal(program, rate, seed, warm_up_s, duration_s, servers):
    """The summary for a load of `ringmaster bench`: its options, and the program of arrivals.cc."""
    arrivals = arrivals_of(program, rate, seed, warm_up_s + duration_s)
    counted = sorted(
        latency / NS_PER_MS
        for arrival, latency in zip(arrivals, latencies_ns(arrivals, servers))
        if arrival >= warm_up_s * NS_PER_S
    )
    summary = {"bound": "ideal_queue", "rate": rate, "servers": servers, "count": len(counted)}
    summary |= {f"p{percent}_ms": percentile(counted, percent) for percent in (50, 90, 99)}
    return summary | {"mean_ms": sum(counted) / len(counted), "max_ms": counted[-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arrivals", help="the program of arrivals.cc")
    parser.add_argument("rate", type=float, help="requests a second")
    parser.add_argument("servers", type=int, nargs="?", default=2, help="cores (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="as for ringmaster bench")
    parser.add_argument("--warm-up-s", type=float, default=1, help="as for ringmaster bench")
    parser.add_argument("--duration-s", type=float, default=10, help="as for ringmaster bench")
    options = parser.parse_args()
    print(json.dumps(ideal(options.arrivals, options.rate, options.seed, options.warm_up_s,
                           options.duration_s, options.servers)))


if __name__ == "__main__":
    main()
