"""What routes need to know of a request: the node, who calls, and under which idempotency key."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from federation.api.limits import RateLimiter
from federation.identity.principal import AuthenticationError, Principal, TokenFault
from federation.service.node import Node
from federation.service.once import Once
from federation.state.idempotency import request_digest

_bearer = HTTPBearer(auto_error=False, description="An access token from the token endpoint.")


def node_of(request: Request) -> Node:
    return cast(Node, request.app.state.node)


def caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    acting_for: Annotated[
        str | None,
        Header(max_length=64, description="The body to act for by delegation, where it is not one's own."),
    ] = None,
) -> Principal:
    """Who calls; counts the request against the caller's share."""
    if credentials is None:
        raise AuthenticationError(TokenFault.MISSING)
    principal = node_of(request).authenticator.authenticate(credentials.credentials, acting_for)
    cast(RateLimiter, request.app.state.limiter).take(principal.subject)
    return principal


def anybody(request: Request) -> None:
    """Counts a request that needs no token against the address it comes from."""
    host = request.client.host if request.client is not None else "unknown"
    cast(RateLimiter, request.app.state.limiter).take(f"address {host}")


async def once(
    request: Request,
    principal: Annotated[Principal, Depends(caller)],
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Any text that is new for every act: the same key and request are answered once.",
            examples=["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        ),
    ] = None,
) -> Once | None:
    if idempotency_key is None:
        return None
    asked = f"{request.url.path} for {principal.body}"
    digest = request_digest(request.method, asked, await request.body())
    return Once(principal.subject, idempotency_key, digest)


NodeDep = Annotated[Node, Depends(node_of)]
Caller = Annotated[Principal, Depends(caller)]
OnceDep = Annotated[Once | None, Depends(once)]
