"""Who is signed in at the pages: the session's cookie, and the token by which a form is known to be one of ours.

Pages alone take a session: the API takes bearer tokens and never looks at a cookie, so that no other site can have a
browser call it.
"""

from __future__ import annotations

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request, Response

from federation.api.dependencies import node_of
from federation.api.limits import RateLimiter
from federation.identity.principal import AuthenticationError, Principal, TokenFault
from federation.identity.sessions import SessionOver, SignedIn
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node

CSRF_FIELD = "csrf_token"
"""The name of the form field that holds the token."""

_FORGED = (
    "the form was not sent from a page of this node, or the session is over: load the page and send it again"
)
_ELSEWHERE = "the form was sent from a page of another site"


def session_of(request: Request) -> SignedIn | None:
    """The session of the browser that sent the request, with the token for its forms; looked up once."""
    state = request.state
    if not hasattr(state, "signed_in"):
        node = node_of(request)
        cookie = request.cookies.get(cookie_name(node, "session"))
        state.signed_in = None if cookie is None else node.sessions.find(cookie, node.clock())
        if state.signed_in is not None:
            limiter = cast(RateLimiter, request.app.state.limiter)
            limiter.take(state.signed_in.principal.subject)
    return cast(SignedIn | None, state.signed_in)


def signed_in(request: Request) -> Principal | None:
    """Who is signed in at the pages, as a dependency of theirs; counts the request against their share."""
    session = session_of(request)
    return None if session is None else session.principal


async def require_csrf(
    request: Request, session: Annotated[SignedIn | None, Depends(session_of)]
) -> SignedIn:
    """The session of a form that a page of this very session holds, as a dependency of whatever takes one.

    Raises:
        ServiceError: CSRF_REFUSED, nobody is signed in, or the form holds no token or another session's.
    """
    given = (await request.form()).get(CSRF_FIELD)
    if session is None or not isinstance(given, str):
        raise ServiceError(ServiceCode.CSRF_REFUSED, _FORGED)
    if not hmac.compare_digest(given.encode(), session.csrf_token.encode()):
        raise ServiceError(ServiceCode.CSRF_REFUSED, _FORGED)
    return session


def require_same_site(request: Request) -> None:
    """For forms before there is a session: refuses what a browser says that another site sends.

    Raises:
        ServiceError: CSRF_REFUSED, by the header Sec-Fetch-Site (W3C Fetch Metadata), which no page can set.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ServiceError(ServiceCode.CSRF_REFUSED, _ELSEWHERE)


def open_session(request: Request, response: Response, principal: Principal, own: Principal | None) -> None:
    """Sign a person in at this browser: any session that it has ends, and a new one begins. ``own`` is who they are
    where they act for nobody else."""
    node = node_of(request)
    _end(request, node)
    set_cookie(node, response, "session", node.sessions.open(principal, own, node.clock()))


def act_for(request: Request, response: Response, session: SignedIn, body: str) -> None:
    """Have whoever is signed in at this browser act for a body from now on, their own or by a delegation.

    Raises:
        NotAdmitted: NOT_DELEGATED, it is not their own, and no delegation is in force.
        AuthenticationError: MISSING, the session has ended meanwhile.
    """
    node = node_of(request)
    now, who, own = node.clock(), session.principal, session.own
    if own is not None and own.body == body:
        principal = own
    else:
        principal = node.delegations.acting(who.subject, who.name, body, now.date())
    try:
        cookie = node.sessions.act_for(request.cookies[cookie_name(node, "session")], principal, now)
    except SessionOver:
        raise AuthenticationError(TokenFault.MISSING) from None
    set_cookie(node, response, "session", cookie)


def close_session(request: Request, response: Response) -> None:
    """Sign out at this browser."""
    node = node_of(request)
    _end(request, node)
    delete_cookie(node, response, "session")


def _end(request: Request, node: Node) -> None:
    cookie = request.cookies.get(cookie_name(node, "session"))
    if cookie is not None:
        node.sessions.close(cookie, node.clock())


def cookie_name(node: Node, purpose: str) -> str:
    """Over HTTPS a name that browsers accept from this very host alone (RFC 6265bis, section 4.1.3.2)."""
    return f"__Host-federation-{purpose}" if _secure(node) else f"federation-{purpose}"


def set_cookie(node: Node, response: Response, purpose: str, value: str) -> None:
    """A cookie that scripts can't read and other sites' forms don't send, until the browser is closed."""
    response.set_cookie(
        cookie_name(node, purpose), value, path="/", secure=_secure(node), httponly=True, samesite="lax"
    )


def delete_cookie(node: Node, response: Response, purpose: str) -> None:
    response.delete_cookie(
        cookie_name(node, purpose), path="/", secure=_secure(node), httponly=True, samesite="lax"
    )


def _secure(node: Node) -> bool:
    return node.settings.public_url.startswith("https:")
