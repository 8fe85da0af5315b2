"""The demo's handlers, in C++ and in Python, and their answers in a form that can be compared.

    upstream = feature_service(*sessions(tmp_path, 300))
    handlers = {"cpp": CPP, "python": python("Interests", batch=64)}
    running = server(upstreams=..., handlers=handlers, methods=methods(handlers))
    assert ask(running.connect(), "python", 300) == ask(running.connect(), "cpp", 300)
"""

import gzip
import struct
import sys
from itertools import islice
from pathlib import Path

from client import request

ROOT = Path(__file__).resolve().parents[3]
SESSIONS = ROOT.parent / "shared/data/msnbc/sessions.seq.gz"
HEADER_LINES = 7
FOLDER = ROOT / "src/demo/interests"
MODEL = ROOT / "conf/models/interests.ubj"
CPP = {"library": "interests", "model": MODEL, "batch": 64}
FETCH = {"fetch": "users", "body": {"user_id": "${params.user_id}"}}
IN_FLIGHT = 64

sys.path.insert(0, str(FOLDER))  # for `import interests`


def python(name: str, **keys):
    """The section of a handler: the class `name` of interests.py."""
    return {"python": FOLDER / f"interests.py:{name}", "model": MODEL} | keys


def methods(names):
    """For each handler a method of its name, which fetches the user."""
    return {name: {"steps": [FETCH, {"run": name}]} for name in names}


def sessions(folder: Path, count: int) -> list:
    """The options of a feature service with the first `count` users of the MSNBC data. Empty if the
    data is not beside the project: the service then has its built-in users."""
    if not SESSIONS.exists():
        return []
    path = folder / "first.seq"
    with gzip.open(SESSIONS) as lines:
        path.write_bytes(b"".join(islice(lines, HEADER_LINES + count)))
    return ["--sessions", path]


def ask(client, method: str, count: int) -> list:
    """The method's answers for the users from 1 to `count`, with the scores as float32."""
    answers = {}
    for begin in range(1, count + 1, IN_FLIGHT):
        users = range(begin, min(begin + IN_FLIGHT, count + 1))
        client.send(b"".join(request(method, {"user_id": user}, user) for user in users))
        answers |= client.answers(len(users))
    return [_as_float32(answers[user]) for user in range(1, count + 1)]


def _as_float32(answer):
    assert "result" in answer, answer
    result = answer["result"]
    scores = [(one["category"], struct.pack("f", one["score"])) for one in result["interests"]]
    return result["user_id"], scores
