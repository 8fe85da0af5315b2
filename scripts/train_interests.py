#!/usr/bin/python3
"""Trains conf/models/interests.ubj: which page category does a user look at next?

    scripts/train_interests.py                     train, save, print the figures on held-out users
    scripts/train_interests.py --evaluate          the figures of the existing model

Needs python3-xgboost and python3-numpy, and the training data, which is not part of this
repository: conf/models/README.md says where it is from. With the same data, version of XGBoost and
kind of CPU, the model is the same to the byte: the training uses no random numbers, and its fixed
number of threads adds numbers up in the same order.

Users are numbered from 1 as the data lists them. The model is trained on those up to --train-users;
the others are held out. For a user with at least two pages, the last page is the answer and the
pages before are the history.
"""
import argparse
import gzip
import hashlib
import itertools
import pathlib

import numpy
import xgboost

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "conf/models/interests.ubj"
SESSIONS = ROOT.parent / "shared/data/msnbc/sessions.seq.gz"
HEADER_LINES = 7
TRAIN_USERS = 480_000

CATEGORIES = (
    "frontpage news tech local opinion on-air misc weather msn-news health living business "
    "msn-sports sports summary bbs travel"
).split()

# The feature vector is defined in src/demo/interests/features.h: change both together.
RECENT_COUNT = 5
NEVER_SEEN = 1000
FEATURE_COUNT = 3 * len(CATEGORIES) + RECENT_COUNT + 4

PARAMETERS = {
    "objective": "multi:softprob",
    "num_class": len(CATEGORIES),
    "tree_method": "hist",
    "max_depth": 5,
    "eta": 0.3,
    "min_child_weight": 5,
    "seed": 1,
    "nthread": 2,
}
ROUNDS = 30


def features(history):
    """The feature vector of a history: categories as numbers from 0, oldest first."""
    size = len(history)
    counts = [0] * len(CATEGORIES)
    back = [NEVER_SEEN] * len(CATEGORIES)
    followed = [0] * len(CATEGORIES)
    now = history[-1] if history else None
    changes = 0
    run = 0
    for i, category in enumerate(history):
        counts[category] += 1
        back[category] = min(size - i, NEVER_SEEN)
        run = run + 1 if i > 0 and history[i - 1] == category else 1
        if i > 0:
            changes += history[i - 1] != category
            if history[i - 1] == now:
                followed[category] += 1
    recent = [category + 1 for category in reversed(history[-RECENT_COUNT:])]
    recent += [0] * (RECENT_COUNT - len(recent))
    seen = sum(count > 0 for count in counts)
    return counts + back + followed + recent + [size, run, changes, seen]


def matrix(histories):
    """The feature vectors of many histories, as XGBoost's input."""
    rows = numpy.empty((len(histories), FEATURE_COUNT), numpy.float32)
    for i, history in enumerate(histories):
        rows[i] = features(history)
    return rows


def read_sessions(path, first=1):
    """Yields the pages of each user from number `first` on: a list of category numbers from 0."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        for line in itertools.islice(lines, HEADER_LINES + first - 1, None):
            yield [int(page) - 1 for page in line.split()]


def load(path):
    """Loads the model from a file. It predicts on one thread."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(str(path))
    booster.set_param({"nthread": 1})
    return booster


def predict(booster, rows):
    """The probability of each category, a row of 17 for each row of features."""
    return booster.predict(xgboost.DMatrix(rows, nthread=1))


def train(sessions):
    """A model trained on these users' last pages, and on the first page of every tenth user.

    The history before a first page is empty. Without these examples the model could not predict the
    page of a new user.
    """
    histories = [pages[:-1] for pages in sessions]
    answers = [pages[-1] for pages in sessions]
    beginnings = [pages[0] for pages in sessions[::10]]
    rows = matrix(histories + [[]] * len(beginnings))
    return xgboost.train(PARAMETERS, xgboost.DMatrix(rows, answers + beginnings, nthread=2), ROUNDS)


def evaluate(booster, sessions):
    """Prints how often the answer is the likeliest category, and among the three likeliest."""
    answers = numpy.array([pages[-1] for pages in sessions])
    scores = predict(booster, matrix([pages[:-1] for pages in sessions]))
    order = numpy.argsort(-scores, axis=1, kind="stable")
    repeated = numpy.array([pages[-2] for pages in sessions])
    loss = -numpy.log(scores[numpy.arange(len(answers)), answers]).mean()
    print(f"held-out users: {len(answers)}")
    print(f"top 1: {100 * (order[:, 0] == answers).mean():.2f}%")
    print(f"top 3: {100 * (order[:, :3] == answers[:, None]).any(axis=1).mean():.2f}%")
    print(f"log loss: {loss:.4f}")
    print(f"repeating the last page would be right: {100 * (repeated == answers).mean():.2f}%")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=pathlib.Path, default=SESSIONS, help="the training data")
    parser.add_argument("--model", type=pathlib.Path, default=MODEL, help="the model's file")
    parser.add_argument("--train-users", type=int, default=TRAIN_USERS, help="users to train on")
    parser.add_argument("--evaluate", action="store_true", help="do not train, only evaluate")
    options = parser.parse_args()
    sessions = list(read_sessions(options.sessions))
    trained, held_out = (
        [pages for pages in part if len(pages) >= 2]
        for part in (sessions[: options.train_users], sessions[options.train_users :])
    )
    if not options.evaluate:
        booster = train(trained)
        options.model.parent.mkdir(parents=True, exist_ok=True)
        booster.save_model(str(options.model))
        print(f"trained on: {len(trained)} users")
    content = options.model.read_bytes()
    print(f"{options.model}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    evaluate(load(options.model), held_out)


if __name__ == "__main__":
    main()
