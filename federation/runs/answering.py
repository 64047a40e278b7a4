"""From a cleared plan to its answer: stages first, then the cell queries, then the presentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from connectors.protocol import CancelSignal
from federation.holders.protocol import Holder
from federation.sandbox.model import PresentedTable
from policies.cells import ProtectedCells, Status
from policies.plan import CellQuery, ClearedPlan, Stage
from policies.presentation.model import Presentation

Present = Callable[[Presentation, Mapping[str, pa.Table]], PresentedTable]
"""Runs a presentation over protected cells, apart from everything else."""


class HolderDeclined(Exception):
    """A holder refuses the query, or has yet to decide on it: there is nothing to release."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A cell query and the protected cells that answer it."""

    query: CellQuery
    cells: ProtectedCells


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer: every cell query asked, those of stages first, and the table that is presented."""

    plan: ClearedPlan
    answered: tuple[Answered, ...]
    presented: PresentedTable

    @property
    def snapshots(self) -> dict[str, str]:
        """By dataset, what the source held."""
        return {each.query.dataset: each.cells.snapshot for each in self.answered}

    @property
    def sparse(self) -> bool:
        return any(each.cells.sparse for each in self.answered)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a run has to end, who can end it sooner, and whom to tell before and after each cell query."""

    deadline: float
    cancel: CancelSignal
    before: Callable[[CellQuery], None]
    progress: Callable[[int], None]


@dataclass(frozen=True)
class Answering:
    """``lookups`` gives the open table of a code list that a presentation joins."""

    holder: Holder
    present: Present
    lookups: Callable[[str], pa.Table]

    def answer(
        self,
        plan: ClearedPlan,
        recompile: Callable[[tuple[Decimal | None, ...]], ClearedPlan],
        bounds: Bounds,
    ) -> Answer:
        """Run ``plan``. With stages, ``recompile`` gives the plan with their protected values bound as literals.

        Raises:
            SourceError, ProtectError, PresentationError, HolderDeclined, RefusalError: nothing is to be released.
        """
        asked: list[Answered] = []
        values = tuple(self._stage(stage, asked, bounds) for stage in plan.stages)
        final = recompile(values) if plan.stages else plan
        for done, query in enumerate(final.queries):
            bounds.progress(10 + 70 * done // len(final.queries))
            asked.append(self._cells(query, bounds))
        bounds.progress(80)
        cells = asked[len(plan.stages) :]
        presented = self._present(final.presentation, cells, final.lookups)
        bounds.progress(90)
        return Answer(final, tuple(asked), presented)

    def _stage(self, stage: Stage, asked: list[Answered], bounds: Bounds) -> Decimal | None:
        """The one protected number of a stage, None where it is hidden."""
        answered = self._cells(stage.query, bounds)
        asked.append(answered)
        table = self._present(stage.presentation, [answered], ()).table
        value, status = table.column(0)[0].as_py(), table.column(1)[0].as_py()
        return None if value is None or Status(status).hidden else Decimal(str(value))

    def _cells(self, query: CellQuery, bounds: Bounds) -> Answered:
        bounds.before(query)
        cells = self.holder.answer(query, deadline=bounds.deadline, cancel=bounds.cancel)
        if not isinstance(cells, ProtectedCells):
            raise HolderDeclined(f"the holder of {query.dataset} gives no cells")
        return Answered(query, cells)

    def _present(
        self, presentation: Presentation, cells: Sequence[Answered], lookups: Sequence[str]
    ) -> PresentedTable:
        tables = {each.cells.relation: each.cells.table for each in cells}
        return self.present(presentation, tables | {name: self.lookups(name) for name in lookups})
