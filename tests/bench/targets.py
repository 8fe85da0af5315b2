"""Targets: the limit for a figure, and whether the figure meets it.

A target is a plain dict, so that it goes into results.json as it is. A figure of None was not
measured: then the target is not met, and `why_none` says why.
"""

from typing import Any

SENSES = {"<=": lambda figure, limit: figure <= limit, ">=": lambda figure, limit: figure >= limit}


def target(text: str, figure: float | None, sense: str, limit: float, unit: str = "x",
           why_none: str = "") -> dict[str, Any]:
    """`text` names what is measured and the limit, as a reader would want to see it."""
    is_met = figure is not None and SENSES[sense](figure, limit)
    return {"text": text, "figure": figure, "sense": sense, "limit": limit, "unit": unit,
            "is_met": is_met, "why_none": why_none}


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """The ratio; None if one of the two was not measured, or if the denominator is 0."""
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def number(value: float | None) -> str:
    """Three significant digits, no exponent."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def shown(figure: float | None, unit: str) -> str:
    if figure is None:
        return "not measured"
    if unit == "%":
        return f"{number(100 * figure)} %"
    return f"{number(figure)} {'×' if unit == 'x' else unit}"
