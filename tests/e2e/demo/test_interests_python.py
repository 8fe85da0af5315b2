"""The demo's handler in Python gives the answers of the one in C++: equal features, and scores that
are equal as float32.
"""

import random
import struct
import sys

import interests_reference as reference
import numpy
import pytest
import xgboost
from client import request

ROOT = reference.ROOT
FOLDER = ROOT / "src/demo/interests"
MODEL = ROOT / "conf/models/interests.ubj"
USERS = 300
FETCH = {"fetch": "users", "body": {"user_id": "$params.user_id"}}

sys.path.insert(0, str(FOLDER))

import interests  # noqa: E402


def python(name, **keys):
    return {"python": FOLDER / f"interests.py:{name}", "model": MODEL} | keys


@pytest.fixture
def running(server, feature_service):
    """A server with the handler in C++, in Python, and in Python with the package xgboost."""
    real = ("--sessions", reference.SESSIONS) if reference.SESSIONS.exists() else ()
    handlers = {"cpp": {"library": "interests", "model": MODEL, "batch": 64},
                "alone": python("Interests"), "batches": python("Interests", batch=64),
                "package": python("PackageInterests", batch=64)}
    return server(
        upstreams={"users": {"url": feature_service(*real).url, "timeout_ms": 30_000}},
        handlers=handlers,
        methods={name: {"steps": [FETCH, {"run": name}]} for name in handlers},
    )


def ask(running, method):
    with running.connect() as client:
        client.send(b"".join(request(method, {"user_id": n}, n) for n in range(1, USERS + 1)))
        answers = client.answers(USERS)
    return [as_float32(answers[n]["result"]) for n in range(1, USERS + 1)]


def as_float32(result):
    scores = [(one["category"], struct.pack("f", one["score"])) for one in result["interests"]]
    return result["user_id"], scores


@pytest.mark.timeout(300)
def test_python_answers_what_cpp_answers(running):
    expected = ask(running, "cpp")
    assert [user_id for user_id, _ in expected] == list(range(1, USERS + 1))
    for method in ("alone", "batches", "package"):
        for found, due in zip(ask(running, method), expected, strict=True):
            assert found == due, method


def test_features_are_those_that_the_model_was_trained_with():
    chance = random.Random(1)
    histories = [chance.choices(range(17), range(1, 18), k=size) for size in (*range(40), 2500)]
    histories += [[3] * 1200 + [5], [5] + [3] * 1200, [7] * 1001]
    for history in histories:
        events = [{"category": reference.CATEGORIES[code]} for code in history]
        assert interests.features(events) == reference.training.features(history)


@pytest.mark.parametrize("bad", [{"events": [{"category": "x"}]}, {"events": [{}]}, {}, []])
def test_a_bad_user_of_a_batch_fails_alone(bad):
    handler = interests.Interests({"model": MODEL})
    good = {"events": [{"category": "sports"}]}
    jobs = [{"user_id": 7, "users": good}, {"user_id": 8, "users": bad},
            {"user_id": 9, "users": good}]
    first, fault, last = handler.run_batch(jobs)
    assert isinstance(fault, Exception)
    assert (first, last) == (handler.run(7, good), handler.run(9, good))
    assert handler.run_batch(jobs[1:2])[0].args == fault.args


def test_a_model_for_other_features_is_refused(tmp_path):
    path = tmp_path / "other.ubj"
    data = xgboost.DMatrix(numpy.zeros((17, 3)), numpy.arange(17), nthread=1)
    how = {"objective": "multi:softprob", "num_class": 17, "nthread": 1}
    xgboost.train(how, data, 1).save_model(path)
    for load in (interests.Interests, interests.PackageInterests):
        with pytest.raises(ValueError, match=f"model {path}: expected 60 features, found 3"):
            load({"model": path})
    path.write_text("no model")
    with pytest.raises(ValueError, match=f"model {path}: XGBoosterLoadModelFromBuffer: "):
        interests.Interests({"model": path})
