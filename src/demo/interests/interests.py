"""The demo's handler in Python. Its answers are those of handler.cc: features.h defines the
features, and a score, read as a float32, is the same number.

    {"user_id":42,"events":[{"category":"sports","ts":1700000000},...]}    oldest first
    -> {"user_id":42,"interests":[{"category":"sports","score":0.61},...]}

Needs libxgboost, and no package of Python. PackageInterests needs Debian's python3-xgboost.
"""

from operator import ne

from xgboost_model import CModel, PackageModel

# In the order of categories.h.
CATEGORIES = (
    "frontpage news tech local opinion on-air misc weather msn-news health living business "
    "msn-sports sports summary bbs travel"
).split()
COUNT = len(CATEGORIES)
CODES = {name: code for code, name in enumerate(CATEGORIES)}
NEVER_SEEN = 1000
RECENT = 5
FEATURE_COUNT = 3 * COUNT + RECENT + 4


def features(events: list) -> list[int]:
    """The 60 numbers of features.h. Methods of `bytes` compute them in C, which is fast."""
    try:
        codes = bytes([CODES[event["category"]] for event in events])
    except (KeyError, TypeError) as fault:
        raise ValueError(
            f"users/events: expected objects with one of the 17 categories, found {fault!r}"
        ) from None
    size = len(codes)
    now = codes[-1] if codes else None
    counts = [codes.count(code) for code in range(COUNT)]
    last = [codes.rfind(code) for code in range(COUNT)]
    back = [min(size - at, NEVER_SEEN) if at >= 0 else NEVER_SEEN for at in last]
    followers = bytes([after for before, after in zip(codes, codes[1:]) if before == now])
    followed = [followers.count(code) for code in range(COUNT)]
    recent = [code + 1 for code in codes[: -RECENT - 1 : -1]]
    recent += [0] * (RECENT - len(recent))
    run = size - len(codes.rstrip(codes[-1:]))
    changes = sum(map(ne, codes, codes[1:]))
    return [*counts, *back, *followed, *recent, size, run, changes, COUNT - counts.count(0)]


def answer(user_id: int, scores: list[float]) -> dict:
    """All categories, the likeliest first, those of equal score in the order of CATEGORIES."""
    order = sorted(range(COUNT), key=scores.__getitem__, reverse=True)
    interests = [{"category": CATEGORIES[code], "score": scores[code]} for code in order]
    return {"user_id": user_id, "interests": interests}


class Interests:
    """Options: model, the path of a .ubj file."""

    model_type = CModel

    def __init__(self, options):
        self.model = self.model_type(options["model"], FEATURE_COUNT, COUNT)

    def warm_up(self):
        self.run(0, {"events": []})

    def self_test(self):
        (scores,) = self.model.predict([features([])])
        assert abs(sum(scores) - 1) < 1e-3, f"expected scores that sum to 1, found {sum(scores)}"

    def run(self, user_id: int, users: dict) -> dict:
        """Predicts the page that the user will see next."""
        (scores,) = self.model.predict([features(users["events"])])
        return answer(user_id, scores)

    def run_batch(self, jobs: list) -> list:
        """One call of the model for all users takes less time for each user."""
        rows = [self._try_features(job["users"]) for job in jobs]
        good = [row for row in rows if not isinstance(row, Exception)]
        scores = iter(self.model.predict(good) if good else [])
        return [row if isinstance(row, Exception) else answer(job["user_id"], next(scores))
                for job, row in zip(jobs, rows)]

    def _try_features(self, users: dict) -> list[int] | Exception:
        """Returns a fault instead of raising it, so that the fault fails only its own job."""
        try:
            return features(users["events"])
        except Exception as fault:
            return fault


class PackageInterests(Interests):
    """The same with XGBoost's package for Python."""

    model_type = PackageModel
