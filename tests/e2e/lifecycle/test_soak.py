"""The short form of `make soak` (tests/soak): the same parts and the same accounting."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "soak"))

from phases import soak_chaos, soak_kills, soak_reloads  # noqa: E402
from target import FAULTS, Target  # noqa: E402

SEED = 1

PARTS = {
    "kills": lambda target: soak_kills(target, SEED, workers=6, fork_servers=1),
    "reloads": lambda target: soak_reloads(target, SEED, count=2),
    "chaos": lambda target: soak_chaos(target, SEED, lambda steps: steps < 10),
}


@pytest.mark.timeout(500)  # builds with a sanitizer need most of this
def test_no_part_costs_a_request(server, feature_service):
    """All parts use one server, which is warmed up once."""
    users, faulty = feature_service(), feature_service(*FAULTS, name="faulty")
    shared = [feature_service(name="shared").url, faulty.url]
    target = Target(server, {"users": users.url, "faulty": faulty.url, "shared": shared})
    for name, soak in PARTS.items():
        assert soak(target).complaints() == [], name
