"""The features of src/demo/interests/features.h, three times more: written in
Python, with pandas and with numpy, each as fast as it gets in its usual style.

Each function takes a user's events in the form that is natural there, at least one event, oldest
first, and returns the 60 numbers; each form is also made from the bytes of a response.
"""

import json
from operator import ne

import numpy
import pandas

CATEGORIES = (
    "frontpage news tech local opinion on-air misc weather msn-news health living business "
    "msn-sports sports summary bbs travel"
).split()
COUNT = len(CATEGORIES)
CODES = {name: code for code, name in enumerate(CATEGORIES)}
NEVER_SEEN = 1000
RECENT = 5


def events_of(body: bytes) -> list[dict]:
    """Python's form: a list of dicts."""
    return json.loads(body)["events"]


def of_events(events: list[dict]) -> list[int]:
    """In Python. The categories go into bytes at once, whose methods are written in C."""
    codes = bytes([CODES[event["category"]] for event in events])
    size = len(codes)
    now = codes[-1]
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


def frame_of(body: bytes) -> pandas.DataFrame:
    """pandas' form: a frame of category codes and times. By way of lists, since pandas.read_json
    takes longer for any number of events, and still has names to be replaced."""
    events = json.loads(body)["events"]
    return pandas.DataFrame({
        "category": [CODES[event["category"]] for event in events],
        "ts": [event["ts"] for event in events],
    })


def of_frame(frame: pandas.DataFrame) -> numpy.ndarray:
    """With pandas, all of it vectorised."""
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
    """With numpy."""
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
