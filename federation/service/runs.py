"""Runs as their requesters see them: started, watched, cancelled. The work is ``federation.runs``'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail
from federation.identity.principal import Principal
from federation.identity.recorded import for_whom
from federation.runs.outcomes import message_of
from federation.service import consequences
from federation.service.errors import Fault, ServiceCode, ServiceError, refused
from federation.service.node import Node
from federation.service.once import Once, act, answered
from federation.service.permissions import Act, require
from federation.service.questions import Value, compile_question, question_of, single_values
from federation.service.requests import visible
from federation.service.use import ask_of, beyond_decisions, use_of
from federation.service.views import RunView
from federation.state import releases, runs
from federation.state import requests as store
from federation.state.changes import IdKind, new_id
from federation.state.errors import NotFound
from federation.state.lifecycle import RequestState
from federation.state.models import Decision, Request, Run
from policies.refusals import RefusalError


def start(
    node: Node,
    principal: Principal,
    request_id: str,
    values: Mapping[str, Value],
    once: Once | None = None,
) -> RunView:
    """Queue a run of an approved request, with a value from its domain for each parameter.

    Raises:
        ServiceError: NOT_USABLE with the reason, INVALID_REQUEST for a value outside its domain, QUERY_REFUSED for
            one with which the query makes no sense, NOT_FOUND.
    """
    require(principal, Act.RUN)
    before = answered(node.database, once, RunView)
    if before is not None:
        return before
    with node.database.read() as session:
        request = visible(session, principal, request_id)
        decisions = store.decisions(session, request_id)
        released = releases.count_releases(session, request_id)
    if request.body != principal.body:
        raise ServiceError(ServiceCode.NOT_PERMITTED, "only the body that asked runs a request")
    parameters = bound_values(ask_of(request).domains, values)
    now = node.clock()
    use = use_of(node.catalogue, request, decisions, _digest_now(node, request), released, now)
    if use.state is RequestState.SUPERSEDED and request.state is not RequestState.SUPERSEDED:
        supersede(node, request)
    if not use.usable:
        raise ServiceError(ServiceCode.NOT_USABLE, use.reason)
    _check_values(node, request, decisions, parameters)
    run_id = new_id(IdKind.RUN)
    details = for_whom(principal) | {Detail.REQUEST: request_id}
    event = AuditEvent(principal.subject, AuditAction.RUN_QUEUED, run_id, now, details)

    def do(session: Session) -> RunView:
        run = runs.queue_run(session, run_id, request_id, parameters, principal.subject, now, event)
        return _view(session, run)

    return act(node.database, once, RunView, now, do)


def get(node: Node, principal: Principal, run_id: str) -> RunView:
    """Raises ServiceError NOT_FOUND for a run that is not the reader's to see, too."""
    with node.database.read() as session:
        return _view(session, _visible(session, principal, run_id))


def listing(node: Node, principal: Principal, request_id: str) -> list[RunView]:
    """The runs of a request, newest first. NOT_FOUND for a request that is not the reader's to see, too."""
    with node.database.read() as session:
        visible(session, principal, request_id)
        return [_view(session, run) for run in runs.list_runs(session, request_id=request_id)]


def cancel(node: Node, principal: Principal, run_id: str) -> RunView:
    """Ask for a run to stop; whatever happens, it releases nothing any more."""
    require(principal, Act.RUN)
    now = node.clock()
    with node.database.write() as session:
        run = _visible(session, principal, run_id)
        details = for_whom(principal) | {Detail.REQUEST: run.request_id}
        event = AuditEvent(principal.subject, AuditAction.RUN_CANCEL_REQUESTED, run_id, now, details)
        runs.request_cancel(session, run_id, now, event)
    return get(node, principal, run_id)


def supersede(node: Node, request: Request) -> None:
    """Record that what would run is no longer what was approved."""
    with node.database.write() as session:
        consequences.supersede(session, request, node.clock())


def _check_values(
    node: Node, request: Request, decisions: Sequence[Decision], parameters: Mapping[str, Value]
) -> None:
    """What was reviewed is the typed query and its domains: what a value of them makes of it shows only now."""
    question = question_of(node, request.body, ask_of(request), request.created_at.date(), parameters)
    try:
        plan = compile_question(node, question)
    except RefusalError as error:
        raise refused(error.refusals) from None
    beyond = beyond_decisions(node, request, decisions, plan)
    if beyond:
        reason = f"no standing rule covers what it reads of {', '.join(beyond)} with these values: ask for them alone"
        raise ServiceError(ServiceCode.NOT_USABLE, reason)


def _digest_now(node: Node, request: Request) -> str:
    """The digest of the plan as it compiles today; a question that is refused today has none."""
    ask = ask_of(request)
    question = question_of(node, request.body, ask, request.created_at.date())
    try:
        return compile_question(node, question).digest
    except RefusalError:
        return ""


def bound_values(domains: Mapping[str, Sequence[Value]], values: Mapping[str, Value]) -> dict[str, Value]:
    """A value for each parameter. Raises ServiceError INVALID_REQUEST for one that is missing or outside its domain."""
    given = {**single_values(domains), **values}
    faults = [
        Fault("parameter_invalid", f"there is no parameter ${name}", pointer=f"/parameters/{name}")
        for name in sorted(set(given) - set(domains))
    ]
    for name, allowed in domains.items():
        pointer = f"/parameters/{name}"
        if name not in given:
            faults.append(Fault("parameter_missing", f"${name} needs a value", pointer=pointer))
        elif given[name] not in allowed:
            remedy = "ask for another request if you need this value"
            faults.append(
                Fault("parameter_invalid", f"${name} is outside its domain", remedy, pointer=pointer)
            )
    if faults:
        raise ServiceError(ServiceCode.INVALID_REQUEST, "the parameters have mistakes", tuple(faults))
    return given


def _visible(session: Session, principal: Principal, run_id: str) -> Run:
    try:
        run = runs.get_run(session, run_id)
    except NotFound:
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such run") from None
    visible(session, principal, run.request_id)
    return run


def _view(session: Session, run: Run) -> RunView:
    release = releases.release_of_run(session, run.id)
    return RunView(
        run=run.id,
        request=run.request_id,
        state=run.state,
        progress=run.progress,
        error=run.error_code,
        message=message_of(run.state, run.error_code, run.error_about),
        release=None if release is None else release.id,
        created_at=run.created_at,
        ended_at=run.ended_at,
    )
