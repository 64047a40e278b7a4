"""Routes to requests for those who ask: check, draft, ask, look, appeal, accept, withdraw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response

from federation.api import examples
from federation.api.bodies import AcceptanceBody, CheckBody, DecisionBody, NewRequestBody, RequestBody
from federation.api.dependencies import Caller, NodeDep, OnceDep
from federation.service import conditions_elsewhere, questions, requests
from federation.service.views import CheckView, RequestDetail, RequestView, VersionView
from federation.state.lifecycle import RequestState

router = APIRouter(prefix="/v1", tags=["requests"])

REQUEST = examples.example(200, examples.REQUEST)


@dataclass(frozen=True, slots=True)
class Requests:
    requests: list[RequestView]


@dataclass(frozen=True, slots=True)
class Versions:
    versions: list[VersionView]


@router.post("/check", responses=examples.example(200, examples.CHECK))
def check(node: NodeDep, principal: Caller, body: CheckBody) -> CheckView:
    """What would become of a query: an explanation, or every reason against it. Uses metadata alone."""
    return questions.check(node, principal, body.ask())


@router.post("/requests", status_code=201, responses=examples.example(201, examples.REQUEST))
def submit(
    node: NodeDep, principal: Caller, body: NewRequestBody, once: OnceDep, response: Response
) -> RequestView:
    """Ask for a query to be approved, or keep a draft. A standing rule that covers it approves it at once, and is
    named."""
    step = requests.save if body.draft else requests.submit
    view = step(node, principal, body.ask(), once, supersedes=body.supersedes)
    response.headers["Location"] = f"/v1/requests/{view.request}"
    return view


@router.put("/requests/{request}", responses=REQUEST)
def save(node: NodeDep, principal: Caller, request: str, body: CheckBody) -> RequestView:
    """Keep a draft with another text."""
    before = requests.get(node, principal, request)
    return requests.save(node, principal, body.ask(), draft=request, supersedes=before.supersedes)


@router.post("/requests/{request}/submit", responses=REQUEST)
def submit_again(
    node: NodeDep, principal: Caller, request: str, once: OnceDep, body: RequestBody | None = None
) -> RequestView:
    """Submit a draft, or as its next version a request that was returned. Without a body as it stands."""
    ask = None if body is None else body.ask()
    return requests.submit_again(node, principal, request, ask, once)


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


@router.get("/requests/{request}/versions")
def versions(node: NodeDep, principal: Caller, request: str) -> Versions:
    """Every version of a request that was submitted, the first one first."""
    return Versions(requests.versions(node, principal, request))


@router.post("/requests/{request}/appeal", responses=REQUEST)
def appeal(node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep) -> RequestView:
    """Have a refusal looked at by another reviewer than who refused."""
    return requests.appeal(node, principal, request, body.reason, once)


@router.post("/requests/{request}/accept", responses=REQUEST)
def accept(
    node: NodeDep, principal: Caller, request: str, once: OnceDep, body: AcceptanceBody | None = None
) -> RequestView:
    """Accept the conditions of an approval; nothing runs before. With a body those of another node, which gives nothing
    before."""
    if body is None:
        return requests.accept(node, principal, request, once)
    return conditions_elsewhere.accept(node, principal, request, body.node, body.conditions, once)


@router.post("/requests/{request}/withdraw", responses=REQUEST)
def withdraw(node: NodeDep, principal: Caller, request: str, once: OnceDep) -> RequestView:
    """Give a request up. What runs under it ends."""
    return requests.withdraw(node, principal, request, once)
