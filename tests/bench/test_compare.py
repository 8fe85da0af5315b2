"""How a comparison of two builds evaluates its pairs."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compare  # noqa: E402
from compare import Compared, interval  # noqa: E402
from figure import Figure  # noqa: E402


def compared(ratios: list[float], is_more_better: bool) -> Compared:
    return Compared("hop: p50", [Figure(100 * ratio, is_more_better) for ratio in ratios],
                    [Figure(100, is_more_better)] * len(ratios))


@pytest.mark.parametrize("count, skipped", [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2),
                                            (15, 3), (21, 5)])  # fmt: skip
def test_the_interval_leaves_out_as_many_values_as_95_percent_allow(count, skipped):
    """The expected numbers are those of tables of the sign test."""
    values = [float(value) for value in range(count)]
    assert interval(values[::-1]) == (skipped, count - 1 - skipped)


@pytest.mark.parametrize("ratios, is_more_better, is_worse", [
    ([1.04] * 9, False, True), ([1.04] * 9, True, False),
    ([0.96] * 9, True, True), ([0.96] * 9, False, False),
    ([1.02] * 9, False, False), ([0.98] * 9, True, False),
    ([1.04] * 7 + [1.02] * 2, False, False),  # the interval begins below the limit
    ([1.04] * 8 + [0.5], False, True),  # the interval leaves one outlier out
])
def test_a_figure_is_worse_beyond_three_percent_and_the_noise(ratios, is_more_better, is_worse):
    assert compared(ratios, is_more_better).is_worse() is is_worse


def test_only_names_scenarios_that_can_be_compared(monkeypatch):
    for only, names in (("", list(compare.SCENARIOS)), ("hop,latency", ["hop", "latency"])):
        monkeypatch.setenv("ONLY", only)
        assert compare.chosen(compare.SCENARIOS) == names
    monkeypatch.setenv("ONLY", "overload")
    with pytest.raises(SystemExit, match="overload; known: saturated, hop, latency"):
        compare.chosen(compare.SCENARIOS)
