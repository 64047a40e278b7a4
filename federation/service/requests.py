"""Requests: drafted, asked, appealed, accepted, withdrawn, and looked at by those whom they concern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from catalogue.models import StandardQuery, StandingRule
from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue, text_digest
from federation.identity.principal import Principal
from federation.identity.recorded import delegation_of, for_whom
from federation.service import plans
from federation.service.consequences import follow
from federation.service.errors import Fault, ServiceCode, ServiceError, refused
from federation.service.node import Node
from federation.service.once import Once, act, answered
from federation.service.permissions import Act, permitted, require
from federation.service.questions import (
    Ask,
    compile_question,
    covering,
    explanation_view,
    fault_view,
    in_words,
    question_of,
    refusal_event,
)
from federation.service.request_views import request_view, version_views
from federation.service.use import ask_of
from federation.service.views import RequestDetail, RequestView, VersionView
from federation.state import asking, deciding
from federation.state import requests as store
from federation.state.asking import NewRequest
from federation.state.changes import IdKind, new_id
from federation.state.errors import NotFound
from federation.state.lifecycle import GRANTED, RequestState, stored_as
from federation.state.models import Request
from policies.refusals import RefusalError


@dataclass(frozen=True)
class _Ready:
    """A question that compiles, ready to be submitted; what was decided on it in advance, and what is elsewhere."""

    new: NewRequest
    rules: dict[str, StandingRule]
    standard: frozenset[str]
    elsewhere: dict[str, str]


def save(
    node: Node,
    principal: Principal,
    ask: Ask,
    once: Once | None = None,
    *,
    draft: str | None = None,
    supersedes: str | None = None,
) -> RequestView:
    """Keep a draft for later, a new one or ``draft`` with another text. It may still have mistakes."""
    require(principal, Act.REQUEST)
    now = node.clock()
    new = NewRequest(
        id=draft or new_id(IdKind.REQUEST),
        requester=principal.subject,
        body=principal.body,
        agreement=ask.agreement or "",
        purpose=ask.purpose or "",
        justification=ask.justification,
        sql=ask.sql,
        question="",
        parameter_domain={name: list(values) for name, values in ask.domains.items()},
        plan_digest="",
        versions={},
        quorums={},
        supersedes=supersedes,
        delegation=delegation_of(principal),
    )

    def do(session: Session) -> RequestView:
        if draft is not None:
            _asked_by(session, principal, draft)
        _check_supersedes(session, principal, supersedes)
        event = AuditEvent(new.requester, AuditAction.REQUEST_SAVED, new.id, now, for_whom(principal))
        return request_view(node, session, asking.save(session, new, now, event), now)

    return act(node.database, once, RequestView, now, do)


def submit(
    node: Node,
    principal: Principal,
    ask: Ask,
    once: Once | None = None,
    *,
    supersedes: str | None = None,
    standard: StandardQuery | None = None,
) -> RequestView:
    """Ask for a query to be approved; standing rules that cover it decide at once, other nodes on what they hold.

    Args:
        supersedes: an approved request of the same person whose place this one takes once it is approved.
        standard: the standard query that this asks, if it is one: its custodians have decided.

    Raises:
        ServiceError: QUERY_REFUSED with every reason; nothing was stored but the audit event.
    """
    require(principal, Act.REQUEST)
    return _submit(node, principal, new_id(IdKind.REQUEST), ask, supersedes, once, standard)


def submit_again(
    node: Node, principal: Principal, request_id: str, ask: Ask | None = None, once: Once | None = None
) -> RequestView:
    """Submit a draft, or as its next version a request that was returned: as it stands, or with another text.

    Raises:
        ServiceError: QUERY_REFUSED with every reason, NOT_FOUND; nothing was stored but the audit event.
    """
    require(principal, Act.REQUEST)
    with node.database.read() as session:
        request = _asked_by(session, principal, request_id)
    return _submit(node, principal, request_id, ask or ask_of(request), request.supersedes, once)


def _submit(
    node: Node,
    principal: Principal,
    request_id: str,
    ask: Ask,
    supersedes: str | None,
    once: Once | None,
    standard: StandardQuery | None = None,
) -> RequestView:
    before = answered(node.database, once, RequestView)
    if before is not None:
        return before
    now = node.clock()
    ready = _ready(node, principal, request_id, ask, supersedes, standard, now)
    new = ready.new
    about: dict[Detail, DetailValue] = {
        **for_whom(principal),
        Detail.AGREEMENT: new.agreement,
        Detail.PLAN_DIGEST: new.plan_digest,
    }
    asked = about | ({Detail.REASON_DIGEST: text_digest(new.justification)} if new.justification else {})

    def do(session: Session) -> RequestView:
        _check_supersedes(session, principal, supersedes)
        event = AuditEvent(new.requester, AuditAction.REQUEST_SUBMITTED, new.id, now, asked)
        request = asking.submit(session, new, now, event)
        if ready.elsewhere:
            details = about | {Detail.NODES: tuple(sorted(set(ready.elsewhere.values())))}
            event = AuditEvent("node", AuditAction.REQUEST_APPROVED, new.id, now, details)
            request = deciding.approve_where_held(session, new.id, ready.elsewhere, now, event)
        if ready.rules:
            names = tuple(sorted(rule.rule for rule in ready.rules.values()))
            details = about | {Detail.STANDING_RULES: names}
            event = AuditEvent(new.requester, AuditAction.REQUEST_APPROVED, new.id, now, details)
            request = deciding.approve_by_rules(session, new.id, ready.rules, now, event)
        if standard is not None and ready.standard:
            details = about | {Detail.STANDARD_QUERY: standard.query}
            event = AuditEvent(new.requester, AuditAction.REQUEST_APPROVED, new.id, now, details)
            request = deciding.approve_by_standard_query(
                session, new.id, standard, ready.standard, now, event
            )
        follow(session, request, AuditAction.REQUEST_SUBMITTED, principal.subject, now)
        return request_view(node, session, request, now)

    return act(node.database, once, RequestView, now, do)


def _ready(
    node: Node,
    principal: Principal,
    request_id: str,
    ask: Ask,
    supersedes: str | None,
    standard: StandardQuery | None,
    now: datetime,
) -> _Ready:
    question = question_of(node, principal.body, ask, now.date())
    try:
        plan = compile_question(node, question)
    except RefusalError as error:
        with node.database.write() as session:
            append(session, refusal_event(node, principal, error.refusals))
        raise refused(error.refusals) from None
    assert question.agreement is not None  # the compiler refuses a query without one
    new = NewRequest(
        id=request_id,
        requester=principal.subject,
        body=principal.body,
        agreement=question.agreement,
        purpose=question.purpose,
        justification=ask.justification,
        sql=ask.sql,
        question=in_words(node, plan, ask) + _jointly(ask.jointly_with),
        parameter_domain={name: list(values) for name, values in ask.domains.items()},
        plan_digest=plan.digest,
        versions=_versions(node, plans.custodians(plan, node.catalogue), question.agreement),
        quorums=plans.quorums(plan, node.catalogue),
        jointly_with=ask.jointly_with,
        supersedes=supersedes,
        lapses_at=lapse(node, now),
        delegation=delegation_of(principal),
    )
    elsewhere = plans.held_elsewhere(plan, node.catalogue)
    decided: frozenset[str] = frozenset()
    if standard is not None:
        decided = frozenset(
            name
            for name, quorum in new.quorums.items()
            if name not in elsewhere
            and quorum.persons == 1
            and standard.decided_by.get(quorum.custodian) not in (None, principal.subject)
        )
    rules = covering(node, plan, principal, question)
    left = {name: rule for name, rule in rules.items() if name not in decided}
    return _Ready(new, left, decided, elsewhere)


def appeal(
    node: Node, principal: Principal, request_id: str, reason: str, once: Once | None = None
) -> RequestView:
    """Have a refusal looked at by another reviewer than who refused."""
    now = node.clock()

    def step(session: Session, event: AuditEvent) -> Request:
        until = lapse(node, now)
        return asking.appeal(session, request_id, principal.subject, reason, until, now, event)

    details: dict[Detail, DetailValue] = {Detail.REASON_DIGEST: text_digest(reason)}
    return own_act(node, principal, request_id, AuditAction.REQUEST_APPEALED, details, step, now, once)


def accept(node: Node, principal: Principal, request_id: str, once: Once | None = None) -> RequestView:
    """Accept the conditions of an approval; before that nothing runs."""
    now = node.clock()

    def step(session: Session, event: AuditEvent) -> Request:
        return asking.accept(session, request_id, principal.subject, now, event)

    return own_act(node, principal, request_id, AuditAction.REQUEST_ACCEPTED, {}, step, now, once)


def withdraw(node: Node, principal: Principal, request_id: str, once: Once | None = None) -> RequestView:
    """Give a request up; what runs under it ends."""
    now = node.clock()

    def step(session: Session, event: AuditEvent) -> Request:
        return asking.withdraw(session, request_id, principal.subject, now, event)

    return own_act(node, principal, request_id, AuditAction.REQUEST_WITHDRAWN, {}, step, now, once)


def get(node: Node, principal: Principal, request_id: str) -> RequestView:
    """One request. Raises ServiceError NOT_FOUND for one that is not the reader's to see, too."""
    with node.database.read() as session:
        return request_view(node, session, visible(session, principal, request_id), node.clock())


