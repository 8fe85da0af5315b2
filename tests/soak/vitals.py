"""Vitals: a server's resources, which must be the same before and after a soak."""

from dataclasses import dataclass
from pathlib import Path

from proc import (
    children,
    descendants,
    descriptors,
    is_sanitized,
    private_bytes,
    wait_until,
    zombies_under,
)

# The growth that an allocator may cause: the master keeps up to 8 MiB of free memory. A sanitizer's
# shadow memory takes several times as much.
GROWTH_BYTES_MAX = 8 << 20
# The growth of the used memory: bounded tables and caches fill up, and the kernel may give a huge
# page of 2 MiB where a small one is used. 10,000 leaked objects of 420 bytes are more.
USED_GROWTH_BYTES_MAX = 4 << 20
SANITIZED_GROWTH_BYTES_MAX = 64 << 20

LISTENING = "0A"

# For one upstream with the default of 256 connections: two ends for each 16.
STREAM_PAIRS_MAX = 2 * 256 // 16


@dataclass(frozen=True)
class Vitals:
    master_bytes: int
    fork_server_bytes: int
    descriptors: int  # the master's, except those of fetches, which come and go
    stream_pairs: int  # libcurl's own, besides connections
    stream_pairs_max: int
    processes: int
    zombies: int
    growth_bytes_max: int
    used_growth_bytes_max: int
    used_bytes: int = 0  # the master's memory, without free memory

    def complaints(self, before: "Vitals") -> list[str]:
        growth_max = before.growth_bytes_max
        fits = {
            "RssAnon of the master": self.master_bytes < before.master_bytes + growth_max,
            "used memory of the master": (
                self.used_bytes < before.used_bytes + before.used_growth_bytes_max
            ),
            "RssAnon of the fork server": (
                self.fork_server_bytes < before.fork_server_bytes + growth_max
            ),
            "descriptors": self.descriptors == before.descriptors,
            "pairs of sockets": self.stream_pairs <= self.stream_pairs_max,
            "processes": self.processes == before.processes,
            "zombies": self.zombies == 0,
        }
        return [f"{what}: {before}, then {self}" for what, fit in fits.items() if not fit]


def tcp_sockets(pid: int) -> list[tuple[int, int, str]]:
    """(local port, remote port, state) of each TCP socket of the process."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    held = set(descriptors(pid).values())
    port = lambda address: int(address.partition(":")[2], 16)  # noqa: E731
    return [(port(line[1]), port(line[2]), line[3]) for line in table
            if f"socket:[{line[9]}]" in held]  # fmt: skip


def unix_sockets(pid: int) -> list[str]:
    """The path of each unix stream socket of the process; "": none."""
    table = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    stream, unnamed = "0001", 7  # columns of /proc/net/unix, without a path
    held = set(descriptors(pid).values())
    return ["" if len(line) == unnamed else line[7] for line in table
            if line[4] == stream and f"socket:[{line[6]}]" in held]  # fmt: skip


def stream_pairs(pid: int) -> int:
    """How many ends of unnamed stream socket pairs the process has: libcurl's, two for each 16
    fetches that were ever under way at once."""
    return unix_sockets(pid).count("")


def count_descriptors(pid: int, upstream_ports: set[int]) -> tuple[int, int]:
    """The process's stream pairs, and its other descriptors without the connections to upstreams.
    Counts until two results agree: the kernel's tables miss sockets while others are closed or
    opened."""
    looks: list[tuple[int, int]] = []

    def has_settled() -> bool:
        pairs = stream_pairs(pid)
        to_upstreams = sum(remote in upstream_ports for _, remote, _ in tcp_sockets(pid))
        looks.append((pairs, len(descriptors(pid)) - to_upstreams - pairs))
        return len(looks) > 1 and looks[-2] == looks[-1]

    wait_until(has_settled, "the master's descriptors to stay as they are")
    return looks[-1]


def measure(
    pid: int, workers: int, listening: tuple[int, str], upstream_ports: set[int]
) -> Vitals:
    """The vitals of a master without requests, once pending work has ended. `listening`: the port
    and the unix socket for clients."""
    client_port, local = listening
    wait_until(lambda: len(children(pid)) == 1, "former generations to be gone")
    wait_until(lambda: len(descendants(pid)) == 1 + workers, "the workers to be complete")
    is_client = lambda socket: socket[0] == client_port and socket[2] != LISTENING  # noqa: E731
    wait_until(lambda: not any(map(is_client, tcp_sockets(pid))), "all clients to be gone")
    wait_until(lambda: unix_sockets(pid).count(local) <= 1, "the local clients to be gone")
    [fork_server] = children(pid)
    pairs, others = count_descriptors(pid, upstream_ports)
    sanitized = is_sanitized(pid)
    return Vitals(
        master_bytes=private_bytes(pid),
        fork_server_bytes=private_bytes(fork_server),
        descriptors=others,
        stream_pairs=pairs,
        stream_pairs_max=STREAM_PAIRS_MAX * len(upstream_ports),
        processes=1 + len(descendants(pid)),
        zombies=len(zombies_under(pid)),
        growth_bytes_max=SANITIZED_GROWTH_BYTES_MAX if sanitized else GROWTH_BYTES_MAX,
        used_growth_bytes_max=SANITIZED_GROWTH_BYTES_MAX if sanitized else USED_GROWTH_BYTES_MAX,
    )
