"""What stands above the line: relations of protected cells in, one SELECT with statuses and notes out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation; ``status`` names its companion there, None where it is never hidden."""

    name: str
    status: str | None
    type: str


@dataclass(frozen=True, slots=True)
class Relation:
    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of the result under the name that DuckDB would give it, and the name of its status."""

    name: str
    status_name: str


@dataclass(frozen=True, slots=True)
class NoteQuery:
    """Counts the rows that a filter, join, rank or limit decided by reading a hidden value."""

    kind: str
    text: str
    sql: str


@dataclass(frozen=True, slots=True)
class Presentation:
    """The SQL that runs over protected cells, in DuckDB's dialect, regenerated from the bound query."""

    sql: str
    columns: tuple[OutputColumn, ...]
    notes: tuple[NoteQuery, ...]
