"""Requests: asked, decided on, and looked at by those whom they concern."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue, text_digest
from federation.identity.principal import Principal
from federation.identity.recorded import for_whom
from federation.service import plans
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
from federation.service.use import ask_of, use_of
from federation.service.views import DecisionView, RequestDetail, RequestView
from federation.state import requests as store
from federation.state.authority import Officer
from federation.state.changes import IdKind, new_id
from federation.state.errors import NotFound
from federation.state.lifecycle import RequestState
from federation.state.models import Request
from federation.state.requests import NewRequest, Verdict
from policies.refusals import RefusalError


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a custodian decides. ``plan_digest`` names the plan that was reviewed; refusing needs no end."""

    reason: str
    plan_digest: str | None = None
    valid_until: datetime | None = None


def submit(node: Node, principal: Principal, ask: Ask, once: Once | None = None) -> RequestView:
    """Ask for a query to be approved; standing rules that cover it decide at once, other nodes on what they hold.

    Raises:
        ServiceError: QUERY_REFUSED with every reason; nothing was stored but the audit event.
    """
    require(principal, Act.REQUEST)
    before = answered(node.database, once, RequestView)
    if before is not None:
        return before
    now = node.clock()
    question = question_of(node, principal.body, ask, now.date())
    try:
        plan = compile_question(node, question)
    except RefusalError as error:
        with node.database.write() as session:
            append(session, refusal_event(node, principal, error.refusals))
        raise refused(error.refusals) from None
    assert question.agreement is not None  # the compiler refuses a query without one
    new = NewRequest(
        id=new_id(IdKind.REQUEST),
        requester=principal.subject,
        body=principal.body,
        agreement=question.agreement,
        purpose=question.purpose,
        sql=ask.sql,
        question=in_words(node, plan, ask) + _jointly(ask.jointly_with),
        parameter_domain={name: list(values) for name, values in ask.domains.items()},
        plan_digest=plan.digest,
        versions=_versions(node, plans.custodians(plan, node.catalogue), question.agreement),
        custodians=plans.custodians(plan, node.catalogue),
        jointly_with=ask.jointly_with,
    )
    rules = covering(node, plan, principal, question.today)
    elsewhere = plans.held_elsewhere(plan, node.catalogue)
    about: dict[Detail, DetailValue] = {
        **for_whom(principal),
        Detail.AGREEMENT: new.agreement,
        Detail.PLAN_DIGEST: new.plan_digest,
    }

    def do(session: Session) -> RequestView:
        event = AuditEvent(new.requester, AuditAction.REQUEST_SUBMITTED, new.id, now, about)
        request = store.submit(session, new, now, event)
        if elsewhere:
            details = about | {Detail.NODES: tuple(sorted(set(elsewhere.values())))}
            event = AuditEvent("node", AuditAction.REQUEST_APPROVED, new.id, now, details)
            request = store.approve_where_held(session, new.id, elsewhere, now, event)
        if rules:
            names = tuple(sorted(rule.rule for rule in rules.values()))
            details = about | {Detail.STANDING_RULES: names}
            event = AuditEvent(new.requester, AuditAction.REQUEST_APPROVED, new.id, now, details)
            request = store.approve_by_rules(session, new.id, rules, now, event)
        return _view(node, session, request, now)

    return act(node.database, once, RequestView, now, do)


def get(node: Node, principal: Principal, request_id: str) -> RequestView:
    """One request. Raises ServiceError NOT_FOUND for one that is not the reader's to see, too."""
    with node.database.read() as session:
        return _view(node, session, visible(session, principal, request_id), node.clock())


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
    """Requests, newest first: a custodian's those on its data, another body's its own, an auditor's all.

    ``state`` is the state now; expiry is computed, so it is sought among the approved.
    """
    stored = RequestState.APPROVED if state is RequestState.EXPIRED else state
    now = node.clock()
    with node.database.read() as session:
        rows: Sequence[Request]
        if permitted(principal, Act.SEE_ALL):
            rows = store.list_requests(session, state=stored, limit=limit, offset=offset)
        elif permitted(principal, Act.SEE_CUSTODY):
            body = principal.body
            rows = store.list_requests(session, custodian=body, state=stored, limit=limit, offset=offset)
        else:
            who = principal.subject
            rows = store.list_requests(session, requester=who, state=stored, limit=limit, offset=offset)
        views = [_view(node, session, row, now) for row in rows]
    return [view for view in views if state in (None, view.state)]


