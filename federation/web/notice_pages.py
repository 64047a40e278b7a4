"""What the reader was told, and where they are told it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from federation.api.bodies import SubscriptionBody
from federation.api.dependencies import NodeDep
from federation.identity.principal import Principal
from federation.service import notices
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.notices import NoticeView, SubscriptionView
from federation.web.language import mark
from federation.web.rendering import page
from federation.web.visitor import Fault, Fields, Reader, Sender, first

router = APIRouter()


@router.get("/notices")
def listing(node: NodeDep, request: Request, principal: Reader) -> Response:
    """What the reader was told, the newest first."""
    return _page(node, request, principal)


@router.post("/notices")
def subscribe(node: NodeDep, request: Request, principal: Sender, form: Fields) -> Response:
    """Be told from now on. The page that answers shows the feed's address, and no other ever does."""
    email = first(form, "email")
    try:
        body = SubscriptionBody(email=email or None)
        made = notices.subscribe(node, principal, body.email)
    except ValidationError:
        return _page(
            node, request, principal, faults=[_fault(mark("This is not an address for e-mail"))], email=email
        )
    except ServiceError as error:
        if error.code is not ServiceCode.INVALID_REQUEST:
            raise
        return _page(node, request, principal, faults=[_fault(error.detail)], email=email)
    return _page(node, request, principal, made=made)


def _fault(text: str) -> Fault:
    return {"text": text[0].upper() + text[1:], "href": "#email"}


def _page(
    node: Node,
    request: Request,
    principal: Principal,
    *,
    made: SubscriptionView | None = None,
    faults: Sequence[Fault] = (),
    email: str = "",
) -> Response:
    told = notices.listing(node, principal)
    return page(
        request,
        "notices.html",
        status=422 if faults else 200,
        told=[(each, _where(node, each)) for each in told],
        made=made,
        sends=node.settings.notices.smtp is not None,
        email=email,
        faults=list(faults),
    )


def _where(node: Node, notice: NoticeView) -> str:
    """The page of what a notice is about; empty where there is none."""
    kind = {"req": "requests", "rel": "releases"}.get(notice.about.split("_")[0])
    if kind is not None:
        return f"/{kind}/{notice.about}"
    return f"/datasets/{notice.about}" if notice.about in node.catalogue.datasets else ""
