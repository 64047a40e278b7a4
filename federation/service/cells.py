"""What a hub asks of this node: compiled, decided on, run and released here like anybody's question."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from catalogue.fragment import SourceFault, tables_of
from catalogue.held import Local
from catalogue.models import Profile
from catalogue.strictest import profile_for
from federation.audit.chain import append
from federation.holders.messages import (
    CellsAnswer,
    CellsQuestion,
    MessageUnreadable,
    PublicNoise,
    read_question,
)
from federation.identity.principal import NodeRole, Principal
from federation.runs.outcomes import RunFault
from federation.service import releases, requests, runs
from federation.service.errors import ServiceError
from federation.service.node import Node
from federation.service.questions import Ask, compile_question, question_of, refusal_event
from federation.service.use import use_of
from federation.service.views import RunView
from federation.state import requests as store
from federation.state.errors import TransitionNotAllowed
from federation.state.lifecycle import RequestState, RunState
from federation.wire.channel import Declined, Sender, Unavailability
from federation.wire.tables import encode_table
from policies.cell_question import CellQuestion
from policies.plan import CellQuery, ClearedPlan
from policies.protect.rules import count_error
from policies.refusals import RefusalError

POLL_SECONDS = 0.05
REFUSED = frozenset({RequestState.REFUSED, RequestState.REVOKED})
ENDED = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED, RunState.VOID})


def answer_cells(node: Node, sender: Sender, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The release of one cell query that a hub asks for on somebody's behalf.

    The hub's word counts for who asks, and for nothing else: this node's catalogue, agreement, profile and custodian
    decide. Where a person has to decide, the request waits here and the hub is told its id.

    Raises:
        Declined: there is no release, with the reason and a reference.
    """
    try:
        message = read_question(body)
    except MessageUnreadable as error:
        raise Declined(Unavailability.REFUSED, error.code) from None
    principal = Principal(
        f"hub {sender.node} for {message.requester}",
        f"{message.requester} at {sender.node}",
        message.body,
        frozenset({NodeRole.ANALYST}),
    )
    ask = Ask(message.sql, message.agreement, message.purpose)
    try:
        query, profile, digest = _understood(node, principal, ask, message)
        request = _usable_request(node, sender.node, principal, ask, digest)
        run = _finished(node, principal, runs.start(node, principal, request, {}), sender)
        return _released(node, principal, run, query, profile)
    except ServiceError as error:
        raise Declined(Unavailability.FAILED, str(error.code)) from None


def _understood(
    node: Node, principal: Principal, ask: Ask, message: CellsQuestion
) -> tuple[CellQuery, Profile, str]:
    """The one cell query that the SQL comes to here, under its profile, if it is what the hub understands by it."""
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
    return query, profile, plan.digest


def _compiled(node: Node, principal: Principal, ask: Ask) -> ClearedPlan:
    try:
        return compile_question(node, question_of(node, principal.body, ask, node.clock().date()))
    except RefusalError as error:
        with node.database.write() as session:
            append(session, refusal_event(node, principal, error.refusals))
        raise Declined(Unavailability.REFUSED, str(error.refusals[0].code)) from None


def _usable_request(node: Node, hub: str, principal: Principal, ask: Ask, plan_digest: str) -> str:
    """The id of a request for this question that may be used now: one that was approved, or that rules approve."""
    assert ask.agreement is not None
    assert ask.purpose is not None
    with node.database.read() as session:
        same = store.same_question(
            session, body=principal.body, agreement=ask.agreement, purpose=ask.purpose, sql=ask.sql
        )
        asked = [
            (request, store.decisions(session, request.id))
            for request in same
            if request.requester.startswith(f"hub {hub} for ")
        ]
    for request, decisions in asked:
        use = use_of(node.catalogue, request, decisions, plan_digest, node.clock())
        if use.usable:
            return request.id
        if use.state is RequestState.SUBMITTED:
            raise Declined(Unavailability.NEEDS_A_PERSON, request.id)
        if use.state in REFUSED:
            raise Declined(Unavailability.REFUSED, request.id)
    view = requests.submit(node, principal, ask)
    if not view.usable:
        raise Declined(Unavailability.NEEDS_A_PERSON, view.request)
    return view.request


def _finished(node: Node, principal: Principal, run: RunView, sender: Sender) -> RunView:
    """The run once it is done. One for which nobody waits any more is cancelled."""
    while run.state not in ENDED:
        if sender.cancel.is_set() or time.monotonic() >= sender.deadline:
            with suppress(TransitionNotAllowed):  # it has ended in this very moment
                runs.cancel(node, principal, run.run)
            raise Declined(Unavailability.TIMED_OUT, run.run)
        time.sleep(POLL_SECONDS)
        run = runs.get(node, principal, run.run)
    if run.state is RunState.DONE:
        return run
    code = run.error or RunFault.INTERNAL
    if code == SourceFault.CHANGED:
        raise Declined(Unavailability.CHANGED, code)
    reason = Unavailability.REFUSED if run.state is RunState.VOID else Unavailability.FAILED
    raise Declined(reason, code)


def _released(
    node: Node, principal: Principal, run: RunView, query: CellQuery, profile: Profile
) -> Mapping[str, Any]:
    assert run.release is not None
    record = releases.find(node, principal, run.release)
    content = releases.content(
        node, principal, record, "message", lambda table, _: encode_table(table).encode()
    )
    error = count_error(profile)
    answer = CellsAnswer(
        release=record.release,
        table=content.decode(),
        statement=record.statement,
        sparse=query.size > profile.limits.dense_cells,
        noise=PublicNoise(maximum_error=error.largest, variance=error.variance),
    )
    return answer.model_dump(mode="json")
