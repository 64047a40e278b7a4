"""One run, from its claim to its release or to the reason why there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial

import structlog

from catalogue.fragment import SourceError, SourceFault
from federation.audit.chain import append
from federation.audit.events import AuditAction, AuditEvent, Detail, DetailValue
from federation.client.digest import DigestError
from federation.holders.protocol import Absent, Asker, Decided, Holder
from federation.identity.recorded import delegated
from federation.release.files import StorageError, StorageFull
from federation.release.statement import sign_statement
from federation.runs.answering import Answer, Bounds, HolderDeclined, HoldersUnavailable
from federation.runs.ledger import ledger_rows
from federation.runs.outcomes import RunFault
from federation.runs.provenance import Occasion, statement_of
from federation.runs.released_table import notes_of, released_table
from federation.runs.watch import Stop, Watch
from federation.sandbox.model import PresentationError
from federation.service import conditions_elsewhere
from federation.service.compiling import CompilerBusy, CompilerFault, CompilerTimeout, Question
from federation.service.node import Node
from federation.service.questions import question_of
from federation.service.runs import supersede
from federation.service.use import ask_of, beyond_decisions, use_of
from federation.state import requests, runs
from federation.state.changes import IdKind, new_id
from federation.state.errors import (
    AlreadyReleased,
    LeaseLost,
    NotReleasable,
    PartitionsExhausted,
    PartRecalled,
    RunCancelled,
    StateError,
)
from federation.state.lifecycle import RUNNABLE, RequestState
from federation.state.models import Decision, Request, Run
from federation.state.releases import NewRelease, count_releases, finish_run
from federation.state.steps import Lease
from policies.plan import CellQuery, ClearedPlan
from policies.protect import ProtectError
from policies.refusals import RefusalError

BUSY_SECONDS = 0.5
log = structlog.get_logger(__name__)


class _NoRelease(Exception):
    """The run ends without a release, for a reason with a stable code."""

    def __init__(self, fault: StrEnum, about: str | None = None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.about = about


class _Void(_NoRelease):
    """Nothing may be released: what the run rests on does not hold (any more)."""


class _Failed(_NoRelease):
    """Something did not work."""


@dataclass(frozen=True)
class _Case:
    """A claimed run with all that it rests on, as read after the claim."""

    node: Node
    lease: Lease
    run: Run
    request: Request
    decisions: Sequence[Decision]
    released: int
    watch: Watch
    run_at: datetime


def execute(node: Node, lease: Lease, watch: Watch) -> None:
    """Work on a claimed run until it has a release, or has ended, or is given back to the queue.

    Raises:
        StateError: the outcome could not be recorded; the lease runs out and the run is taken up again.
        StorageFull: there was no room for the release; the run is back in the queue, unless it was tried too often.
    """
    with node.database.read() as session:
        run = runs.get_run(session, lease.run_id)
        request = requests.get_request(session, run.request_id)
        decisions = requests.decisions(session, request.id)
        released = count_releases(session, request.id)
    case = _Case(node, lease, run, request, decisions, released, watch, node.clock())
    try:
        _release(case)
    except LeaseLost:
        log.info("run_lease_lost", run=lease.run_id)
    except AlreadyReleased:
        log.error("run_released_already", run=lease.run_id)
    except RunCancelled:
        _cancelled(case)
    except _Void as void:
        _end_with(case, AuditAction.RUN_VOIDED, runs.void_run, str(void.fault))
    except _Failed as failed:
        step = partial(runs.fail_run, about=failed.about)
        _end_with(case, AuditAction.RUN_FAILED, step, str(failed.fault))
    except StorageFull:
        _give_back(case, {Detail.CODE: str(RunFault.STORAGE_FULL)})
        raise
    except StateError:
        raise
    except Exception as error:  # noqa: BLE001  # its text may hold a value, so it ends here
        log.error("run_failed", run=lease.run_id, kind=type(error).__name__)
        _end_with(case, AuditAction.RUN_FAILED, runs.fail_run, str(RunFault.INTERNAL))


def _release(case: _Case) -> None:
    plan, question = _checked_plan(case)
    answer = _answer(case, plan, question)
    if case.watch.is_set():
        raise _stopped(case)
    _issue(case, answer, question)


def _checked_plan(case: _Case) -> tuple[ClearedPlan, Question]:
    """The plan as it compiles now, if it is the one that was approved and the approval holds; and its question."""
    node, request = case.node, case.request
    ask, today = ask_of(request), request.created_at.date()
    try:
        reviewed = _compile(case, question_of(node, request.body, ask, today)).digest
    except RefusalError:
        reviewed = ""
    use = use_of(node.catalogue, request, case.decisions, reviewed, case.released, node.clock())
    if use.state is RequestState.SUPERSEDED:
        if request.state in RUNNABLE:
            supersede(node, request)
        raise _Void(RunFault.SUPERSEDED)
    if not use.usable:
        raise _Void(RunFault.NOT_USABLE)
    question = question_of(node, request.body, ask, today, case.run.parameters)
    try:
        return _decided(case, _compile(case, question)), question
    except RefusalError:
        raise _Failed(RunFault.REFUSED) from None


def _decided(case: _Case, plan: ClearedPlan) -> ClearedPlan:
    """``plan``, if the decisions on the request are about all that it reads."""
    if beyond_decisions(case.node, case.request, case.decisions, plan):
        raise _Void(RunFault.NOT_USABLE)
    return plan


def _compile(case: _Case, question: Question) -> ClearedPlan:
    """Compile, however long the compiler is busy with others.

    Raises:
        RefusalError: the question is refused.
    """
    while True:
        try:
            return case.node.compiler.compile(question)
        except CompilerBusy:
            if case.watch.is_set():
                raise _stopped(case) from None
            time.sleep(BUSY_SECONDS)
        except (CompilerTimeout, CompilerFault):
            raise _Failed(RunFault.COMPILER) from None


def _answer(case: _Case, plan: ClearedPlan, question: Question) -> Answer:
    def before(query: CellQuery) -> None:
        """The event is committed before the source hears anything: if it can't be written, nothing runs."""
        if case.watch.is_set():
            raise _stopped(case)
        details: dict[Detail, DetailValue] = {
            Detail.RUN: case.lease.run_id,
            Detail.REQUEST: case.request.id,
            Detail.DATASETS: (query.dataset,),
            Detail.CELLS: query.size,
            Detail.PLAN_DIGEST: case.request.plan_digest,
        }
        with case.node.database.write() as session:
            append(session, _event(case, AuditAction.FRAGMENT_STARTED, case.lease.run_id, details))

    def progress(percent: int) -> None:
        case.watch.progress = percent

    def recompile(values: tuple[Decimal | None, ...]) -> ClearedPlan:
        """With the protected answers of the stages bound; a hidden one hides everything above it."""
        return _decided(case, _compile(case, replace(question, stage_values=values)))

    deadline = time.monotonic() + case.node.settings.limits.run_seconds
    holder: Holder = case.node.holders.on_behalf_of(_asker(case))
    if case.request.jointly_with:
        holder = case.node.joint
    answering = replace(case.node.answering, holder=holder)
    try:
        answer = answering.answer(plan, recompile, Bounds(deadline, case.watch, before, progress))
        _learn(case, answer.absent)
        return answer
    except SourceError as error:
        if error.fault is SourceFault.CANCELLED:
            raise _stopped(case) from None
        kind = _Void if error.fault is SourceFault.CHANGED else _Failed
        raise kind(error.fault) from None
    except PresentationError as error:
        raise _Failed(error.fault) from None
    except RefusalError:
        raise _Failed(RunFault.REFUSED) from None
    except ProtectError:
        raise _Failed(RunFault.PROTECTION_FAILED) from None
    except HolderDeclined:
        raise _Void(RunFault.HOLDER_DECLINED) from None
    except HoldersUnavailable as error:
        _learn(case, error.absent)
        raise _Failed(RunFault.HOLDERS_UNAVAILABLE, "; ".join(map(str, error.absent))) from None


