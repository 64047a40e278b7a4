"""Standard queries as those see them who may run them, and asked by them."""

from __future__ import annotations

from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from catalogue.models import StandardQuery
from catalogue.standard import domains_of, may_run
from federation.identity.principal import Principal
from federation.service import requests
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.once import Once
from federation.service.permissions import Act, permitted, require
from federation.service.questions import Ask
from federation.service.views import ParameterView, RequestView, StandardQueryView


def listing(node: Node, principal: Principal) -> list[StandardQueryView]:
    """The standard queries that the reader's body may run today; a custodian's own, an auditor's all."""
    found = node.catalogue.standard_queries.values()
    shown = [query for query in found if _visible(node, principal, query)]
    return [_view(node, query) for query in sorted(shown, key=lambda query: query.query)]


def ask(node: Node, principal: Principal, name: str, once: Once | None = None) -> RequestView:
    """A request for a standard query with the whole domain of its parameters: its custodians decided already.

    Raises:
        ServiceError: NOT_FOUND for one that the caller's body may not run, too.
    """
    require(principal, Act.REQUEST)
    query = node.catalogue.standard_queries.get(name)
    if query is None or not may_run(query, node.catalogue, principal.body, node.clock().date()):
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such standard query")
    asked = Ask(query.sql, query.agreement, query.purpose, domains_of(query, node.catalogue))
    return requests.submit(node, principal, asked, once, standard=query)


def get(node: Node, principal: Principal, name: str) -> StandardQueryView:
    """One standard query. Raises ServiceError NOT_FOUND for one that is not the reader's to see, too."""
    query = node.catalogue.standard_queries.get(name)
    if query is None or not _visible(node, principal, query):
        raise ServiceError(ServiceCode.NOT_FOUND, "there is no such standard query")
    return _view(node, query)


@cache
def _tables(sql: str) -> list[str]:
    """The tables that a query reads, sorted. It is compiled when it is asked: this is for finding it."""
    scopes = traverse_scope(sqlglot.parse_one(sql, dialect="duckdb"))
    sources = (source for scope in scopes for source in scope.sources.values())
    return sorted({source.name for source in sources if isinstance(source, exp.Table)})


def _visible(node: Node, principal: Principal, query: StandardQuery) -> bool:
    decided = permitted(principal, Act.DECIDE) and principal.body in query.decided_by
    runs = may_run(query, node.catalogue, principal.body, node.clock().date())
    return runs or decided or permitted(principal, Act.SEE_ALL)


def _view(node: Node, query: StandardQuery) -> StandardQueryView:
    domains = domains_of(query, node.catalogue)
    return StandardQueryView(
        query=query.query,
        title=query.title,
        description=query.description,
        sql=query.sql,
        agreement=query.agreement,
        purpose=query.purpose,
        bodies=list(query.bodies or node.catalogue.agreements[query.agreement].bodies),
        parameters=[
            ParameterView(name, each.title, str(each.type), list(domains[name]))
            for name, each in query.parameters.items()
        ],
        datasets=[name for name in _tables(query.sql) if name in node.catalogue.datasets],
        decided_by=dict(query.decided_by),
        until=query.until,
    )
