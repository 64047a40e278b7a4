"""What custodians do about requests on their data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue, text_digest
from federation.identity.principal import Principal
from federation.identity.recorded import delegation_of, for_whom
from federation.service.consequences import follow
from federation.service.errors import Fault, ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.once import Once, act
from federation.service.permissions import Act, permitted, require
from federation.service.request_views import request_view
from federation.service.requests import lapse, visible
from federation.service.views import RequestView
from federation.state import deciding as store
from federation.state.authority import Officer
from federation.state.deciding import Verdict
from federation.state.models import RefusalReason, Request


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a custodian decides.

    ``plan_digest`` names the plan that was reviewed; None: the one that there is. An approval may end
    (``valid_until``), have conditions to accept first, and be good for a number of releases; a refusal has a code.
    """

    reason: str
    plan_digest: str | None = None
    valid_until: datetime | None = None
    conditions: str | None = None
    maximum_runs: int | None = None
    code: RefusalReason | None = None


def take_up(node: Node, principal: Principal, request_id: str, once: Once | None = None) -> RequestView:
    """A custodian begins to review: who asked sees that somebody is at it."""
    return _decide(node, principal, request_id, AuditAction.REQUEST_TAKEN_UP, store.take_up, Ruling(""), once)


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
    return _decide(node, principal, request_id, action, store.approve, ruling, once, until)


def refuse(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian refuses, and with that the request is refused."""
    return _decide(node, principal, request_id, AuditAction.REQUEST_REFUSED, store.refuse, ruling, once)


def send_back(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian returns a request with comments, to be changed and submitted again."""
    step = partial(_send_back, lapse(node, node.clock()))
    return _decide(node, principal, request_id, AuditAction.REQUEST_RETURNED, step, ruling, once)


def suspend(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian stops the use of an approval for a time; what runs under it ends."""
    return _decide(node, principal, request_id, AuditAction.REQUEST_SUSPENDED, store.suspend, ruling, once)


def resume(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian lets an approval be used again that it had suspended."""
    return _decide(node, principal, request_id, AuditAction.REQUEST_RESUMED, store.resume, ruling, once)


def revoke(
    node: Node, principal: Principal, request_id: str, ruling: Ruling, once: Once | None = None
) -> RequestView:
    """A custodian takes an approval back: nothing runs or finishes under it any more."""
    return _decide(node, principal, request_id, AuditAction.REQUEST_REVOKED, store.revoke, ruling, once)


REVIEWED = frozenset(
    {AuditAction.REQUEST_APPROVED, AuditAction.REQUEST_REFUSED, AuditAction.REQUEST_RETURNED}
)
"""What reviewers do, too; to stop the use of an approval is for custodians."""

Step = Callable[[Session, str, Verdict, datetime, AuditEvent], Request]


def _send_back(
    lapses_at: datetime, session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent
) -> Request:
    return store.send_back(session, request_id, verdict, lapses_at, now, event)


def _decide(
    node: Node,
    principal: Principal,
    request_id: str,
    action: AuditAction,
    step: Step,
    ruling: Ruling,
    once: Once | None,
    until: datetime | None = None,
) -> RequestView:
    if action not in REVIEWED or not permitted(principal, Act.REVIEW):
        require(principal, Act.DECIDE)
    now = node.clock()
    officer = officer_of(principal)

    def do(session: Session) -> RequestView:
        request = visible(session, principal, request_id)
        digest = request.plan_digest if ruling.plan_digest is None else ruling.plan_digest
        verdict = Verdict(
            officer, ruling.reason, digest, until, ruling.conditions, ruling.maximum_runs, ruling.code
        )
        event = AuditEvent(principal.subject, action, request_id, now, _details(principal, verdict))
        decided = step(session, request_id, verdict, now, event)
        follow(session, decided, action, principal.subject, now)
        return request_view(node, session, decided, now)

    return act(node.database, once, RequestView, now, do)


def officer_of(principal: Principal) -> Officer:
    """Who is signed in, as the state knows those who decide."""
    return Officer(
        principal.subject,
        principal.body,
        is_custodian=permitted(principal, Act.DECIDE),
        is_reviewer=permitted(principal, Act.REVIEW),
        delegation=delegation_of(principal),
    )


def _details(principal: Principal, verdict: Verdict) -> dict[Detail, DetailValue]:
    details: dict[Detail, DetailValue] = {
        **for_whom(principal),
        Detail.ROLE: str(verdict.officer.role),
        Detail.PLAN_DIGEST: verdict.plan_digest,
        Detail.REASON_DIGEST: text_digest(verdict.reason),
    }
    if verdict.conditions is not None:
        details[Detail.CONDITIONS_DIGEST] = text_digest(verdict.conditions)
    if verdict.maximum_runs is not None:
        details[Detail.MAXIMUM_RUNS] = verdict.maximum_runs
    if verdict.code is not None:
        details[Detail.CODE] = str(verdict.code)
    return details
