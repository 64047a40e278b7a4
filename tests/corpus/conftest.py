"""The corpus reports how it fared, beside passing or failing."""

from __future__ import annotations

from statistics import quantiles

import pytest

KINDS = {
    "units": "counts",
    "count": "record counts",
    "mean": "means",
    "sum": "totals",
    "quantile": "quantiles",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line: how many questions were accepted, the share of cells withheld, and the errors of published ones."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if "test_question_is_answered" in report.nodeid and report.when == "call"
    ]
    if not reports:
        return
    properties = [dict(report.user_properties) for report in reports]
    accepted = sum("accepted" in found for found in properties)
    occupied = sum(found.get("occupied", 0) for found in properties)
    hidden = sum(found.get("hidden", 0) for found in properties)
    errors = []
    for kind, title in KINDS.items():
        found = [error for each in properties for error in each.get(f"error_{kind}", [])]
        if len(found) > 1:
            cuts = quantiles(found, n=20)
            errors.append(f"{title} {cuts[9]:.2%} and {cuts[18]:.1%} ({len(found):,})")
    terminalreporter.write_line(
        f"corpus: {accepted} of {len(reports)} questions accepted; {hidden / max(occupied, 1):.1%} of {occupied:,} "
        f"populated cells withheld; relative error of published ones, median and 95th percentile: {'; '.join(errors)}"
    )
