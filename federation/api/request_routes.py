"""Routes to requests: check, ask, look, decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from federation.api import examples
from federation.api.bodies import ApprovalBody, CheckBody, DecisionBody, RequestBody
from federation.api.dependencies import Caller, NodeDep, OnceDep
from federation.service import questions, requests
from federation.service.requests import Ruling
from federation.service.views import CheckView, RequestDetail, RequestView
from federation.state.lifecycle import RequestState

router = APIRouter(prefix="/v1", tags=["requests"])

REQUEST = examples.example(200, examples.REQUEST)


@dataclass(frozen=True, slots=True)
class Requests:
    requests: list[RequestView]


@router.post("/check", responses=examples.example(200, examples.CHECK))
def check(node: NodeDep, principal: Caller, body: CheckBody) -> CheckView:
    """What would become of a query: an explanation, or every reason against it. Uses metadata alone."""
    return questions.check(node, principal, body.ask())


@router.post("/requests", status_code=201, responses=examples.example(201, examples.REQUEST))
def submit(
    node: NodeDep, principal: Caller, body: RequestBody, once: OnceDep, response: Response
) -> RequestView:
    """Ask for a query to be approved. A standing rule that covers it approves it at once, and is named."""
    view = requests.submit(node, principal, body.ask(), once)
    response.headers["Location"] = f"/v1/requests/{view.request}"
    return view


@router.get("/requests")
def listing(
    node: NodeDep,
    principal: Caller,
    state: Annotated[RequestState | None, Query(description="Only those in this state now.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Requests:
    """Requests, newest first: one's own, or for a custodian those on its data."""
    return Requests(requests.listing(node, principal, state=state, limit=limit, offset=offset))


@router.get("/requests/{request}", responses=REQUEST)
def get(node: NodeDep, principal: Caller, request: str) -> RequestView:
    """One request as it stands now."""
    return requests.get(node, principal, request)


@router.get("/requests/{request}/explanation")
def explanation(node: NodeDep, principal: Caller, request: str) -> RequestDetail:
    """What a custodian reviews: the question in plain words, the SQL at the source, and the rules in it."""
    return requests.detail(node, principal, request)


@router.post("/requests/{request}/approve", responses=REQUEST)
def approve(node: NodeDep, principal: Caller, request: str, body: ApprovalBody, once: OnceDep) -> RequestView:
    """A custodian approves for its own datasets."""
    return requests.approve(node, principal, request, body.ruling(), once)


@router.post("/requests/{request}/refuse", responses=REQUEST)
def refuse(node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep) -> RequestView:
    """A custodian refuses."""
    return requests.refuse(node, principal, request, Ruling(body.reason), once)


@router.post("/requests/{request}/revoke", responses=REQUEST)
def revoke(node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep) -> RequestView:
    """A custodian takes an approval back."""
    return requests.revoke(node, principal, request, Ruling(body.reason), once)
