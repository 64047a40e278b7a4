"""Questions that another node asks for somebody: compiled, decided on and run here like anybody's."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from catalogue.fragment import SourceFault, tables_of
from catalogue.held import Local
from catalogue.models import Profile
from catalogue.strictest import profile_for
from federation.audit.chain import append
from federation.holders.messages import CellsQuestion
from federation.identity.principal import NodeRole, Principal
from federation.runs.outcomes import RunFault
from federation.service import requests, runs
from federation.service.node import Node
from federation.service.questions import Ask, compile_question, question_of, refusal_event
from federation.service.use import use_of
from federation.service.views import RunView
from federation.state import releases
from federation.state import requests as store
from federation.state.lifecycle import GRANTED, UNDECIDED, RequestState, RunState
from federation.state.models import Request
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
    """A question as this node understands it: on whose behalf, and the one cell query that it is."""

    hub: str
    principal: Principal
    ask: Ask
    query: CellQuery
    profile: Profile
    plan_digest: str


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
        f"{_hub(sender.node)}{message.requester}",
        f"{message.requester} at {sender.node}",
        message.body,
        frozenset({NodeRole.ANALYST}),
        None if message.delegation is None else message.delegation.given,
    )
    ask = Ask(message.sql, message.agreement, message.purpose, jointly_with=jointly_with)
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
    return Asked(sender.node, principal, ask, query, profile, plan.digest)


def usable_request(node: Node, asked: Asked) -> str:
    """The id of a request for this question that may be used now: one that was approved, or that rules approve.

    Raises:
        Declined: NEEDS_A_PERSON with the id of the request that waits, or REFUSED with that of the one refused.
    """
    ask, body = asked.ask, asked.principal.body
    assert ask.agreement is not None
    assert ask.purpose is not None
    with node.database.read() as session:
        same = store.same_question(
            session, body=body, agreement=ask.agreement, purpose=ask.purpose, sql=ask.sql
        )
        known = [
            (request, store.decisions(session, request.id), releases.count_releases(session, request.id))
            for request in same
            if hub_of(request, (asked.hub,)) is not None and tuple(request.jointly_with) == ask.jointly_with
        ]
    for request, decisions, released in known:
        use = use_of(node.catalogue, request, decisions, asked.plan_digest, released, node.clock())
        if use.usable:
            return request.id
        if use.state in WAITING:
            raise Declined(Unavailability.NEEDS_A_PERSON, request.id)
        if use.state in REFUSED:
            raise Declined(Unavailability.REFUSED, request.id)
    view = requests.submit(node, asked.principal, ask)
    if not view.usable:
        raise Declined(Unavailability.NEEDS_A_PERSON, view.request)
    return view.request


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


def hub_of(request: Request, peers: Iterable[str]) -> str | None:
    """The one of ``peers`` that asked for somebody; None for what was asked here. No person's name has blanks."""
    return next((peer for peer in peers if request.requester.startswith(_hub(peer))), None)


def _hub(node: str) -> str:
    """What the name of a requester at a hub begins with here."""
    return f"hub {node} for "


def _compiled(node: Node, principal: Principal, ask: Ask) -> ClearedPlan:
    try:
        return compile_question(node, question_of(node, principal.body, ask, node.clock().date()))
    except RefusalError as error:
        with node.database.write() as session:
            append(session, refusal_event(node, principal, error.refusals))
        raise Declined(Unavailability.REFUSED, str(error.refusals[0].code)) from None
