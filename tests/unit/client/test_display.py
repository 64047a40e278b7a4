"""Released tables as people read them."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from federation.client.display import as_html, as_text, prepare

TABLE = pa.table(
    {
        "region": ["North <East>", "Wales"],
        "region__status": ["", ""],
        "learners": pa.array([12_340, None], pa.int64()),
        "learners__status": ["", "[c]"],
    }
)


def test_values_stand_with_their_marks_and_the_marks_are_explained() -> None:
    text = as_text(prepare(TABLE), ("one row was left out",), "Example office, learners, 2025")
    assert text.splitlines() == [
        "region        learners",
        "------------  --------",
        "North <East>    12,340",
        "Wales              [c]",
        "[c] confidential: withheld to protect the people or organisations it is about",
        "Note: one row was left out",
        "Source: Example office, learners, 2025",
    ]


def test_html_is_escaped() -> None:
    html = as_html(prepare(TABLE), (), "<script>")
    assert "North &lt;East&gt;" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_long_tables_say_how_much_is_left_out() -> None:
    table = pa.table({"n": list(range(100)), "n__status": ["[u]"] * 100})
    shown = prepare(table, limit=3)
    assert len(shown.rows) == 3
    assert "(97 more rows)" in as_text(shown, (), "x")


def test_a_mark_beyond_the_rows_shown_is_still_explained() -> None:
    table = pa.table({"n": [1, None], "n__status": ["", "[z]"]})
    assert "[z] not applicable" in as_text(prepare(table, limit=1), (), "x")


def test_figures_of_a_column_are_written_alike() -> None:
    table = pa.table(
        {
            "year": [2024, 2025],
            "people": [940, 12_000],
            "pay": pa.array([Decimal("601.10"), None], pa.decimal128(10, 2)),
            "share": [12.345678, 0.5],
            "odd": [math.inf, math.nan],
        }
    )
    rows = [line.split("  ") for line in as_text(prepare(table), (), "x").splitlines()[2:4]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells == [["2024", "940", "601.10", "12.3457", "inf"], ["2025", "12,000", "0.5000", "nan"]]


@pytest.mark.parametrize("table", [TABLE.slice(0, 0), pa.table({"n": pa.array([], pa.int64())})])
def test_an_empty_table_has_its_header(table: pa.Table) -> None:
    assert table.column_names[0] in as_text(prepare(table), (), "x")