def _asker(case: _Case) -> Asker:
    request = case.request
    approvals = [
        Decided(d.dataset, d.custodian, d.kind.value, d.decided_by, d.decided_at, d.valid_until)
        for d in requests.approvals(request, case.decisions)
    ]
    return Asker(
        request.requester,
        request.body,
        request.agreement,
        request.purpose,
        request.id,
        request.plan_digest,
        tuple(approvals),
        delegated(request.delegation),
        conditions_elsewhere.agreed(case.node, request.id),
        request.justification,
    )


def _learn(case: _Case, absent: Sequence[Absent]) -> None:
    """Keep what nodes want to have accepted first: who asked finds it with the request."""
    conditions_elsewhere.learn(case.node, case.request.id, case.lease.run_id, case.lease.owner, absent)


def _issue(case: _Case, answer: Answer, question: Question) -> None:
    """Put the files in place, then commit release, ledger, end of the run and audit event together."""
    node, request = case.node, case.request
    table = released_table(answer)
    notes = notes_of(answer, table, lambda: _coarser(node, question))
    epoch = node.key_epoch
    now = node.clock()
    release_id = new_id(IdKind.RELEASE)
    occasion = Occasion(release_id, case.run, request, case.decisions, case.run_at, now)
    try:
        statement = statement_of(occasion, answer, table, notes, node.catalogue, node.settings.node, epoch)
        signed = sign_statement(statement, node.signing_key)
        stored = node.files.put_release(table, signed)
        cells = ledger_rows(answer.local, node.catalogue, epoch, node.files)
    except StorageFull:
        if case.lease.attempt >= runs.MAXIMUM_ATTEMPTS:
            raise _Failed(RunFault.STORAGE_FULL) from None
        raise
    except StorageError:
        raise _Failed(RunFault.STORAGE_FAILED) from None
    except DigestError:
        raise _Failed(RunFault.INTERNAL) from None
    release = NewRelease(
        id=release_id,
        table_digest=statement.table.digest,
        file_digest=stored.digest,
        path=stored.path,
        statement=signed,
        snapshots=answer.snapshots,
        parts={(part.node, part.release) for _, part in answer.parts},
    )
    details: dict[Detail, DetailValue] = {
        Detail.RUN: case.lease.run_id,
        Detail.REQUEST: request.id,
        Detail.TABLE_DIGEST: release.table_digest,
        Detail.FILE_DIGEST: release.file_digest,
        Detail.KEY_EPOCH: epoch,
    }
    digest, released = request.plan_digest, case.released
    if not use_of(node.catalogue, request, case.decisions, digest, released, node.clock()).usable:
        raise _Void(RunFault.NOT_USABLE)
    try:
        with node.database.write() as session:
            event = _event(case, AuditAction.RELEASE_ISSUED, release_id, details)
            finish_run(session, case.lease, release, cells, now, event)
    except NotReleasable:
        raise _Void(RunFault.APPROVAL_WITHDRAWN) from None
    except PartRecalled:
        raise _Void(RunFault.PART_RECALLED) from None
    except PartitionsExhausted:
        raise _Failed(RunFault.PARTITIONS_EXHAUSTED) from None


