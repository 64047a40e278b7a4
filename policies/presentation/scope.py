"""Names as the status pass sees them: which relation an alias stands for and where each column's status is."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from policies.presentation.refuse import refuse
from policies.refusals import Code

#: Column name (lower case) to the name of its status column, None where it is never hidden.
Columns = dict[str, str | None]

STATUS_PREFIX = "__fed_status_"
ROWS = "__fed_rows"


@dataclass(frozen=True, slots=True)
class Cte:
    """A CTE under the name it is emitted with: another one, where the user's would hide a name in use."""

    name: str
    columns: Columns


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT and the SELECTs around it; ``correlated`` once a name resolved further out."""

    outer: Scope | None
    ctes: dict[str, Cte] = field(default_factory=dict)
    definitions: tuple[exp.CTE, ...] = ()
    sources: dict[str, Columns] = field(default_factory=dict)
    correlated: bool = False

    @classmethod
    def within(cls, outer: Scope | None) -> Scope:
        if outer is None:
            return cls(None)
        return cls(outer, dict(outer.ctes), outer.definitions)

    def status_of(self, column: exp.Column) -> exp.Column | None:
        """The status column beside ``column``, or None if it is never hidden."""
        passed: list[Scope] = []
        scope: Scope | None = self
        while scope is not None:
            columns = scope.sources.get(column.table.lower())
            if columns is not None:
                for inner in passed:
                    inner.correlated = True
                if column.name.lower() not in columns:
                    break
                name = columns[column.name.lower()]
                return None if name is None else exp.column(quoted(name), table=column.args["table"].copy())
            passed.append(scope)
            scope = scope.outer
        if not column.table and sum(column.name.lower() in each for each in self.sources.values()) > 1:
            raise refuse(
                Code.AMBIGUOUS_COLUMN,
                column,
                f"The column {column.name!r} could be that of several relations.",
                "Every name above the line is one column of one relation.",
                "Write the alias of its relation before the name.",
            )
        raise refuse(
            Code.UNKNOWN_COLUMN,
            column,
            f"There is no column {column.name!r} here.",
            "Every name above the line is a column of a CTE, a derived table or an aggregate of this query.",
            "Use a column that the SELECT below it returns.",
        )


def quoted(name: str) -> exp.Identifier:
    """An identifier, quoted only where its characters ask for it."""
    return exp.to_identifier(name, quoted=None if name.isidentifier() and name.islower() else True)


def companion(name: str) -> str:
    """The name of the status column of an output column ``name``."""
    return STATUS_PREFIX + name


def named(value: exp.Expr, name: str, *, always_quoted: bool = False) -> exp.Alias:
    """``value AS name``."""
    return exp.Alias(
        this=value, alias=exp.to_identifier(name, quoted=True) if always_quoted else quoted(name)
    )


def unnamed(projection: exp.Expr) -> exp.Expr:
    """A projection without its alias; a scalar subquery carries its own."""
    if isinstance(projection, exp.Subquery) and projection.args.get("alias"):
        bare = projection.copy()
        bare.parent, bare.arg_key = projection.parent, projection.arg_key
        bare.set("alias", None)
        return bare
    return projection.unalias()
