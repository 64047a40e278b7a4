"""Generated queries: with nothing protected the table is DuckDB's own; under protection its shape does not change.

What may differ from DuckDB is stated: means are rounded as declared, quantiles stand on the grid, and groups of the
domain that nobody is in have rows.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, event, given, reject, settings

from policies.cells import FIRST_HIDDEN
from policies.plan import AtomKind
from policies.refusals import Code, RefusalError
from tests.support.answer import Answerer
from tests.support.generated_sql import Query, queries
from tests.support.labour import labour_market
from tests.support.null_profile import NULL_PROFILE
from tests.support.profiles import standard_profile
from tests.support.thorough import share

#: What a generated query may be refused for, and no other: it asks for nobody, or for what is no box.
HONEST = {Code.EMPTY_QUESTION, Code.PREDICATE_NOT_BOX, Code.TOO_MANY_CELLS}
SHAPE = {Code.TOO_MANY_DIMENSIONS, Code.TOO_MANY_PARTITIONS}
NOISE = 2

GENERATED = settings(max_examples=share(120), deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    return Answerer(labour_market(tmp_path_factory.mktemp("null"), NULL_PROFILE, people=600))


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    return Answerer(labour_market(tmp_path_factory.mktemp("standard"), standard_profile(), people=600))


def _answer(answerer: Answerer, query: Query, codes: set[Code]) -> pa.Table:
    try:
        return answerer.answer(query.sql)
    except RefusalError as error:
        code = error.refusals[0].code
        event(f"refused: {code}")
        if code in codes:
            reject()
        raise AssertionError(f"{error}: {query.sql}") from error


def _rows(table: pa.Table, query: Query) -> dict[tuple[object, ...], list[dict[str, Any]]]:
    """Rows by key; where grouping sets give several the same key, in the order of their numbers."""
    rows: dict[tuple[object, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        key = tuple(_key(row[name]) for name in query.keys)
        rows[key].append({name: row[name] for name in query.steps})
    return {key: sorted(found, key=str) for key, found in rows.items()}


def _key(value: object) -> object:
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def _close(query: Query, row: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal within what each column may differ by; a total over nobody is NULL in DuckDB and 0 here."""
    return all(
        abs(float(row[name]) - float(other[name])) <= step + 1e-9 * abs(float(row[name]))
        if row[name] is not None and other[name] is not None
        else not row[name] and not other[name]
        for name, step in query.steps.items()
    )


def _empty(row: dict[str, Any]) -> bool:
    """Whether a row says that nobody is there: no number but zero in it, beside a total over all rows."""
    return all(not value for name, value in row.items() if name != "total")


@pytest.mark.slow
@given(query=queries())
@GENERATED
def test_without_protection_the_table_is_that_of_the_query_as_typed(null: Answerer, query: Query) -> None:
    found = _rows(_answer(null, query, HONEST), query)
    for key, expected in _rows(null.original(query.sql), query).items():
        candidates = list(found.get(key, []))
        for row in expected:
            partner = next((other for other in candidates if _close(query, row, other)), None)
            assert partner is not None, (query.sql, key, row, candidates)
            candidates.remove(partner)
        found[key] = candidates
    extra = [row for rows in found.values() for row in rows]
    assert all(_empty(row) for row in extra), (query.sql, extra[:3])


@pytest.mark.slow
@given(query=queries(above=False))
@settings(GENERATED, max_examples=share(40))
def test_protection_changes_no_row_and_no_count_by_more_than_its_noise(
    null: Answerer, standard: Answerer, query: Query
) -> None:
    released = _answer(standard, query, HONEST | SHAPE)
    exact = null.answer(query.sql)
    keys = list(query.keys)
    assert released.select(keys).equals(exact.select(keys)), query.sql
    atoms = [
        atom for cells in null.plan(query.sql).queries for atom in cells.atoms if atom.kind is AtomKind.UNITS
    ]
    for name in query.steps:
        shown, true = released.column(name).to_pylist(), exact.column(name).to_pylist()
        status = released.column(f"__fed_status_{name}").to_pylist()
        for value, truth, mark in zip(shown, true, status, strict=True):
            assert mark < FIRST_HIDDEN or value is None, query.sql
            if value is not None and name in query.counts:
                assert abs(value - truth) <= NOISE * len(atoms), (query.sql, name, value, truth)
