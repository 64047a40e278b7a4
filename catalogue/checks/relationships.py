"""A relationship leads from many rows to one: only then can no join inflate a count."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.draft import Draft
from catalogue.faults import Fault, nearest


def check_lookups(draft: Draft) -> Iterator[Fault]:
    """A relationship to a code list ends at one of its levels."""
    for dataset in draft.datasets.values():
        for name, relationship in dataset.document.relationships.items():
            codelist = draft.codelist(relationship.to)
            if codelist is None:
                continue
            levels = [level.name for level in codelist.levels]
            if relationship.to_column not in levels:
                yield dataset.fault(
                    ("relationships", name, "to_column"),
                    f"the code list `{codelist.name}` has no level `{relationship.to_column}`",
                    nearest(relationship.to_column, levels),
                )


def warn_unproven_keys(draft: Draft) -> Iterator[Fault]:
    """A relationship to a dataset should end at the unit of rows that are units, which import verifies."""
    for dataset in draft.datasets.values():
        for name, relationship in dataset.document.relationships.items():
            other = draft.datasets.get(relationship.to)
            if other is None:
                continue
            unit = other.document.unit
            if not (unit.row_is_unit and unit.expression == relationship.to_column):
                yield dataset.fault(
                    ("relationships", name, "to_column"),
                    f"nothing says that `{relationship.to}` has one row for each `{relationship.to_column}`",
                    "point at the unit of a dataset with `row_is_unit: true`",
                )