def _coarser(node: Node, question: Question) -> str | None:
    """A suggestion is a kindness: the answer does not wait for it where the compiler is busy or fails."""
    try:
        return node.compiler.coarser(question)
    except (CompilerBusy, CompilerTimeout, CompilerFault):
        return None


def _stopped(case: _Case) -> Exception:
    """What to raise for a run that should stop; a node that stops puts its run back in the queue."""
    if case.watch.stop is Stop.CANCELLED:
        return RunCancelled(f"the run {case.lease.run_id} was to be cancelled")
    if case.watch.stop is Stop.NODE_STOPPING:
        _give_back(case, {})
    return LeaseLost(f"the run {case.lease.run_id} is no longer held by this worker")


def _give_back(case: _Case, details: dict[Detail, DetailValue]) -> None:
    with case.node.database.write() as session:
        event = _event(case, AuditAction.RUN_REQUEUED, case.lease.run_id, details)
        runs.give_back(session, case.lease, event)


def _cancelled(case: _Case) -> None:
    """Somebody wanted the run to stop, or its approval is over: who waits is told which."""
    with case.node.database.read() as session:
        state = requests.get_request(session, case.request.id).state
    if state in RUNNABLE:
        _end(case, AuditAction.RUN_CANCELLED, runs.cancel_run)
    else:
        superseded = state is RequestState.SUPERSEDED
        fault = RunFault.SUPERSEDED if superseded else RunFault.APPROVAL_WITHDRAWN
        _end_with(case, AuditAction.RUN_VOIDED, runs.void_run, str(fault))


def _end(case: _Case, action: AuditAction, step: Callable[..., None]) -> None:
    now = case.node.clock()
    with case.node.database.write() as session:
        step(session, case.lease, now, _event(case, action, case.lease.run_id, {}))


def _end_with(case: _Case, action: AuditAction, step: Callable[..., None], code: str) -> None:
    now = case.node.clock()
    event = _event(case, action, case.lease.run_id, {Detail.CODE: code})
    with case.node.database.write() as session:
        step(session, case.lease, code, now, event)
    log.info("run_ended", run=case.lease.run_id, action=str(action), code=code)


def _event(case: _Case, action: AuditAction, subject: str, details: dict[Detail, DetailValue]) -> AuditEvent:
    attempt: dict[Detail, DetailValue] = {Detail.ATTEMPT: case.lease.attempt}
    return AuditEvent(case.lease.owner, action, subject, case.node.clock(), details | attempt)
