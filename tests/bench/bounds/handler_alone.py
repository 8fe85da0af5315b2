"""handler_alone.py CLASS MODEL BODIES SECONDS BATCH: counts the users that a class of the demo's
interests.py serves in a second of its process's CPU time, without a server and without JSON.

BODIES has one user a line, as the feature service writes them. BATCH 1 is run(), more is
run_batch(). Prints {"users_per_cpu_s":...}. A server on N cores does at most N times that.
"""

import json
import sys
import time
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "src/demo/interests"))

import interests  # noqa: E402


def measure(handler, users: list[dict], seconds: float, batch: int) -> float:
    jobs = [{"user_id": user["user_id"], "users": user} for user in users]
    batches = [jobs[at : at + batch] for at in range(0, len(jobs), batch)]
    turn = cycle(batches)
    done, begin = 0, time.process_time()
    while (taken := time.process_time() - begin) < seconds:
        some = next(turn)
        if batch == 1:
            handler.run(**some[0])
        else:
            handler.run_batch(some)
        done += len(some)
    return done / taken


def main(name: str, model: str, bodies: str, seconds: str, batch: str):
    handler = getattr(interests, name)({"model": model})
    handler.warm_up()
    users = [json.loads(line) for line in Path(bodies).read_text().splitlines()]
    found = measure(handler, users, float(seconds), int(batch))
    print(json.dumps({"users_per_cpu_s": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
