"""The report says what was found: reached, not reached, not measured, failed."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import report  # noqa: E402
from targets import ratio, target  # noqa: E402

EXPLANATIONS = "# Title\n\nhow to\n\n## hop\nThe socket.\n\n## empty\n\n## growth\nNoise.\n"


def scenario(name="hop", **members):
    empty = {"title": "a title", "about": "How.", "targets": [], "tables": [], "plots": [],
             "text": "", "commands": [], "others": [], "seconds": 1.5}
    return {"name": name} | empty | members


def run_of(*scenarios):
    machine = {"cores": 2, "cpu": "a CPU", "memory_gib": 4.0, "kernel": "6.1", "debian": "12.1",
               "load_average": [0.1, 0.2, 0.3]}
    return {"commit": "abc1234", "date": "20260101-000000", "mode": "short", "machine": machine,
            "versions": {"python3": "3.11"}, "scenarios": list(scenarios)}


@pytest.mark.parametrize("figure, sense, is_met", [
    (1.5, "<=", True), (1.51, "<=", False), (1.5, ">=", True), (1.49, ">=", False),
    (None, "<=", False), (None, ">=", False)])
def test_a_target_is_met_up_to_its_limit_and_never_without_a_figure(figure, sense, is_met):
    assert target("t", figure, sense, 1.5)["is_met"] is is_met


def test_a_missed_target_shows_the_found_and_the_expected_value():
    assert report.verdict(target("t", 1.2, "<=", 1.5)) == "1.20 ×"
    missed = report.verdict(target("t", 38.0, ">=", 50))
    assert missed == "**not reached: 38.0 × instead of ≥ 50.0 ×**"
    missed = report.verdict(target("t", 0.5, ">=", 0.95, "%"))
    assert missed == "**not reached: 50.0 % instead of ≥ 95.0 %**"
    assert report.verdict(target("t", None, "<=", 1, why_none="no go")) == "**no figure: no go**"


def test_an_explanation_is_shown_only_beside_a_missed_target():
    explanations = report.read_explanations(EXPLANATIONS)
    assert explanations == {"hop": "The socket.", "growth": "Noise."}
    missed = scenario(targets=[target("hop", 2, "<=", 1.5)])
    met = scenario(targets=[target("hop", 1, "<=", 1.5)])
    for make in (report.report, report.docs_section):
        assert "The socket." in make(run_of(missed), explanations)
        assert "The socket." not in make(run_of(met), explanations)


def test_a_scenario_that_failed_is_told():
    text = report.report(run_of(scenario(failure="RuntimeError: no")), {})
    assert text.count("RuntimeError: no") == 2  # in the summary and in its part


def test_a_ratio_needs_both_figures():
    assert ratio(6, 3) == 2 and ratio(None, 3) is ratio(6, None) is ratio(6, 0) is None
