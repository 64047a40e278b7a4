"""The hub's side of joint counts: it carries messages, and learns the perturbed totals alone."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from catalogue.digests import document_digest
from catalogue.models import Profile
from connectors.protocol import CancelSignal
from federation.masked.masks import MaskError, unmasked
from federation.masked.session import Roster, Seated, Session, SessionError
from federation.settings import PeerSettings
from federation.wire.channel import Channel, MessageKind, NodeUnavailable, Unavailability
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.protect.joint import eligible, joint_cells

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class JointCount:
    """A joint answer, what each node signed in round A, and the statements of the releases that it made for that."""

    cells: ProtectedCells
    session: Session
    statements: Mapping[str, str]


def roster_of(nodes: Sequence[str], peers: Mapping[str, PeerSettings]) -> Roster:
    """The roster of some peers. Raises NodeUnavailable for one that is not known."""
    for node in nodes:
        if node not in peers:
            raise NodeUnavailable(node, Unavailability.NOT_A_PEER)
    return Roster(
        seats=tuple(
            Seated(node=node, signing_key=peers[node].signing_key, exchange_key=peers[node].exchange_key)
            for node in sorted(nodes)
        )
    )


def joint_count(
    channel: Channel,
    roster: Roster,
    asked: Mapping[str, Any],
    query: CellQuery,
    profile: Profile,
    *,
    deadline: float,
    cancel: CancelSignal,
) -> JointCount:
    """Have the nodes of ``roster`` answer ``query`` jointly.

    Args:
        asked: who asks for whom, under what, and the SQL of ``query``: ``AskedQuestion``.
        profile: this node's copy of the profile, by which totals are rounded and hidden.

    Raises:
        NodeUnavailable: one of them is away, refuses, or doesn't agree with the others. There is no answer without it.
    """
    nodes = [seat.node for seat in roster.seats]
    body = {**asked, "roster": roster.model_dump(mode="json"), "jointly_with": nodes}
    ask = partial(_ask_all, channel, nodes, deadline, cancel)
    first = ask(MessageKind.ELIGIBILITY, lambda _: body)
    answers = [_text(node, each, "answer") for node, each in zip(nodes, first, strict=True)]
    session = _session(roster, answers)
    if session.terms.profile != document_digest(profile) or session.terms.counts != _counts(query):
        raise NodeUnavailable(nodes[0], Unavailability.BAD_REPLY, "joint_terms_differ")
    may = eligible(session.publishes, exact=profile.cell_keys is None)
    body["answers"] = answers
    keys = ask(MessageKind.KEYS, lambda _: body)
    sealed = [_text(node, each, "sealed") for node, each in zip(nodes, keys, strict=True)]
    with_keys = {**body, "sealed": sealed}
    last = ask(MessageKind.VALUES, lambda position: with_keys if position == 0 else body)
    parts = [
        _words(node, _text(node, each, "masked"), int(may.sum()))
        for node, each in zip(nodes, last, strict=True)
    ]
    total = np.zeros(may.size, dtype=np.int64)
    try:
        total[may] = unmasked(parts)
    except MaskError:
        raise NodeUnavailable(nodes[0], Unavailability.BAD_REPLY) from None
    cells = joint_cells(query, total, may, profile, session.digest)
    statements = {node: _text(node, each, "statement") for node, each in zip(nodes, first, strict=True)}
    return JointCount(cells, session, statements)


def _ask_all(
    channel: Channel,
    nodes: Sequence[str],
    deadline: float,
    cancel: CancelSignal,
    kind: MessageKind,
    body: Callable[[int], Mapping[str, Any]],
) -> list[Mapping[str, Any]]:
    """The answers of all nodes, asked at once. Raises the first node's failure in the order of the roster."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        waiting = [
            pool.submit(channel.ask, node, kind, body(position), deadline=deadline, cancel=cancel)
            for position, node in enumerate(nodes)
        ]
    return [each.result() for each in waiting]


def _session(roster: Roster, answers: Sequence[str]) -> Session:
    try:
        return Session.verified(roster, answers)
    except SessionError as error:
        raise NodeUnavailable(
            error.node or roster.seats[0].node, Unavailability.BAD_REPLY, error.code
        ) from None


def _counts(query: CellQuery) -> int:
    return query.size * len(query.atoms)


def _text(node: str, body: Mapping[str, Any], name: str) -> str:
    text = body.get(name)
    if not isinstance(text, str):
        raise NodeUnavailable(node, Unavailability.BAD_REPLY)
    return text


def _words(node: str, text: str, length: int) -> Words:
    try:
        words = np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
    except (binascii.Error, ValueError):
        raise NodeUnavailable(node, Unavailability.BAD_REPLY) from None
    if words.size != length:
        raise NodeUnavailable(node, Unavailability.BAD_REPLY)
    return words
