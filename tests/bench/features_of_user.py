"""The features of src/demo/interests/features.h, three times more: in Python (the demo's
interests.py), with pandas and with numpy, each as fast as it gets in its usual style.

Each of_*() takes a user's events (at least one, oldest first) in the form that is natural for the
library, and returns the 60 numbers. Each *_of() makes this form from the bytes of a response.
"""

import json
import sys
from pathlib import Path

import numpy
import pandas

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src/demo/interests"))

from interests import CATEGORIES, CODES, COUNT, NEVER_SEEN, RECENT  # noqa: E402
from interests import features as of_events  # noqa: E402, F401


def events_of(body: bytes) -> list[dict]:
    """Python's form: a list of dicts."""
    return json.loads(body)["events"]


def frame_of(body: bytes) -> pandas.DataFrame:
    """pandas' form: a frame of category codes and times. It is made from lists: pandas.read_json
    takes longer for any number of events, and leaves names that must be replaced by codes."""
    events = json.loads(body)["events"]
    return pandas.DataFrame({
        "category": [CODES[event["category"]] for event in events],
        "ts": [event["ts"] for event in events],
    })


def of_frame(frame: pandas.DataFrame) -> numpy.ndarray:
    """The features by pandas, without a loop in Python."""
    category = frame["category"]
    size = len(category)
    every = range(COUNT)
    before = category.shift(fill_value=-1)
    counts = category.value_counts(sort=False).reindex(every, fill_value=0)
    last = category.drop_duplicates(keep="last")
    back = pandas.Series(size - last.index, index=last).reindex(every, fill_value=NEVER_SEEN)
    followed = category[before == category.iat[-1]].value_counts(sort=False)
    changed = category != before
    recent = category.iloc[: -RECENT - 1 : -1] + 1
    return numpy.concatenate([
        counts,
        back.clip(upper=NEVER_SEEN),
        followed.reindex(every, fill_value=0),
        recent,
        numpy.zeros(RECENT - len(recent)),
        [size, size - changed[::-1].idxmax(), changed.sum() - 1, (counts > 0).sum()],
    ])


def codes_of(body: bytes) -> numpy.ndarray:
    """numpy's form: an array of category codes."""
    return numpy.array([CODES[event["category"]] for event in json.loads(body)["events"]])


def of_codes(codes: numpy.ndarray) -> numpy.ndarray:
    """The features by numpy."""
    size = len(codes)
    counts = numpy.bincount(codes, minlength=COUNT)
    last = numpy.full(COUNT, size - NEVER_SEEN)
    last[codes] = numpy.arange(size)
    changed = numpy.flatnonzero(codes[1:] != codes[:-1]) + 1
    recent = codes[: -RECENT - 1 : -1] + 1
    return numpy.concatenate([
        counts,
        numpy.minimum(size - last, NEVER_SEEN),
        numpy.bincount(codes[1:][codes[:-1] == codes[-1]], minlength=COUNT),
        recent,
        numpy.zeros(RECENT - len(recent)),
        [size, size - (changed[-1] if len(changed) else 0), len(changed),
         numpy.count_nonzero(counts)],
    ])
