"""The allow-list above the line, held against the query twice: as sqlglot parsed it, and as DuckDB parses what runs.

The first walk knows the place of everything in the SQL as typed and refuses any construct that is not listed. The
second, over DuckDB's own parse of the regenerated SQL, decides what is a function or a relation by the engine's
rules: neither parser's reading alone is trusted.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from policies.presentation.folding import LARGEST_NUMBER, folds_into_something_large
from policies.presentation.functions import SCALARS, TABLE_FUNCTIONS, denial
from policies.presentation.model import Relation
from policies.presentation.refuse import refuse
from policies.refusals import Code, RefusalError

RESERVED = "__fed"

_QUERY_PARTS = {"with_", "order", "limit", "offset"}
_SELECT_PARTS = {
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "qualify",
    "windows",
    "distinct",
}

#: The arguments that a construct may have; any other, if given, is refused rather than lost in the rewriting.
_PARTS: dict[type[exp.Expr], set[str]] = {
    exp.Select: _QUERY_PARTS | _SELECT_PARTS,
    exp.SetOperation: _QUERY_PARTS | {"this", "expression", "distinct", "by_name"},
    exp.Subquery: _QUERY_PARTS | {"this", "alias"},
    exp.With: {"expressions", "recursive"},
    exp.CTE: {"this", "alias", "materialized"},
    exp.Table: {"this", "alias"},
    exp.Join: {"this", "on", "using", "side", "kind", "method"},
    exp.Lateral: {"this", "alias", "view", "outer"},
    exp.Unnest: {"expressions", "alias", "offset"},
    exp.Values: {"expressions", "alias"},
    exp.Group: {"expressions", "rollup", "cube", "grouping_sets", "all"},
    exp.Star: {"except_", "replace", "rename"},
    exp.TableAlias: {"this", "columns"},
}

#: Constructs that are not functions. Functions are judged by the name under which DuckDB knows them.
_CONSTRUCTS: tuple[type[exp.Expr], ...] = (
    *_PARTS,
    exp.Alias,
    exp.AtTimeZone,
    exp.Between,
    exp.Binary,
    exp.Boolean,
    exp.Bracket,
    exp.Column,
    exp.Comprehension,
    exp.Cube,
    exp.DataType,
    exp.DataTypeParam,
    exp.Distinct,
    exp.Filter,
    exp.From,
    exp.GroupingSets,
    exp.Having,
    exp.Identifier,
    exp.IgnoreNulls,
    exp.In,
    exp.Interval,
    exp.Lambda,
    exp.Limit,
    exp.LimitOptions,
    exp.Literal,
    exp.Null,
    exp.Offset,
    exp.Order,
    exp.Ordered,
    exp.Paren,
    exp.PropertyEQ,
    exp.Qualify,
    exp.RespectNulls,
    exp.Rollup,
    exp.Slice,
    exp.SubqueryPredicate,
    exp.Tuple,
    exp.Unary,
    exp.Var,
    exp.Where,
    exp.Window,
    exp.WindowSpec,
    exp.WithinGroup,
)

#: Functions without parentheses (CURRENT_USER, LOCALTIME), which DuckDB's parse takes for columns. Those that read the
#: clock are literals by now.
_VALUE_FUNCTIONS: tuple[type[exp.Expr], ...] = tuple(set(DuckDB.Parser.NO_PAREN_FUNCTIONS.values()))

#: DuckDB compares these wrongly with other numbers.
_UNBOUNDED = {"BIGNUM", "VARINT"}

_JOIN_METHODS = {"", "NATURAL", "ASOF"}


def one_select(statement: exp.Expr) -> exp.Query:
    """``statement``, if it is a SELECT. Raises RefusalError(not_one_select)."""
    if isinstance(statement, exp.Query):
        return statement
    raise refuse(
        Code.NOT_ONE_SELECT,
        statement,
        "The statement is not a SELECT.",
        "One SELECT is run over protected cells, nothing else.",
        "Write one SELECT.",
    )


def check(query: exp.Query, relations: Mapping[str, Relation]) -> None:
    """Refuse every construct of ``query`` that is not on the list, each with its place, all of them at once."""
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    known = ctes | {name.lower() for name in relations}
    refusals = [r for node in query.walk() for error in _faults(node, known) for r in error.refusals]
    if refusals:
        raise RefusalError(*dict.fromkeys(refusals))


def _faults(node: exp.Expr, relations: set[str]) -> Iterator[RefusalError]:
    if not isinstance(node, (exp.Func, *_CONSTRUCTS)):
        yield _unsupported(node, f"{node.key.upper()}")
        return
    for kind, parts in _PARTS.items():
        if isinstance(node, kind):
            for extra in (name for name, value in node.args.items() if value and name not in parts):
                yield _unsupported(node, f"{extra.strip('_').upper()} of {node.key.upper()}")
    match node:
        case exp.Func() if isinstance(node, _VALUE_FUNCTIONS):
            yield unknown_function(node, node.sql_name())
        case exp.DataType() if node.sql(dialect="duckdb").upper() in _UNBOUNDED:
            yield _unsupported(node, "A type of numbers without bounds")
        case exp.Identifier() if node.name.lower().startswith(RESERVED):
            yield _unsupported(node, f"A name that starts with {RESERVED}")
        case exp.Table(this=exp.Identifier()) if node.name.lower() not in relations:
            yield refuse(
                Code.UNKNOWN_TABLE,
                node,
                f"There is no relation {node.name!r} above the disclosure line.",
                "Above the line a query reads its own CTEs and the cells of its own aggregates.",
                "Use a CTE that the query defines.",
            )
        case exp.Table() if not isinstance(node.this, exp.Identifier | exp.GenerateSeries):
            yield _unsupported(node, "A table function other than range, generate_series and unnest")
        case exp.Join() if node.method not in _JOIN_METHODS or (
            node.method == "ASOF" and node.args.get("using")
        ):
            yield _unsupported(node, f"This form of {node.method} JOIN")
        case exp.Anonymous() | exp.AnonymousAggFunc() if node.name.lower() not in SCALARS:
            yield unknown_function(node, node.name)


def _unsupported(node: exp.Expr, what: str) -> RefusalError:
    return refuse(
        Code.UNSUPPORTED_SYNTAX,
        node,
        f"{what} is not supported above the disclosure line.",
        "Only constructs that are listed and reviewed may run over protected cells.",
        "Write it with SELECT, JOIN, GROUP BY, window functions and set operations.",
    )


def unknown_function(node: exp.Expr | None, name: str) -> RefusalError:
    reason = denial(name)
    return refuse(
        Code.UNKNOWN_FUNCTION,
        node,
        f"The function {name.lower()!r} " + (f"may not be used: {reason}." if reason else "is not known."),
        "Functions above the line always give the same answer, have no side effects and have been reviewed.",
        "Use another function; docs/sql.md lists them.",
    )


# DuckDB's own parse ---------------------------------------------------------------------------------------------

_EXPRESSIONS = {
    "BETWEEN",
    "CASE",
    "CAST",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "OPERATOR",
    "STAR",
    "SUBQUERY",
    "TYPE",
    "WINDOW",
}
_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_RELATIONS = {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY"}
_MODIFIERS = {"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"}
_ORDERS = {"ORDER_DEFAULT", "ASCENDING", "DESCENDING", "ORDER_ASCENDING", "ORDER_DESCENDING"}

#: What is null, empty or a default says nothing that the walk looks for.
_SERIALISE = (
    "SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)"
)

_local = threading.local()


def _engine() -> duckdb.DuckDBPyConnection:
    """A private in-memory engine per thread: a parser, nothing else."""
    if not hasattr(_local, "engine"):
        _local.engine = duckdb.connect(config={"threads": 1})
    engine: duckdb.DuckDBPyConnection = _local.engine
    return engine


def function_calls(sql: str) -> Iterator[dict[str, Any]]:
    """The function calls of one SELECT, as DuckDB serialises its parse of it."""
    row = _engine().execute(_SERIALISE, [sql]).fetchone()
    parsed: dict[str, Any] = json.loads(row[0]) if row else {}
    yield from (node for node in _dicts(parsed) if node.get("class") == "FUNCTION")


def verify_with_duckdb(
    sql: str, relations: Mapping[str, Relation], query: exp.Expr, also: frozenset[str] = frozenset()
) -> None:
    """Hold DuckDB's parse of ``sql`` against the list; ``query`` gives refusals their place.

    ``also`` names functions that are allowed beside it, in a text that is bound but never executed.

    Raises RefusalError: unknown_function, unknown_table or unsupported_syntax.
    """
    verify_all_with_duckdb([sql], relations, query, also)


def verify_all_with_duckdb(
    statements: Sequence[str],
    relations: Mapping[str, Relation],
    query: exp.Expr,
    also: frozenset[str] = frozenset(),
) -> None:
    """``verify_with_duckdb`` for several statements in one parse, each of which must be one SELECT."""
    row = _engine().execute(_SERIALISE, [";\n".join(statements)]).fetchone()
    parsed: dict[str, Any] = json.loads(row[0]) if row else {}
    found = parsed.get("statements", [])
    if len(found) != len(statements):
        raise _unsupported(query, "A statement that DuckDB does not read as one SELECT")
    for statement in found:
        nodes = list(_dicts(statement))
        ctes = {
            entry["key"].lower() for n in nodes if "cte_map" in n for entry in n["cte_map"].get("map", [])
        }
        known = ctes | {name.lower() for name in relations}
        sources = [n["function"] for n in nodes if n.get("type") == "TABLE_FUNCTION"]
        for node in nodes:
            _verify(node, known, query, SCALARS | TABLE_FUNCTIONS | also)
            if node.get("class") == "FUNCTION" and not any(node is each for each in sources):
                _verify_size(node, query)


def _verify(node: dict[str, Any], relations: set[str], query: exp.Expr, functions: frozenset[str]) -> None:
    kind, class_ = node.get("type"), node.get("class")
    if class_ is not None:
        if class_ not in _EXPRESSIONS:
            raise _unsupported(query, f"What DuckDB reads as {class_}")
        if class_ in ("FUNCTION", "WINDOW"):
            _verify_function(node, functions, query)
        if class_ == "STAR" and (node.get("columns") or node.get("expr")):
            raise _unsupported(query, "COLUMNS()")
        return
    for extra in ("sample", "at_clause"):
        if node.get(extra) is not None:
            raise _unsupported(query, extra.upper())
    if "literal" in node or "kind" in node or not isinstance(kind, str):
        return
    if kind == "TABLE_FUNCTION":
        name = node["function"]["function_name"]
        if name.lower() not in TABLE_FUNCTIONS:
            raise unknown_function(_place(query, name), name)
        return
    if kind == "BASE_TABLE":
        if node.get("schema_name") or node.get("catalog_name") or node["table_name"].lower() not in relations:
            raise refuse(
                Code.UNKNOWN_TABLE,
                query,
                "The query reads a relation that it does not define.",
                "Above the line a query reads its own CTEs and the cells of its own aggregates.",
                "Use a CTE that the query defines.",
            )
        return
    if kind not in _NODES | _RELATIONS | _MODIFIERS | _ORDERS:
        raise _unsupported(query, f"What DuckDB reads as {kind}")


def _verify_function(node: dict[str, Any], allowed: frozenset[str], query: exp.Expr) -> None:
    name = node["function_name"]
    if node.get("schema") or node.get("catalog"):
        raise _unsupported(
            _place(query, name) or query, "A function named with a schema or called as a method"
        )
    if name.lower() not in allowed:
        raise unknown_function(_place(query, name), name)


def _verify_size(call: dict[str, Any], query: exp.Expr) -> None:
    if not folds_into_something_large(call):
        return
    name = call["function_name"]
    raise refuse(
        Code.UNSUPPORTED_SYNTAX,
        _place(query, name),
        f"This call of {name.lower()!r} makes a large value out of constants.",
        "What a query writes out as constants is computed before its limits apply, so it is kept small.",
        f"Use plain literals, no number above {LARGEST_NUMBER}, or use the function over columns.",
    )


def _place(query: exp.Expr, function: str) -> exp.Expr | None:
    """The call of ``function`` in the query as typed, if sqlglot reads it under that name."""
    for node in query.find_all(exp.Func):
        names = (
            {node.name.lower()} if isinstance(node, exp.Anonymous) else {n.lower() for n in node.sql_names()}
        )
        if function.lower() in names:
            return node
    return None


def _dicts(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    stack: list[object] = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            yield each
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
