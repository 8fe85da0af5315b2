"""Figure: one number that a scenario has measured, for comparisons of two builds (compare.py)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    value: float
    is_more_better: bool = False
