"""A bar chart of one column, drawn by the server. What is withheld has a frame and no bar."""

from __future__ import annotations

from dataclasses import dataclass

from federation.web.figures import Figures

BARS = 40
FULL = 1000
"""The length of the longest bar in the drawing's own units."""


@dataclass(frozen=True, slots=True)
class Bar:
    """``length`` is in thousandths of the longest; None where the value is hidden."""

    label: str
    text: str
    mark: str
    length: int | None


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    bars: tuple[Bar, ...]
    left_out: int


def chart_of(figures: Figures, column: int) -> Chart | None:
    """Bars from zero for the first rows; None where there is nothing to compare or a value lies below zero."""
    values = [row[column].value for row in figures.rows]
    known = [value for value in values if value is not None]
    if len(figures.rows) < 2 or not known or min(known) < 0 or not figures.labels:
        return None
    longest = max(known) or 1.0
    bars = [
        Bar(
            figures.label(row),
            row[column].text,
            row[column].mark,
            None if (value := row[column].value) is None else round(FULL * value / longest),
        )
        for row in figures.rows[:BARS]
    ]
    return Chart(figures.columns[column], tuple(bars), figures.total_rows - len(bars))