def versions(node: Node, principal: Principal, request_id: str) -> list[VersionView]:
    """Every version of a request that was submitted. Nothing of an earlier one is erased."""
    with node.database.read() as session:
        return version_views(session, visible(session, principal, request_id))


def detail(node: Node, principal: Principal, request_id: str) -> RequestDetail:
    """A request with what would run now: what a custodian reviews."""
    view = get(node, principal, request_id)
    with node.database.read() as session:
        request = store.get_request(session, request_id)
    question = question_of(node, request.body, ask_of(request), request.created_at.date())
    try:
        plan = compile_question(node, question)
    except RefusalError as error:
        return RequestDetail(view, None, [fault_view(refusal) for refusal in error.refusals])
    return RequestDetail(view, explanation_view(node, plan, ask_of(request)), [])


def listing(
    node: Node, principal: Principal, *, state: RequestState | None = None, limit: int = 50, offset: int = 0
) -> list[RequestView]:
    """Requests, newest first: a custodian's those on its data, an auditor's all, else one's own: those that were asked
    for the body that is acted for now.

    ``state`` is the state now; what is computed is sought among those that are stored.
    """
    stored = frozenset() if state is None else stored_as(state)
    now = node.clock()
    with node.database.read() as session:
        rows: Sequence[Request]
        if permitted(principal, Act.SEE_ALL):
            rows = store.list_requests(session, states=stored, limit=limit, offset=offset)
        elif permitted(principal, Act.SEE_CUSTODY):
            body = principal.body
            rows = store.list_requests(session, reviewer=body, states=stored, limit=limit, offset=offset)
        else:
            who = (principal.subject, principal.body)
            rows = store.list_requests(session, requester=who, states=stored, limit=limit, offset=offset)
        views = [request_view(node, session, row, now) for row in rows]
    return [view for view in views if state in (None, view.state)]


