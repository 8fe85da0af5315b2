"""The short form of `make soak` (tests/soak): the same parts and the same accounting."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "soak"))

from phases import soak_chaos, soak_kills, soak_reloads  # noqa: E402
from target import FAULTS, Target  # noqa: E402

SEED = 1

pytestmark = pytest.mark.timeout(180)  # builds with a sanitizer need most of this


@pytest.fixture
def target(server, feature_service):
    faulty = feature_service(*FAULTS, name="faulty")
    return Target(server, {"users": feature_service().url, "faulty": faulty.url})


def test_kills_cost_no_request(target):
    assert soak_kills(target, SEED, workers=12, fork_servers=1).complaints() == []


def test_reloads_cost_no_request(target):
    assert soak_reloads(target, SEED, count=4).complaints() == []


def test_chaos_costs_no_request(target):
    assert soak_chaos(target, SEED, lambda steps: steps < 30).complaints() == []
