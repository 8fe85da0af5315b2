"""A handler that scores users, twenty changes of it that a rehearsed reload must refuse, and twenty
that it must not.

Each call uses 1.5 ms of CPU time, so that each job is kept: see recent_jobs.h. Twins of the changes
are in tests/unit/master/rehearsal/changes_test.cc."""

from textwrap import dedent

SCORE = dedent("""
    import os, random, time
    MODEL = (3.0, -0.5)
    def features(user_id):
        return user_id * 7919 % 101 / 101, user_id * 104729 % 97 / 97
    def rank(first, second):
        return sorted([("sports", first), ("news", second), ("tech", (first + second) / 2)],
                      key=lambda one: -one[1])
    def run(user_id):
        cpu_ms = 1.5
        first, second = features(user_id)
        score = MODEL[0] * first + MODEL[1] * second
        best = [{"category": name, "score": value} for name, value in rank(first, second)]
        note = None if user_id % 10 == 0 else "usual"
        answer = {"user_id": user_id, "score": score, "best": best, "note": note, "version": 1,
                  "at": time.time(), "luck": random.random()}
        end = time.thread_time() + cpu_ms / 1000
        while time.thread_time() < end:
            pass
        return answer
""")

# name -> (a text of SCORE, the text in its place). "One user" is user 37.
REGRESSIONS = {
    "wrong order of features": ("return user_id * 7919 % 101 / 101, user_id * 104729 % 97 / 97",
                                "return user_id * 104729 % 97 / 97, user_id * 7919 % 101 / 101"),
    "wrong sign": ("score = MODEL[0]", "score = -MODEL[0]"),
    "one constant for all": ("+ MODEL[1] * second", "+ MODEL[1] * second; score = 1.0"),
    "wrong unit": ("+ MODEL[1] * second", "+ MODEL[1] * second + 100"),
    "weights of another model": ("MODEL = (3.0, -0.5)", "MODEL = (0.1, 4.0)"),
    "NaN": ('"score": score,', '"score": float("nan"),'),
    "NaN for one user": ('"score": score,', '"score": score if user_id != 37 else float("nan"),'),
    "null": ('"score": score,', '"score": None,'),
    "null for one user": ('"score": score,', '"score": score if user_id != 37 else None,'),
    "null for too many users": ("user_id % 10 == 0", "user_id % 2 == 0"),
    "null in a list": ("best = [{", "best = [None] + [{"),
    "a number as text": ('"score": score,', '"score": str(score),'),
    "another name": ('"score": score,', '"rating": score,'),
    "a missing member": ('"best": best, ', ""),
    "an empty list": ("best = [{", "best = [] and [{"),
    "a list as the result": ("return answer", "return [answer]"),
    "three times slower": ("cpu_ms = 1.5", "cpu_ms = 4.5"),
    "an exception for one user": ("return answer", "return answer if user_id != 37 else 1 / 0"),
    "a crash for one user": ("return answer", "return answer if user_id != 37 else os._exit(1)"),
    "a hang for one user": ("return answer", "return answer if user_id != 37 else time.sleep(99)"),
}

HARMLESS = {
    "the same": ("return answer", "return answer"),
    "a comment": ("def run", "# A function that scores.\ndef run"),
    "trained again": ("MODEL = (3.0, -0.5)", "MODEL = (2.7, -0.6)"),
    "trained again with other data": ("MODEL = (3.0, -0.5)", "MODEL = (3.4, -0.2)"),
    "noise in the weights": ("score = MODEL[0]", "score = 0.1 * (user_id % 7) / 7 + MODEL[0]"),
    "calibrated": ("+ MODEL[1] * second", "+ MODEL[1] * second; score = 1.3 * score + 0.1"),
    "rounded": ('"score": score,', '"score": round(score, 2),'),
    "other scores for a tenth": ("+ MODEL[1] * second",
                                 "+ MODEL[1] * second if user_id % 10 else 1.5"),
    "one more member": ('"version": 1,', '"version": 1, "model": {"name": "b"},'),
    "one more in each element": ('"score": value}', '"score": value, "rank": 1}'),
    "one more element": ("in rank(first, second)]",
                         'in rank(first, second)] + [{"category": "travel", "score": 0.1}]'),
    "another version": ('"version": 1', '"version": 2'),
    "another text": ('"usual"', '"normal"'),
    "another order of members": ('"user_id": user_id, "score": score,',
                                 '"score": score, "user_id": user_id,'),
    "an integer where it was a float": ('"version": 1', '"version": 1.0'),
    "null for a few others": ("user_id % 10 == 0", "user_id % 10 == 0 or user_id == 37"),
    "faster": ("cpu_ms = 1.5", "cpu_ms = 0.5"),
    "a fifth slower": ("cpu_ms = 1.5", "cpu_ms = 1.8"),
    "an exception now and then": ("return answer",
                                  "return answer if random.random() > 0.005 else 1 / 0"),
    "output": ("return answer", "print(user_id); return answer"),
}


def changed(change: tuple[str, str]) -> str:
    """SCORE with this change."""
    before, now = change
    assert SCORE.count(before) == 1
    return SCORE.replace(before, now)
