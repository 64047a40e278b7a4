"""An explanation of a plan, in the order in which a person wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalogue.fragment import Fragment
from policies.plan import AppliedRule, ClearedPlan


@dataclass(frozen=True, slots=True)
class Explanation:
    """The question in words, the SQL as asked, as sent to the sources, as run above the line, and why."""

    question: str
    sql_as_asked: str
    source_sql: tuple[str, ...]
    presentation_sql: str
    rules: tuple[AppliedRule, ...]


def explain(plan: ClearedPlan, render: Callable[[Fragment], str]) -> Explanation:
    """``render`` gives the SQL that the connector of a fragment's table would send."""
    queries = (*(stage.query for stage in plan.stages), *plan.queries)
    fragments = [
        f for query in queries for f in (query.fragment, *(guard.fragment for guard in query.guards))
    ]
    return Explanation(
        plan.question,
        plan.sql,
        tuple(render(fragment) for fragment in fragments),
        plan.presentation.sql,
        plan.rules,
    )
