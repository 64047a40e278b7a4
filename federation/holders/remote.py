"""Holders that are other nodes: one that has the whole dataset, or several that have a part each."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from catalogue.catalogue import BoundDataset
from catalogue.fragment import SourceError, SourceFault
from catalogue.held import Parted, Remote
from connectors.protocol import CancelSignal
from federation.client.digest import canonical_json
from federation.holders.asking import Asking, NodeAnswer
from federation.holders.protocol import Absent, Asker, Gathered
from federation.wire.channel import NodeUnavailable, Unavailability
from policies.cell_question import CellQuestion
from policies.parts import Combination, combine, unavailable, whole
from policies.plan import AtomKind, Box, CellQuery

AT_ONCE = 8


@dataclass(frozen=True)
class RemoteHolder:
    """Answers from the one node that holds a dataset."""

    asking: Asking

    def gather(
        self,
        query: CellQuery,
        dataset: BoundDataset,
        held: Remote,
        asker: Asker,
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> Gathered:
        """The cells that the node released, or cells that are not available with the reason.

        Raises:
            SourceError: the run was cancelled.
            ProtectError: the query does not hold together.
            RefusalError: the query can't be put to another node.
        """
        question = CellQuestion.of(query)
        try:
            answer = self.asking.ask(
                held.node, question, query, dataset, asker, deadline=deadline, cancel=cancel
            )
        except NodeUnavailable as error:
            absent = _absent(error)
            note = f"{dataset.name} is not available: {absent}"
            return Gathered(unavailable(query), (), (absent,), (note,))
        cells = whole(query, answer.cells, answer.given.snapshot, sparse=answer.sparse)
        return Gathered(cells, (answer.given,), (), ())


@dataclass(frozen=True)
class PartsHolder:
    """Answers from the nodes that hold a part each, by putting together what each of them protected."""

    asking: Asking

    def gather(
        self,
        query: CellQuery,
        dataset: BoundDataset,
        held: Parted,
        asker: Asker,
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> Gathered:
        """The totals over the parts that nodes released; what is missing is marked, and named in the notes.

        Only nodes whose part the question touches are asked, all at the same time. Their order changes no digit.

        Raises:
            SourceError: the run was cancelled.
            ProtectError: the query does not hold together.
            RefusalError: the query can't be put to other nodes.
        """
        combination = Combination.of(query, dataset)
        questions = {
            node: question
            for node, leaves in held.parts.items()
            if (question := combination.question(Box.of({held.split: leaves}))) is not None
        }

        def one(node: str) -> NodeAnswer | Absent:
            try:
                return self.asking.ask(
                    node, questions[node], query, dataset, asker, deadline=deadline, cancel=cancel
                )
            except NodeUnavailable as error:
                return _absent(error)

        with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="parts") as pool:
            outcomes = dict(zip(questions, pool.map(one, questions), strict=True))
        answers = {node: each for node, each in outcomes.items() if isinstance(each, NodeAnswer)}
        absent = tuple(each for each in outcomes.values() if isinstance(each, Absent))
        parts = {node: held.parts[node] for node in questions}
        cells, said = combine(
            combination,
            held.split,
            parts,
            {node: answer.cells for node, answer in answers.items()},
            _snapshot({node: answer.given.snapshot for node, answer in answers.items()}),
            sparse=any(answer.sparse for answer in answers.values()),
        )
        notes = (*_coverage(dataset, list(answers), absent), *_error(query, dataset, answers), *said)
        return Gathered(cells, tuple(answer.given for answer in answers.values()), absent, notes)


def _absent(error: NodeUnavailable) -> Absent:
    if error.reason is Unavailability.CANCELLED:
        raise SourceError(SourceFault.CANCELLED, f"{error.node} was no longer asked") from None
    return Absent.of(error)


def _snapshot(snapshots: Mapping[str, str]) -> str:
    """What all nodes together held, as one identity."""
    return f"sha256:{hashlib.sha256(canonical_json(dict(snapshots))).hexdigest()}"


def _coverage(dataset: BoundDataset, given: Sequence[str], absent: Sequence[Absent]) -> tuple[str, ...]:
    covered = ", ".join(given) or "nobody"
    if not absent:
        return (f"{dataset.name} is put together from the parts of: {covered}",)
    missing = "; ".join(map(str, absent))
    return (f"totals of {dataset.name} cover the parts of: {covered}. Missing: {missing}",)


def _error(query: CellQuery, dataset: BoundDataset, answers: Mapping[str, NodeAnswer]) -> tuple[str, ...]:
    """How far a count that is put together may be from the true one: the errors of its parts at most add up."""
    if not answers or not any(atom.kind is AtomKind.UNITS and not atom.weighted for atom in query.atoms):
        return ()
    bound = sum(answer.noise.maximum_error for answer in answers.values())
    text = f"a count of {dataset.name} over all parts is within {bound:g} of the true one"
    variances = [answer.noise.variance for answer in answers.values()]
    known = [variance for variance in variances if variance is not None]
    if len(known) == len(variances):
        text += f"; the standard deviation of its noise is {math.sqrt(sum(known)):.2f}"
    return (text,)
