"""Dry runs: a request's plan on the data, looked at before deciding by those who decide. Nothing is released.

The plan takes the way of a run, from the compiler to protection, and what comes back are numbers of cells and of
contributors. True numbers say something about people: whoever looks decides on the data that is looked at, others never
see it, and the audit trail knows of it before the source does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from catalogue.fragment import SourceError
from catalogue.held import Local
from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.holders.examining import Examined, ExaminingHolder
from federation.identity.principal import Principal
from federation.identity.recorded import for_whom
from federation.runs.answering import Bounds
from federation.runs.outcomes import RunFault
from federation.sandbox.model import PresentationError
from federation.service import plans
from federation.service.compiling import Question
from federation.service.decisions import officer_of
from federation.service.dry_run_faults import failed
from federation.service.errors import ServiceCode, ServiceError, refused
from federation.service.node import Node
from federation.service.once import Once, act, answered
from federation.service.permissions import Act, permitted, require
from federation.service.questions import Value, compile_question, question_of
from federation.service.requests import visible
from federation.service.runs import bound_values
from federation.service.use import ask_of
from federation.state import dry_runs as store
from federation.state import requests
from federation.state.authority import MayNotDecide
from federation.state.deciding import decides, of_this_version
from federation.state.lifecycle import UNDECIDED
from federation.state.models import DryRun, Request
from federation.state.request_steps import state_now
from policies.plan import CellQuery, ClearedPlan
from policies.protect import Contributing, ProtectError
from policies.refusals import RefusalError

KEPT_SHOWN = 20
BUSY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class FiredRule:
    """A rule, and of how many cells it withholds a figure; several can fire on one."""

    rule: str
    meaning: str
    cells: int


@dataclass(frozen=True, slots=True)
class ContributorsView:
    """True numbers of contributors. ``fewest`` is of all cells that somebody is in, ``fewest_published`` of those
    with a figure that would be published; ``small`` counts the cells that somebody is in, but fewer than ``minimum``.
    """

    unit: str
    minimum: int
    fewest: int | None
    fewest_published: int | None
    small: int


@dataclass(frozen=True, slots=True)
class PartView:
    """What becomes of the cells of one cell query: all their figures published, some, or none. ``empty`` are those that
    nobody is in."""

    datasets: list[str]
    snapshot: str
    cells: int
    published: int
    partly: int
    withheld: int
    empty: int
    contributors: ContributorsView | None
    second_units: ContributorsView | None
    rules: list[FiredRule]


@dataclass(frozen=True, slots=True)
class DryRunView:
    """What a dry run found. ``passed_over`` cell queries were not looked at, since others decide on them as well."""

    request: str
    version: int
    plan_digest: str
    parameters: dict[str, Any]
    parts: list[PartView]
    passed_over: int
    made_by: str
    body: str
    made_at: datetime


_PARTS = TypeAdapter(list[PartView])


def start(
    node: Node, principal: Principal, request_id: str, values: Mapping[str, Value], once: Once | None = None
) -> DryRunView:
    """Run a request that awaits a decision for those datasets that the principal decides on, and keep what it shows.

    Raises:
        ServiceError: NOT_PERMITTED, NOT_FOUND; DECISION_NOT_ALLOWED for who does not decide on it, or on no part of it
            alone; WRONG_STATE once it is decided on; PLAN_CHANGED where another plan would run; INVALID_REQUEST for a
            value outside its domain; QUERY_REFUSED; TOO_MANY_REQUESTS; DRY_RUN_FAILED with the reason.
    """
    if not permitted(principal, Act.REVIEW):
        require(principal, Act.DECIDE)
    before = answered(node.database, once, DryRunView)
    if before is not None:
        return before
    with node.database.read() as session:
        request = visible(session, principal, request_id)
        allowed = _datasets(session, principal, request)
    if state_now(request, node.clock()) not in UNDECIDED:
        raise ServiceError(ServiceCode.WRONG_STATE, "a dry run is for a request that awaits a decision")
    plan, question = _plan(node, request, bound_values(ask_of(request).domains, values))
    if not any(looks_at(node, query, allowed) for query in plans.cell_queries(plan)):
        raise _others_decide(node, plan, allowed)
    if not node.dry_runs.acquire(blocking=False):
        detail = "this node does as many dry runs as it can at a time: try again shortly"
        raise ServiceError(ServiceCode.TOO_MANY_REQUESTS, detail, retry_after=BUSY_SECONDS)
    try:
        holder = _looked(node, principal, request, plan, question, allowed)
    finally:
        node.dry_runs.release()
    now = node.clock()
    parts = [_part(node, each) for each in holder.examined]
    snapshots = tuple(dict.fromkeys(each.snapshot for each in parts))
    details = _details(principal, request, allowed) | {Detail.SNAPSHOTS: snapshots}

    def do(session: Session) -> DryRunView:
        made = DryRun(
            request_id=request.id,
            version=request.version,
            plan_digest=request.plan_digest,
            parameters=dict(question.parameters),
            parts=_PARTS.dump_python(parts, mode="json"),
            passed_over=holder.passed_over,
            made_by=principal.subject,
            body=principal.body,
            made_at=now,
        )
        event = AuditEvent(principal.subject, AuditAction.DRY_RUN_DONE, request.id, now, details)
        return _view(store.add_dry_run(session, made, event), parts)

    return act(node.database, once, DryRunView, now, do)


def listing(session: Session, principal: Principal, request: Request) -> list[DryRunView]:
    """The dry runs of what was submitted last, the newest first: the parts on whose data the principal decides.

    An auditor sees that each took place, and nothing of what it found.
    """
    try:
        allowed = _datasets(session, principal, request)
    except ServiceError:
        allowed = frozenset()
    found = []
    for made in store.dry_runs(session, request.id, request.plan_digest, KEPT_SHOWN):
        parts = [part for part in _PARTS.validate_python(made.parts) if allowed.issuperset(part.datasets)]
        if parts or permitted(principal, Act.SEE_ALL):
            found.append(_view(made, parts))
    return found


def possible(node: Node, session: Session, principal: Principal, request: Request, plan: ClearedPlan) -> bool:
    """Whether the principal may look at any part of a request's plan now."""
    if not permitted(principal, Act.SEE_CUSTODY) or state_now(request, node.clock()) not in UNDECIDED:
        return False
    try:
        allowed = _datasets(session, principal, request)
    except ServiceError:
        return False
    return any(looks_at(node, query, allowed) for query in plans.cell_queries(plan))


