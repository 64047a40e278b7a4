"""The catalogue: what data there is, about whom, on what terms, and who else uses it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from federation.api.dependencies import NodeDep
from federation.service import catalogue_view, comments, standard_queries
from federation.service.permissions import Act, require
from federation.state.models import SubjectKind
from federation.web.paging import Paging
from federation.web.rendering import page
from federation.web.visitor import Reader

router = APIRouter()
CODES_ON_A_PAGE = 100
Search = Annotated[str, Query(max_length=200)]


@router.get("/datasets")
def datasets(node: NodeDep, request: Request, principal: Reader, search: Search = "") -> Response:
    """Every dataset, or those whose description holds all words of a search."""
    require(principal, Act.READ_CATALOGUE)
    found = catalogue_view.datasets(node.catalogue, search)
    return page(request, "datasets.html", datasets=found, search=search)


@router.get("/datasets/{dataset}")
def dataset(node: NodeDep, request: Request, principal: Reader, dataset: str) -> Response:
    """One dataset."""
    require(principal, Act.READ_CATALOGUE)
    view = catalogue_view.dataset(node.catalogue, dataset)
    today = node.clock().date()
    own = catalogue_view.agreements(node.catalogue, principal.body, today)
    return page(
        request,
        "dataset.html",
        dataset=view,
        agreements=[each for each in own if dataset in each.datasets],
        users=catalogue_view.users(node.catalogue, dataset, today),
        standard=[each for each in standard_queries.listing(node, principal) if dataset in each.datasets],
        comments=comments.listing(node, principal, SubjectKind.DATASET, dataset),
    )


@router.get("/codelists/{codelist}")
def codelist(
    node: NodeDep,
    request: Request,
    principal: Reader,
    codelist: str,
    search: Search = "",
    level: Annotated[str, Query(max_length=64)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """One classification and its codes."""
    require(principal, Act.READ_CATALOGUE)
    view = catalogue_view.codelist(
        node.catalogue,
        codelist,
        search=search,
        level=level,
        offset=(number - 1) * CODES_ON_A_PAGE,
        limit=CODES_ON_A_PAGE,
    )
    paging = Paging.of(request, number, view.matches, CODES_ON_A_PAGE)
    return page(request, "codelist.html", codelist=view, search=search, level=level, paging=paging)
