"""Several nodes that count jointly: the hub carries messages, and learns the perturbed totals alone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from catalogue.catalogue import BoundDataset, Catalogue
from catalogue.digests import document_digest
from catalogue.fragment import SourceError, SourceFault
from catalogue.held import Parted
from catalogue.models import Profile
from connectors.protocol import CancelSignal
from federation.holders.asking import UNTRUE, Asking, reference_of
from federation.holders.messages import CellsQuestion
from federation.holders.protocol import Absent, Asker, Gathered, PartGiven
from federation.masked.masks import MaskError, unmasked
from federation.masked.session import Roster, Seated, Session, SessionError
from federation.settings import PeerSettings
from federation.wire.channel import MessageKind, NodeUnavailable, Unavailability
from policies.cell_question import CellQuestion
from policies.cell_sql import cell_sql
from policies.cells import ProtectedCells
from policies.parts import unavailable
from policies.plan import CellQuery
from policies.protect import ProtectError, ProtectFault
from policies.protect.joint import eligible, joint_cells

Words = npt.NDArray[np.uint64]
Body = Mapping[str, Any]


def roster_of(nodes: Sequence[str], peers: Mapping[str, PeerSettings]) -> Roster:
    """The roster of some peers, which are at least three."""
    return Roster(
        seats=tuple(
            Seated(node=node, signing_key=peers[node].signing_key, exchange_key=peers[node].exchange_key)
            for node in sorted(nodes)
        )
    )


@dataclass(frozen=True)
class MaskedHolder:
    """Answers from the nodes that hold a part each, by joint counts. ``peers`` are their public keys."""

    asking: Asking
    peers: Mapping[str, PeerSettings]
    catalogue: Catalogue

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
        """The joint counts, or none at all where one node doesn't take part: every part belongs to the total.

        Raises:
            SourceError: the run was cancelled.
            ProtectError: the query does not hold together.
            RefusalError: the query can't be put to other nodes.
        """
        profile = self.catalogue.profile_of(dataset.name)
        if profile is None:
            raise ProtectError(ProtectFault.PROFILE, f"there is no profile {query.profile}")
        question = CellQuestion.of(query)
        sql = cell_sql(question, dataset, held.location).sql
        digest = question.digest(dataset)
        messages = {node: CellsQuestion.of(asker, node, sql, digest) for node in sorted(held.nodes)}
        rounds = _Rounds(self.asking, roster_of(held.nodes, self.peers), messages, deadline, cancel)
        try:
            cells, parts = rounds.count(query, profile, dataset)
        except (NodeUnavailable, _SomeUnavailable) as error:
            missing = error.errors if isinstance(error, _SomeUnavailable) else (error,)
            if any(each.reason is Unavailability.CANCELLED for each in missing):
                raise SourceError(SourceFault.CANCELLED, f"{missing[0].node} was no longer asked") from None
            absent = tuple(map(Absent.of, missing))
            said = "; ".join(map(str, absent))
            note = f"{dataset.name} is not available: its nodes count jointly or not at all. {said}"
            return Gathered(unavailable(query), (), absent, (note,))
        note = f"{dataset.name} is counted jointly by: {', '.join(held.nodes)}"
        return Gathered(cells, parts, (), (note,))


class _SomeUnavailable(Exception):
    """Nodes that gave no answer in a round, all of them: whoever asked may have to do something about each."""

    def __init__(self, errors: Sequence[NodeUnavailable]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = tuple(errors)


@dataclass(frozen=True)
class _Rounds:
    """The messages of one joint count. ``messages`` has the question to each node."""

    asking: Asking
    roster: Roster
    messages: Mapping[str, CellsQuestion]
    deadline: float
    cancel: CancelSignal

    @property
    def nodes(self) -> list[str]:
        return [seat.node for seat in self.roster.seats]

    def count(
        self, query: CellQuery, profile: Profile, dataset: BoundDataset
    ) -> tuple[ProtectedCells, tuple[PartGiven, ...]]:
        """Raises NodeUnavailable or _SomeUnavailable: nodes are away, refuse, or don't agree with the others."""
        roster = {"roster": self.roster.model_dump(mode="json")}
        bodies = [self.messages[node].model_dump(mode="json") | roster for node in self.nodes]
        first = self._ask(MessageKind.ELIGIBILITY, bodies)
        answers = self._texts(first, "answer")
        session = self._session(answers)
        if session.terms.profile != document_digest(profile) or session.terms.counts != _counts(query):
            raise NodeUnavailable(self.nodes[0], Unavailability.BAD_REPLY, "joint_terms_differ")
        parts = tuple(
            self._part(node, text, dataset)
            for node, text in zip(self.nodes, self._texts(first, "statement"), strict=True)
        )
        may = eligible(session.publishes, exact=profile.cell_keys is None)
        agreed = [body | {"answers": answers} for body in bodies]
        sealed = self._texts(self._ask(MessageKind.KEYS, agreed), "sealed")
        last = self._ask(MessageKind.VALUES, [agreed[0] | {"sealed": sealed}, *agreed[1:]])
        masked = [
            _words(node, text, int(may.sum()))
            for node, text in zip(self.nodes, self._texts(last, "masked"), strict=True)
        ]
        total = np.zeros(may.size, dtype=np.int64)
        try:
            total[may] = unmasked(masked)
        except MaskError:
            raise NodeUnavailable(self.nodes[0], Unavailability.BAD_REPLY) from None
        return joint_cells(query, total, may, profile, session.digest), parts

    def _ask(self, kind: MessageKind, bodies: Sequence[Body]) -> list[Body]:
        """The answers of all nodes, asked at once. Raises _SomeUnavailable with all that gave none."""
        with ThreadPoolExecutor(len(self.nodes), thread_name_prefix="joint") as pool:
            waiting = [
                pool.submit(
                    self.asking.channel.ask,
                    node,
                    kind,
                    body,
                    deadline=self.deadline,
                    cancel=self.cancel,
                )
                for node, body in zip(self.nodes, bodies, strict=True)
            ]
        answers, missing = [], []
        for each in waiting:
            try:
                answers.append(each.result())
            except NodeUnavailable as error:
                missing.append(error)
        if missing:
            raise _SomeUnavailable(missing)
        return answers

    def _session(self, answers: Sequence[str]) -> Session:
        try:
            return Session.verified(self.roster, answers)
        except SessionError as error:
            node = error.node or self.nodes[0]
            raise NodeUnavailable(node, Unavailability.BAD_REPLY, error.code) from None

    def _part(self, node: str, statement: str, dataset: BoundDataset) -> PartGiven:
        try:
            return self.asking.given(node, statement, None, self.messages[node], dataset)
        except UNTRUE as error:
            raise NodeUnavailable(node, Unavailability.BAD_REPLY, reference_of(error)) from None

    def _texts(self, bodies: Sequence[Body], name: str) -> list[str]:
        texts = []
        for node, body in zip(self.nodes, bodies, strict=True):
            text = body.get(name)
            if not isinstance(text, str):
                raise NodeUnavailable(node, Unavailability.BAD_REPLY)
            texts.append(text)
        return texts


def _counts(query: CellQuery) -> int:
    return query.size * len(query.atoms)


def _words(node: str, text: str, length: int) -> Words:
    try:
        words = np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
    except (binascii.Error, ValueError):
        raise NodeUnavailable(node, Unavailability.BAD_REPLY) from None
    if words.size != length:
        raise NodeUnavailable(node, Unavailability.BAD_REPLY)
    return words
