"""The demo's Python handler gives the answers of the C++ handler: equal features, and scores that
are equal as float32.
"""

import os
import random

import interests_reference as reference
import numpy
import pytest
import xgboost
from interests_answers import CPP, MODEL, ask, methods, python, sessions

import interests  # isort: skip

USERS = 300


@pytest.fixture
def running(server, feature_service, tmp_path):
    """A server with the handler in C++, in Python, and in Python with the package xgboost."""
    upstream = feature_service(*sessions(tmp_path, USERS))
    handlers = {"cpp": CPP, "alone": python("Interests"),
                "batches": python("Interests", batch=64),
                "package": python("PackageInterests", batch=64)}
    # XGBoost's models belong to Python's objects, which lie where LeakSanitizer does not look.
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
    return server(
        env=env,
        upstreams={"users": {"url": upstream.url, "timeout_ms": 30_000}},
        handlers=handlers,
        methods=methods(handlers),
    )


def test_python_answers_what_cpp_answers(running):
    client = running.connect()
    expected = ask(client, "cpp", USERS)
    assert [user_id for user_id, _ in expected] == list(range(1, USERS + 1))
    for method in ("alone", "batches", "package"):
        for found, due in zip(ask(client, method, USERS), expected, strict=True):
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
