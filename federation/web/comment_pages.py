"""What people say about requests, datasets and releases."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from federation.api.dependencies import NodeDep
from federation.service import comments
from federation.state.models import SubjectKind
from federation.web.language import mark
from federation.web.rendering import page
from federation.web.visitor import Fault, Fields, OnceDep, Sender, first, text_of

router = APIRouter()


@router.post("/comments/{kind}/{subject}")
def say(
    node: NodeDep,
    request: Request,
    principal: Sender,
    form: Fields,
    once: OnceDep,
    kind: SubjectKind,
    subject: Annotated[str, Path(max_length=64)],
) -> Response:
    """Say something about a thing that one may see. A comment with a mistake is shown on a page of its own."""
    where = f"/{kind}s/{subject}"
    faults: list[Fault] = []
    text = text_of(first(form, "comment"), "comment", mark("Write what you want to say"), faults)
    if faults:
        comments.listing(node, principal, kind, subject)  # nobody learns of what they may not see
        return page(
            request,
            "comment.html",
            status=422,
            kind=kind,
            subject=subject,
            text=text,
            back=where,
            faults=faults,
        )
    comments.add(node, principal, kind, subject, text, once)
    return RedirectResponse(f"{where}#comments", 303)
