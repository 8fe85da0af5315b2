"""Phases: the parts of a soak. Each runs on a server and returns an Outcome."""

from collections.abc import Callable
from dataclasses import dataclass

from chaos import Chaos
from kills import Kills, percentile
from load import Load, Tally
from reloads import Reloads
from target import Target
from vitals import Vitals

WARM_UP_KILLS, WARM_UP_FORK_SERVERS = 20, 1


@dataclass
class Outcome:
    """A row of the table, and why the part failed, if it did."""

    done: str
    figures: str
    tally: Tally
    before: Vitals
    after: Vitals
    speed_before: int  # echoes per second of the master's CPU time
    speed_after: int

    def complaints(self) -> list[str]:
        found = self.tally.complaints + self.after.complaints(self.before)
        if not self.tally.is_clean():
            found.append(f"not every request was answered exactly once: {self.tally}")
        return found

    def is_slower(self) -> bool:
        """Slower by more than the noise of other programs in the caches."""
        return self.speed_after * 2 < self.speed_before

    def row(self) -> str:
        tally, before, after = self.tally, self.before, self.after
        errors = "".join(f", {count:,} of them with error {code}, which is allowed"
                         for code, count in sorted(tally.errors.items()))  # fmt: skip
        mib = lambda size: f"{size / (1 << 20):.1f}"  # noqa: E731
        return (
            f"| {self.done} | {tally.sent:,} requests, {tally.answered:,} answered rightly{errors};"
            f" lost {tally.lost}, answered twice {tally.twice}, wrongly {tally.wrong}."
            f" {self.figures}. The master before and after: {mib(before.master_bytes)} and"
            f" {mib(after.master_bytes)} MiB, without free memory {mib(before.used_bytes)} and"
            f" {mib(after.used_bytes)} MiB, {before.descriptors} and {after.descriptors}"
            f" descriptors, {self.speed_before:,} and {self.speed_after:,} echoes a CPU"
            " second | `make soak` |"
        )


HEADER = "| done under load | result | shown by |\n|---|---|---|"


def soak(target: Target, seed: int, run: Callable[[Load], tuple[str, str]]) -> Outcome:
    """Calls run() under load; measures the warm server at rest before and after."""
    if not target.is_warm:
        with target.load(seed) as load:
            Kills(target, load, seed).run(WARM_UP_KILLS, WARM_UP_FORK_SERVERS)
        target.is_warm = True
    before, speed_before = target.vitals(), target.measure_speed()
    with target.load(seed) as load:
        done, figures = run(load)
    after, speed_after = target.vitals(), target.measure_speed()
    return Outcome(done, figures, load.tally, before, after, speed_before, speed_after)


def percentiles(values: list[int]) -> str:
    shown = (percentile(values, share) for share in (0.5, 0.99, 1))
    return "p50 {} ms, p99 {} ms, at most {} ms".format(*shown)


def soak_kills(target: Target, seed: int, workers: int, fork_servers: int) -> Outcome:
    def run(load: Load) -> tuple[str, str]:
        kills = Kills(target, load, seed)
        kills.run(workers, fork_servers)
        return (
            f"{len(kills.worker_ms):,} SIGKILLs of workers,"
            f" {len(kills.fork_server_ms)} of fork servers",
            "Until the slot serves again after the kill of a worker: "
            f"{percentiles(kills.worker_ms)}; "
            "until all workers serve again after the kill of a fork server: "
            f"{percentiles(kills.fork_server_ms)}",
        )

    return soak(target, seed, run)


def soak_reloads(target: Target, seed: int, count: int) -> Outcome:
    def run(load: Load) -> tuple[str, str]:
        reloads = Reloads(target, load, seed)
        reloads.run(count)
        return f"{count} reloads", f"Taken over {reloads.taken_over}, refused {reloads.refused}"

    return soak(target, seed, run)


def soak_chaos(target: Target, seed: int, goes_on: Callable[[int], bool]) -> Outcome:
    """Runs while goes_on(steps so far)."""

    def run(load: Load) -> tuple[str, str]:
        chaos = Chaos(target, load, seed)
        steps = 0
        while goes_on(steps):
            chaos.step()
            steps += 1
        chaos.end()
        done = ", ".join(f"{what} {count}" for what, count in chaos.done.most_common())
        return f"chaos, {steps:,} steps", done[0].upper() + done[1:]

    return soak(target, seed, run)
