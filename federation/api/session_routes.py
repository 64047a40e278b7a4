"""Log-in and log-out at the pages. They are for browsers, and so no part of the API's description."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep, anybody
from federation.api.signed_in import (
    close_session,
    cookie_name,
    delete_cookie,
    open_session,
    require_csrf,
    set_cookie,
)
from federation.identity.code_flow import START, CodeFlow, LoginFailed
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node

router = APIRouter(include_in_schema=False)
provider_router = APIRouter(include_in_schema=False, dependencies=[Depends(anybody)])

SEE_OTHER = 303


@provider_router.get("/login")
def login(
    node: NodeDep,
    next_path: Annotated[str, Query(alias="next", max_length=2000)] = START,
    acting_for: Annotated[str | None, Query(max_length=64)] = None,
) -> RedirectResponse:
    """Send the browser to the identity provider; it comes back to the path ``next`` of this node."""
    begun = _flow(node).begin(next_path, acting_for, node.clock())
    response = RedirectResponse(begun.url, SEE_OTHER)
    set_cookie(node, response, "login", begun.cookie)
    return response


@provider_router.get("/login/callback")
def callback(node: NodeDep, request: Request) -> RedirectResponse:
    """Take what the identity provider answers, and begin a session."""
    cookie = request.cookies.get(cookie_name(node, "login"), "")
    try:
        finished = _flow(node).finish(cookie, request.query_params, node.clock())
    except LoginFailed as error:
        raise ServiceError(ServiceCode.LOGIN_FAILED, str(error)) from None
    response = RedirectResponse(finished.next_path, SEE_OTHER)
    delete_cookie(node, response, "login")
    open_session(request, response, finished.principal, finished.own)
    return response


@router.post("/logout", dependencies=[Depends(require_csrf)])
def logout(node: NodeDep, request: Request) -> RedirectResponse:
    """End the session here, and at the identity provider where it offers that."""
    response = RedirectResponse(START if node.login is None else node.login.logout_url(), SEE_OTHER)
    close_session(request, response)
    return response


def _flow(node: Node) -> CodeFlow:
    if node.login is None:
        raise ServiceError(ServiceCode.NOT_FOUND, "this node has no identity provider")
    return node.login
