"""An explanation of a plan, in the order in which a person wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policies.plan import AppliedRule, CellQuery, ClearedPlan


@dataclass(frozen=True, slots=True)
class Explanation:
    """The question in words, the SQL as asked, as sent to the sources and nodes, as run above the line, and why."""

    question: str
    sql_as_asked: str
    source_sql: tuple[str, ...]
    presentation_sql: str
    rules: tuple[AppliedRule, ...]


def explain(plan: ClearedPlan, render: Callable[[CellQuery], tuple[str, ...]]) -> Explanation:
    """``render`` gives the SQL that the source of a cell query, or the nodes that hold its data, would be sent."""
    queries = (*(stage.query for stage in plan.stages), *plan.queries)
    return Explanation(
        plan.question,
        plan.sql,
        tuple(sql for query in queries for sql in render(query)),
        plan.presentation.sql,
        plan.rules,
    )
