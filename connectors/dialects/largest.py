"""The k largest values of every cell in two passes, for engines whose own aggregate of them is slow or not there.

The first pass takes the largest value of each of k random parts of a cell. The smallest of these is a bound that at
least k values reach, so that the k largest are the values above it, filled up with the bound itself. The second
pass reads the few values above the bound. Both are ordinary grouping, whatever ties and nulls there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from sqlglot import exp

from connectors.expressions import all_of, case, is_null, named, not_null, number

IN_CELLS = "cell_"
"""Before the names of the cells that the second pass is given."""

CTE = tuple[str, exp.Expr]


class LargestSearch(ABC):
    """The search over one program's trees. An engine says how it writes the five things that differ."""

    def __init__(self) -> None:
        self._numbers = count()

    @abstractmethod
    def same(self, a: exp.Expr, b: exp.Expr) -> exp.Expr:
        """Equal or both null, in a form that joins by hash."""

    @abstractmethod
    def hashed(self, by: exp.Expr) -> exp.Expr:
        """A whole number, not negative, that follows from what tells entities apart."""

    @abstractmethod
    def given(self, first: str, columns: Mapping[str, exp.Expr]) -> exp.Expr:
        """Something to select from: columns of the first pass's result, under the names of the mapping."""

    @abstractmethod
    def above(self, value: exp.Expr, test: exp.Expr, k: int) -> exp.Expr:
        """An aggregate: at least the k largest of the values that meet the test, descending, as a list."""

    @abstractmethod
    def filled(self, found: exp.Expr, bound: exp.Expr, k: int) -> exp.Expr:
        """The first k of a list, or of null, with the bound repeated behind it."""

    def part(self, by: exp.Expr, k: int, *, is_key: bool) -> exp.Expr:
        """Which of k parts an entity falls in: by its record key, or by a hash of its identifier."""
        if is_key and k == 2:
            known = exp.paren(exp.func("COALESCE", by.copy(), number(0)))
            return exp.paren(exp.BitwiseAnd(this=known, expression=number(1)))
        numeral = exp.Abs(this=by.copy()) if is_key else self.hashed(by)
        return exp.func("COALESCE", exp.Mod(this=numeral, expression=number(k)), number(0))

    def two_passes(self, select: exp.Select) -> list[CTE]:
        """Replace a grouping that asks for the k largest values by one over its first pass and its second. What it
        reads beside the rows comes back, in order."""
        name = f"first_pass{next(self._numbers)}"
        before: list[CTE] = []
        from_ = select.args["from_"].this
        if is_grouped(select):
            rows = f"{name}_rows"  # once for both passes
            before.append((rows, from_.this))
            from_.replace(exp.to_table(rows, alias=from_.alias))
        source = select.args["from_"].this
        group = select.args.get("group")
        by = list(group.expressions if group is not None else [])
        first = select.copy()
        kept: list[exp.Expr] = []
        tops: list[_Top] = []
        for item in first.expressions:
            if _is_largest(item.unalias()):
                tops.append(_Top(self, item.alias, item.unalias()))
                kept += tops[-1].parts()
            else:
                kept.append(item)
        first.set("expressions", kept)
        before.append((name, first))
        keys = {item.alias_or_name: item.unalias() for item in kept if item.unalias() in by}
        second = self._second_pass(name, source, keys, tops)
        parts = {part for top in tops for part in top.names}
        names = [item.alias_or_name for item in kept if item.alias_or_name not in parts]
        outputs: list[exp.Expr] = [exp.column(output, table="f") for output in names]
        outputs += [named(top.result(), top.name) for top in tops]
        matching = [self.same(exp.column(key, table="f"), exp.column(key, table="s")) for key in keys]
        both = exp.select(*outputs).from_(exp.to_table(name, alias="f"))
        both = both.join(second.subquery("s"), on=all_of(matching) or exp.true(), join_type="left")
        order = {item.alias_or_name: i for i, item in enumerate(select.expressions)}
        both.set("expressions", sorted(both.expressions, key=lambda item: order[item.alias_or_name]))
        for part in ("group", "having", "joins", "where"):
            select.set(part, None)
        for part in ("expressions", "from_", "joins"):
            select.set(part, both.args.get(part))
        return before

    def _second_pass(
        self, first: str, source: exp.Expr, keys: Mapping[str, exp.Expr], tops: Sequence[_Top]
    ) -> exp.Select:
        """The values above each cell's bound."""
        columns: dict[str, exp.Expr] = {IN_CELLS + key: exp.column(key) for key in keys}
        columns |= {IN_CELLS + top.bound_name: top.bound() for top in tops}
        rows = exp.select(*(named(exp.column(IN_CELLS + key), key) for key in keys)).from_(source.copy())
        matching = [self.same(key, exp.column(IN_CELLS + alias)) for alias, key in keys.items()]
        rows = rows.join(self.given(first, columns), on=all_of(matching) or exp.true())
        rows = rows.select(*(top.above() for top in tops)).where(exp.or_(*(top.test() for top in tops)))
        rows = rows.where(exp.or_(*(top.above_all(first) for top in tops)))
        return rows.group_by(*(exp.column(IN_CELLS + key) for key in keys)) if keys else rows


