"""The expected answers of interests.predict, computed in another way: features in Python, then
XGBoost's Python package with the same model file. For tests; shares its code with
scripts/train_interests.py.

    import interests_reference as reference
    users = reference.held_out_users(10_000)                # [(user_id, [category number, ...])]
    expected = reference.predict([history for _, history in users])

Needs python3-numpy and python3-xgboost. held_out_users() also needs the training data.
"""
import itertools
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts"))

import train_interests as training  # noqa: E402

CATEGORIES = training.CATEGORIES
SESSIONS = training.SESSIONS


def predict(histories):
    """A row of 17 scores for each history, in the order of CATEGORIES. A history is a list of
    category numbers, oldest first; it may be empty."""
    return training.predict(training.load(training.MODEL), training.matrix(histories))


def held_out_users(count):
    """The first `count` held-out users with two pages or more, each with all pages as history, as
    the feature service returns them with --sessions. Fewer if there are not so many."""
    first = training.TRAIN_USERS + 1
    everyone = enumerate(training.read_sessions(SESSIONS, first), start=first)
    held_out = ((user, pages) for user, pages in everyone if len(pages) >= 2)
    return list(itertools.islice(held_out, count))
