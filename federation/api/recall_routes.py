"""Routes to wrong releases: taken back by custodians, and listed for anybody who holds a copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from federation.api.bodies import DecisionBody
from federation.api.dependencies import Caller, NodeDep, OnceDep, anybody
from federation.service import recalls
from federation.service.recalls import RecallView

router = APIRouter(prefix="/v1", tags=["releases"])


@dataclass(frozen=True, slots=True)
class Recalls:
    recalls: list[RecallView]


@router.post("/releases/{release}/recall", status_code=201)
def recall(node: NodeDep, principal: Caller, release: str, body: DecisionBody, once: OnceDep) -> RecallView:
    """A custodian takes a wrong release back. Its table is given to nobody any more."""
    return recalls.recall(node, principal, release, body.reason, once)


@router.get("/recalls", dependencies=[Depends(anybody)])
def listing(
    node: NodeDep,
    release: Annotated[str | None, Query(max_length=64, description="Only of this release.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Recalls:
    """What was recalled, newest first, for anybody who holds a copy."""
    return Recalls(recalls.listing(node, release=release, limit=limit, offset=offset))
