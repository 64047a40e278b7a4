"""Routes to what a person is told, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from federation.api.bodies import SubscriptionBody
from federation.api.dependencies import Caller, NodeDep, anybody
from federation.notices.feed import MEDIA_TYPE
from federation.service import notices
from federation.service.notices import NoticeView, SubscriptionView

router = APIRouter(prefix="/v1", tags=["notices"])


@dataclass(frozen=True, slots=True)
class Notices:
    notices: list[NoticeView]


@router.get("/notices")
def listing(node: NodeDep, principal: Caller, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> Notices:
    """What the caller was told, newest first."""
    return Notices(notices.listing(node, principal, limit))


@router.put("/notices/subscription")
def subscribe(node: NodeDep, principal: Caller, body: SubscriptionBody) -> SubscriptionView:
    """Be told from now on: in a feed of one's own, whose address is shown this once, and by e-mail with an address."""
    return notices.subscribe(node, principal, body.email)


@router.get(
    "/feed/{token}",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    dependencies=[Depends(anybody)],
)
def feed(node: NodeDep, token: Annotated[str, Path(max_length=64)]) -> Response:
    """A person's notices as an Atom feed (RFC 4287), for whoever has its address."""
    return Response(notices.feed(node, token), media_type=MEDIA_TYPE)
