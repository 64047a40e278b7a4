"""Routes to the catalogue: datasets, code lists, agreements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query

from federation.api import examples
from federation.api.dependencies import Caller, NodeDep
from federation.service import catalogue_view
from federation.service.permissions import Act, require
from federation.service.views import (
    AgreementView,
    CodeListSummary,
    CodeListView,
    DatasetSummary,
    DatasetView,
)

router = APIRouter(prefix="/v1", tags=["catalogue"])
Search = Annotated[str, Query(max_length=200, description="Words that must all occur.")]


@dataclass(frozen=True, slots=True)
class Me:
    """Under which name, body and roles the node knows the caller, and how many seconds it lets a source work for one
    run or dry run."""

    subject: str
    name: str
    body: str
    roles: list[str]
    run_seconds: float


@dataclass(frozen=True, slots=True)
class Datasets:
    datasets: list[DatasetSummary]


@dataclass(frozen=True, slots=True)
class CodeLists:
    codelists: list[CodeListSummary]


@dataclass(frozen=True, slots=True)
class Agreements:
    agreements: list[AgreementView]


@router.get("/me", tags=["identity"])
def me(node: NodeDep, principal: Caller) -> Me:
    """Who the node takes the caller for, and how long it works for them at a time."""
    seconds = node.settings.limits.run_seconds
    return Me(principal.subject, principal.name, principal.body, sorted(principal.roles), seconds)


@router.get("/catalogue/datasets", responses=examples.example(200, examples.DATASETS))
def datasets(node: NodeDep, principal: Caller, search: Search = "") -> Datasets:
    """The datasets that can be asked about."""
    require(principal, Act.READ_CATALOGUE)
    return Datasets(catalogue_view.datasets(node.catalogue, search))


@router.get("/catalogue/datasets/{dataset}")
def dataset(node: NodeDep, principal: Caller, dataset: str) -> DatasetView:
    """One dataset: about whom, when, with what known limits, and what a query may use."""
    require(principal, Act.READ_CATALOGUE)
    return catalogue_view.dataset(node.catalogue, dataset)


@router.get("/catalogue/codelists")
def codelists(node: NodeDep, principal: Caller) -> CodeLists:
    """The classifications that datasets use."""
    require(principal, Act.READ_CATALOGUE)
    return CodeLists(catalogue_view.codelists(node.catalogue))


@router.get("/catalogue/codelists/{codelist}")
def codelist(
    node: NodeDep,
    principal: Caller,
    codelist: str,
    search: Search = "",
    level: Annotated[str, Query(max_length=64, description="One level of the hierarchy.")] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> CodeListView:
    """One classification, and the codes whose code or name holds `search`."""
    require(principal, Act.READ_CATALOGUE)
    found = node.catalogue
    return catalogue_view.codelist(found, codelist, search=search, level=level, offset=offset, limit=limit)


@router.get("/catalogue/agreements")
def agreements(node: NodeDep, principal: Caller) -> Agreements:
    """The agreements that the caller's body is party to, and the purposes that they permit."""
    require(principal, Act.READ_CATALOGUE)
    return Agreements(catalogue_view.agreements(node.catalogue, principal.body, node.clock().date()))
