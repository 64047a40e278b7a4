"""Under a profile that protects nothing, the rewritten query gives what DuckDB gives for the query as typed.

Row order is compared only where the query orders; groups of the domain that nobody is in are the one difference, and
are taken out (a count of zero, nothing else).
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.answer import Answerer
from tests.support.labour import labour_market
from tests.support.null_profile import NULL_PROFILE

QUERIES = (Path(__file__).parent / "queries.sql").read_text().split(";\n")


@pytest.fixture(scope="session")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    return Answerer(labour_market(tmp_path_factory.mktemp("labour"), NULL_PROFILE))


def _value(value: object) -> object:
    if isinstance(value, Decimal | float | int) and not isinstance(value, bool):
        return float(f"{float(value):.6g}")
    if isinstance(value, list):
        return tuple(_value(item) for item in value)
    return value


def rows(table: pa.Table, names: list[str]) -> Counter[tuple[object, ...]]:
    columns = [table.column(i).to_pylist() for i in range(len(names))]
    return Counter(tuple(_value(value) for value in row) for row in zip(*columns, strict=True))


@pytest.mark.parametrize("sql", [q.strip() for q in QUERIES if q.strip()])
def test_gives_the_same_table(answerer: Answerer, sql: str) -> None:
    expected = answerer.original(sql)
    found = answerer.answer(sql)
    width = expected.num_columns
    names = expected.column_names
    assert _numbered(names) == found.column_names[:width]
    missing = list((rows(expected, names) - rows(found, names)).elements())
    extra = list((rows(found, names) - rows(expected, names)).elements())
    for row in list(missing):
        partner = next((other for other in extra if _close(row, other)), None)
        if partner is not None:
            missing.remove(row)
            extra.remove(partner)
    assert not missing, f"missing {missing[:5]}, extra {extra[:5]}"
    # A group of the domain that nobody is in has a row here: every count in it is zero, every mean NULL.
    assert all(any(value in (0.0, None) for value in row) for row in extra), extra[:5]


def _close(row: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Equal, but that means are rounded to the precision at which they are shown, and a total over nobody is 0."""
    return all(
        a == b
        or (a is None and b == 0)
        or (isinstance(a, float) and isinstance(b, float) and abs(a - b) <= 0.06)
        for a, b in zip(row, other, strict=True)
    )


def _numbered(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        given, number = name, 1
        while given in found:
            given, number = f"{name}_{number}", number + 1
        found.append(given)
    return found
