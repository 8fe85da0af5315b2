"""soak.py OUT: kills, reloads and chaos, at length, with exact accounting.

Each part starts its own server and upstreams, and calls the server until the part ends. Prints a
Markdown table, as docs/reliability.md shows it, and "N passed, N failed, N skipped". The folder of
a failed part is kept. The seed decides all random numbers, but not the timing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e/support"))

from feature_client import FeatureService  # noqa: E402
from phases import HEADER, Outcome, soak_chaos, soak_kills, soak_reloads  # noqa: E402
from processes import Process  # noqa: E402
from server import Launcher  # noqa: E402
from target import FAULTS, Target  # noqa: E402


def save_processes(folder: Path):
    """Saves the list of running processes, for debugging."""
    columns = "pid,ppid,stat,wchan:20,etimes,args"
    with (folder / "processes.txt").open("w") as file:
        subprocess.run(["ps", "-e", "-H", "-o", columns], stdout=file, check=True)


def run_part(out: Path, name: str, part: Callable[[Target], Outcome]) -> bool:
    """Whether the part passed."""
    folder = Path(tempfile.mkdtemp(prefix=f"soak-{name}-"))
    try:
        with ExitStack() as stack:
            def upstream(name: str, *options: str) -> str:
                argv = [out / "feature_service", "--listen", "127.0.0.1:0", *options]
                process = Process.start(argv, log=folder / f"{name}.log")
                stack.callback(process.kill)
                return FeatureService(process).url

            upstreams = {
                "users": upstream("users"),
                "faulty": upstream("faulty", *FAULTS),
                "shared": [upstream("shared0"), upstream("shared1"), upstream("shared2", *FAULTS)],
            }
            launcher = Launcher(out, folder)
            stack.callback(launcher.finish)
            stack.callback(lambda: save_processes(folder))
            outcome = part(Target(launcher, upstreams))
        complaints = outcome.complaints()
        if outcome.is_slower():
            speeds = f"{outcome.speed_before:,}, then {outcome.speed_after:,}"
            complaints.append(f"echoes in a second of the master's CPU time: {speeds}")
        print(outcome.row(), flush=True)
    except (AssertionError, OSError):
        complaints = [traceback.format_exc()]
    if not complaints:
        shutil.rmtree(folder)
        return True
    print(f"failed: {name}: see {folder}", *complaints, sep="\n  ", flush=True)
    return False


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of the build")
    parser.add_argument("--kills", type=int, default=10_000, help="kills of workers")
    parser.add_argument("--fork-servers", type=int, default=100, help="kills of fork servers")
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60, help="minutes of chaos")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    print(f"seed {options.seed}\n\n{HEADER}", flush=True)
    deadline = lambda: time.monotonic() + 60 * options.minutes  # noqa: E731

    def chaos(target: Target) -> Outcome:
        end = deadline()
        return soak_chaos(target, options.seed, lambda steps: time.monotonic() < end)

    parts: dict[str, Callable[[Target], Outcome]] = {
        "kills": lambda target: soak_kills(
            target, options.seed, options.kills, options.fork_servers
        ),
        "reloads": lambda target: soak_reloads(target, options.seed, options.reloads),
        "chaos": chaos,
    }
    wanted = {"kills": options.kills, "reloads": options.reloads, "chaos": options.minutes}
    passed = [run_part(options.out.resolve(), name, parts[name])
              for name, much in wanted.items() if much > 0]  # fmt: skip
    print(f"\n{sum(passed)} passed, {len(passed) - sum(passed)} failed, 0 skipped")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
