"""Routes to what people say about requests, datasets and releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path

from federation.api.bodies import CommentBody
from federation.api.dependencies import Caller, NodeDep, OnceDep
from federation.service import comments
from federation.service.comments import CommentView
from federation.state.models import SubjectKind

router = APIRouter(prefix="/v1/comments/{kind}/{subject}", tags=["comments"])
Subject = Annotated[str, Path(max_length=64, description="The request, the dataset or the release.")]


@dataclass(frozen=True, slots=True)
class Comments:
    comments: list[CommentView]


@router.get("")
def listing(node: NodeDep, principal: Caller, kind: SubjectKind, subject: Subject) -> Comments:
    """What was said about one thing, in order."""
    return Comments(comments.listing(node, principal, kind, subject))


@router.post("", status_code=201)
def add(
    node: NodeDep, principal: Caller, kind: SubjectKind, subject: Subject, body: CommentBody, once: OnceDep
) -> CommentView:
    """Say something about it. It stays; who is concerned is told that there is something."""
    return comments.add(node, principal, kind, subject, body.text, once)
