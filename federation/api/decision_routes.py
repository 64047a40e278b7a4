"""Routes to what custodians do about requests on their data."""

from __future__ import annotations

from fastapi import APIRouter

from federation.api import examples
from federation.api.bodies import ApprovalBody, DecisionBody, RefusalBody, RunBody
from federation.api.dependencies import Caller, NodeDep, OnceDep
from federation.service import custody, decisions, dry_runs
from federation.service.custody import EvidenceView
from federation.service.dry_runs import DryRunView
from federation.service.views import RequestView

router = APIRouter(prefix="/v1/requests/{request}", tags=["decisions"])

REQUEST = examples.example(200, examples.REQUEST)


@router.post("/take-up", responses=REQUEST)
def take_up(node: NodeDep, principal: Caller, request: str, once: OnceDep) -> RequestView:
    """A custodian begins to review; who asked sees it."""
    return decisions.take_up(node, principal, request, once)


@router.get("/evidence")
def evidence(node: NodeDep, principal: Caller, request: str) -> EvidenceView:
    """What there is to decide by: earlier releases and decisions, and dry runs of what the caller decides on."""
    return custody.evidence(node, principal, request)


@router.post("/dry-run", status_code=201)
def dry_run(
    node: NodeDep, principal: Caller, request: str, once: OnceDep, body: RunBody | None = None
) -> DryRunView:
    """Look at what the data gives before deciding, for one's own datasets alone. Nothing is released."""
    return dry_runs.start(node, principal, request, {} if body is None else body.parameters, once)


@router.post("/approve", responses=REQUEST)
def approve(node: NodeDep, principal: Caller, request: str, body: ApprovalBody, once: OnceDep) -> RequestView:
    """A custodian approves for its own datasets."""
    return decisions.approve(node, principal, request, body.ruling(), once)


@router.post("/refuse", responses=REQUEST)
def refuse(node: NodeDep, principal: Caller, request: str, body: RefusalBody, once: OnceDep) -> RequestView:
    """A custodian refuses."""
    return decisions.refuse(node, principal, request, body.ruling(), once)


@router.post("/return", responses=REQUEST)
def send_back(
    node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep
) -> RequestView:
    """A custodian returns a request with comments, to be changed and submitted again."""
    return decisions.send_back(node, principal, request, body.ruling(), once)


@router.post("/suspend", responses=REQUEST)
def suspend(node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep) -> RequestView:
    """A custodian stops the use of an approval for a time. What runs under it ends."""
    return decisions.suspend(node, principal, request, body.ruling(), once)


@router.post("/resume", responses=REQUEST)
def resume(node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep) -> RequestView:
    """A custodian lets an approval be used again that it had suspended."""
    return decisions.resume(node, principal, request, body.ruling(), once)


@router.post("/revoke", responses=REQUEST)
def revoke(node: NodeDep, principal: Caller, request: str, body: DecisionBody, once: OnceDep) -> RequestView:
    """A custodian takes an approval back. What runs under it ends."""
    return decisions.revoke(node, principal, request, body.ruling(), once)
