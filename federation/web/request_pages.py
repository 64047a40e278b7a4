"""Requests: one's own in a list, and each with what has become of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep
from federation.service import custody, decisions, requests, runs
from federation.service.decisions import Ruling
from federation.service.permissions import Act, permitted
from federation.state.lifecycle import RequestState
from federation.web.difference import sides
from federation.web.rendering import page, title_of
from federation.web.visitor import Fields, OnceDep, Reader, Sender, first

router = APIRouter()
ON_A_PAGE = 25
REASON_LENGTH = 4000
DECISIONS = ("approve", "refuse", "revoke")


@router.get("/requests")
def listing(
    node: NodeDep,
    request: Request,
    principal: Reader,
    state: RequestState | None = None,
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """The requests that concern the reader, the newest first."""
    offset = (number - 1) * ON_A_PAGE
    found = requests.listing(node, principal, state=state, limit=ON_A_PAGE + 1, offset=offset)
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
    """One request: what was asked, what was decided, and its runs. A custodian decides here."""
    return _page(node, request, principal, request_id)


@router.post("/requests/{request_id}/decision")
def decide(
    node: NodeDep, request: Request, principal: Sender, form: Fields, once: OnceDep, request_id: str
) -> Response:
    """A custodian's decision, on the plan that the page showed."""
    decision, reason = first(form, "decision"), first(form, "reason")
    faults = []
    if decision not in DECISIONS:
        faults.append({"text": "Choose what you decide", "href": "#decision"})
    if not reason:
        faults.append({"text": "Give a reason: the requester reads it, and it is kept", "href": "#reason"})
    elif len(reason) > REASON_LENGTH:
        faults.append({"text": f"A reason has at most {REASON_LENGTH:,} characters", "href": "#reason"})
    if faults:
        return _page(
            node, request, principal, request_id, faults=faults, decision=decision, reason=reason, status=422
        )
    act = {"approve": decisions.approve, "refuse": decisions.refuse, "revoke": decisions.revoke}[decision]
    act(node, principal, request_id, Ruling(reason, first(form, "plan_digest") or None), once)
    return RedirectResponse(f"/requests/{request_id}?decided={decision}", 303)


def _page(
    node: NodeDep,
    request: Request,
    principal: Reader,
    request_id: str,
    *,
    faults: list[dict[str, str]] | None = None,
    decision: str = "",
    reason: str = "",
    status: int = 200,
) -> Response:
    detail = requests.detail(node, principal, request_id)
    view = detail.request
    keeps = permitted(principal, Act.SEE_CUSTODY) and principal.body in view.datasets.values()
    explanation = detail.explanation
    compared = None
    if explanation is not None:
        compared = sides(view.sql, ";\n\n".join(explanation.source_sql))
    return page(
        request,
        "request.html",
        status=status,
        view=view,
        detail=detail,
        compared=compared,
        runs=runs.listing(node, principal, request_id),
        waits_for=[title_of(node, name) for name in custody.waits_for(view)],
        own=view.body == principal.body and permitted(principal, Act.RUN),
        awaits=custody.awaits(view, principal),
        may_revoke=view.state is RequestState.APPROVED and keeps and permitted(principal, Act.DECIDE),
        evidence=custody.evidence(node, principal, request_id) if keeps else None,
        faults=faults or [],
        decision=decision,
        reason=reason,
        decided=request.query_params.get("decided", ""),
    )
