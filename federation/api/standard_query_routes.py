"""Routes to the queries that custodians published."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from federation.api import examples
from federation.api.dependencies import Caller, NodeDep, OnceDep
from federation.service import standard_queries
from federation.service.views import RequestView, StandardQueryView

router = APIRouter(prefix="/v1/standard-queries", tags=["standard queries"])


@dataclass(frozen=True, slots=True)
class StandardQueries:
    queries: list[StandardQueryView]


@router.get("")
def listing(node: NodeDep, principal: Caller) -> StandardQueries:
    """The standard queries that the caller's body may run, with every value of their parameters."""
    return StandardQueries(standard_queries.listing(node, principal))


@router.post("/{query}/requests", status_code=201, responses=examples.example(201, examples.REQUEST))
def ask(node: NodeDep, principal: Caller, query: str, once: OnceDep, response: Response) -> RequestView:
    """A request for a standard query, decided by it: run it with values for its parameters."""
    view = standard_queries.ask(node, principal, query, once)
    response.headers["Location"] = f"/v1/requests/{view.request}"
    return view
