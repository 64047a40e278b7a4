"""Requests: in a list, and each with what has become of it and what its reader may do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep
from federation.api.problems import STATUS
from federation.service import (
    comments,
    conditions_elsewhere,
    custody,
    decisions,
    dry_runs,
    offers,
    requests,
    runs,
)
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.permissions import Act, permitted
from federation.service.questions import Value
from federation.state.lifecycle import Action, RequestState
from federation.state.models import RefusalReason, SubjectKind
from federation.web.deciding import ACTS, Decided, Said, decided
from federation.web.difference import sides
from federation.web.history import history_of
from federation.web.language import language_of, mark, translations
from federation.web.rendering import dataset_title, node_title, page, title_of
from federation.web.run_pages import values_of
from federation.web.visitor import Fault, Fields, OnceDep, Reader, Sender, first, text_of
from federation.web.words import REFUSALS

router = APIRouter()
ON_A_PAGE = 25


@router.get("/requests")
def listing(
    node: NodeDep,
    request: Request,
    principal: Reader,
    state: RequestState | Literal[""] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """The requests that concern the reader, the newest first."""
    offset = (number - 1) * ON_A_PAGE
    found = requests.listing(node, principal, state=state or None, limit=ON_A_PAGE + 1, offset=offset)
    return page(
        request,
        "requests.html",
        requests=found[:ON_A_PAGE],
        more=len(found) > ON_A_PAGE,
        number=number,
        state=state,
        states=tuple(RequestState),
    )


@router.get("/requests/{request_id}")
def get(node: NodeDep, request: Request, principal: Reader, request_id: str) -> Response:
    """One request: what was asked, what was decided, and its runs. Whoever may act on it does so here."""
    return _page(node, request, principal, request_id)


@router.post("/requests/{request_id}/decision")
def decide(
    node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep, request_id: str
) -> Response:
    """A custodian's or a reviewer's decision, on the plan that the page showed."""
    found = decided(form, node.clock().date())
    if found.act is None or found.ruling is None:
        return _page(node, request, principal, request_id, found.faults, decision=found)
    ACTS[found.act](node, principal, request_id, found.ruling, once)
    return _done(request_id, found.act)


@router.post("/requests/{request_id}/take-up")
def take_up(node: NodeDep, principal: Sender, once: OnceDep, request_id: str) -> Response:
    """A custodian begins to review."""
    decisions.take_up(node, principal, request_id, once)
    return _done(request_id, Action.TAKE_UP)


@router.post("/requests/{request_id}/dry-run")
def dry_run(
    node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep, request_id: str
) -> Response:
    """Whoever decides looks at what the data gives. Where that comes to nothing, the page says why, and what to do."""
    values = values_of(form, requests.get(node, principal, request_id).parameters)
    try:
        dry_runs.start(node, principal, request_id, values, once)
    except ServiceError as error:
        if error.code not in (ServiceCode.DRY_RUN_FAILED, ServiceCode.TOO_MANY_REQUESTS):
            raise
        faults: list[Fault] = [{"text": mark("The dry run came to nothing"), "href": "#dry-run"}]
        return _page(node, request, principal, request_id, faults, failed=error, chosen=values)
    return RedirectResponse(f"/requests/{request_id}#dry-run", 303)


@router.post("/requests/{request_id}/submission")
def submit(node: NodeDep, request: Request, principal: Sender, once: OnceDep, request_id: str) -> Response:
    """Submit a draft as it stands. One with mistakes is shown with them."""
    try:
        requests.submit_again(node, principal, request_id, None, once)
    except ServiceError as error:
        if error.code is not ServiceCode.QUERY_REFUSED:
            raise
        faults = [{"text": fault.message, "href": "#change"} for fault in error.faults]
        return _page(node, request, principal, request_id, faults)
    return _done(request_id, Action.SUBMIT)


@router.post("/requests/{request_id}/acceptance")
def accept(node: NodeDep, principal: Sender, form: Fields, once: OnceDep, request_id: str) -> Response:
    """Accept the conditions of an approval; those of another node as the page showed them."""
    other = first(form, "node")
    if other:
        conditions_elsewhere.accept(node, principal, request_id, other, first(form, "conditions"), once)
    else:
        requests.accept(node, principal, request_id, once)
    return _done(request_id, Action.ACCEPT)


@router.post("/requests/{request_id}/appeal")
def appeal(
    node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep, request_id: str
) -> Response:
    """Have a refusal looked at by somebody else."""
    faults: list[Fault] = []
    reason = text_of(first(form, "appeal"), "appeal", mark("Say why somebody else should look at it"), faults)
    if faults:
        return _page(node, request, principal, request_id, faults, appeal=reason)
    requests.appeal(node, principal, request_id, reason, once)
    return _done(request_id, Action.APPEAL)


@router.post("/requests/{request_id}/withdrawal")
def withdraw(node: NodeDep, principal: Sender, once: OnceDep, request_id: str) -> Response:
    """Give a request up."""
    requests.withdraw(node, principal, request_id, once)
    return _done(request_id, Action.WITHDRAW)


def _done(request_id: str, act: Action) -> Response:
    return RedirectResponse(f"/requests/{request_id}?done={act}", 303)


def _page(
    node: Node,
    request: Request,
    principal: Reader,
    request_id: str,
    faults: Sequence[Fault] = (),
    *,
    decision: Decided | None = None,
    appeal: str = "",
    failed: ServiceError | None = None,
    chosen: Mapping[str, Value] = MappingProxyType({}),
) -> Response:
    detail = requests.detail(node, principal, request_id)
    view = detail.request
    offered = offers.get(node, principal, view)
    compared = None
    if detail.explanation is not None:
        compared = sides(view.sql, ";\n\n".join(detail.explanation.source_sql))
    return page(
        request,
        "request.html",
        status=STATUS[failed.code] if failed is not None else 422 if faults else 200,
        headers={"Retry-After": str(failed.retry_after)}
        if failed is not None and failed.retry_after
        else None,
        view=view,
        detail=detail,
        compared=compared,
        runs=runs.listing(node, principal, request_id),
        offers=offered,
        awaits=offered.awaits,
        theirs=view.body == principal.body and permitted(principal, Act.RUN),
        history=history_of(
            view,
            requests.versions(node, principal, request_id),
            body_title=partial(title_of, node),
            dataset_title=partial(dataset_title, node),
            node_title=partial(node_title, node),
            words=translations(language_of(request)),
        ),
        evidence=custody.evidence(node, principal, request_id) if offered.reviews else None,
        comments=comments.listing(node, principal, SubjectKind.REQUEST, request_id),
        faults=list(faults),
        said=Said() if decision is None else decision.said,
        appeal=appeal,
        failed=failed,
        chosen=chosen,
        refusals={reason: REFUSALS[reason] for reason in RefusalReason},
        done=request.query_params.get("done", ""),
    )
