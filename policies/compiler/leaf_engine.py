"""DuckDB as a pure function: expressions over the leaves of one dimension, and the shape of a result.

An expression over one dimension is decided leaf by leaf on the code list, never on the data. So equivalent
predicates come to the same leaf set whatever their wording, DuckDB's own semantics apply (three-valued logic,
collation, integer division, LIKE), and no expression of a user ever meets a row.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from functools import cache, partial

import duckdb
import pyarrow as pa
from sqlglot import exp

from catalogue.catalogue import Dimension
from catalogue.fragment import Grid
from policies.compiler.refs import MEMBER, VALUE, DimensionLike, DimensionRef
from policies.presentation.allow import function_calls, verify_with_duckdb
from policies.presentation.clock import CLOCK_FUNCTIONS
from policies.presentation.folding import GROWING, LARGEST_NUMBER, makes_something_large
from policies.presentation.model import Relation
from policies.refusals import Code, Refusal, RefusalError

MAXIMUM_TABLES = 64
REMEMBERED_VALUES = 200_000
"""How many values of expressions are kept for each dimension."""

_LOCAL = threading.local()
_GROWING = re.compile(rf"\b(?:{'|'.join(sorted(GROWING))})\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class Evaluation:
    """Values per leaf of one expression; ``inexact`` leaves are grid bins that the expression cuts in two."""

    values: tuple[object, ...]
    type: str
    inexact: tuple[int, ...]


@dataclass(frozen=True)
class _Leaves:
    """The leaves of a dimension as a table, and what expressions came to on them: planners ask by the same few.

    ``made_from`` is kept alive, so that nothing else has the identity by which the leaves are known.
    """

    table: str
    made_from: object
    remembered: dict[str, Evaluation] = field(default_factory=dict)

    def evaluated(self, sql: str, evaluate_: Callable[[str], Evaluation]) -> Evaluation:
        found = self.remembered.get(sql)
        if found is None:
            found = evaluate_(sql)
            if len(self.remembered) >= REMEMBERED_VALUES // max(1, len(found.values)):
                self.remembered.clear()
            self.remembered[sql] = found
        return found


def _connection() -> duckdb.DuckDBPyConnection:
    connection: duckdb.DuckDBPyConnection | None = getattr(_LOCAL, "connection", None)
    if connection is None:
        connection = duckdb.connect(":memory:", config={"threads": "1", "memory_limit": "512MB"})
        connection.execute("SET temp_directory=''")
        connection.execute("SET python_enable_replacements=false")
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
        _LOCAL.connection, _LOCAL.leaves = connection, {}
    return connection


def _leaves(ref: DimensionLike) -> _Leaves:
    """The leaves of a dimension, made once per thread while there is room."""
    connection = _connection()
    known: dict[tuple[object, ...], _Leaves] = _LOCAL.leaves
    dimension = ref.dimension if isinstance(ref, DimensionRef) else None
    codelist = dimension.codelist if dimension is not None else None
    key: tuple[object, ...] = (id(codelist or dimension), dimension is not None and dimension.nullable)
    if key not in known:
        if len(known) >= MAXIMUM_TABLES:
            for each in known.values():
                connection.execute(f"DROP TABLE {each.table}")
            known.clear()
        name = f"__fed_leaves_{len(known)}"
        connection.register("__fed_arrow", _leaf_table(ref))
        connection.execute(f"CREATE TEMP TABLE {name} AS FROM __fed_arrow")
        connection.unregister("__fed_arrow")
        known[key] = _Leaves(name, codelist or dimension)
    return known[key]


def _leaf_table(ref: DimensionLike) -> pa.Table:
    if not isinstance(ref, DimensionRef):
        return pa.table({MEMBER: pa.array([False, True])})
    dimension = ref.dimension
    if dimension.codelist is not None:
        table = dimension.codelist.table
        if dimension.nullable:
            nulls = pa.table([pa.nulls(1, field.type) for field in table.schema], schema=table.schema)
            table = pa.concat_tables([table, nulls])
        return table
    assert dimension.grid is not None
    decimals = ref.dataset.variable(dimension.name).decimals
    return pa.table({VALUE: _probes(dimension, dimension.grid, decimals)})


def _probes(dimension: Dimension, grid: Grid, decimals: int) -> pa.Array:
    """Three values of each bin that the measure can take: its first, one in the middle and its last."""
    unit = Decimal(1).scaleb(-decimals)
    kind = pa.decimal128(18, decimals)
    values: list[Decimal | None] = []
    for offset in (
        Decimal(0),
        (grid.step / 2).quantize(unit, ROUND_FLOOR),
        max(Decimal(0), grid.step - unit),
    ):
        values += [(grid.minimum + i * grid.step + offset).quantize(unit) for i in range(grid.bins)]
        values += [None] * dimension.nullable
    return pa.array(values, kind).cast(kind if decimals else pa.int64())


def evaluate(ref: DimensionLike, expression: exp.Expr) -> Evaluation:
    """Evaluate a bound expression that reads this dimension alone.

    Raises RefusalError (``unsupported_syntax``) where DuckDB can't evaluate it on the code list.
    """
    leaves = _leaves(ref)
    text = _unqualified(expression).sql(dialect="duckdb", copy=False)
    return leaves.evaluated(f"SELECT ({text}) AS e FROM {leaves.table}", partial(_evaluated, ref))


def _evaluated(ref: DimensionLike, sql: str) -> Evaluation:
    """Leaves keep their order because nothing reorders a scan of one thread."""
    _refuse_growing(sql)
    try:
        relation = _connection().sql(sql)
        kind = str(relation.types[0])
        values = relation.to_arrow_table().column(0).to_pylist()
    except duckdb.Error as error:
        raise RefusalError(
            Refusal(
                Code.UNSUPPORTED_SYNTAX,
                f"This expression can't be evaluated on the code list: {str(error).splitlines()[0]}",
                "Predicates and groups are decided on the codes of a dimension, before any data is read.",
                "Compare with codes of the code list, or convert with TRY_CAST.",
            )
        ) from None
    size = ref.dimension.size if isinstance(ref, DimensionRef) else 2
    probes = 3 if isinstance(ref, DimensionRef) and ref.dimension.grid is not None else 1
    if len(values) != size * probes:
        raise RefusalError(
            Refusal(
                Code.UNSUPPORTED_SYNTAX,
                "This expression has not one value for each code.",
                "Predicates and groups are decided on the codes of a dimension, before any data is read.",
                "Leave out what aggregates or multiplies rows.",
            )
        )
    if probes == 1:
        return Evaluation(tuple(values), kind, ())
    low, middle, high = values[:size], values[size : 2 * size], values[2 * size :]
    inexact = tuple(j for j in range(size) if not low[j] == middle[j] == high[j])
    return Evaluation(tuple(middle), kind, inexact)


def _refuse_growing(sql: str) -> None:
    """The code list is small and no process of its own holds what is made of it: values must stay small too."""
    if _GROWING.search(sql) is None:
        return
    for call in function_calls(sql):
        if makes_something_large(call):
            raise RefusalError(
                Refusal(
                    Code.UNSUPPORTED_SYNTAX,
                    f"This call of {call['function_name'].lower()!r} could make a large value of a code.",
                    "Predicates and groups are decided on the codes of a dimension while the query is compiled.",
                    f"Use it with plain literals, no number above {LARGEST_NUMBER}, and not inside itself.",
                )
            )


def _unqualified(expression: exp.Expr) -> exp.Expr:
    copy = expression.copy()
    for found in list(copy.find_all(exp.Column)):
        found.set("table", None)
    return copy


@cache
def aggregate_names() -> frozenset[str]:
    """The names of DuckDB's aggregate functions in the pinned version."""
    rows = _connection().sql(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type = 'aggregate'"
    )
    return frozenset(row[0] for row in rows.fetchall())


