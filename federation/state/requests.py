"""Requests and decisions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from catalogue.models import StandingRule
from federation.audit.events import AuditAction, AuditEvent
from federation.state.authority import MayNotDecide, Officer, may_decide
from federation.state.changes import record
from federation.state.errors import DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed
from federation.state.lifecycle import Action, RequestState, Role, request_transition
from federation.state.models import Decision, DecisionKind, Outcome, Request, RequestDataset
from federation.state.validity import Ground, day_bound


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A question to have approved. ``custodians`` names the custodian body of each dataset that it touches;
    ``versions`` those of catalogue, profiles, p-tables and agreement that ``plan_digest`` covers."""

    id: str
    requester: str
    body: str
    agreement: str
    purpose: str
    sql: str
    question: str
    parameter_domain: Mapping[str, Any]
    plan_digest: str
    versions: Mapping[str, Any]
    custodians: Mapping[str, str]
    jointly_with: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decides, having reviewed the plan with this digest. ``valid_until`` None: no end of its own."""

    officer: Officer
    reason: str
    plan_digest: str
    valid_until: datetime | None = None


_OUTCOMES = {Action.APPROVE: Outcome.APPROVE, Action.REFUSE: Outcome.REFUSE, Action.REVOKE: Outcome.REVOKE}


def submit(session: Session, new: NewRequest, now: datetime, event: AuditEvent) -> Request:
    """Store a request. Nothing about it is approved by that.

    Raises:
        ValueError: it touches no dataset, so that nobody could decide.
    """
    if not new.custodians:
        raise ValueError("a request touches at least one dataset")
    record(session, event, AuditAction.REQUEST_SUBMITTED, new.id)
    request = Request(
        id=new.id,
        requester=new.requester,
        body=new.body,
        agreement=new.agreement,
        purpose=new.purpose,
        sql=new.sql,
        question=new.question,
        parameter_domain=dict(new.parameter_domain),
        jointly_with=list(new.jointly_with),
        plan_digest=new.plan_digest,
        versions=dict(new.versions),
        state=RequestState.SUBMITTED,
        revision=0,
        created_at=now,
        datasets=[
            RequestDataset(dataset=name, custodian=body) for name, body in sorted(new.custodians.items())
        ],
    )
    session.add(request)
    session.flush()
    return request


def approve(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """A custodian's officer approves for the datasets of their body; the last custodian's approval approves all.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPROVED, request_id)
    return _decide_person(session, request_id, Action.APPROVE, verdict, now)


def refuse(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """A custodian's officer refuses for the datasets of their body, and with that the request.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_REFUSED, request_id)
    return _decide_person(session, request_id, Action.REFUSE, verdict, now)


def revoke(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """A custodian's officer takes the approval back: nothing runs or finishes under it any more.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_REVOKED, request_id)
    return _decide_person(session, request_id, Action.REVOKE, verdict, now)


def approve_by_rules(
    session: Session, request_id: str, rules: Mapping[str, StandingRule], now: datetime, event: AuditEvent
) -> Request:
    """Standing rules decide on the datasets that they cover (``standing.covering_rules``), each named as what decided.

    Raises:
        DecisionNotAllowed: there is no rule, or one is about another dataset or body, or was made by the requester.
        NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPROVED, request_id)
    request = get_request(session, request_id)
    if not rules or not rules.keys() <= outstanding(session, request):
        raise DecisionNotAllowed(
            "standing rules decide on datasets of the request on which nobody has decided yet"
        )
    for dataset, rule in rules.items():
        if rule.dataset != dataset or rule.body != request.body or rule.decided_by == request.requester:
            raise DecisionNotAllowed(f"the standing rule {rule.rule} does not decide on this request")
    made = [
        Decision(
            kind=DecisionKind.STANDING_RULE,
            decided_by=rule.rule,
            role=Role.STANDING_RULE,
            reason=rule.title,
            dataset=dataset,
            valid_until=day_bound(Ground.STANDING_RULE, rule.rule, None, rule.until).until,
        )
        for dataset, rule in sorted(rules.items())
    ]
    return _decide(session, request, Action.APPROVE, Role.STANDING_RULE, made, now)


def approve_where_held(
    session: Session, request_id: str, nodes: Mapping[str, str], now: datetime, event: AuditEvent
) -> Request:
    """Record that the datasets in ``nodes`` (with the names of the nodes that hold each) are decided on there.

    Raises:
        DecisionNotAllowed: one of them is none of the request, or was decided on.
        NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPROVED, request_id)
    request = get_request(session, request_id)
    if not nodes or not nodes.keys() <= outstanding(session, request):
        raise DecisionNotAllowed(
            "only datasets of the request that await a decision are decided on elsewhere"
        )
    made = [
        Decision(
            kind=DecisionKind.HOLDER,
            decided_by=names,
            role=Role.NODE,
            reason="decided on where the data is held, each time it is asked for",
            dataset=dataset,
            valid_until=None,
        )
        for dataset, names in sorted(nodes.items())
    ]
    return _decide(session, request, Action.APPROVE, Role.NODE, made, now)


