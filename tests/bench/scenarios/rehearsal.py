"""Rehearsed reloads of a running server: which changes of a handler are refused."""

import re
from typing import Any

from context import Context
from ringmaster import Ringmaster
from score_changes import HARMLESS, REGRESSIONS, SCORE, changed
from systems import end
from targets import target

TITLE = "rehearsed reloads"
JOBS = 100
ABOUT = f"""A server with a handler in Python that scores users, which has answered {JOBS} requests.
Twenty regressions (a wrong order of features, a crash for one user, three times the CPU time and
so on) and twenty harmless changes (a model that was trained again, one more member and so on) are
reloaded, one after the other. Each reload is compared with the answers that the unchanged handler
gave, also after a harmless change was accepted."""


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


def run(context: Context) -> dict[str, Any]:
    path = context.folder / "score.py"
    path.write_text(SCORE)
    system = context.ringmaster(handlers={"score": {"python": f"{path}:run"}},
                                reload={"rehearse": JOBS},
                                methods={"score": {"timeout_ms": 2000}})
    with system.server.connect() as client:
        for user_id in range(JOBS):
            client.call("score", {"user_id": user_id})
    regressions = reload_all(context, system, "regression", REGRESSIONS)
    harmless = reload_all(context, system, "harmless", HARMLESS)
    end(system)
    refused = sum(made["is_refused"] for made in regressions.values())
    wrongly = sum(made["is_refused"] for made in harmless.values())
    return {
        "targets": [
            target(f"refused, of {len(regressions)} regressions", refused, ">=", 19, ""),
            target(f"refused, of {len(harmless)} harmless changes", wrongly, "<=", 0, ""),
        ],
        "tables": [{
            "title": f"Rehearsals of {JOBS} jobs",
            "columns": ["change", "refused", "ms"],
            "rows": [[name, "yes" if made["is_refused"] else "no", made["rehearsal_ms"]]
                     for name, made in (regressions | harmless).items()],
        }],
        "raw": {"regressions": regressions, "harmless": harmless},
    }
