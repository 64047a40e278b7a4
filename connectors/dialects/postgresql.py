"""From the renderer's trees (DuckDB's dialect) to PostgreSQL's: a tree in, a tree out, with the same cells.

What differs, and what is done about it:

- Casts of PostgreSQL raise, so none is made that could: TRY_CAST becomes a CASE that casts what is known to fit.
- ROUND of a double rounds half to even there; here half goes away from zero, as everywhere else.
- No temporary table may be made in a read-only transaction: steps are materialised common tables.
- IS NOT DISTINCT FROM cannot be hashed: two plain equations can.
- There is no aggregate for the k largest values that does not sort everything: they are found in two passes
  (connectors.dialects.largest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp, parse_one

from catalogue.fragment import SourceError, SourceFault
from connectors.dialects.largest import CTE, LargestSearch, groupings
from connectors.expressions import case, named, number
from connectors.protocol import ColumnType, TypeKind

NUMBER_PATTERN = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*$"
NUMBER_LENGTH = 64
"""A text that is longer is no number; it also bounds what a cast of one may cost."""

BIGINT_LIMIT = 10**18

Columns = Mapping[str, Mapping[str, ColumnType]]
"""The types of the columns of each relation that trees read rows from."""


def sql(tree: exp.Expr, *, pretty: bool = False) -> str:
    return tree.sql(dialect="postgres", pretty=pretty)


def _parsed(text: str) -> exp.Expr:
    tree: exp.Expr = parse_one(text, dialect="postgres")
    return tree


def typed(tree: exp.Expr, to: str) -> exp.Expr:
    return exp.Cast(this=tree, to=exp.DataType.build(to, dialect="postgres"))


def plain_text(tree: exp.Expr) -> exp.Expr:
    """Text that compares byte by byte, whatever the database's collation."""
    return exp.Collate(this=exp.paren(typed(tree, "text")), expression=exp.to_identifier("C", quoted=True))


def guarded_cast(tree: exp.Expr, type_: ColumnType, to: exp.DataType) -> exp.Expr:
    """A cast that gives null where it does not fit. Raises SourceError SCHEMA for types that hold no numbers."""
    kind, target = type_.kind, to.this
    if target == exp.DType.VARCHAR or target == exp.DType.TEXT:
        return as_text(tree, type_)
    if kind is TypeKind.BOOLEAN:
        tree, kind = typed(tree, "integer"), TypeKind.INTEGER
    if kind is TypeKind.TEXT:
        short = exp.LTE(this=exp.func("OCTET_LENGTH", tree.copy()), expression=number(NUMBER_LENGTH))
        like = exp.RegexpLike(this=tree.copy(), expression=exp.Literal.string(NUMBER_PATTERN))
        tree, kind = case(exp.and_(short, like), typed(tree, "numeric")), TypeKind.DECIMAL
    if kind not in (TypeKind.INTEGER, TypeKind.DECIMAL, TypeKind.FLOAT):
        raise SourceError(SourceFault.SCHEMA, "a column that holds no numbers is read as one")
    if target == exp.DType.DOUBLE:
        return typed(tree, "double precision")
    if target == exp.DType.DECIMAL:
        if kind is TypeKind.FLOAT:
            raise SourceError(SourceFault.SCHEMA, "an approximate number cannot be read as a decimal")
        digits, places = (int(part.name) for part in to.expressions)
        rounded = exp.func("ROUND", typed(tree, "numeric"), number(places))
        return case(_within(rounded, 10 ** (digits - places)), rounded.copy())
    if kind is TypeKind.INTEGER:
        return typed(tree, "bigint")
    return case(_within(tree, BIGINT_LIMIT), typed(tree.copy(), "bigint"))


def _within(tree: exp.Expr, limit: int) -> exp.Expr:
    return exp.LT(this=exp.Abs(this=tree.copy()), expression=number(limit))


def as_text(tree: exp.Expr, type_: ColumnType) -> exp.Expr:
    if type_.kind is TypeKind.FLOAT:
        raise SourceError(SourceFault.SCHEMA, "an approximate number cannot be read as a code of text")
    return tree if type_.kind is TypeKind.TEXT else plain_text(tree)


@dataclass(frozen=True)
class Computed:
    """A custodian's expression in PostgreSQL's dialect, over unqualified columns, and its type."""

    tree: exp.Expr
    type: ColumnType


