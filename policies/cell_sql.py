"""A cell question as SQL again, so that another node can compile it by itself.

One aggregate: for each axis a column whose value tells the part, for each atom an aggregate with its box as FILTER,
and the grouping sets. Compiled, it comes to the question that it was written from (``CellQuestion.canonical``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalogue.catalogue import BoundDataset, Dimension
from catalogue.codelists import CodeList, CodeListKind
from catalogue.leaves import LeafSet
from catalogue.models import Role
from policies.cell_question import CellQuestion
from policies.plan import Atom, AtomKind, Box, GridAxis
from policies.protect.rules import variable_of
from policies.refusals import Code, Refusal, RefusalError

GROUPING = "g"
Value = str | int | None


@dataclass(frozen=True, slots=True)
class AxisColumn:
    """A key column of the SQL: which part of ``dimension`` each of its values stands for."""

    name: str
    dimension: str
    parts: Mapping[Value, LeafSet]


@dataclass(frozen=True, slots=True)
class CellSQL:
    """The text, its key columns, and for each block the value of ``g`` (0 throughout where there is no such column)
    and its key columns. The atoms' columns have the atoms' names."""

    sql: str
    axes: tuple[AxisColumn, ...]
    blocks: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def grouping(self) -> str | None:
        return GROUPING if len(self.blocks) > 1 else None


def cell_sql(question: CellQuestion, dataset: BoundDataset, table: str) -> CellSQL:
    """Write a question about ``dataset`` as SQL over ``table``, which is what the node that is asked calls it.

    Raises:
        RefusalError: ``held_elsewhere``, it holds what SQL over one dataset can't say.
    """
    return _Writer(question, dataset, table).written()


class _Writer:
    def __init__(self, question: CellQuestion, dataset: BoundDataset, table: str) -> None:
        self._question = question
        self._dataset = dataset
        self._table = table
        self._axes: list[AxisColumn] = []
        self._known: dict[tuple[str, tuple[LeafSet, ...]], int] = {}
        self._computed: list[str] = []
        self._keys: list[str] = []

    def written(self) -> CellSQL:
        if not self._question.atoms:
            raise cannot_ask("It asks for no number.")
        blocks = [tuple(self._axis(axis) for axis in block.axes) for block in self._question.blocks]
        several = len(blocks) > 1
        items = [f"{key} AS {axis.name}" for key, axis in zip(self._keys, self._axes, strict=True)]
        if several and self._keys:
            items.append(f"GROUPING({', '.join(self._keys)}) AS {GROUPING}")
        elif several:
            raise cannot_ask("It has several totals over the same cells.")
        items += [f"{self._aggregate(atom)} AS {atom.column}" for atom in self._question.atoms]
        sql = f"SELECT {', '.join(items)} FROM {self._source()}"
        where = self._conditions(self._question.where, Box())
        sql += f" WHERE {where}" if where else ""
        if several:
            sets = ", ".join(f"({', '.join(self._keys[key] for key in block)})" for block in blocks)
            sql += f" GROUP BY GROUPING SETS ({sets})"
        elif self._keys:
            sql += f" GROUP BY {', '.join(self._keys)}"
        return CellSQL(sql, tuple(self._axes), tuple((self._mask(b) if several else 0, b) for b in blocks))

    def _mask(self, block: Sequence[int]) -> int:
        last = len(self._axes) - 1
        return sum(1 << (last - key) for key in range(len(self._axes)) if key not in block)

    def _source(self) -> str:
        name = _identifier(self._table)
        if not self._computed:
            return name
        return f"(SELECT *, {', '.join(self._computed)} FROM {name}) AS {name}"

    # -- cells -------------------------------------------------------------------------------------------------

    def _axis(self, axis: GridAxis) -> int:
        key = (axis.dimension, axis.parts)
        if key not in self._known:
            number = self._known[key] = len(self._axes)
            name = f"x{number}"
            found = self._stored(axis)
            if found is None:
                found = name, dict(enumerate(axis.parts))
                cases = " ".join(
                    f"WHEN {self._condition(axis.dimension, leaves)} THEN {n}"
                    for n, leaves in enumerate(axis.parts)
                )
                self._computed.append(f"CASE {cases} END AS {name}")
            column, parts = found
            self._keys.append(column)
            self._axes.append(AxisColumn(name, axis.dimension, parts))
        return self._known[key]

    def _stored(self, axis: GridAxis) -> tuple[str, Mapping[Value, LeafSet]] | None:
        """A column of the catalogue whose codes tell the parts from each other, and what each code stands for."""
        for name, values in self._columns(axis.dimension):
            parts: dict[Value, LeafSet] = {}
            for leaves in axis.parts:
                found = {values[leaf] for leaf in leaves}
                if len(found) != 1 or found & parts.keys():
                    break
                parts[found.pop()] = leaves
            else:
                return _identifier(name), parts
        return None

    def _columns(self, dimension: str) -> Iterator[tuple[str, Sequence[Value]]]:
        """The columns of a dimension and the code of each leaf in it, those with the fewest codes first."""
        found = self._dimension(dimension)
        if found.codelist is None:
            return
        columns = []
        for name, variable in self._dataset.document.variables.items():
            if variable.role is Role.DIMENSION and (variable.of or name) == dimension:
                level = self._dataset.level_of(name)
                assert level is not None
                values = found.codelist.table.column(level).to_pylist() + [None] * found.nullable
                columns.append((name, values))
        yield from sorted(columns, key=lambda column: len(set(column[1])))

    def _dimension(self, name: str) -> Dimension:
        if name not in self._dataset.dimensions:
            raise cannot_ask(f"It depends on “{name}”, which is read from another dataset.")
        return self._dataset.dimensions[name]

    # -- conditions --------------------------------------------------------------------------------------------

    def _conditions(self, box: Box, given: Box) -> str:
        """The conditions of ``box`` that ``given`` does not make already."""
        terms = [self._condition(name, leaves) for name, leaves in box.sets if given.get(name) != leaves]
        return " AND ".join(terms)

    def _condition(self, name: str, leaves: LeafSet) -> str:
        dimension = self._dimension(name)
        codelist, column = dimension.codelist, _identifier(name)
        null = dimension.null_leaf
        if codelist is not None and not _numbers(codelist):
            return self._in(name, leaves)
        values = LeafSet(leaves.mask & ~(0 if null is None else 1 << null), leaves.size)
        if codelist is not None:
            terms = list(_ranges(column, values, [int(code or 0) for code in codelist.leaf_level.codes]))
        else:
            terms = list(_bins(column, values, dimension))
        if null is not None and null in leaves:
            terms.append(f"{column} IS NULL")
        return _any(terms)

    def _in(self, name: str, leaves: LeafSet) -> str:
        for column, values in self._columns(name):
            wanted = {values[leaf] for leaf in leaves}
            if all(leaf in leaves for leaf, value in enumerate(values) if value in wanted):
                codes = [value for value in dict.fromkeys(values) if value in wanted and value is not None]
                terms = [f"{_identifier(column)} IN ({', '.join(map(_literal, codes))})"] if codes else []
                if None in wanted:
                    terms.append(f"{_identifier(column)} IS NULL")
                return _any(terms)
        raise cannot_ask(f"No column tells these codes of “{name}” from the others.")

    # -- numbers -----------------------------------------------------------------------------------------------

    def _aggregate(self, atom: Atom) -> str:
        rest = self._conditions(atom.where, self._question.where)
        return self._plain(atom) + (f" FILTER (WHERE {rest})" if rest else "")

    def _plain(self, atom: Atom) -> str:
        measure = None
        if atom.measure is not None:
            measure = variable_of(atom.measure)
            if atom.measure != f"{self._dataset.name}.{measure}":
                raise cannot_ask(f"“{measure}” is a measure of another dataset.")
            measure = _identifier(measure)
        if atom.weighted:
            return self._weighted(atom, measure)
        match atom.kind:
            case AtomKind.UNITS if not self._dataset.document.unit.row_is_unit:
                return f"count(DISTINCT {self._unit()})"
            case AtomKind.UNITS | AtomKind.COUNT:
                return f"count({measure or '*'})"
            case AtomKind.QUANTILE:
                return f"quantile_cont({measure}, {atom.quantile})"
        return f"{_FUNCTIONS[atom.kind]}({measure})"

    def _weighted(self, atom: Atom, measure: str | None) -> str:
        weight = _identifier(self._dataset.document.weight or "")
        if atom.kind is AtomKind.UNITS and measure is None:
            return f"sum({weight})"
        if atom.kind is AtomKind.SUM:
            return f"sum({weight} * {measure})"
        if atom.kind is AtomKind.QUANTILE:
            return f"weighted_quantile({measure}, {weight}, {atom.quantile})"
        raise cannot_ask("It weighs what has no aggregate of its own.")

    def _unit(self) -> str:
        document = self._dataset.document
        for name, variable in document.variables.items():
            if variable.role is Role.IDENTIFIER and (variable.expression or name) == document.unit.expression:
                return _identifier(name)
        raise cannot_ask(f"The catalogue names no column that tells one {document.unit.name} from another.")


_FUNCTIONS = {
    AtomKind.SUM: "sum",
    AtomKind.MEAN: "avg",
    AtomKind.VARIANCE: "var_samp",
    AtomKind.STDDEV: "stddev_samp",
}


def cannot_ask(why: str) -> RefusalError:
    """The refusal of a question that can't be put to the node that holds the data."""
    return RefusalError(
        Refusal(
            Code.HELD_ELSEWHERE,
            f"This can't be asked of the node that holds the data. {why}",
            "Data that another node holds is asked for by one aggregate over one dataset, which that node compiles.",
            "Aggregate the dataset by itself, and join or combine the results in an outer query.",
        )
    )


def _numbers(codelist: CodeList) -> bool:
    return codelist.kind is CodeListKind.INTEGERS


def _ranges(column: str, leaves: LeafSet, codes: Sequence[int]) -> Iterator[str]:
    for first, last in leaves.runs():
        if first == last:
            yield f"{column} = {codes[first]}"
        else:
            yield f"{column} BETWEEN {codes[first]} AND {codes[last]}"


def _bins(column: str, leaves: LeafSet, dimension: Dimension) -> Iterator[str]:
    """Values below the grid are in its first bin, values above it in its last."""
    grid = dimension.grid
    assert grid is not None
    for first, last in leaves.runs():
        bounds = []
        if first > 0:
            bounds.append(f"{column} >= {grid.minimum + first * grid.step:f}")
        if last < grid.bins - 1:
            bounds.append(f"{column} < {grid.minimum + (last + 1) * grid.step:f}")
        yield "(" + " AND ".join(bounds) + ")" if bounds else f"{column} IS NOT NULL"


def _any(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(code: Value) -> str:
    return str(code) if isinstance(code, int) else "'" + str(code).replace("'", "''") + "'"
