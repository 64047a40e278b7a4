"""A node's side of joint counts: it decides for itself at every round, and takes no other node's word for anything.

Round A (eligibility): where this node by itself would publish, as a release of its own. Round B: its cell keys, sealed
for the first node of the roster; then its counts under masks, to which the first node has added the noise.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from catalogue.digests import document_digest
from catalogue.fragment import SourceError
from catalogue.models import Profile
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.masked.masks import MaskError, Purpose, Seat, unmasked
from federation.masked.session import EligibilityAnswer, Roster, Session, SessionError, Terms
from federation.service.asked import Approved, AskedQuestion, approved, cell_query, released
from federation.service.node import Node
from federation.state import joint
from federation.state.errors import RosterTaken
from federation.wire.channel import Declined, Handler, MessageKind, Sender, Unavailability
from federation.wire.exchange_key import ExchangeKey
from policies.joint_question import joint_cells_asked, joint_question
from policies.plan import CellQuery
from policies.protect import NoiseKey, ProtectError
from policies.protect.joint import Share, eligible, joint_noise, why_not_joint

_FINGERPRINT = b"federation-joint/1 noise"


@dataclass(frozen=True)
class _Given:
    """A joint count that this node takes part in, verified anew: what all agreed on, and what is its own of it."""

    session: Session
    seat: Seat
    share: Share
    may: npt.NDArray[np.bool_]
    profile: Profile


class JointNode:
    """Handlers of the three rounds, for ``Desk.register``."""

    def __init__(self, node: Node, exchange: ExchangeKey, noise: NoiseKey) -> None:
        self._node = node
        self._exchange = exchange
        self._noise = noise

    def handlers(self) -> dict[MessageKind, Handler]:
        return {
            MessageKind.ELIGIBILITY: self.eligibility,
            MessageKind.KEYS: self.keys,
            MessageKind.VALUES: self.values,
        }

    def eligibility(self, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Round A: a signed answer that says where this node alone would publish, and its release."""
        roster, asked = self._roster(body), AskedQuestion.read(body)
        self._check(sender, asked)
        question = approved(self._node, sender, asked)
        release = released(self._node, question, sender.deadline)
        snapshot = release.snapshots[question.query.dataset]
        share = self._share(question.query, snapshot, sender)
        answer = EligibilityAnswer.of(
            self._node.settings.node,
            roster,
            self._terms(question.query, share.publishes.size),
            snapshot,
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
            counts = counts + self._joint_noise(given, body.get("sealed"))
        words = given.seat.masked(counts, Purpose.VALUES)
        return {"masked": base64.b64encode(words.astype("<u8").tobytes()).decode()}

    # ---- what is checked every time ----------------------------------------------------------------------

    def _roster(self, body: Mapping[str, Any]) -> Roster:
        """The roster, if every node in it has the keys that this node knows it by."""
        try:
            roster = Roster.model_validate(body.get("roster"))
        except ValidationError:
            raise Declined(Unavailability.REFUSED, "joint_roster_invalid") from None
        peers = self._node.settings.federation.peers
        own = self._node.settings.node
        for seat in roster.seats:
            if seat.node == own:
                known = (self._node.signing_key.public_x, self._exchange.public)
            elif seat.node in peers:
                known = (peers[seat.node].signing_key, peers[seat.node].exchange_key)
            else:
                raise Declined(Unavailability.REFUSED, "joint_roster_unknown")
            if known != (seat.signing_key, seat.exchange_key):
                raise Declined(Unavailability.REFUSED, "joint_roster_unknown")
        if own not in {seat.node for seat in roster.seats}:
            raise Declined(Unavailability.REFUSED, "joint_roster_lacks_node")
        if body.get("jointly_with") != [seat.node for seat in roster.seats]:
            raise Declined(Unavailability.REFUSED, "joint_roster_invalid")
        return roster

    def _check(self, sender: Sender, asked: AskedQuestion) -> None:
        query = cell_query(self._node, sender, asked)
        if why_not_joint(query, self._node.joint.profile(query)) is not None:
            raise Declined(Unavailability.REFUSED, "joint_not_possible")

    def _given(self, sender: Sender, body: Mapping[str, Any], action: AuditAction) -> _Given:
        """Verify the whole session again, and record what is about to be given."""
        roster, asked = self._roster(body), AskedQuestion.read(body)
        self._check(sender, asked)
        question = approved(self._node, sender, asked)
        session = self._session(roster, body, question)
        position = roster.position(self._node.settings.node)
        snapshot = session.answers[position].snapshot
        share = self._share(question.query, snapshot, sender)
        if not np.array_equal(session.answers[position].mask, share.publishes):
            raise Declined(Unavailability.REFUSED, "joint_answer_not_own")
        profile = self._node.joint.profile(question.query)
        may = eligible(session.publishes, exact=profile.cell_keys is None)
        self._record(question, session, may, position, action)
        seat = Seat(self._exchange, roster.exchange_keys, position, session.binding)
        return _Given(session, seat, share, may, profile)

    def _session(self, roster: Roster, body: Mapping[str, Any], question: Approved) -> Session:
        answers = body.get("answers")
        if not isinstance(answers, list) or not all(isinstance(each, str) for each in answers):
            raise Declined(Unavailability.REFUSED, "message_malformed")
        try:
            session = Session.verified(roster, answers)
        except SessionError as error:
            raise Declined(Unavailability.REFUSED, error.code) from None
        if session.terms != self._terms(question.query, session.terms.counts):
            raise Declined(Unavailability.REFUSED, "joint_terms_differ")
        return session

    def _share(self, query: CellQuery, snapshot: str, sender: Sender) -> Share:
        try:
            share = self._node.joint.share(
                query, snapshot, deadline=sender.deadline, cancel=threading.Event()
            )
        except (SourceError, ProtectError) as error:
            raise Declined(Unavailability.FAILED, str(error.fault)) from None
        if share is None:
            raise Declined(Unavailability.CHANGED)
        return share

    def _record(
        self,
        question: Approved,
        session: Session,
        may: npt.NDArray[np.bool_],
        position: int,
        action: AuditAction,
    ) -> None:
        answer, now = session.answers[position], self._node.clock()
        cells = joint_cells_asked(question.query, self._node.catalogue, may)
        details: dict[Detail, DetailValue] = {
            Detail.REQUEST: question.request.id,
            Detail.ROSTER: session.roster.digest,
            Detail.SESSION: session.digest,
            Detail.CELLS: int(may.size),
        }
        event = AuditEvent(question.principal.subject, action, answer.release, now, details)
        try:
            with self._node.database.write() as transaction:
                joint.give(
                    transaction,
                    action,
                    answer.release,
                    cells,
                    answer.snapshot,
                    session.roster.digest,
                    now,
                    event,
                )
        except RosterTaken as error:
            raise Declined(Unavailability.REFUSED, error.code) from None

    # ---- what it knows -----------------------------------------------------------------------------------

    def _terms(self, query: CellQuery, counts: int) -> Terms:
        fingerprint = hmac.new(self._noise.secret, _FINGERPRINT, hashlib.sha256).hexdigest()
        return Terms(
            question=joint_question(query, self._node.catalogue),
            profile=document_digest(self._node.joint.profile(query)),
            noise=fingerprint,
            key_epoch=self._noise.epoch,
            counts=counts,
        )

    def _joint_noise(self, given: _Given, sealed: object) -> npt.NDArray[np.int64]:
        """The noise of the joint keys, which this node alone learns, and only as their sum."""
        length = int(given.may.sum())
        seats = given.session.roster.seats
        if not isinstance(sealed, list) or len(sealed) != len(seats):
            raise Declined(Unavailability.REFUSED, "message_malformed")
        try:
            parts = [
                given.seat.open(base64.b64decode(text, validate=True), position, length)
                for position, text in enumerate(sealed)
            ]
            keys = unmasked(parts)
        except (MaskError, binascii.Error, TypeError, ValueError):
            raise Declined(Unavailability.REFUSED, "joint_keys_unreadable") from None
        # The keys are summed modulo 2^64 and reduced by the modulus of record keys.
        return joint_noise(keys, given.profile, self._noise)