@dataclass(frozen=True)
class _Top:
    """One list of the k largest values: its parts, its bound, and the values above that."""

    search: LargestSearch
    name: str
    aggregate: exp.Expr

    @property
    def k(self) -> int:
        return int(self.aggregate.args["count"].name)

    @property
    def names(self) -> list[str]:
        return [f"{self.name}_part{i}" for i in range(self.k)]

    @property
    def bound_name(self) -> str:
        return f"{self.name}_bound"

    def parts(self) -> list[exp.Expr]:
        """The largest value of each of k parts, into which entities fall at random."""
        meta, value = self.aggregate.meta, self.aggregate.this
        found: list[exp.Expr] = []
        for i, name in enumerate(self.names):
            part = self.search.part(meta["by"], self.k, is_key=meta["is_key"])
            in_part = exp.Where(this=exp.EQ(this=part, expression=number(i)))
            found.append(named(exp.Filter(this=exp.Max(this=value.copy()), expression=in_part), name))
        return found

    def bound(self, table: str | None = None) -> exp.Expr:
        """The smallest of the parts' largest, null where a part is empty."""
        parts = [exp.column(name, table=table) for name in self.names]
        least = parts[0].copy() if self.k == 1 else exp.func("LEAST", *(part.copy() for part in parts))
        return case(exp.and_(*(not_null(part.copy()) for part in parts)), least)

    def test(self) -> exp.Expr:
        value, bound = self.aggregate.this, exp.column(IN_CELLS + self.bound_name)
        above = exp.GT(this=value.copy(), expression=bound)
        return exp.paren(exp.or_(above, exp.and_(is_null(bound.copy()), not_null(value.copy()))))

    def above_all(self, first: str) -> exp.Expr:
        """Above the smallest bound of all cells, which needs no cell to be looked up; where one has none, any value."""
        every = exp.EQ(this=exp.Count(this=exp.Star()), expression=exp.Count(this=self.bound()))
        least = exp.select(case(every, exp.Min(this=self.bound()))).from_(first).subquery()
        value = self.aggregate.this
        above = exp.GT(this=value.copy(), expression=least)
        return exp.func("COALESCE", above, not_null(value.copy()))

    def above(self) -> exp.Expr:
        return named(self.search.above(self.aggregate.this, self.test(), self.k), self.name)

    def result(self) -> exp.Expr:
        return self.search.filled(exp.column(self.name, table="s"), self.bound("f"), self.k)


def groupings(tree: exp.Expr) -> list[exp.Select]:
    """The groupings that ask for the k largest values, innermost first."""
    selects = reversed(list(tree.find_all(exp.Select)))
    return [select for select in selects if any(_is_largest(item.unalias()) for item in select.expressions)]


def is_grouped(select: exp.Select) -> bool:
    """Whether it reads what has been grouped already, and not rows."""
    from_ = select.args["from_"].this
    return isinstance(from_, exp.Subquery) and not isinstance(from_.this.args["from_"].this, exp.Table)


def _is_largest(tree: exp.Expr) -> bool:
    return isinstance(tree, exp.Max) and tree.args.get("count") is not None