def visible(session: Session, principal: Principal, request_id: str) -> Request:
    """The request, if it is the principal's to see; else NOT_FOUND, as if there were none.

    A draft is nobody's but its writer's, and for an auditor. Who acts for another body has left their own behind, with
    what they asked for it, and is told that (NOT_PERMITTED).
    """
    try:
        request = store.get_request(session, request_id)
    except NotFound:
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such request") from None
    keeps = permitted(principal, Act.SEE_CUSTODY) and principal.body in request.reviewers
    drafted = request.state is RequestState.DRAFT and principal.subject != request.requester
    asked = principal.body == request.body and not drafted
    if asked or keeps or permitted(principal, Act.SEE_ALL):
        return request
    if principal.subject == request.requester:
        raise _other_body(request)
    raise ServiceError(ServiceCode.NOT_FOUND, "there is no such request")


def _asked_by(session: Session, principal: Principal, request_id: str) -> Request:
    """The request, for somebody who acts for the body that it was asked for: whether it is theirs, the step says."""
    request = visible(session, principal, request_id)
    if request.body != principal.body:
        raise _other_body(request)
    return request


def _other_body(request: Request) -> ServiceError:
    return ServiceError(ServiceCode.NOT_PERMITTED, f"it was asked for {request.body}: act for that body")


def lapse(node: Node, now: datetime) -> datetime:
    """When a request lapses on which somebody has to act from ``now`` on."""
    return now + timedelta(days=node.settings.limits.decision_days)


def own_act(
    node: Node,
    principal: Principal,
    request_id: str,
    action: AuditAction,
    details: dict[Detail, DetailValue],
    step: Callable[[Session, AuditEvent], Request],
    now: datetime,
    once: Once | None,
) -> RequestView:
    """An act of who asked, with what follows from it."""
    require(principal, Act.REQUEST)

    def do(session: Session) -> RequestView:
        request = _asked_by(session, principal, request_id)
        about = details | for_whom(principal) | {Detail.PLAN_DIGEST: request.plan_digest}
        event = AuditEvent(principal.subject, action, request_id, now, about)
        request = step(session, event)
        follow(session, request, action, principal.subject, now)
        return request_view(node, session, request, now)

    return act(node.database, once, RequestView, now, do)


def _check_supersedes(session: Session, principal: Principal, supersedes: str | None) -> None:
    """Only one's own approval gives its place away."""
    if supersedes is None:
        return
    try:
        before = store.get_request(session, supersedes)
        mine = (before.requester, before.body) == (principal.subject, principal.body)
        sound = mine and before.state in GRANTED
    except NotFound:
        sound = False
    if not sound:
        message = "it can take the place of an approved request of your own alone"
        remedy = "name one that is approved, active or suspended, or none"
        fault = Fault("supersedes_invalid", message, remedy, pointer="/supersedes")
        raise ServiceError(ServiceCode.INVALID_REQUEST, message, (fault,))


def _jointly(nodes: Sequence[str]) -> str:
    """What a custodian has to know of a joint count, in words."""
    if not nodes:
        return ""
    return (
        f" Counted jointly by {', '.join(nodes)}: the hub learns where each of them by itself would publish, and the "
        "joint counts; nobody learns another's part."
    )


def _versions(node: Node, touched: dict[str, str], agreement: str) -> dict[str, str]:
    """What the plan digest covers, in readable form."""
    profiles = {node.catalogue.datasets[name].document.profile for name in touched}
    return {
        "catalogue": node.catalogue.version,
        f"agreement {agreement}": node.catalogue.agreements[agreement].version,
        **{f"profile {name}": node.catalogue.profiles[name].version for name in sorted(profiles)},
    }
