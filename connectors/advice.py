"""What a custodian is told of how a source is set up: what is wrong or unwise, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from catalogue.fragment import SourceError, SourceFault, Table


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to mend. ``error`` says that runs fail over it; else it is only unwise. Holds no data value."""

    error: bool
    what: str
    mend: str


MEND = {
    SourceFault.UNREACHABLE: "see that the server runs, and that host, port, role and secret are right",
    SourceFault.MISSING: "correct the dataset's `location`, or put the table there",
    SourceFault.DENIED: "grant the role SELECT on the table and USAGE on its schema",
    SourceFault.SCHEMA: "run `federation check DIR --data` and mend what it finds",
}


class Describing(Protocol):
    def describe(self, table: Table) -> Mapping[str, object]: ...


def unreadable(connector: Describing, tables: Iterable[Table]) -> tuple[Advice, ...]:
    """What keeps each table from being described."""
    found = []
    for table in tables:
        try:
            connector.describe(table)
        except SourceError as error:
            found.append(advice_of(error))
    return tuple(dict.fromkeys(found))


def advice_of(error: SourceError) -> Advice:
    return Advice(True, error.detail, MEND.get(error.fault, "see the source's own log"))
