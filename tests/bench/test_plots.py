"""Plots are made from data, by gnuplot; what is sampled is turned into bars."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import plots  # noqa: E402
from sampler import busy_bars, count_bars  # noqa: E402

LINES = {"kind": "lines", "name": "rates", "title": 'a "title"', "x": "x", "y": "y", "log": "xy",
         "series": [{"label": "ours", "points": [[1, 2], [10, 20]]},
                    {"label": "nobody", "points": []}]}
TIMELINE = {"kind": "timeline", "name": "second", "title": "a second", "x": "s", "y": "",
            "range": [0, 1],
            "series": [{"label": "master", "bars": [[0, 0.5, 0.25]]},
                       {"label": "worker 0", "bars": [[0.5, 1, 1.0]]}]}


@pytest.mark.parametrize("plot, labels", [(LINES, ["ours"]), (TIMELINE, ["master", "worker 0"])])
def test_gnuplot_draws_it(plot, labels, tmp_path):
    plots.draw([plot], tmp_path)
    svg = (tmp_path / f"{plot['name']}.svg").read_text()
    assert svg.startswith("<?xml") and svg.rstrip().endswith("</svg>")
    assert all(re.search(rf">\s*{label}<", svg) for label in labels)
    assert (tmp_path / f"{plot['name']}.gp").exists()


def test_a_series_without_points_is_left_out_and_a_plot_without_series_not_drawn(tmp_path):
    assert "nobody" not in plots.script(LINES)
    plots.draw([LINES | {"series": []}], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_is_as_busy_as_its_share_of_each_step():
    samples = [(10.0, 1.0), (10.1, 1.05), (10.2, 1.05), (10.3, 1.15)]
    assert busy_bars(samples, 10.0) == [
        pytest.approx([0, 0.1, 0.5]), pytest.approx([0.2, 0.3, 1.0])]


def test_what_is_under_way_is_counted_within_the_window():
    intervals = [(9.5, 10.2), (10.1, 10.3), (10.9, 12.0)]
    assert count_bars(intervals, 10.0, 1.0, 4) == [
        pytest.approx(bar) for bar in ([0, 0.1, 0.25], [0.1, 0.2, 0.5], [0.2, 0.3, 0.25],
                                       [0.9, 1.0, 0.25])]