def constant(expression: exp.Expr) -> object:
    """The value of an expression that reads no column. Raises RefusalError where it has none."""
    connection = _connection()
    try:
        rows = connection.sql(f"SELECT ({expression.sql(dialect='duckdb')}) AS c").fetchall()
    except duckdb.Error as error:
        raise RefusalError(
            Refusal(
                Code.UNSUPPORTED_SYNTAX,
                f"This constant can't be computed: {str(error).splitlines()[0]}",
                "Constants are computed before any data is read.",
                "Write the value itself.",
            )
        ) from None
    return rows[0][0]


def describe(
    sql: str, tables: Mapping[str, Mapping[str, str]], query: exp.Expr | None = None
) -> tuple[tuple[str, str], ...]:
    """Names and types that DuckDB gives to the columns of ``sql`` over empty tables of these columns.

    Binds only, but binding computes constants: so the text is held against the allow-list first, which refuses
    those that would be large; ``query`` gives such refusals their place. Raises RefusalError and duckdb.Error.
    """
    known = {name: Relation(name, ()) for name in tables}
    verify_with_duckdb(sql, known, query or exp.Select(), also=CLOCK_FUNCTIONS)
    connection = _connection().cursor()
    try:
        connection.execute("BEGIN TRANSACTION")
        for name, columns in tables.items():
            body = ", ".join(f"{_quote(column)} {kind}" for column, kind in columns.items())
            connection.execute(f"CREATE TEMP TABLE {_quote(name)} ({body})")
        rows = connection.execute(f"DESCRIBE {sql}").fetchall()
    finally:
        connection.rollback()
        connection.close()
    return tuple((row[0], row[1]) for row in rows)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def lookup_column(sql: str, tables: Mapping[str, pa.Table]) -> list[object]:
    """The first column of an allowed SELECT over open lookups alone. Raises duckdb.Error."""
    connection = _connection()
    for name, table in tables.items():
        connection.register(name, table)
    try:
        values: list[object] = connection.sql(sql).to_arrow_table().column(0).to_pylist()
    finally:
        for name in tables:
            connection.unregister(name)
    return values
