"""Decisions on requests: of persons, of what they decided in advance, and what the node enters for others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from catalogue.models import StandardQuery, StandingRule
from federation.audit.events import AuditAction, AuditEvent
from federation.state.authority import MayDecide, MayNotDecide, Officer, may_decide
from federation.state.changes import record
from federation.state.errors import DecisionNotAllowed, PlanChanged, TransitionNotAllowed
from federation.state.lifecycle import UNDECIDED, Action, Role
from federation.state.models import Decision, DecisionKind, Outcome, RefusalReason, Request
from federation.state.request_steps import Step, take
from federation.state.requests import decisions, get_request, suspended, undecided
from federation.state.validity import Ground, day_bound


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decides, having reviewed the plan with this digest.

    Of an approval: ``valid_until`` (None: no end of its own), ``conditions`` that the requester has to accept first,
    and the number of releases that it is good for. Of a refusal: its ``code``.
    """

    officer: Officer
    reason: str
    plan_digest: str
    valid_until: datetime | None = None
    conditions: str | None = None
    maximum_runs: int | None = None
    code: RefusalReason | None = None


def take_up(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """A custodian's officer begins to review: who asked sees it.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_TAKEN_UP, request_id)
    request, _, _ = _permitted(session, request_id, verdict)
    return take(session, request, Step(Action.TAKE_UP, verdict.officer.role), now)


def approve(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """An officer approves for the datasets that their body decides on; the last approval that is needed approves all.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPROVED, request_id)
    request, datasets, before = _permitted(session, request_id, verdict)
    own = to_approve(verdict.officer, datasets, request, before)
    if not own:
        raise TransitionNotAllowed("your body has already decided on this request")
    made = _made(
        verdict,
        own,
        valid_until=verdict.valid_until,
        conditions=verdict.conditions or None,
        maximum_runs=verdict.maximum_runs,
    )
    return _approve(session, request, verdict.officer.role, made, before, now)


def refuse(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """An officer refuses for the datasets that their body decides on, and with that the request.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_REFUSED, request_id)
    request, datasets, _ = _permitted(session, request_id, verdict)
    made = _made(verdict, datasets, code=verdict.code or RefusalReason.OTHER)
    return take(session, request, Step(Action.REFUSE, verdict.officer.role, made), now)


def send_back(
    session: Session,
    request_id: str,
    verdict: Verdict,
    lapses_at: datetime,
    now: datetime,
    event: AuditEvent,
) -> Request:
    """An officer returns a request with comments, to be submitted again by ``lapses_at``. Nothing is erased.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_RETURNED, request_id)
    request, datasets, _ = _permitted(session, request_id, verdict)
    values = {"lapses_at": lapses_at}
    step = Step(Action.RETURN, verdict.officer.role, _made(verdict, datasets), values=values)
    return take(session, request, step, now)


def suspend(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """An officer stops the use of an approval until it is resumed, for the datasets that their body decides on.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_SUSPENDED, request_id)
    request, datasets, before = _permitted(session, request_id, verdict)
    own = [name for name in datasets if name not in suspended(before)]
    if not own:
        raise TransitionNotAllowed("your body has suspended this request already")
    return take(session, request, Step(Action.SUSPEND, verdict.officer.role, _made(verdict, own)), now)


def resume(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """An officer lets a suspended approval be used again; it is when nobody else has suspended it too.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_RESUMED, request_id)
    request, datasets, before = _permitted(session, request_id, verdict)
    stopped = suspended(before)
    own = [name for name in datasets if name in stopped]
    if stopped and not own:
        raise TransitionNotAllowed("another custodian suspended this request, and resumes it")
    waiting = stopped - set(own)
    return take(
        session, request, Step(Action.RESUME, verdict.officer.role, _made(verdict, own), waiting), now
    )


def revoke(session: Session, request_id: str, verdict: Verdict, now: datetime, event: AuditEvent) -> Request:
    """An officer takes the approval back for good: nothing runs or finishes under it any more.

    Raises:
        DecisionNotAllowed, NotFound, PlanChanged, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_REVOKED, request_id)
    request, datasets, _ = _permitted(session, request_id, verdict)
    return take(session, request, Step(Action.REVOKE, verdict.officer.role, _made(verdict, datasets)), now)


def approve_by_rules(
    session: Session, request_id: str, rules: Mapping[str, StandingRule], now: datetime, event: AuditEvent
) -> Request:
    """Standing rules decide on the datasets that they cover (``standing.covering_rules``), each named as what decided.

    Raises:
        DecisionNotAllowed: there is no rule, or one is about another dataset or body, or was made by the requester.
        NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPROVED, request_id)
    request, before = _in_advance(session, request_id, rules)
    for dataset, rule in rules.items():
        if rule.dataset != dataset or rule.body != request.body or rule.decided_by == request.requester:
            raise DecisionNotAllowed(f"the standing rule {rule.rule} does not decide on this request")
    made = [
        Decision(
            kind=DecisionKind.STANDING_RULE,
            decided_by=rule.rule,
            reason=rule.title,
            dataset=dataset,
            custodian=request.custodians[dataset],
            valid_until=day_bound(Ground.STANDING_RULE, rule.rule, None, rule.until).until,
        )
        for dataset, rule in sorted(rules.items())
    ]
    return _approve(session, request, Role.STANDING_RULE, made, before, now)


