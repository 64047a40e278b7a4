"""Name resolution in one SELECT over unit rows, as DuckDB resolves: columns first, then aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from policies.compiler.errors import did_you_mean, refuse
from policies.compiler.refs import Refs
from policies.refusals import Code

NAMES = "Every name must be a column of the catalogue that the agreement shows."


@dataclass
class Scope:
    """``sources``: per alias (lower case) its columns by lower-case name; ``merged`` are USING columns."""

    sql: str
    refs: Refs
    sources: dict[str, Mapping[str, exp.Expr]] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)
    outer: Scope | None = None

    def find(self, node: exp.Column) -> exp.Expr | None:
        """The bound expression of a column, None where no source has one of that name. Raises on ambiguity."""
        name = node.name.lower()
        if node.table:
            source = self.sources.get(node.table.lower())
            return source.get(name) if source is not None else None
        found = [source[name] for source in self.sources.values() if name in source]
        if len(found) > 1 and name not in self.merged and any(other != found[0] for other in found[1:]):
            raise refuse(
                Code.AMBIGUOUS_COLUMN,
                f"“{node.name}” stands in more than one table.",
                NAMES,
                "Put the table's name and a full stop before it.",
                node,
                self.sql,
            )
        return found[0] if found else None

    def resolve(self, node: exp.Column) -> exp.Expr:
        found = self.find(node)
        if found is None:
            known = {name for source in self.sources.values() for name in source}
            raise refuse(
                Code.UNKNOWN_COLUMN,
                f"There is no column “{node.sql(dialect='duckdb')}” here.",
                NAMES,
                did_you_mean(node.name, known),
                node,
                self.sql,
            )
        return found.copy()

    def columns(self, alias: str | None = None) -> list[tuple[str, exp.Expr]]:
        """All columns, for a star, in order; USING columns once."""
        result: list[tuple[str, exp.Expr]] = []
        for name, source in self.sources.items():
            if alias is None or name == alias.lower():
                result += [
                    (column, bound.copy())
                    for column, bound in source.items()
                    if not (column in self.merged and any(column == other for other, _ in result))
                ]
        return result
