"""What interests.predict must answer, computed a second time: features in Python, then XGBoost's
Python package on the same model file. For tests; shares its code with scripts/train_interests.py.

    import interests_reference as reference
    users = reference.held_out_users(10_000)                # [(user_id, [category number, ...])]
    expected = reference.predict([history for _, history in users])
    reference.result(user_id, expected[0])                  # as the server answers it

Needs python3-numpy and python3-xgboost; held_out_users() also the training data.
"""
import pathlib
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import train_interests as training  # noqa: E402

CATEGORIES = training.CATEGORIES
SESSIONS = training.SESSIONS


def numbers(names):
    """Category names as numbers."""
    return [CATEGORIES.index(name) for name in names]


def predict(histories, model=training.MODEL):
    """A row of 17 scores for each history, in the order of CATEGORIES. A history is a list of
    category numbers, oldest first; it may be empty."""
    return training.predict(training.load(model), training.matrix(histories))


def result(user_id, scores):
    """The answer that these scores make, the likeliest category first."""
    order = numpy.argsort(-scores, kind="stable")
    return {
        "user_id": user_id,
        "interests": [{"category": CATEGORIES[i], "score": float(scores[i])} for i in order],
    }


def held_out_users(count, sessions=SESSIONS, train_users=training.TRAIN_USERS):
    """The first `count` users that were not trained on and have two pages or more, each with all
    pages as history: what the feature service returns for user_id with --sessions. Fewer when
    there are not that many."""
    everyone = enumerate(training.read_sessions(sessions), start=1)
    held_out = [(user, pages) for user, pages in everyone if user > train_users and len(pages) >= 2]
    return held_out[:count]
