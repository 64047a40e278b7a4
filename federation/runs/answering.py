"""From a cleared plan to its answer: stages first, then the cell queries, then the presentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from connectors.protocol import CancelSignal
from federation.holders.protocol import Absent, Gathered, Holder, PartGiven
from federation.sandbox.model import PresentedTable
from policies.cells import ProtectedCells, Status
from policies.plan import CellQuery, ClearedPlan, Stage
from policies.presentation.model import Presentation

Present = Callable[[Presentation, Mapping[str, pa.Table]], PresentedTable]
"""Runs a presentation over protected cells, apart from everything else."""


class HolderDeclined(Exception):
    """A holder refuses the query, or has yet to decide on it: there is nothing to release."""


class HoldersUnavailable(Exception):
    """Nodes that were asked gave nothing, and without them there is nothing to show."""

    def __init__(self, absent: Sequence[Absent]) -> None:
        super().__init__("no holder gave an answer")
        self.absent = tuple(dict.fromkeys(absent))


@dataclass(frozen=True, slots=True)
class Answered:
    """A cell query and the protected cells that answer it; ``gathered`` is there where other nodes gave them."""

    query: CellQuery
    cells: ProtectedCells
    gathered: Gathered | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer: every cell query asked, those of stages first, and the table that is presented."""

    plan: ClearedPlan
    answered: tuple[Answered, ...]
    presented: PresentedTable

    @property
    def snapshots(self) -> dict[str, str]:
        """By dataset, what the source held; a dataset of which nothing was given has none."""
        return {each.query.dataset: each.cells.snapshot for each in self.answered if each.cells.snapshot}

    @property
    def local(self) -> tuple[Answered, ...]:
        """What this node's own data answered."""
        return tuple(each for each in self.answered if each.gathered is None)

    @property
    def parts(self) -> tuple[tuple[str, PartGiven], ...]:
        """What other nodes gave, each with its dataset, once."""
        found = [(a.query.dataset, part) for a in self.answered if a.gathered for part in a.gathered.parts]
        return tuple(dict.fromkeys(found))

    @property
    def holder_notes(self) -> tuple[str, ...]:
        """What has to be said of what other nodes gave, and of those that gave nothing."""
        return tuple(dict.fromkeys(note for a in self.answered if a.gathered for note in a.gathered.notes))

    @property
    def absent(self) -> tuple[Absent, ...]:
        """The nodes that gave nothing."""
        return tuple(absent for a in self.answered if a.gathered for absent in a.gathered.absent)

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
            SourceError, ProtectError, PresentationError, HolderDeclined, HoldersUnavailable, RefusalError: nothing is
                to be released.
        """
        final, asked = self.gather(plan, recompile, bounds)
        cells = asked[len(plan.stages) :]
        gathered = [each.gathered for each in cells]
        if all(each is not None and each.empty for each in gathered):
            raise HoldersUnavailable([absent for each in gathered if each for absent in each.absent])
        bounds.progress(80)
        presented = self._present(final.presentation, cells, final.lookups)
        bounds.progress(90)
        return Answer(final, asked, presented)

    def gather(
        self,
        plan: ClearedPlan,
        recompile: Callable[[tuple[Decimal | None, ...]], ClearedPlan],
        bounds: Bounds,
    ) -> tuple[ClearedPlan, tuple[Answered, ...]]:
        """The protected cells that ``answer`` presents, those of stages first, and the plan with their values bound.

        Raises as ``answer``.
        """
        asked: list[Answered] = []
        values = tuple(self._stage(stage, asked, bounds) for stage in plan.stages)
        final = recompile(values) if plan.stages else plan
        for done, query in enumerate(final.queries):
            bounds.progress(10 + 70 * done // len(final.queries))
            asked.append(self._cells(query, bounds))
        return final, tuple(asked)

    def _stage(self, stage: Stage, asked: list[Answered], bounds: Bounds) -> Decimal | None:
        """The one protected number of a stage, None where it is hidden."""
        answered = self._cells(stage.query, bounds)
        asked.append(answered)
        if answered.gathered is not None and answered.gathered.empty:
            # A threshold that nobody gave is unknown, not confidential: nothing can be said that rests on it.
            raise HoldersUnavailable(answered.gathered.absent)
        table = self._present(stage.presentation, [answered], ()).table
        value, status = table.column(0)[0].as_py(), table.column(1)[0].as_py()
        return None if value is None or Status(status).hidden else Decimal(str(value))

    def _cells(self, query: CellQuery, bounds: Bounds) -> Answered:
        bounds.before(query)
        cells = self.holder.answer(query, deadline=bounds.deadline, cancel=bounds.cancel)
        if isinstance(cells, Gathered):
            return Answered(query, cells.cells, cells)
        if not isinstance(cells, ProtectedCells):
            raise HolderDeclined(f"the holder of {query.dataset} gives no cells")
        return Answered(query, cells)

    def _present(
        self, presentation: Presentation, cells: Sequence[Answered], lookups: Sequence[str]
    ) -> PresentedTable:
        tables = {each.cells.relation: each.cells.table for each in cells}
        return self.present(presentation, tables | {name: self.lookups(name) for name in lookups})