def looks_at(node: Node, query: CellQuery, allowed: frozenset[str]) -> bool:
    """Whether a cell query reads nothing but data of this node that is among ``allowed``."""
    return all(_looked_at(node, name, allowed) for name in plans.datasets_of(query, node.catalogue))


def _looked_at(node: Node, dataset: str, allowed: frozenset[str]) -> bool:
    return dataset in allowed and isinstance(node.catalogue.datasets[dataset].held, Local)


def _others_decide(node: Node, plan: ClearedPlan, allowed: frozenset[str]) -> ServiceError:
    """The refusal of a look at a plan of which no part is among ``allowed`` alone."""
    custodians = plans.custodians(plan, node.catalogue)
    others = [f"{name} ({body})" for name, body in custodians.items() if not _looked_at(node, name, allowed)]
    return ServiceError(
        ServiceCode.DECISION_NOT_ALLOWED,
        f"every part of it reads, or rests on, data that others decide on or hold: {', '.join(others)}; "
        "decide by what else there is",
    )


def _datasets(session: Session, principal: Principal, request: Request) -> frozenset[str]:
    """The datasets of a request on which the principal decides. Raises ServiceError DECISION_NOT_ALLOWED for none."""
    made = of_this_version(request, requests.decisions(session, request.id))
    found = decides(officer_of(principal), request, made)
    if isinstance(found, MayNotDecide):
        raise ServiceError(ServiceCode.DECISION_NOT_ALLOWED, found.reason.message)
    return frozenset(found.datasets)