def approve_by_standard_query(
    session: Session,
    request_id: str,
    query: StandardQuery,
    datasets: Set[str],
    now: datetime,
    event: AuditEvent,
) -> Request:
    """A standard query decides on the datasets of the custodians that published it, named as what decided.

    Raises:
        DecisionNotAllowed: it was not decided by a custodian of one of them, or by the requester.
        NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_APPROVED, request_id)
    request, before = _in_advance(session, request_id, dict.fromkeys(datasets))
    for dataset in datasets:
        decided_by = query.decided_by.get(request.custodians[dataset])
        if decided_by is None or decided_by == request.requester or request.sql != query.sql:
            raise DecisionNotAllowed(f"the standard query {query.query} does not decide on this request")
    made = [
        Decision(
            kind=DecisionKind.STANDARD_QUERY,
            decided_by=query.query,
            reason=query.title,
            dataset=dataset,
            custodian=request.custodians[dataset],
            valid_until=day_bound(Ground.STANDARD_QUERY, query.query, None, query.until).until,
        )
        for dataset in sorted(datasets)
    ]
    return _approve(session, request, Role.STANDARD_QUERY, made, before, now)


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
    before = decisions(session, request_id)
    if not nodes or not nodes.keys() <= undecided(request, before):
        raise DecisionNotAllowed(
            "only datasets of the request that await a decision are decided on elsewhere"
        )
    made = [
        Decision(
            kind=DecisionKind.HOLDER,
            decided_by=names,
            reason="decided on where the data is held, each time it is asked for",
            dataset=dataset,
            custodian=request.custodians[dataset],
        )
        for dataset, names in sorted(nodes.items())
    ]
    return _approve(session, request, Role.NODE, made, before, now)


def supersede(session: Session, request_id: str, event: AuditEvent) -> Request:
    """What would run is no longer what was reviewed, or another request was approved in this one's place.

    Raises:
        NotFound, TransitionNotAllowed: nothing was changed.
    """
    record(session, event, AuditAction.REQUEST_SUPERSEDED, request_id)
    return take(session, get_request(session, request_id), Step(Action.SUPERSEDE, Role.NODE), event.time)


def of_this_version(request: Request, made: Iterable[Decision]) -> list[Decision]:
    """Those decisions among ``made`` that are about what was submitted last."""
    return [each for each in made if each.version == request.version]


def decides(officer: Officer, request: Request, before: Iterable[Decision]) -> MayDecide | MayNotDecide:
    """Whether an officer decides on a request now, with the decisions on this version ``before``.

    Who refused does not decide on the appeal, but may stop what was approved then.
    """
    refused_by = {each.decided_by for each in before if each.outcome is Outcome.REFUSE}
    if request.state not in UNDECIDED:
        refused_by = set()
    return may_decide(officer, request.requester, request.quorums, refused_by)


def to_approve(
    officer: Officer, datasets: Iterable[str], request: Request, before: Sequence[Decision]
) -> list[str]:
    """Those of an officer's ``datasets`` that need more approvals, of which the officer has not given one."""
    given = {each.dataset for each in before if each.decided_by == officer.subject}
    waiting = undecided(request, before)
    return [name for name in datasets if name in waiting and name not in given]


def _permitted(
    session: Session, request_id: str, verdict: Verdict
) -> tuple[Request, tuple[str, ...], list[Decision]]:
    """The request, the datasets that the officer decides on, and the decisions on this version before."""
    request = get_request(session, request_id)
    before = of_this_version(request, decisions(session, request_id))
    allowed = decides(verdict.officer, request, before)
    if isinstance(allowed, MayNotDecide):
        raise DecisionNotAllowed(allowed.reason.message)
    if verdict.plan_digest != request.plan_digest:
        raise PlanChanged(
            "the decision is about another plan than the one that was submitted: review it again"
        )
    return request, allowed.datasets, before


def _made(verdict: Verdict, datasets: Iterable[str], **more: Any) -> list[Decision]:  # noqa: ANN401
    return [
        Decision(
            kind=DecisionKind.PERSON,
            decided_by=verdict.officer.subject,
            custodian=verdict.officer.body,
            delegation=None if verdict.officer.delegation is None else dict(verdict.officer.delegation),
            reason=verdict.reason,
            dataset=dataset,
            **more,
        )
        for dataset in datasets
    ]


def _in_advance(
    session: Session, request_id: str, decided: Mapping[str, object]
) -> tuple[Request, list[Decision]]:
    """The request, if what was decided in advance decides on these datasets of it.

    Where a profile asks for several persons, they have to look at each request.
    """
    request = get_request(session, request_id)
    before = list(decisions(session, request_id))
    if not decided or not decided.keys() <= undecided(request, before):
        raise DecisionNotAllowed(
            "what was decided in advance is about datasets of the request on which nobody has decided yet"
        )
    if any(request.quorums[dataset].persons > 1 for dataset in decided):
        raise DecisionNotAllowed("where several persons have to decide, nothing is decided in advance")
    return request, before


def _approve(
    session: Session,
    request: Request,
    role: Role,
    made: list[Decision],
    before: Sequence[Decision],
    now: datetime,
) -> Request:
    for decision in made:
        decision.outcome, decision.version = Outcome.APPROVE, request.version
    waiting = undecided(request, [*before, *made])
    return take(session, request, Step(Action.APPROVE, role, made, waiting), now)
