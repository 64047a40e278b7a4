"""The public register: needs no signing in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from federation.api.dependencies import NodeDep, anybody
from federation.service import recalls, register
from federation.web.rendering import page
from federation.web.visitor import Perhaps
from federation.web.words import CAPACITIES

router = APIRouter(dependencies=[Depends(anybody)])
ON_A_PAGE = 25
RECALLS = 100


@router.get("/register")
def show(
    node: NodeDep,
    request: Request,
    principal: Perhaps,  # noqa: ARG001  # so that the page knows its reader
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Which bodies had which approved questions answered, on which data, under which authority; and what was taken
    back."""
    found = register.entries(node, limit=ON_A_PAGE + 1, offset=(number - 1) * ON_A_PAGE)
    return page(
        request,
        "register.html",
        entries=found[:ON_A_PAGE],
        capacities=CAPACITIES,
        more=len(found) > ON_A_PAGE,
        number=number,
        recalls=recalls.listing(node, limit=RECALLS) if number == 1 else [],
    )
