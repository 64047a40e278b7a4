"""Cell queries written back as SQL and compiled again: what the compiler makes of each, beside the original."""

from __future__ import annotations

from collections.abc import Iterator

from catalogue.catalogue import Catalogue
from policies.cell_question import CellQuestion
from policies.cell_sql import cell_sql
from policies.compiler import compile_query
from policies.context import Context
from policies.plan import CellQuery, ClearedPlan


def alone(query: CellQuery) -> bool:
    """Whether a query reads one dataset alone, for some number: no join, no membership."""
    fragments = (query.fragment, *(guard.fragment for guard in query.guards))
    dimensions = set(query.where.dimensions)
    dimensions |= {axis.dimension for block in query.blocks for axis in block.axes}
    dimensions |= {name for atom in query.atoms for name in atom.where.dimensions}
    joined = any(fragment.joins for fragment in fragments)
    return (
        bool(query.atoms)
        and not joined
        and not any("@" in name or "." in name or " " in name for name in dimensions)
    )


def again(
    plan: ClearedPlan, catalogue: Catalogue, context: Context
) -> Iterator[tuple[CellQuery, CellQuery, str]]:
    """Each cell query that reads one dataset, what its SQL compiles to, and that SQL."""
    for query in (*(stage.query for stage in plan.stages), *plan.queries):
        if alone(query):
            written = cell_sql(CellQuestion.of(query), catalogue.datasets[query.dataset], query.dataset)
            (found,) = compile_query(written.sql, context).queries
            yield query, found, written.sql
