"""The public register: needs no signing in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from federation.api.dependencies import NodeDep, anybody
from federation.service import recalls, register
from federation.service.register import ANYTHING, Sought
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
    search: Annotated[str, Query(max_length=200)] = "",
    body: Annotated[str, Query(max_length=64)] = "",
    dataset: Annotated[str, Query(max_length=64)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Which bodies had which approved questions answered, on which data, under which authority; and what was taken
    back."""
    sought = Sought(search.strip(), body, dataset)
    found = register.entries(node, sought, limit=ON_A_PAGE + 1, offset=(number - 1) * ON_A_PAGE)
    bodies, datasets = register.names(node)
    kept = {"search": sought.words, "body": body, "dataset": dataset}
    return page(
        request,
        "register.html",
        entries=found[:ON_A_PAGE],
        capacities=CAPACITIES,
        more=len(found) > ON_A_PAGE,
        number=number,
        sought=sought,
        bodies=bodies,
        datasets=datasets,
        kept=urlencode({name: value for name, value in kept.items() if value}),
        recalls=recalls.listing(node, limit=RECALLS) if number == 1 and sought == ANYTHING else [],
    )
