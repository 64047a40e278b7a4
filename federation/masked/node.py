"""A node's side of joint counts: it decides for itself at every round, and takes no other node's word for anything.

Round A (eligibility): where this node by itself would publish, as a release of its own. Round B: its cell keys, sealed
for the first node of the roster; then its counts under masks, to which the first node has added the noise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from catalogue.digests import document_digest
from catalogue.fragment import SourceError
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.client.digest import canonical_json
from federation.holders.messages import JointQuestion, MessageUnreadable, read_joint
from federation.masked.masks import MaskError, Purpose, Seat, commitment, unmasked
from federation.masked.session import EligibilityAnswer, Roster, Session, SessionError, Terms
from federation.service.asked import Asked, finished, understood, usable_request
from federation.service.errors import ServiceError
from federation.service.node import Node
from federation.state import joint
from federation.state.errors import RosterTaken
from federation.state.releases import get_release
from federation.wire.channel import Declined, Handler, MessageKind, Sender, Unavailability
from policies.cell_question import CellQuestion
from policies.protect import NoiseKey, ProtectError
from policies.protect.joint import Share, eligible, joint_noise, why_not_joint

Mask = npt.NDArray[np.bool_]
_FINGERPRINT = b"federation-joint/1 noise"


@dataclass(frozen=True)
class _Question:
    """A message as this node reads it."""

    message: JointQuestion
    roster: Roster
    asked: Asked
    request: str


@dataclass(frozen=True)
class _Given:
    """A joint count that this node takes part in, verified anew: what all agreed on, and what is its own of it."""

    question: _Question
    seat: Seat
    share: Share
    may: Mask


class JointNode:
    """Handlers of the three rounds, for ``Desk.register``."""

    def __init__(self, node: Node, noise: NoiseKey) -> None:
        self._node = node
        self._noise = noise

    def handlers(self) -> dict[MessageKind, Handler]:
        return {
            MessageKind.ELIGIBILITY: self.eligibility,
            MessageKind.KEYS: self.keys,
            MessageKind.VALUES: self.values,
        }

    def eligibility(self, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Round A: a signed answer that says where this node alone would publish, and the statement of its release."""
        try:
            question = self._question(sender, body)
            asked = question.asked
            run = finished(self._node, asked, question.request, sender)
            assert run.release is not None
        except ServiceError as error:
            raise Declined(Unavailability.FAILED, str(error.code)) from None
        with self._node.database.read() as session:
            release = get_release(session, run.release)
        snapshot = release.snapshots[asked.query.dataset]
        share = self._share(asked, snapshot, sender)
        terms = self._terms(asked, share.publishes.size)
        answer = EligibilityAnswer.of(
            self._node.settings.node,
            question.roster,
            terms,
            snapshot,
            self._commitment(terms, share),
            release.id,
            share.publishes,
        )
        return {"answer": answer.signed(self._node.signing_key), "statement": release.statement}

    def keys(self, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Round B, keys: for the first node of the roster to read, added up with the others'."""
        given = self._given(sender, body, AuditAction.JOINT_KEYS_GIVEN)
        words = given.seat.masked(given.share.keys[given.may], Purpose.KEYS)
        return {"sealed": base64.b64encode(given.seat.seal(words, 0)).decode()}

    def values(self, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Round B, values: counts under masks; those of the first node with the noise of the joint keys."""
        given = self._given(sender, body, AuditAction.JOINT_VALUES_GIVEN)
        counts = given.share.counts[given.may]
        if given.seat.position == 0:
            counts = counts + self._joint_noise(given)
        words = given.seat.masked(counts, Purpose.VALUES)
        return {"masked": base64.b64encode(words.astype("<u8").tobytes()).decode()}

    # ---- what is checked every time ----------------------------------------------------------------------

    def _question(self, sender: Sender, body: Mapping[str, Any]) -> _Question:
        try:
            message = read_joint(body)
        except MessageUnreadable as error:
            raise Declined(Unavailability.REFUSED, error.code) from None
        roster = self._roster(message)
        if sender.node in {seat.node for seat in roster.seats}:
            # It would learn from the total what the others have, and as the first of them the noise too.
            raise Declined(Unavailability.REFUSED, "joint_roster_has_hub")
        nodes = tuple(seat.node for seat in roster.seats)
        asked = understood(self._node, sender, message, nodes)
        if why_not_joint(asked.query, asked.profile) is not None:
            raise Declined(Unavailability.REFUSED, "joint_not_possible")
        return _Question(message, roster, asked, usable_request(self._node, asked))

    def _roster(self, message: JointQuestion) -> Roster:
        """The roster, if every node in it has the keys that this node knows it by."""
        try:
            roster = Roster.model_validate(message.roster)
        except ValidationError:
            raise Declined(Unavailability.REFUSED, "joint_roster_invalid") from None
        peers, own = self._node.settings.federation.peers, self._node.settings.node
        for seat in roster.seats:
            if seat.node == own:
                known = self._node.signing_key.public_x, self._node.wire.exchange_key.public
            elif seat.node in peers:
                known = peers[seat.node].signing_key, peers[seat.node].exchange_key
            else:
                raise Declined(Unavailability.REFUSED, "joint_roster_unknown")
            if known != (seat.signing_key, seat.exchange_key):
                raise Declined(Unavailability.REFUSED, "joint_roster_unknown")
        if own not in {seat.node for seat in roster.seats}:
            raise Declined(Unavailability.REFUSED, "joint_roster_lacks_node")
        return roster

    def _given(self, sender: Sender, body: Mapping[str, Any], action: AuditAction) -> _Given:
        """Verify the whole session again, and record what is about to be given."""
        try:
            question = self._question(sender, body)
        except ServiceError as error:
            raise Declined(Unavailability.FAILED, str(error.code)) from None
        session = self._session(question)
        position = question.roster.position(self._node.settings.node)
        answer = session.answers[position]
        share = self._share(question.asked, answer.snapshot, sender)
        if not np.array_equal(answer.mask, share.publishes):
            raise Declined(Unavailability.REFUSED, "joint_answer_not_own")
        if answer.share != self._commitment(answer.terms, share):
            raise Declined(Unavailability.CHANGED)
        may = eligible(session.publishes, exact=question.asked.profile.cell_keys is None)
        self._record(question, session, answer, may, action)
        seat = Seat(self._node.wire.exchange_key, question.roster.exchange_keys, position, session.binding)
        return _Given(question, seat, share, may)

    def _session(self, question: _Question) -> Session:
        try:
            session = Session.verified(question.roster, question.message.answers)
            if session.terms != self._terms(question.asked, session.terms.counts):
                raise SessionError("joint_terms_differ")
        except SessionError as error:
            raise Declined(Unavailability.REFUSED, error.code) from None
        return session

    def _share(self, asked: Asked, snapshot: str, sender: Sender) -> Share:
        try:
            share = self._node.joint.share(
                asked.query, snapshot, deadline=sender.deadline, cancel=sender.cancel
            )
        except (SourceError, ProtectError) as error:
            raise Declined(Unavailability.FAILED, str(error.fault)) from None
        if share is None:
            raise Declined(Unavailability.CHANGED)
        return share

    def _record(
        self,
        question: _Question,
        session: Session,
        answer: EligibilityAnswer,
        may: Mask,
        action: AuditAction,
    ) -> None:
        now, roster = self._node.clock(), session.roster.digest
        details: dict[Detail, DetailValue] = {
            Detail.REQUEST: question.request,
            Detail.ROSTER: roster,
            Detail.SESSION: session.digest,
            Detail.CELLS: int(may.sum()),
        }
        event = AuditEvent(question.asked.principal.subject, action, answer.release, now, details)
        try:
            with self._node.database.write() as transaction:
                joint.give(transaction, action, answer.release, answer.snapshot, roster, now, event)
        except RosterTaken as error:
            raise Declined(Unavailability.REFUSED, error.code) from None

    # ---- what it knows -----------------------------------------------------------------------------------

    def _terms(self, asked: Asked, counts: int) -> Terms:
        document = self._node.catalogue.datasets[asked.query.dataset].document
        fingerprint = hmac.new(self._noise.secret, _FINGERPRINT, hashlib.sha256).hexdigest()
        return Terms(
            question=CellQuestion.of(asked.query).digest(self._node.catalogue.datasets[asked.query.dataset]),
            population=(document.series, document.reference_period, document.unit.name),
            profile=document_digest(asked.profile),
            noise=fingerprint,
            key_epoch=self._noise.epoch,
            counts=counts,
        )

    def _commitment(self, terms: Terms, share: Share) -> str:
        context = canonical_json({"terms": terms.model_dump(mode="json"), "snapshot": share.snapshot})
        return commitment(self._node.wire.exchange_key, context, share.counts, share.keys)

    def _joint_noise(self, given: _Given) -> npt.NDArray[np.int64]:
        """The noise of the joint keys, which this node alone learns, and only as their sum."""
        length = int(given.may.sum())
        sealed = given.question.message.sealed
        if len(sealed) != len(given.question.roster.seats):
            raise Declined(Unavailability.REFUSED, "joint_keys_unreadable")
        try:
            keys = unmasked(
                [
                    given.seat.open(base64.b64decode(text, validate=True), position, length)
                    for position, text in enumerate(sealed)
                ]
            )
        except (MaskError, ValueError):
            raise Declined(Unavailability.REFUSED, "joint_keys_unreadable") from None
        return joint_noise(keys, given.question.asked.profile, self._noise)