@dataclass
class Rewriter:
    """Rewrites the trees of one program. ``columns`` are the types of what is read; ``computed`` holds what stands for
    a custodian's expression, by relation and by its text in DuckDB's dialect."""

    columns: Columns
    computed: Mapping[tuple[str, str], Computed]
    hoisted: list[CTE] = field(default_factory=list)
    search: LargestSearch = field(default_factory=lambda: _Search())

    def rewrite(self, tree: exp.Expr) -> tuple[exp.Expr, list[CTE]]:
        """The tree, and the common tables that it reads beside the program's own, in order."""
        self.hoisted, before = [], self.hoisted
        tree = tree.copy()
        for step in (
            self._casts,
            self._tries,
            self._small_things,
            self._equalities,
            self._lists,
            self._largest,
        ):
            step(tree)
        found, self.hoisted = self.hoisted, before + self.hoisted
        return tree, found

    # ---- rows -------------------------------------------------------------------------------------------

    def _relation(self, column: exp.Column) -> str | None:
        """The relation that a column's alias stands for."""
        select = column.find_ancestor(exp.Select)
        while select is not None:
            from_ = select.args.get("from_")
            tables = [from_.this] if from_ is not None else []
            tables += [join.this for join in select.args.get("joins") or ()]
            for table in tables:
                if isinstance(table, exp.Table) and table.alias_or_name == column.table:
                    return table.name
            select = select.find_ancestor(exp.Select)
        return None

    def _type(self, tree: exp.Expr) -> ColumnType | None:
        if isinstance(tree, exp.Paren):
            return self._type(tree.this)
        if isinstance(tree, exp.Try):
            return self._computed(tree)[0].type
        if isinstance(tree, exp.Case):  # a guarded cast that is read on
            return self._type(tree.args["ifs"][0].args["true"])
        if isinstance(tree, exp.Cast) and tree.to.this == exp.DType.BIGINT:
            return ColumnType(TypeKind.INTEGER, 19)
        if not isinstance(tree, exp.Column):
            return None
        relation = self._relation(tree)
        return None if relation is None else self.columns.get(relation, {}).get(tree.name)

    def _computed(self, node: exp.Try) -> tuple[Computed, str]:
        """What a custodian's expression is here, and the alias of the relation that it reads."""
        column = node.find(exp.Column)
        relation = None if column is None else self._relation(column)
        text = expression_key(node.this)
        if column is None or relation is None or (relation, text) not in self.computed:
            raise SourceError(SourceFault.SCHEMA, "a catalogue expression reads no column")
        return self.computed[relation, text], column.table

    def _tries(self, tree: exp.Expr) -> None:
        for node in list(tree.find_all(exp.Try)):
            computed, alias = self._computed(node)
            found = computed.tree.copy()
            for column in found.find_all(exp.Column):
                column.set("table", exp.to_identifier(alias))
            node.replace(exp.paren(found))

    def _casts(self, tree: exp.Expr) -> None:
        for node in reversed(list(tree.find_all(exp.TryCast))):
            if node.find_ancestor(exp.Try) is not None:
                continue  # a custodian's own, which is translated as a whole
            type_ = self._type(node.this)
            assert type_ is not None, "only fields are read by TRY_CAST"
            node.replace(guarded_cast(node.this, type_, node.to))
        for cast in reversed(list(tree.find_all(exp.Cast))):
            if cast.find_ancestor(exp.Try) is not None:
                continue
            type_, target = self._type(cast.this), cast.to.this
            if target == exp.DType.INT128:
                cast.set("to", exp.DataType.build("numeric", dialect="postgres"))
            elif target in (exp.DType.VARCHAR, exp.DType.TEXT) and type_ is not None:
                cast.replace(as_text(cast.this, type_))
            elif type_ is not None and type_.kind is TypeKind.BOOLEAN and target == exp.DType.BIGINT:
                cast.set("this", typed(cast.this, "integer"))

    def _small_things(self, tree: exp.Expr) -> None:
        for node in reversed(list(tree.find_all(exp.Round))):
            if node.args.get("decimals") is None:
                node.replace(_half_away(node.this))
        for call in reversed(list(tree.find_all(exp.Anonymous))):
            match call.name:
                case "HASH":
                    call.replace(self.search.hashed(call.expressions[0]))
                case "BIT_COUNT":  # there is none of numbers
                    bits = f"({sql(call.expressions[0])})::bit(64)::text"
                    call.replace(_parsed(f"LENGTH(REPLACE({bits}, '0', ''))"))
        for some in list(tree.find_all(exp.AnyValue)):
            some.replace(exp.Min(this=some.this))
        for division in reversed(list(tree.find_all(exp.IntDiv))):
            division.replace(
                exp.paren(exp.Div(this=division.this, expression=division.expression, typed=True, safe=False))
            )

    def _equalities(self, tree: exp.Expr) -> None:
        for node in list(tree.find_all(exp.NullSafeEQ)):
            node.replace(exp.paren(same(node.this, node.expression)))

    # ---- lists ------------------------------------------------------------------------------------------

    def _lists(self, tree: exp.Expr) -> None:
        """Lists of the largest values are arrays in descending order, padded with nulls."""
        for node in reversed(list(tree.find_all(exp.Anonymous, exp.Func))):
            name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name()
            if name == "LIST_SLICE":
                node.replace(self._sliced(node))
        for node in reversed(list(tree.find_all(exp.Anonymous, exp.Func))):
            name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name()
            if name == "LIST_EXTRACT":
                found, rank = node.expressions
                column = found.args["ifs"][0].args["true"] if isinstance(found, exp.Case) else found
                node.replace(_parsed(f"({sql(column)})[{rank.name}]"))

    @staticmethod
    def _sliced(node: exp.Expr) -> exp.Expr:
        lists, _, k = node.expressions
        columns = list(dict.fromkeys(column.name for column in lists.find_all(exp.Column)))
        if lists.find(exp.ArrayAgg) is not None or lists.find(exp.List) is not None:
            (column,) = columns
            several = f"UNNEST(ARRAY_AGG({column}) FILTER (WHERE NOT {column} IS NULL)) AS u(v)"
        else:
            each = " UNION ALL ".join(f"SELECT UNNEST({column})::numeric AS v" for column in columns)
            several = f"({each}) AS u"
        return _parsed(f"ARRAY(SELECT v FROM {several} WHERE NOT v IS NULL ORDER BY v DESC LIMIT {k.name})")

    def _largest(self, tree: exp.Expr) -> None:
        for select in groupings(tree):
            self.hoisted += self.search.two_passes(select)


