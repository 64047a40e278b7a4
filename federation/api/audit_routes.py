"""Routes to the audit trail, for auditors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from federation.api.bodies import ChainBody
from federation.api.dependencies import Caller, NodeDep
from federation.service import audit
from federation.service.audit import ChainView, CheckpointView, EventView

router = APIRouter(prefix="/v1/audit", tags=["audit"])


LINES = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Events:
    events: list[EventView]


@router.get("/events")
def events(
    node: NodeDep,
    principal: Caller,
    after: Annotated[int, Query(ge=0, le=2**53, description="Only events after this number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    subject: Annotated[
        str | None, Query(max_length=255, description="Only events about this request, run or release.")
    ] = None,
) -> Events:
    """What happened at the node, in order."""
    return Events(audit.listing(node, principal, after=after, limit=limit, subject=subject))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {LINES: {"schema": {"type": "string"}}}}},
)
def export(node: NodeDep, principal: Caller) -> StreamingResponse:
    """The whole trail as JSON lines, with all that the hashes cover. That it was taken is recorded in it."""
    return StreamingResponse(audit.export(node, principal), media_type=LINES)


@router.post("/verification")
def verification(node: NodeDep, principal: Caller, body: ChainBody) -> ChainView:
    """Whether nobody has edited, removed, moved or cut off events, since a checkpoint too where one is given."""
    return audit.verification(node, principal, body.checkpoint)


@router.post("/checkpoints", status_code=201)
def checkpoint(node: NodeDep, principal: Caller) -> CheckpointView:
    """Sign the head of the chain, for somebody else to keep."""
    return audit.checkpoint(node, principal)
