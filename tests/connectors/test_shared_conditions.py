"""What all statistics of a fragment ask of a row is tested while the rows are read."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from catalogue.fragment import (
    Block,
    Condition,
    Field,
    Fragment,
    Grid,
    Histogram,
    Magnitude,
    Measure,
    Statistic,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from connectors.shared_conditions import hoisted
from tests.connectors.labour import SEX

MEN, WOMEN = (Condition(SEX, LeafSet.of([leaf], 2)) for leaf in (0, 1))
PAY, HOURS = (Measure(name, Field(name), 2) for name in ("pay", "hours"))
KNOWN = replace(PAY, nullable=False)
GRID = Grid(Decimal(0), Decimal(1), 9)


def asked(*statistics: Statistic, where: tuple[Condition, ...] = ()) -> Fragment:
    table = Table("data", "people", "people")
    return Fragment(table, (), None, Field("rkey"), None, None, None, where, (Block(()),), statistics)


def test_a_condition_of_all_statistics_is_one_of_rows() -> None:
    found, valued = hoisted(asked(Tally("a", (MEN, WOMEN)), Tally("b", (WOMEN,))))
    assert found == asked(Tally("a", (MEN,)), Tally("b"), where=(WOMEN,))
    assert valued is None


def test_a_condition_that_rows_have_is_not_tested_twice() -> None:
    found, _ = hoisted(asked(Tally("a", (MEN,)), where=(MEN,)))
    assert found == asked(Tally("a"), where=(MEN,))


def test_rows_without_the_value_that_all_need_are_left_out() -> None:
    found, valued = hoisted(asked(Histogram("h", PAY, GRID), Tally("n", (), PAY), Magnitude("m", PAY)))
    assert valued == PAY
    assert found == asked(Histogram("h", KNOWN, GRID), Tally("n", (), KNOWN), Magnitude("m", KNOWN))


def test_rows_are_kept_that_any_statistic_reads() -> None:
    for other in (Tally("n"), Tally("n", (), HOURS), Magnitude("n", Measure("rows", None, 0))):
        fragment = asked(Magnitude("m", PAY), other)
        assert hoisted(fragment) == (fragment, None)
    assert hoisted(asked()) == (asked(), None)