def _plan(node: Node, request: Request, parameters: Mapping[str, Value]) -> tuple[ClearedPlan, Question]:
    """The plan with these values, if what was submitted still compiles to what it was; and its question."""
    ask, today = ask_of(request), request.created_at.date()
    question = question_of(node, request.body, ask, today, parameters)
    try:
        reviewed = compile_question(node, question_of(node, request.body, ask, today))
        if reviewed.digest != request.plan_digest:
            detail = "what would run is no longer what was submitted: return it, to be submitted again"
            raise ServiceError(ServiceCode.PLAN_CHANGED, detail)
        return compile_question(node, question) if parameters else reviewed, question
    except RefusalError as error:
        raise refused(error.refusals) from None


def _looked(
    node: Node,
    principal: Principal,
    request: Request,
    plan: ClearedPlan,
    question: Question,
    allowed: frozenset[str],
) -> ExaminingHolder:
    """The holder of a dry run, after it: with the cell queries that it looked at."""
    details = _details(principal, request, allowed)
    # Committed before the source hears anything: if it can't be written, nothing is looked at.
    _record(
        node, AuditEvent(principal.subject, AuditAction.DRY_RUN_STARTED, request.id, node.clock(), details)
    )
    holder = ExaminingHolder(node.local, lambda query: looks_at(node, query, allowed))

    def recompile(values: tuple[Decimal | None, ...]) -> ClearedPlan:
        return compile_question(node, replace(question, stage_values=values))

    deadline = time.monotonic() + node.settings.limits.run_seconds
    bounds = Bounds(deadline, threading.Event(), _silent, _silent)
    try:
        replace(node.answering, holder=holder).gather(plan, recompile, bounds)
    except (SourceError, PresentationError) as error:
        fault = str(error.fault)
    except RefusalError:
        fault = str(RunFault.REFUSED)
    except ProtectError:
        fault = str(RunFault.PROTECTION_FAILED)
    except ServiceError as error:
        fault = str(error.code)
    else:
        if holder.examined:
            return holder
        # What it reads of one's own data rests on a threshold of others' data.
        fault = str(ServiceCode.DECISION_NOT_ALLOWED)
    ended = details | {Detail.CODE: fault}
    _record(node, AuditEvent(principal.subject, AuditAction.DRY_RUN_FAILED, request.id, node.clock(), ended))
    if fault == ServiceCode.DECISION_NOT_ALLOWED:
        raise _others_decide(node, plan, allowed)
    raise failed(fault)


def _record(node: Node, event: AuditEvent) -> None:
    with node.database.write() as session:
        append(session, event)


def _silent(_: object) -> None:
    """Nobody waits for how far it is."""


def _details(principal: Principal, request: Request, allowed: frozenset[str]) -> dict[Detail, DetailValue]:
    return {
        **for_whom(principal),
        Detail.DATASETS: tuple(sorted(allowed)),
        Detail.PLAN_DIGEST: request.plan_digest,
    }


def _part(node: Node, examined: Examined) -> PartView:
    query, evidence = examined.query, examined.evidence
    unit = node.catalogue.datasets[query.dataset].document.unit
    return PartView(
        datasets=sorted(plans.datasets_of(query, node.catalogue)),
        snapshot=examined.snapshot,
        cells=evidence.cells,
        published=evidence.cells - evidence.partly - evidence.withheld,
        partly=evidence.partly,
        withheld=evidence.withheld,
        empty=evidence.empty,
        contributors=_contributors(evidence.contributors, unit.plural),
        second_units=_contributors(evidence.second_units, "" if unit.second is None else unit.second.name),
        rules=[FiredRule(str(rule), rule.meaning, cells) for rule, cells in evidence.rules.items()],
    )


def _contributors(found: Contributing | None, unit: str) -> ContributorsView | None:
    if found is None:
        return None
    return ContributorsView(unit, found.minimum, found.fewest, found.fewest_published, found.small)


def _view(made: DryRun, parts: Sequence[PartView]) -> DryRunView:
    return DryRunView(
        request=made.request_id,
        version=made.version,
        plan_digest=made.plan_digest,
        parameters=dict(made.parameters),
        parts=list(parts),
        passed_over=made.passed_over,
        made_by=made.made_by,
        body=made.body,
        made_at=made.made_at,
    )