def approve(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian approves for its own datasets what it has reviewed under ``ruling.plan_digest``.

    Raises:
        ServiceError: INVALID_REQUEST, the approval would be over before it begins.
    """
    now = node.clock()
    latest = now + timedelta(days=node.settings.limits.request_days)
    if ruling.valid_until is not None and ruling.valid_until <= now:
        message = "an approval cannot end before it begins"
        fault = Fault("valid_until_past", message, "give a time to come", pointer="/valid_until")
        raise ServiceError(ServiceCode.INVALID_REQUEST, message, (fault,))
    until = latest if ruling.valid_until is None else min(latest, ruling.valid_until)
    action = AuditAction.REQUEST_APPROVED
    return _decide(node, principal, request_id, action, store.approve, ruling, until, once)


def refuse(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian refuses, and with that the request is refused."""
    action = AuditAction.REQUEST_REFUSED
    return _decide(node, principal, request_id, action, store.refuse, ruling, None, once)


def revoke(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian takes an approval back: nothing runs or finishes under it any more."""
    action = AuditAction.REQUEST_REVOKED
    return _decide(node, principal, request_id, action, store.revoke, ruling, None, once)


def visible(session: Session, principal: Principal, request_id: str) -> Request:
    """The request, if it is the principal's to see; else NOT_FOUND, as if there were none."""
    try:
        request = store.get_request(session, request_id)
    except NotFound:
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such request") from None
    keeps = permitted(principal, Act.SEE_CUSTODY) and principal.body in request.custodians.values()
    if principal.body == request.body or keeps or permitted(principal, Act.SEE_ALL):
        return request
    raise ServiceError(ServiceCode.NOT_FOUND, "there is no such request")


Step = Callable[[Session, str, Verdict, datetime, AuditEvent], Request]


def _decide(
    node: Node,
    principal: Principal,
    request_id: str,
    action: AuditAction,
    step: Step,
    ruling: Ruling,
    until: datetime | None,
    once: Once | None,
) -> RequestView:
    require(principal, Act.DECIDE)
    now = node.clock()
    officer = Officer(principal.subject, principal.body, is_custodian=True)

    def do(session: Session) -> RequestView:
        request = visible(session, principal, request_id)
        digest = request.plan_digest if ruling.plan_digest is None else ruling.plan_digest
        details = {
            **for_whom(principal),
            Detail.PLAN_DIGEST: digest,
            Detail.REASON_DIGEST: text_digest(ruling.reason),
        }
        event = AuditEvent(principal.subject, action, request_id, now, details)
        decided = step(session, request_id, Verdict(officer, ruling.reason, digest, until), now, event)
        return _view(node, session, decided, now)

    return act(node.database, once, RequestView, now, do)


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


def _view(node: Node, session: Session, request: Request, now: datetime) -> RequestView:
    decisions = store.decisions(session, request.id)
    use = use_of(node.catalogue, request, decisions, request.plan_digest, now)
    return RequestView(
        request=request.id,
        state=use.state,
        usable=use.usable,
        reason=use.reason,
        valid_until=use.until,
        requester=request.requester,
        body=request.body,
        agreement=request.agreement,
        purpose=request.purpose,
        sql=request.sql,
        question=request.question,
        plan_digest=request.plan_digest,
        datasets=request.custodians,
        parameters=dict(request.parameter_domain),
        jointly_with=list(request.jointly_with),
        decisions=[
            DecisionView(
                dataset=decision.dataset,
                custodian=decision.custodian,
                outcome=str(decision.outcome),
                kind=str(decision.kind),
                decided_by=decision.decided_by,
                reason=decision.reason,
                decided_at=decision.decided_at,
                valid_until=decision.valid_until,
            )
            for decision in decisions
        ],
        created_at=request.created_at,
    )
