"""For whom somebody acts who is signed in: their own body, or another by a delegation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep
from federation.api.signed_in import act_for, require_csrf, session_of
from federation.identity.principal import AuthenticationError, TokenFault
from federation.identity.sessions import SignedIn
from federation.service.node import Node
from federation.web.language import mark
from federation.web.rendering import page
from federation.web.visitor import Fault, Fields, first

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Choice:
    """A body that somebody may act for today; their own has no ``instrument`` and no last day."""

    body: str
    instrument: str = ""
    until: date | None = None


def choices(node: Node, session: SignedIn) -> list[Choice]:
    """Their own body first, then those of the delegations that are in force today."""
    own = [] if session.own is None else [Choice(session.own.body)]
    given = node.delegations.of(session.principal.subject, node.clock().date())
    return own + [
        Choice(each.body, each.instrument, each.until)
        for each in given
        if each.body not in [choice.body for choice in own]
    ]


@router.get("/acting-for")
def show(node: NodeDep, request: Request) -> Response:
    """Whom the reader may act for."""
    session = session_of(request)
    if session is None:
        raise AuthenticationError(TokenFault.MISSING)
    return _page(node, request, session)


@router.post("/acting-for")
def choose(
    node: NodeDep, request: Request, session: Annotated[SignedIn, Depends(require_csrf)], form: Fields
) -> Response:
    """Act for a body from now on, in a session of its own."""
    body = first(form, "body")
    if body not in [choice.body for choice in choices(node, session)]:
        return _page(node, request, session, [{"text": mark("Choose for whom you act"), "href": "#body"}])
    response = RedirectResponse("/", 303)
    act_for(request, response, session, body)
    return response


def _page(node: Node, request: Request, session: SignedIn, faults: Sequence[Fault] = ()) -> Response:
    found = choices(node, session)
    return page(request, "acting.html", status=422 if faults else 200, choices=found, faults=faults)
