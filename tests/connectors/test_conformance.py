"""One suite for every connector and storage format: generated fragments against a naive reading of the contract."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Condition,
    Field,
    Fragment,
    Grid,
    Histogram,
    Magnitude,
    Measure,
    Membership,
    MembershipAxis,
    RawCells,
    SourceError,
    SourceFault,
    Tally,
)
from catalogue.leaves import LeafSet
from catalogue.merge import merge
from connectors import keys
from connectors.protocol import Capability
from tests.connectors import labour
from tests.connectors.labour import DuckDBMarket, Market
from tests.connectors.oracle import Oracle
from tests.support.thorough import share

UNITS = 25


@st.composite
def leaf_sets(draw: st.DrawFn, column: Column) -> LeafSet:
    size = len(column.values)
    return LeafSet.of(draw(st.sets(st.integers(0, size - 1))), size)


@st.composite
def conditions(draw: st.DrawFn, market: Market) -> Condition:
    column = draw(st.sampled_from(market.columns))
    return Condition(column, draw(leaf_sets(column)))


@st.composite
def memberships(draw: st.DrawFn, market: Market) -> Membership:
    where = (Condition(labour.LEVEL, draw(leaf_sets(labour.LEVEL))),) if draw(st.booleans()) else ()
    return Membership(market.table("learners"), (), Field("id"), "pid", where, draw(st.booleans()))


@st.composite
def axes(draw: st.DrawFn, market: Market) -> Axis | MembershipAxis:
    if market.offers(Capability.MEMBERSHIP) and draw(st.integers(0, 7)) == 0:
        membership = draw(memberships(market))
        return MembershipAxis(
            Membership(
                membership.table, (), membership.from_field, membership.to_column, membership.where, True
            )
        )
    column = draw(st.sampled_from(market.columns))
    size = len(column.values)
    kind = draw(st.sampled_from(("leaves", "parts")))
    if kind == "leaves":
        return Axis(column, tuple(range(size)), size)
    parts = draw(st.lists(st.integers(-1, 2), min_size=size, max_size=size))
    return Axis(column, tuple(parts), 3)


def where_clauses(market: Market, most: int) -> st.SearchStrategy[tuple[Condition | Membership, ...]]:
    kinds: list[st.SearchStrategy[Condition | Membership]] = [conditions(market), conditions(market)]
    if market.offers(Capability.MEMBERSHIP):
        kinds.append(memberships(market))
    return st.lists(st.one_of(kinds), max_size=most).map(tuple)


@st.composite
def statistics(draw: st.DrawFn, market: Market, number: int) -> Tally | Magnitude | Histogram:
    where = draw(where_clauses(market, 1))
    measure = draw(st.sampled_from(market.measures))
    magnitude, histogram = market.offers(Capability.MAGNITUDE), market.offers(Capability.HISTOGRAM)
    kinds = ["tally", *["magnitude"] * magnitude, *["histogram"] * histogram]
    match draw(st.sampled_from(kinds)):
        case "tally":
            return Tally(f"s{number}", where, draw(st.sampled_from((None, measure))) if magnitude else None)
        case "magnitude":
            squares = market.offers(Capability.SQUARES) and draw(st.booleans())
            return Magnitude(f"s{number}", measure, where, draw(st.integers(1, 3)), squares)
        case _:
            return Histogram(f"s{number}", measure, Grid(Decimal(-2), Decimal("3.5"), 9), where)


@st.composite
def fragments(draw: st.DrawFn, market: Market, row_is_unit: bool) -> Fragment:
    blocks = draw(
        st.lists(st.lists(axes(market), max_size=3).map(lambda a: Block(tuple(a))), min_size=1, max_size=4)
    )
    number = draw(st.integers(1, 3))

    def maybe(capability: Capability) -> bool:
        return market.offers(capability) and draw(st.booleans())

    return Fragment(
        table=market.table("people"),
        joins=(market.employer_join(),) if market.offers(Capability.JOIN) else (),
        unit=None if row_is_unit else Field("id"),
        record_key=Field("rkey"),
        second_unit=Field("employer") if maybe(Capability.SECOND_UNIT) else None,
        holding=Field(draw(st.sampled_from(("holding", "employer")))) if maybe(Capability.HOLDING) else None,
        weight=Field("weight") if maybe(Capability.WEIGHT) else None,
        where=draw(where_clauses(market, 2)),
        blocks=tuple(blocks),
        statistics=tuple(draw(statistics(market, i)) for i in range(number)),
        enough_second_units=draw(st.sampled_from((None, 1, 2, 3, 50))),
    )


def skip_undeclared(market: Market, row_is_unit: bool) -> None:
    if not row_is_unit and not market.offers(Capability.REPEATED_UNITS):
        pytest.skip("the connector declares that it cannot count units of several rows")


def run(market: Market, fragment: Fragment) -> RawCells:
    deadline = time.monotonic() + market.seconds
    (raw,) = market.connector.run((fragment,), deadline=deadline, cancel=threading.Event())
    return raw


def cells_of(raw: RawCells, fragment: Fragment) -> dict[Any, dict[str, Any]]:
    found = {}
    for row in raw.cells.to_pylist():
        block = row.pop("block")
        parts = [row.pop(name) for name in [n for n in row if n[0] == "p" and n[1:].isdigit()]]
        width = len(fragment.blocks[block].axes)
        assert all(part is None for part in parts[width:])
        assert (block, tuple(parts[:width])) not in found
        found[block, tuple(parts[:width])] = row
    return found


def known(cells: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """Cells with anything in them: of rows that no statistic reads an engine may say zeros, or nothing."""
    return {key: cell for key, cell in cells.items() if any(cell.values())}


def bins_of(raw: RawCells, fragment: Fragment, id_: str) -> dict[Any, dict[str, Any]]:
    found = {}
    for row in raw.histograms[id_].to_pylist():
        block, bin_ = row.pop("block"), row.pop("bin")
        parts = [row.pop(name) for name in [n for n in row if n[0] == "p"]]
        found[block, tuple(parts[: len(fragment.blocks[block].axes)]), bin_] = row
    return found


def assert_agrees(raw: RawCells, fragment: Fragment, oracle: Oracle) -> None:
    every, histograms = oracle.answer(fragment)
    expected = known(every)
    for cell in expected.values():
        approximate = {name: pytest.approx(cell[name]) for name in cell if name.endswith("_wsumsq")}
        cell.update(approximate)  # a double, the only column that is not exact
    assert known(cells_of(raw, fragment)) == expected
    assert {id_: bins_of(raw, fragment, id_) for id_ in raw.histograms} == histograms


@pytest.mark.parametrize("row_is_unit", [True, False])
def test_generated_fragments_agree_with_the_oracle(market: Market, row_is_unit: bool) -> None:
    """Axes, blocks, conditions, memberships, joins, measures, units, second units, holdings and weights at random."""
    skip_undeclared(market, row_is_unit)
    people = labour.make_people(1, UNITS, 1 if row_is_unit else 4)
    employers, learners = labour.make_employers(2), labour.make_learners(3, UNITS)
    market.write(
        people=(labour.PEOPLE, people),
        employers=(labour.EMPLOYERS, employers),
        learners=(labour.LEARNERS, learners),
    )
    oracle = Oracle({"people": people, "employers": employers, "learners": learners})

    @settings(
        max_examples=market.examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(fragments(market, row_is_unit))
    def check(fragment: Fragment) -> None:
        assert_agrees(run(market, fragment), fragment, oracle)

    check()


@pytest.mark.parametrize("row_is_unit", [True, False])
def test_large_domains_are_mapped_first_and_scanned_apart(
    market: Market, monkeypatch: pytest.MonkeyPatch, row_is_unit: bool
) -> None:
    """The other branch of the plan: with next to no room for groups every answer is the same."""
    skip_undeclared(market, row_is_unit)
    monkeypatch.setattr(keys, "GROUP_LIMIT", 12)
    people = labour.make_people(4, UNITS, 1 if row_is_unit else 4)
    employers, learners = labour.make_employers(5), labour.make_learners(6, UNITS)
    market.write(
        people=(labour.PEOPLE, people),
        employers=(labour.EMPLOYERS, employers),
        learners=(labour.LEARNERS, learners),
    )
    oracle = Oracle({"people": people, "employers": employers, "learners": learners})

    @settings(
        max_examples=share(market.examples),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(fragments(market, row_is_unit))
    def check(fragment: Fragment) -> None:
        assert_agrees(run(market, fragment), fragment, oracle)

    check()


def test_what_an_engine_declines_is_refused(market: Market) -> None:
    people = labour.make_people(1, UNITS, 1)
    market.write(people=(labour.PEOPLE, people), employers=(labour.EMPLOYERS, labour.make_employers(2)))
    for expression in market.exceptions:
        measure = Measure("declined", Field(expression), 2)
        asked = Fragment(
            market.table("people"), (), None, Field("rkey"), None, None, None, (), (Block(()),),
            (Magnitude("s", measure),),
        )  # fmt: skip
        with pytest.raises(SourceError) as caught:
            run(market, asked)
        assert caught.value.fault is SourceFault.SCHEMA


@pytest.mark.parametrize("row_is_unit", [True, False])
def test_merged_parts_are_the_whole(tmp_path: Path, row_is_unit: bool) -> None:
    """Three parts that share no unit, second unit or holding, merged in either order, equal one run over all."""
    market = DuckDBMarket("parquet", tmp_path)
    parts = []
    for number in range(3):
        rows = labour.make_people(number, 12, 1 if row_is_unit else 3)
        for row in rows:
            row["id"] += 1000 * number
            row["employer"] = None if row["employer"] is None else row["employer"] + 1000 * number
            row["holding"] = None if row["holding"] is None else f"{row['holding']}{number}"
        parts.append(rows)
    employers = [{"emp_id": i, "sic": "AB"[i % 2], "size": i % 7 * 70} for i in range(0, 2003)]
    market.write(
        employers=(labour.EMPLOYERS, employers), learners=(labour.LEARNERS, labour.make_learners(9, 40))
    )

    def answers(fragment: Fragment) -> list[RawCells]:
        found = []
        for rows in [*parts, [row for part in parts for row in part]]:
            market.write(people=(labour.PEOPLE, rows))
            found.append(run(market, fragment))
        return found

    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(fragments(market, row_is_unit))
    def check(fragment: Fragment) -> None:
        a, b, c, whole = answers(fragment)
        left = merge(merge(a, b, fragment), c, fragment)
        right = merge(a, merge(b, c, fragment), fragment)
        for merged in (left, right):
            assert merged.cells.schema == whole.cells.schema
            expected = cells_of(whole, fragment)
            for cell in expected.values():
                cell.update({n: pytest.approx(cell[n]) for n in cell if n.endswith("_wsumsq")})
            assert cells_of(merged, fragment) == expected
            for id_ in whole.histograms:
                assert merged.histograms[id_].schema == whole.histograms[id_].schema
                assert bins_of(merged, fragment, id_) == bins_of(whole, fragment, id_)

    check()
    market.connector.close()
