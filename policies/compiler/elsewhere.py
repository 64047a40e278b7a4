"""Data that other nodes hold: a cell query over it must be one that can be put to them, or it is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from catalogue.fragment import tables_of
from catalogue.held import Local, Parted
from catalogue.models import Mode
from policies.cell_question import CellQuestion
from policies.cell_sql import cannot_ask, cell_sql
from policies.context import Context
from policies.plan import CellQuery
from policies.protect.joint import why_not_joint
from policies.refusals import Code, Refusal, RefusalError


def check_askable(
    query: CellQuery, context: Context, compile_again: Callable[[str], Sequence[CellQuery]]
) -> None:
    """Raise ``held_elsewhere`` unless all that ``query`` reads is held here, or all of it is one dataset elsewhere
    and the SQL that would be sent comes to the same question when it is compiled."""
    datasets = context.catalogue.datasets
    fragments = (query.fragment, *(guard.fragment for guard in query.guards))
    read = {table.dataset for fragment in fragments for table in tables_of(fragment)} & datasets.keys()
    if all(isinstance(datasets[name].held, Local) for name in read):
        return
    if len(read) > 1:
        raise cannot_ask(f"It reads rows of {' and '.join(sorted(read))} together.")
    _check_joint(query, context)
    asked = CellQuestion.of(query)
    written = cell_sql(asked, datasets[query.dataset], query.dataset)
    try:
        again = compile_again(written.sql)
    except RefusalError:
        again = ()
    if len(again) != 1 or CellQuestion.of(again[0]).canonical() != asked.canonical():
        raise cannot_ask("Written back as one aggregate it would be another question.")


def _check_joint(query: CellQuery, context: Context) -> None:
    held = context.catalogue.datasets[query.dataset].held
    profile = context.catalogue.profile_of(query.dataset)
    if not isinstance(held, Parted) or held.mode is not Mode.MASKED_SUMS or profile is None:
        return
    objection = why_not_joint(query, profile)
    if objection is not None:
        raise RefusalError(
            Refusal(
                Code.NOT_COUNTED_JOINTLY,
                f"Several nodes count this dataset jointly, and can't do so here: {objection}.",
                "A joint count is one of units, by codes, under a profile whose noise depends on the people alone.",
                "Ask for counts by areas and groups of the code lists, or ask where the dataset is held in parts.",
            )
        )
