"""What who asks does with a request: save, submit, appeal, accept conditions, withdraw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.errors import DecisionNotAllowed, TransitionNotAllowed
from federation.state.lifecycle import Action, RequestState, Role
from federation.state.models import (
    Decision,
    DecisionKind,
    Outcome,
    Request,
    RequestDataset,
    RequestReviewer,
    RequestVersion,
)
from federation.state.quorum import Quorum
from federation.state.request_steps import Step, take
from federation.state.requests import decisions, get_request, unaccepted


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A question to have approved. ``quorums`` says whose approval each dataset needs that it touches;
    ``versions`` has those of catalogue, profiles, p-tables and agreement that ``plan_digest`` covers.

    ``lapses_at``: by when somebody has to have decided. A draft has no plan, and touches nothing yet. ``delegation``:
    what lets the requester act for ``body``, where it is not their own.
    """

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
    quorums: Mapping[str, Quorum]
    justification: str = ""
    jointly_with: Sequence[str] = ()
    supersedes: str | None = None
    lapses_at: datetime | None = None
    delegation: Mapping[str, Any] | None = None


def save(session: Session, draft: NewRequest, now: datetime, event: AuditEvent) -> Request:
    """Keep a draft: a new one, or one that is a draft already with another text. Nobody is asked by that.

    Raises:
        DecisionNotAllowed: it is somebody else's, or was begun for another body.
        TransitionNotAllowed: it is no draft any more.
    """
    record(session, event, AuditAction.REQUEST_SAVED, draft.id)
    request = session.get(Request, draft.id, populate_existing=True)
    if request is None:
        return _add(session, draft, RequestState.DRAFT, 0, now)
    own(request, draft.requester, draft.body)
    return take(session, request, Step(Action.SAVE, Role.REQUESTER, values=_content(draft)), now)


def submit(session: Session, new: NewRequest, now: datetime, event: AuditEvent) -> Request:
    """Ask: a new request, a draft, or one that was returned, as its next version. Nothing is approved by that.

    Raises:
        DecisionNotAllowed: it is somebody else's, or was begun for another body.
        TransitionNotAllowed: it was submitted before, and not returned.
        ValueError: it touches no dataset, so that nobody could decide.
    """
    if not new.quorums:
        raise ValueError("a request touches at least one dataset")
    record(session, event, AuditAction.REQUEST_SUBMITTED, new.id)
    request = session.get(Request, new.id, populate_existing=True)
    if request is None:
        request = _add(session, new, RequestState.SUBMITTED, 1, now)
    else:
        own(request, new.requester, new.body)
        values = _content(new) | {"version": request.version + 1, "created_at": now}
        request = take(session, request, Step(Action.SUBMIT, Role.REQUESTER, values=values), now)
        request.datasets.clear()
        session.flush()
    request.datasets = [_dataset(request.id, name, quorum) for name, quorum in sorted(new.quorums.items())]
    session.add(
        RequestVersion(
            request_id=request.id,
            version=request.version,
            agreement=new.agreement,
            purpose=new.purpose,
            justification=new.justification,
            sql=new.sql,
            question=new.question,
            parameter_domain=dict(new.parameter_domain),
            plan_digest=new.plan_digest,
            submitted_at=now,
        )
    )
    session.flush()
    return request


def appeal(
    session: Session,
    request_id: str,
    requester: str,
    reason: str,
    lapses_at: datetime,
    now: datetime,
    event: AuditEvent,
) -> Request:
    """Have a refusal looked at by another reviewer than who refused, once. Approvals of other datasets stand.

    Raises:
        DecisionNotAllowed, NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPEALED, request_id)
    request = own(get_request(session, request_id), requester)
    before = [each for each in decisions(session, request_id) if each.version == request.version]
    if any(each.outcome is Outcome.APPEAL for each in before):
        raise TransitionNotAllowed("a refusal on appeal stands: ask anew, for something else")
    refused = {each.dataset: each.custodian for each in before if each.outcome is Outcome.REFUSE}
    step = Step(
        Action.APPEAL, Role.REQUESTER, _own_acts(requester, reason, refused), values={"lapses_at": lapses_at}
    )
    return take(session, request, step, now)


def accept(session: Session, request_id: str, requester: str, now: datetime, event: AuditEvent) -> Request:
    """Accept the conditions under which a request was approved; before that nothing runs.

    Raises:
        DecisionNotAllowed, NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_ACCEPTED, request_id)
    request = own(get_request(session, request_id), requester)
    conditions = {
        each.dataset: each.custodian for each in unaccepted(request, decisions(session, request_id))
    }
    if request.state is RequestState.APPROVED and not conditions:
        raise TransitionNotAllowed("the approval has no conditions that await acceptance")
    made = _own_acts(requester, "", conditions)
    return take(session, request, Step(Action.ACCEPT, Role.REQUESTER, made), now)


def withdraw(session: Session, request_id: str, requester: str, now: datetime, event: AuditEvent) -> Request:
    """Give a request up, whatever has become of it.

    Raises:
        DecisionNotAllowed, NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_WITHDRAWN, request_id)
    request = own(get_request(session, request_id), requester)
    return take(session, request, Step(Action.WITHDRAW, Role.REQUESTER), now)


def own(request: Request, subject: str, body: str | None = None) -> Request:
    if request.requester != subject:
        raise DecisionNotAllowed("only the person who asked can do this")
    if body not in (None, request.body):
        raise DecisionNotAllowed("it was asked for another body: act for that one")
    return request


def _own_acts(requester: str, reason: str, datasets: Mapping[str, str]) -> list[Decision]:
    """What the requester does about each of some datasets, named with the body that decided on it."""
    return [
        Decision(
            kind=DecisionKind.PERSON, decided_by=requester, reason=reason, dataset=dataset, custodian=body
        )
        for dataset, body in sorted(datasets.items())
    ]


def _content(new: NewRequest) -> dict[str, Any]:
    return {
        "agreement": new.agreement,
        "purpose": new.purpose,
        "justification": new.justification,
        "sql": new.sql,
        "question": new.question,
        "parameter_domain": dict(new.parameter_domain),
        "plan_digest": new.plan_digest,
        "versions": dict(new.versions),
        "supersedes": new.supersedes,
        "lapses_at": new.lapses_at,
        "delegation": None if new.delegation is None else dict(new.delegation),
    }


def _add(session: Session, new: NewRequest, state: RequestState, version: int, now: datetime) -> Request:
    request = Request(
        id=new.id,
        requester=new.requester,
        body=new.body,
        jointly_with=list(new.jointly_with),
        state=state,
        revision=0,
        version=version,
        created_at=now,
        **_content(new),
    )
    session.add(request)
    session.flush()
    return request


def _dataset(request_id: str, name: str, quorum: Quorum) -> RequestDataset:
    return RequestDataset(
        request_id=request_id,
        dataset=name,
        custodian=quorum.custodian,
        quorum=quorum.persons,
        organisations=quorum.organisations,
        reviewers=[
            RequestReviewer(request_id=request_id, dataset=name, body=body) for body in sorted(quorum.bodies)
        ],
    )