class _Search(LargestSearch):
    def same(self, a: exp.Expr, b: exp.Expr) -> exp.Expr:
        return same(a, b)

    def hashed(self, by: exp.Expr) -> exp.Expr:
        """By the type's own hash, which gives equal values the same, however they are written (0 and -0)."""
        return _parsed(f"(HASH_ARRAY(ARRAY[{sql(by)}]) & 1023)")

    def given(self, first: str, columns: Mapping[str, exp.Expr]) -> exp.Expr:
        """As arrays, which parallel workers can be given."""
        arrays = ", ".join(f"(SELECT ARRAY_AGG({sql(column)}) FROM {first})" for column in columns.values())
        select = _parsed(f"SELECT * FROM UNNEST({arrays}) AS c({', '.join(columns)})")
        found: exp.Expr = select.args["from_"].this
        return found

    def above(self, value: exp.Expr, test: exp.Expr, k: int) -> exp.Expr:
        each = f"ARRAY_AGG({sql(value)} ORDER BY {sql(value)} DESC) FILTER (WHERE {sql(test)})"
        return _parsed(f"({each})[1:{k}]")

    def filled(self, found: exp.Expr, bound: exp.Expr, k: int) -> exp.Expr:
        return _parsed(f"({sql(found)} || ARRAY_FILL({sql(bound)}, ARRAY[{k}]))[1:{k}]")


def same(a: exp.Expr, b: exp.Expr) -> exp.Expr:
    """Equal or both null, in a form that can be hashed; '0' takes the type of its neighbour."""
    zero = exp.Literal.string("0")
    equal = exp.EQ(
        this=exp.func("COALESCE", a.copy(), zero), expression=exp.func("COALESCE", b.copy(), zero.copy())
    )
    nulls = [exp.paren(exp.Is(this=side.copy(), expression=exp.null())) for side in (a, b)]
    return exp.and_(equal, exp.EQ(this=nulls[0], expression=nulls[1]))


def _half_away(value: exp.Expr) -> exp.Expr:
    """A double rounded half away from zero: what is cut off is exact, so that no half is missed."""
    whole = exp.func("TRUNC", value.copy())
    rest = exp.Abs(this=exp.Sub(this=exp.paren(value.copy()), expression=whole))
    half = exp.GTE(this=rest, expression=typed(number(1), "double precision") / 2)
    step = case(half, exp.func("SIGN", value.copy()), number(0))
    return exp.paren(exp.Add(this=whole.copy(), expression=exp.paren(step)))


def expression_key(tree: exp.Expr) -> str:
    """A custodian's expression without the alias of its relation."""
    tree = tree.copy()
    for column in tree.find_all(exp.Column):
        column.replace(exp.column(exp.to_identifier(column.name, quoted=True)))
    return tree.sql(dialect="duckdb")


def mapping_relation(mapping: pa.Table) -> exp.Expr:
    """A small table of values and numbers as a query."""
    types = {pa.string(): "text", pa.int64(): "bigint", pa.int32(): "integer", pa.bool_(): "boolean"}
    columns = []
    for name, column in zip(mapping.column_names, mapping.columns, strict=True):
        value = typed(exp.column(name), types[column.type])
        columns.append(named(plain_text(value) if column.type == pa.string() else value, name))
    lines = [
        exp.Tuple(expressions=[_constant(value) for value in row.values()]) for row in mapping.to_pylist()
    ]
    if not lines:
        nothing = exp.Tuple(expressions=[exp.null() for _ in columns])
        empty = exp.values([nothing], alias="v", columns=mapping.column_names)
        return exp.select(*columns).from_(empty).where(exp.false())
    return exp.select(*columns).from_(exp.values(lines, alias="v", columns=mapping.column_names))


def _constant(value: object) -> exp.Expr:
    return exp.Literal.string(value) if isinstance(value, str) else exp.convert(value)
