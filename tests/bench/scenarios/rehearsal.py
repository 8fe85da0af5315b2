"""Rehearsed reloads of a running server: which changes of a handler are refused."""

import re
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from context import Context
from ringmaster import Ringmaster
from score_changes import HARMLESS, REGRESSIONS, SCORE, changed
from systems import end
from targets import number, target

TITLE = "rehearsed reloads"
JOBS = 100
PAIRS = 5
LIVE_JOBS = 300  # that a reload of the live server rehearses
LIVE_RATE, LIVE_S = 200, 5
ABOUT = f"""*Changes*: a server with a handler in Python that scores users, which has answered
{JOBS} requests. Twenty regressions (a wrong order of features, a crash for one user, three times
the CPU time and so on) and twenty harmless changes (a model that was trained again, one more member
and so on) are reloaded, one after the other. Each reload is compared with the answers that the
unchanged handler gave, also after a harmless change was accepted. *Live requests*: the same
handler, unchanged, gets {LIVE_RATE} requests a second, Poisson, for {LIVE_S} s. Meanwhile the
server reloads once, with and without a rehearsal of {LIVE_JOBS} jobs. The p99 with it is compared
with the p99 without it, and two runs without it with each other, in {PAIRS} rounds."""


def reload(context: Context, system: Ringmaster, code: str) -> dict[str, Any]:
    (context.folder / "score.py").write_text(code)
    line = system.server.reload_file()
    took = [re.search(r"took_ms=(\d+)", each) for each in system.server.lines
            if "event=rehearsed " in each]
    return {"is_refused": line.startswith("event=reload_failed"),
            "rehearsal_ms": int(took[-1].group(1)), "line": line}


def reload_all(context: Context, system: Ringmaster, kind: str,
               changes: dict[str, tuple[str, str]]) -> dict[str, dict[str, Any]]:
    found = {}
    for name, change in changes.items():
        found[name] = reload(context, system, changed(change))
        context.say(f"{kind}: {name}: {'refused' if found[name]['is_refused'] else 'accepted'}")
    return found


def start(context: Context, jobs: int) -> Ringmaster:
    """A server that has answered `jobs` requests, and rehearses as many at a reload."""
    path = context.folder / "score.py"
    path.write_text(SCORE)
    system = context.ringmaster(handlers={"score": {"python": f"{path}:run"}},
                                reload={"rehearse": jobs},
                                methods={"score": {"timeout_ms": 2000}})
    with system.server.connect() as client:
        for user_id in range(jobs):
            client.call("score", {"user_id": user_id})
    return system


def p99_beside_reload(context: Context, system: Ringmaster) -> float:
    """In ms."""
    with ThreadPoolExecutor(1) as threads:
        load = threads.submit(context.load, system, "score", {"user_id": "$i"}, rate=LIVE_RATE,
                              connections=4, seconds=LIVE_S, warm_up_s=0)
        line = system.server.reload_file()
        assert line.startswith("event=reloaded"), line
        made = load.result()
    assert made["results"] == made["sent"], made["errors"]
    return made["latency_us"]["p99"] / 1e3


def measure_live(context: Context) -> list[dict[str, float]]:
    """The p99s of each round, "without" and "again" both without a rehearsal."""
    rehearsing, plain = start(context, LIVE_JOBS), start(context, 0)
    systems = {"without": plain, "with": rehearsing, "again": plain}
    rounds = []
    for _ in range(PAIRS):
        rounds.append({name: p99_beside_reload(context, each) for name, each in systems.items()})
        context.say(", ".join(f"{name} {number(ms)} ms" for name, ms in rounds[-1].items()))
    rehearsed = [line for line in rehearsing.server.lines if "event=rehearsed " in line]
    assert len(rehearsed) == PAIRS and not any("event=rehearsed " in line
                                               for line in plain.server.lines), rehearsed
    end(rehearsing)
    end(plain)
    return rounds


def run(context: Context) -> dict[str, Any]:
    system = start(context, JOBS)
    regressions = reload_all(context, system, "regression", REGRESSIONS)
    harmless = reload_all(context, system, "harmless", HARMLESS)
    end(system)
    rounds = measure_live(context)
    slower = [one["with"] / one["without"] for one in rounds]
    spread = max(max(one["again"] / one["without"], one["without"] / one["again"])
                 for one in rounds)
    refused = sum(made["is_refused"] for made in regressions.values())
    wrongly = sum(made["is_refused"] for made in harmless.values())
    return {
        "targets": [
            target(f"refused, of {len(regressions)} regressions", refused, ">=", 19, ""),
            target(f"refused, of {len(harmless)} harmless changes", wrongly, "<=", 0, ""),
            target("live p99 beside a rehearsal, to that without one: median ≤ the largest ratio of"
                   " two runs without one", median(slower), "<=", spread),
        ],
        "tables": [{
            "title": f"Rehearsals of {JOBS} jobs",
            "columns": ["change", "refused", "ms"],
            "rows": [[name, "yes" if made["is_refused"] else "no", made["rehearsal_ms"]]
                     for name, made in (regressions | harmless).items()],
        }, {
            "title": f"Live p99 in ms, with and without a rehearsal of {LIVE_JOBS} jobs",
            "columns": ["round", "without", "with", "without, again", "with / without",
                        "again / without"],
            "rows": [[i, number(one["without"]), number(one["with"]), number(one["again"]),
                      f"{one['with'] / one['without']:.3f}",
                      f"{one['again'] / one['without']:.3f}"]
                     for i, one in enumerate(rounds, 1)],
        }],
        "raw": {"regressions": regressions, "harmless": harmless, "live": rounds},
    }
