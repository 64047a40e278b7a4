"""Questions that another node asks for somebody: requested, decided on, run and released like anybody's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catalogue.fragment import SourceFault
from federation.identity.principal import NodeRole, Principal
from federation.service import requests, runs
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.questions import Ask, compile_question, question_of
from federation.service.use import use_of
from federation.state import releases
from federation.state import requests as store
from federation.state.lifecycle import RequestState, RunState
from federation.state.models import Release, Request
from federation.state.runs import get_run
from federation.wire.channel import Declined, Sender, Unavailability
from policies.plan import CellQuery
from policies.refusals import RefusalError

POLL_SECONDS = 0.05
RECENT = 200
"""How many of somebody's latest requests are looked through for the same question."""


class AskedQuestion(BaseModel):
    """What the body of a message says of a question. ``requester`` is whom the other node vouches for."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    requester: str = Field(min_length=1, max_length=150)
    body: str
    agreement: str
    purpose: str
    sql: str
    jointly_with: tuple[str, ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> AskedQuestion:
        """Raises Declined for a message that lacks something."""
        try:
            return cls.model_validate(body)
        except ValidationError:
            raise Declined(Unavailability.REFUSED, "message_malformed") from None


@dataclass(frozen=True)
class Approved:
    """A question that may be run: the request that was approved, by whom it is asked, and its one cell query."""

    request: Request
    principal: Principal
    query: CellQuery


def cell_query(node: Node, sender: Sender, asked: AskedQuestion) -> CellQuery:
    """The one cell query that the question is, as this node's own compiler reads it.

    Raises:
        Declined: the sender may not ask for that body, the question is refused, or is more than one cell query.
    """
    peer = node.settings.federation.peers.get(sender.node)
    if peer is None or asked.body not in peer.asks_for:
        raise Declined(Unavailability.REFUSED, "asks_for_no_such_body")
    question = question_of(node, asked.body, _ask(asked), node.clock().date())
    try:
        plan = compile_question(node, question)
    except RefusalError as error:
        raise Declined(Unavailability.REFUSED, str(error.refusals[0].code)) from None
    except ServiceError as error:
        raise Declined(Unavailability.FAILED, str(error.code)) from None
    if plan.stages or len(plan.queries) != 1:
        raise Declined(Unavailability.REFUSED, "not_one_cell_query")
    return plan.queries[0]


def approved(node: Node, sender: Sender, asked: AskedQuestion) -> Approved:
    """The question with an approval that holds now; asked for where it has none yet.

    Raises:
        Declined: NEEDS_A_PERSON with the id of the request that waits; REFUSED where it was refused.
    """
    query = cell_query(node, sender, asked)
    subject = f"{sender.node}:{asked.requester}"
    principal = Principal(subject, subject, asked.body, frozenset({NodeRole.PLANNER}))
    known = _known(node, principal, asked)
    if known is None:
        try:
            view = requests.submit(node, principal, _ask(asked))
        except ServiceError as error:
            raise Declined(Unavailability.REFUSED, str(error.code)) from None
        with node.database.read() as session:
            known = store.get_request(session, view.request)
    if known.state is RequestState.SUBMITTED:
        raise Declined(Unavailability.NEEDS_A_PERSON, known.id)
    if known.state is not RequestState.APPROVED:
        raise Declined(Unavailability.REFUSED, known.id)
    return Approved(known, principal, query)


def released(node: Node, question: Approved, deadline: float) -> Release:
    """Run an approved question and wait for its release, until ``deadline`` (``time.monotonic``).

    Raises:
        Declined: it ended without one, or not in time; a run that comes too late is cancelled.
    """
    try:
        run = runs.start(node, question.principal, question.request.id, {}).run
    except ServiceError as error:
        raise Declined(Unavailability.REFUSED, str(error.code)) from None
    while time.monotonic() < deadline:
        with node.database.read() as session:
            state, code = (found := get_run(session, run)).state, found.error_code
            release = releases.release_of_run(session, run)
        if release is not None:
            return release
        if state not in (RunState.QUEUED, RunState.RUNNING):
            reason = Unavailability.CHANGED if code == SourceFault.CHANGED else Unavailability.FAILED
            raise Declined(reason, code or "")
        time.sleep(POLL_SECONDS)
    try:
        runs.cancel(node, question.principal, run)
    except ServiceError as error:
        if error.code is not ServiceCode.NOT_FOUND:
            raise
    raise Declined(Unavailability.TIMED_OUT)


def _ask(asked: AskedQuestion) -> Ask:
    return Ask(asked.sql, asked.agreement, asked.purpose, jointly_with=asked.jointly_with)


def _known(node: Node, principal: Principal, asked: AskedQuestion) -> Request | None:
    """The latest request for the same that still says something: one that is over or superseded does not."""
    same = (asked.body, asked.agreement, asked.purpose, asked.sql, list(asked.jointly_with))
    with node.database.read() as session:
        for request in store.list_requests(session, requester=principal.subject, limit=RECENT):
            if same != (
                request.body,
                request.agreement,
                request.purpose,
                request.sql,
                list(request.jointly_with),
            ):
                continue
            if request.state is not RequestState.APPROVED:
                return None if request.state is RequestState.SUPERSEDED else request
            decisions = store.decisions(session, request.id)
            use = use_of(node.catalogue, request, decisions, request.plan_digest, node.clock())
            return request if use.usable else None
    return None
