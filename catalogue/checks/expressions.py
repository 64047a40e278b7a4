"""SQL that a custodian writes into the catalogue is one scalar expression over a table's own columns.

What the columns are only the source knows; here an expression has to parse, to read at least one column and to
hold nothing that reaches beyond a row: no query, aggregate, window, parameter, clock or chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from catalogue.draft import Draft
from catalogue.faults import Fault
from catalogue.models import Dataset
from catalogue.yaml_source import Step

_BEYOND_A_ROW: tuple[tuple[tuple[type[exp.Expr], ...], str], ...] = (
    ((exp.Query, exp.Exists), "holds a query"),
    ((exp.Window,), "holds a window function"),
    ((exp.AggFunc,), "holds an aggregate"),
    ((exp.Star,), "holds a star"),
    ((exp.Parameter, exp.Placeholder), "holds a parameter"),
    ((exp.UDTF, exp.Explode, exp.ReadCSV, exp.ReadParquet), "holds a table function"),
    ((exp.Rand, exp.Uuid), "depends on chance"),
    ((exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime), "depends on the clock"),
)


def check_expressions(draft: Draft) -> Iterator[Fault]:
    for dataset in draft.datasets.values():
        for path, text in _expressions(dataset.document):
            if problem := expression_problem(text):
                mend = ""
                if re.fullmatch(r"\w+( \w+)+", text):
                    mend = f"quote a column name with blanks: '\"{text}\"'"
                yield dataset.fault(path, f"`{text}` {problem}", mend)


def expression_problem(text: str) -> str | None:
    """Why a text is no expression over one row, or None where it is one.

    >>> expression_problem('"Person ID"'), expression_problem("count(a)"), expression_problem("a; b")
    (None, 'holds an aggregate', 'is not one SQL expression')
    """
    try:
        trees = sqlglot.parse(text, read="duckdb")
    except (SqlglotError, RecursionError):
        return "is not one SQL expression"
    tree = trees[0] if len(trees) == 1 else None
    if (
        tree is None
        or isinstance(tree, exp.Alias)
        or not isinstance(tree, exp.Condition | exp.Query | exp.Star)
    ):
        return "is not one SQL expression"
    for kinds, problem in _BEYOND_A_ROW:
        if isinstance(tree, kinds) or tree.find(*kinds):
            return problem
    return None if tree.find(exp.Column) else "reads no column"


def _expressions(dataset: Dataset) -> Iterator[tuple[tuple[Step, ...], str]]:
    unit = dataset.unit
    yield ("record_key",), dataset.record_key
    yield ("unit", "expression"), unit.expression
    if unit.second is not None:
        yield ("unit", "second", "expression"), unit.second.expression
    if unit.holding is not None:
        yield ("unit", "holding"), unit.holding
    for name, variable in dataset.variables.items():
        if variable.expression is not None:
            yield ("variables", name, "expression"), variable.expression
    for name, relationship in dataset.relationships.items():
        yield ("relationships", name, "from_column"), relationship.from_column
        yield ("relationships", name, "to_column"), relationship.to_column
