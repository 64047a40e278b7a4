"""Route to the public register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from federation.api.dependencies import NodeDep, anybody
from federation.service import register
from federation.service.register import RegisterEntry, Sought

router = APIRouter(prefix="/v1", tags=["releases"])


@dataclass(frozen=True, slots=True)
class Register:
    entries: list[RegisterEntry]


@router.get("/register", dependencies=[Depends(anybody)])
def listing(
    node: NodeDep,
    search: Annotated[str, Query(max_length=200, description="Words that must all occur.")] = "",
    body: Annotated[str, Query(max_length=64, description="Only what this body asked.")] = "",
    dataset: Annotated[str, Query(max_length=64, description="Only about this dataset.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Register:
    """Which bodies had which approved questions answered, on which data, under which authority, latest first; no
    results."""
    return Register(register.entries(node, Sought(search.strip(), body, dataset), limit=limit, offset=offset))
