"""The start page, and the way in and out."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep, anybody
from federation.api.signed_in import open_session, require_same_site
from federation.identity.code_flow import local_path
from federation.service import catalogue_view, custody
from federation.service.permissions import Act, permitted
from federation.web.language import mark
from federation.web.rendering import page
from federation.web.visitor import Perhaps

router = APIRouter(dependencies=[Depends(anybody)])


@router.get("/")
def start(node: NodeDep, request: Request, principal: Perhaps) -> Response:
    """What the node is for, and what this reader can do."""
    count = 0
    if principal is not None and (permitted(principal, Act.DECIDE) or permitted(principal, Act.REVIEW)):
        count = len(custody.inbox(node, principal))
    datasets = catalogue_view.datasets(node.catalogue)
    return page(request, "start.html", waiting=count, datasets=datasets)


@router.get("/sign-in")
def sign_in(node: NodeDep, request: Request, principal: Perhaps, next: str = "/") -> Response:  # noqa: A002
    """Who are you? The demonstration asks no more than a name; a node with a provider sends there."""
    if principal is not None:
        return RedirectResponse(local_path(next), 303)
    persons = node.settings.identity.persons if node.token_issuer is not None else ()
    provider = None if node.login is None else f"/login?{urlencode({'next': local_path(next)})}"
    today = node.clock().date()
    delegated = sorted({each.body for each in node.delegations.listed if each.from_ <= today <= each.until})
    return page(
        request,
        "sign_in.html",
        persons=persons,
        provider=provider,
        delegated=delegated,
        next=local_path(next),
        faults=[],
    )


@router.post("/sign-in", dependencies=[Depends(require_same_site)])
def sign_in_as(
    node: NodeDep,
    request: Request,
    person: Annotated[str, Form(max_length=64)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002
) -> Response:
    """The demonstration's log-in: by name alone."""
    known = {} if node.token_issuer is None else node.token_issuer.persons
    if person not in known:
        faults = [{"text": mark("Choose who you are"), "href": "#person"}]
        persons = node.settings.identity.persons if known else ()
        return page(
            request, "sign_in.html", status=422, persons=persons, next=local_path(next), faults=faults
        )
    response = RedirectResponse(local_path(next), 303)
    open_session(request, response, known[person], known[person])
    return response
