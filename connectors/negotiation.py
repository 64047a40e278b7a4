"""What fragments need of a connector, held against what it offers before anything runs."""

from __future__ import annotations

from collections.abc import Iterable

from catalogue.fragment import (
    Condition,
    Fragment,
    Histogram,
    Magnitude,
    Membership,
    MembershipAxis,
    SourceError,
    SourceFault,
    Tally,
)
from connectors.protocol import Capability, Connector


def needed(fragment: Fragment) -> frozenset[Capability]:
    """The capabilities without which a connector cannot answer the fragment."""
    tests: list[Condition | Membership] = list(fragment.where)
    for statistic in fragment.statistics:
        tests += statistic.where
    axes = [axis for block in fragment.blocks for axis in block.axes]
    magnitudes = [s for s in fragment.statistics if isinstance(s, Magnitude)]
    valued = any(isinstance(s, Tally) and s.measure is not None for s in fragment.statistics)
    members = any(isinstance(test, Membership) for test in tests)
    asked = {
        Capability.REPEATED_UNITS: fragment.unit is not None,
        Capability.JOIN: bool(fragment.joins),
        Capability.MAGNITUDE: bool(magnitudes) or valued,
        Capability.SQUARES: any(s.squares for s in magnitudes),
        Capability.SECOND_UNIT: fragment.second_unit is not None,
        Capability.HOLDING: fragment.holding is not None and bool(magnitudes),
        Capability.WEIGHT: fragment.weight is not None,
        Capability.MEMBERSHIP: members or any(isinstance(axis, MembershipAxis) for axis in axes),
        Capability.HISTOGRAM: any(isinstance(s, Histogram) for s in fragment.statistics),
    }
    return frozenset(capability for capability, needs in asked.items() if needs)


def agree(connector: Connector, fragments: Iterable[Fragment]) -> None:
    """Nothing, where the connector can answer all fragments.

    Raises:
        SourceError: UNSUPPORTED, naming what it lacks; that depends on what is asked and declared, never on data.
    """
    for fragment in fragments:
        lacking = needed(fragment) - connector.capabilities
        if lacking:
            words = ", ".join(sorted(lacking))
            raise SourceError(
                SourceFault.UNSUPPORTED, f"dataset {fragment.table.dataset}: its source cannot do {words}"
            )
