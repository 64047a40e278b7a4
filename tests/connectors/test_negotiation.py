"""What fragments need is held against what a connector offers, before it is asked anything."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from catalogue.fragment import (
    Block,
    Condition,
    Field,
    Fragment,
    Grid,
    Histogram,
    Join,
    Magnitude,
    Measure,
    Membership,
    MembershipAxis,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from connectors.negotiation import needed
from connectors.protocol import Capability
from tests.connectors.labour import SEX

TABLE = Table("data", "people", "people")
BARE = Fragment(
    TABLE, (), None, Field("rkey"), None, None, None, (Condition(SEX, LeafSet.of([0], 2)),), (Block(()),),
    (Tally("t"),),
)  # fmt: skip
PAY = Measure("pay", Field("pay"), 2)
MEMBER = Membership(TABLE, (), Field("id"), "id", (), True)
MAGNITUDE = (Magnitude("m", PAY),)


@pytest.mark.parametrize(
    ("asked", "needs"),
    [
        (BARE, set()),
        (replace(BARE, unit=Field("id")), {Capability.REPEATED_UNITS}),
        (replace(BARE, joins=(Join(("e",), TABLE, "e", "id"),)), {Capability.JOIN}),
        (replace(BARE, statistics=(Tally("t", (), PAY),)), {Capability.MAGNITUDE}),
        (replace(BARE, statistics=MAGNITUDE), {Capability.MAGNITUDE}),
        (
            replace(BARE, statistics=(Magnitude("m", PAY, squares=True),)),
            {Capability.MAGNITUDE, Capability.SQUARES},
        ),
        (replace(BARE, second_unit=Field("e")), {Capability.SECOND_UNIT}),
        (
            replace(BARE, holding=Field("e"), statistics=MAGNITUDE),
            {Capability.MAGNITUDE, Capability.HOLDING},
        ),
        (replace(BARE, weight=Field("w")), {Capability.WEIGHT}),
        (replace(BARE, where=(MEMBER,)), {Capability.MEMBERSHIP}),
        (replace(BARE, statistics=(Tally("t", (MEMBER,)),)), {Capability.MEMBERSHIP}),
        (replace(BARE, blocks=(Block((MembershipAxis(MEMBER),)),)), {Capability.MEMBERSHIP}),
        (
            replace(BARE, statistics=(Histogram("h", PAY, Grid(Decimal(0), Decimal(1), 9)),)),
            {Capability.HISTOGRAM},
        ),
    ],
)
def test_what_a_fragment_needs(asked: Fragment, needs: set[Capability]) -> None:
    assert needed(asked) == needs