def supersede(session: Session, request_id: str, event: AuditEvent) -> Request:
    """The plan that was reviewed is no longer the plan that would run: the request has to be asked again.

    Raises:
        NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_SUPERSEDED, request_id)
    return _decide(session, get_request(session, request_id), Action.SUPERSEDE, Role.NODE, [], event.time)


def get_request(session: Session, request_id: str) -> Request:
    """The request as stored (validity at use is ``validity.check_use``'s).

    Raises:
        NotFound: there is none of this id.
    """
    request = session.get(Request, request_id, populate_existing=True)
    if request is None:
        raise NotFound(f"there is no request {request_id}")
    return request


def list_requests(
    session: Session,
    *,
    requester: str | None = None,
    custodian: str | None = None,
    state: RequestState | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Sequence[Request]:
    """Requests, the newest first: of one requester, on data of one custodian body, in one stored state."""
    query = select(Request).order_by(Request.created_at.desc(), Request.id).limit(limit).offset(offset)
    if requester is not None:
        query = query.where(Request.requester == requester)
    if state is not None:
        query = query.where(Request.state == state)
    if custodian is not None:
        query = query.where(Request.datasets.any(RequestDataset.custodian == custodian))
    return session.scalars(query).all()


def same_question(
    session: Session, *, body: str, agreement: str, purpose: str, sql: str
) -> Sequence[Request]:
    """Requests of a body for the very same text under the same terms, the newest first."""
    query = select(Request).where(
        Request.body == body,
        Request.agreement == agreement,
        Request.purpose == purpose,
        Request.sql == sql,
    )
    return session.scalars(query.order_by(Request.created_at.desc(), Request.id)).all()


def decisions(session: Session, request_id: str) -> Sequence[Decision]:
    """All decisions on a request in the order in which they were made."""
    return session.scalars(
        select(Decision).where(Decision.request_id == request_id).order_by(Decision.id)
    ).all()


def outstanding(session: Session, request: Request) -> frozenset[str]:
    """The datasets of a request on which nobody has decided yet."""
    decided = {decision.dataset for decision in decisions(session, request.id)}
    return frozenset(request.custodians) - decided


def _decide_person(
    session: Session, request_id: str, action: Action, verdict: Verdict, now: datetime
) -> Request:
    request = get_request(session, request_id)
    allowed = may_decide(verdict.officer, request.requester, request.custodians)
    if isinstance(allowed, MayNotDecide):
        raise DecisionNotAllowed(allowed.reason.message)
    if verdict.plan_digest != request.plan_digest:
        raise PlanChanged(
            "the decision is about another plan than the one that was submitted: review it again"
        )
    made = [
        Decision(
            kind=DecisionKind.PERSON,
            decided_by=verdict.officer.subject,
            role=Role.CUSTODIAN,
            reason=verdict.reason,
            dataset=dataset,
            valid_until=verdict.valid_until,
        )
        for dataset in allowed.datasets
    ]
    if action is Action.APPROVE:
        waiting = outstanding(session, request)
        made = [decision for decision in made if decision.dataset in waiting]
        if not made:
            raise TransitionNotAllowed("your body has already decided on this request")
    return _decide(session, request, action, Role.CUSTODIAN, made, now)


def _decide(
    session: Session, request: Request, action: Action, role: Role, made: Sequence[Decision], now: datetime
) -> Request:
    """Store the decisions and take the step of the life cycle, if nobody else has taken one in the meantime."""
    waiting = outstanding(session, request) - {decision.dataset for decision in made}
    step = request_transition(request.state, action, role, others_outstanding=bool(waiting))
    if step is None:
        raise TransitionNotAllowed(f"a request that is {request.state} cannot be changed by: {action}")
    change = (
        update(Request)
        .where(Request.id == request.id, Request.state == request.state, Request.revision == request.revision)
        .values(state=step.target, revision=request.revision + 1)
        .returning(Request.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalars(change).one_or_none() is None:
        raise TransitionNotAllowed("somebody else decided on this request first")
    for decision in made:
        decision.request_id = request.id
        decision.custodian = request.custodians[decision.dataset]
        decision.outcome = _OUTCOMES[action]
        decision.plan_digest = request.plan_digest
        decision.decided_at = now
    session.add_all(made)
    session.flush()
    session.refresh(request)
    return request
