"""Questions that another node asks for somebody: compiled, decided on and run here like anybody's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from catalogue.fragment import SourceFault, tables_of
from catalogue.held import Local
from catalogue.models import Profile
from catalogue.strictest import profile_for
from federation.audit.chain import append
from federation.holders.messages import Accepted, CellsQuestion
from federation.identity.principal import NodeRole, Principal
from federation.runs.outcomes import RunFault
from federation.service import accepted_elsewhere, requests, runs
from federation.service.hubs import hub_of, subject_at
from federation.service.node import Node
from federation.service.questions import Ask, compile_question, question_of, refusal_event
from federation.service.use import use_of
from federation.service.views import RunView
from federation.state import releases
from federation.state import requests as store
from federation.state.lifecycle import GRANTED, UNDECIDED, RequestState, RunState
from federation.state.models import Decision, Request
from federation.wire.channel import Declined, Sender, Unavailability
from policies.cell_question import CellQuestion
from policies.plan import CellQuery, ClearedPlan
from policies.refusals import RefusalError

POLL_SECONDS = 0.05
REFUSED = frozenset({RequestState.REFUSED, RequestState.RETURNED, RequestState.REVOKED})
"""The hub has to ask for something else. What was returned is changed by asking for that, too."""
WAITING = frozenset({*UNDECIDED, *GRANTED})
ENDED = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED, RunState.VOID})


@dataclass(frozen=True)
class Asked:
    """A question as this node understands it: who sent it, on whose behalf, and the one cell query that it is.
    ``accepted`` is what who is asked for accepts of the conditions of this node's custodians."""

    sender: Sender
    principal: Principal
    ask: Ask
    query: CellQuery
    profile: Profile
    plan_digest: str
    accepted: tuple[Accepted, ...]


def understood(
    node: Node, sender: Sender, message: CellsQuestion, jointly_with: tuple[str, ...] = ()
) -> Asked:
    """The question of a message, if the sender may ask it and means by it what this node reads.

    Raises:
        Declined: REFUSED. The peer may not ask for that body, the question is refused here, is more than one cell
            query, or is understood differently, since the catalogues differ.
    """
    peer = node.settings.federation.peers.get(sender.node)
    if peer is None or message.body not in peer.asks_for:
        raise Declined(Unavailability.REFUSED, "asks_for_no_such_body")
    principal = Principal(
        subject_at(sender.node, message.requester),
        f"{message.requester} at {sender.node}",
        message.body,
        frozenset({NodeRole.ANALYST}),
        None if message.delegation is None else message.delegation.given,
    )
    terms = (message.agreement, message.purpose)
    ask = Ask(message.sql, *terms, jointly_with=jointly_with, justification=message.justification)
    plan = _compiled(node, principal, ask)
    if plan.stages or len(plan.queries) != 1:
        raise Declined(Unavailability.REFUSED, "not_one_cell_query")
    (query,) = plan.queries
    dataset = node.catalogue.datasets[query.dataset]
    read = [table.dataset for table in tables_of(query.fragment)]
    profile = profile_for(node.catalogue, read)
    if read != [query.dataset] or not isinstance(dataset.held, Local) or profile is None:
        raise Declined(Unavailability.REFUSED, "not_one_cell_query")
    if CellQuestion.of(query).digest(dataset) != message.question:
        raise Declined(Unavailability.REFUSED, "catalogue_differs")
    return Asked(sender, principal, ask, query, profile, plan.digest, message.accepted)


def usable_request(node: Node, asked: Asked) -> str:
    """The id of a request for this question that may be used now: one that was approved, or that rules approve.

    A request whose conditions somebody else has to accept is theirs alone until they have: for others a new one is
    made.

    Raises:
        Declined: NEEDS_A_PERSON with the id of the request that waits, CONDITIONS with those that who is asked for has
            to accept, or REFUSED with the id of the request that was refused.
    """
    ask, body = asked.ask, asked.principal.body
    assert ask.agreement is not None
    assert ask.purpose is not None
    accepted_elsewhere.take(node, asked.sender, asked.principal, asked.accepted)
    with node.database.read() as session:
        same = store.same_question(
            session, body=body, agreement=ask.agreement, purpose=ask.purpose, sql=ask.sql
        )
        known = [
            (request, store.decisions(session, request.id), releases.count_releases(session, request.id))
            for request in same
            if hub_of(request, (asked.sender.node,)) is not None
            and tuple(request.jointly_with) == ask.jointly_with
        ]
    waits: Declined | None = None
    for request, decisions, released in known:
        use = use_of(node.catalogue, request, decisions, asked.plan_digest, released, node.clock())
        if use.usable:
            return request.id
        if use.state in REFUSED:
            waits = waits or Declined(Unavailability.REFUSED, request.id)
            break
        if use.state in WAITING:
            waits = waits or _waits_for(request, decisions, asked.principal)
    if waits is not None:
        raise waits
    view = requests.submit(node, asked.principal, ask)
    if not view.usable:
        raise Declined(Unavailability.NEEDS_A_PERSON, view.request)
    return view.request


def _waits_for(request: Request, decisions: Sequence[Decision], principal: Principal) -> Declined | None:
    """What a request waits for; None: for the acceptance of somebody else than ``principal``."""
    conditions = accepted_elsewhere.awaiting(request, decisions)
    if conditions is None:
        return Declined(Unavailability.NEEDS_A_PERSON, request.id)
    if request.requester != principal.subject:
        return None
    return Declined(Unavailability.CONDITIONS, request.id, conditions)


def finished(node: Node, asked: Asked, request: str, sender: Sender) -> RunView:
    """A run of the request once it is done. One for which nobody waits any more is cancelled.

    Raises:
        Declined: it ended without a release, or not in time.
    """
    run = runs.start(node, asked.principal, request, {})
    while run.state not in ENDED:
        if sender.cancel.is_set() or time.monotonic() >= sender.deadline:
            runs.cancel(node, asked.principal, run.run)
            raise Declined(Unavailability.TIMED_OUT, run.run)
        time.sleep(POLL_SECONDS)
        run = runs.get(node, asked.principal, run.run)
    if run.state is RunState.DONE:
        return run
    code = run.error or RunFault.INTERNAL
    if code == SourceFault.CHANGED:
        raise Declined(Unavailability.CHANGED, code)
    reason = Unavailability.REFUSED if run.state is RunState.VOID else Unavailability.FAILED
    raise Declined(reason, code)


def _compiled(node: Node, principal: Principal, ask: Ask) -> ClearedPlan:
    try:
        return compile_question(node, question_of(node, principal.body, ask, node.clock().date()))
    except RefusalError as error:
        with node.database.write() as session:
            append(session, refusal_event(node, principal, error.refusals))
        raise Declined(Unavailability.REFUSED, str(error.refusals[0].code)) from None
