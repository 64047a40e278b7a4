"""Discussion of requests, datasets and releases among those who may see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent, Detail, text_digest
from federation.identity.principal import Principal
from federation.notices.events import tell_of_comment
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.once import Once, act
from federation.service.permissions import Act, require
from federation.service.releases import find
from federation.service.requests import visible
from federation.state import comments as store
from federation.state.models import Comment, Contact, SubjectKind
from federation.state.notices import contacts
from federation.state.requests import get_request


@dataclass(frozen=True, slots=True)
class CommentView:
    """What somebody said about one thing."""

    author: str
    body: str
    text: str
    created_at: datetime


def listing(node: Node, principal: Principal, kind: SubjectKind, subject: str) -> list[CommentView]:
    """What was said about a thing, in order. NOT_FOUND for one that is not the reader's to see, too."""
    _check(node, principal, kind, subject)
    with node.database.read() as session:
        return [_view(comment) for comment in store.list_comments(session, kind, subject)]


def add(
    node: Node,
    principal: Principal,
    kind: SubjectKind,
    subject: str,
    text: str,
    once: Once | None = None,
) -> CommentView:
    """Say something about a thing that one may see; it stays, and who is concerned is told that there is something."""
    require(principal, Act.COMMENT)
    _check(node, principal, kind, subject)
    now = node.clock()
    details = {Detail.BODY: principal.body, Detail.KIND: str(kind), Detail.REASON_DIGEST: text_digest(text)}

    def do(session: Session) -> CommentView:
        event = AuditEvent(principal.subject, AuditAction.COMMENT_ADDED, subject, now, details)
        comment = store.add_comment(
            session, kind, subject, principal.subject, principal.body, text, now, event
        )
        tell_of_comment(session, comment, _concerned(node, session, principal, kind, subject), now)
        return _view(comment)

    return act(node.database, once, CommentView, now, do)


def _check(node: Node, principal: Principal, kind: SubjectKind, subject: str) -> None:
    match kind:
        case SubjectKind.REQUEST:
            with node.database.read() as session:
                visible(session, principal, subject)
        case SubjectKind.RELEASE:
            find(node, principal, subject)
        case SubjectKind.DATASET:
            if subject not in node.catalogue.datasets:
                raise ServiceError(ServiceCode.NOT_FOUND, "there is no such dataset")


def _concerned(
    node: Node, session: Session, principal: Principal, kind: SubjectKind, subject: str
) -> Collection[Contact]:
    """Who asked and who decides; of a dataset those who decide on it, and whoever said something before."""
    before = {comment.author for comment in store.list_comments(session, kind, subject)}
    if kind is SubjectKind.DATASET:
        custodian = node.catalogue.datasets[subject].document.custodian
        return contacts(session, subjects=before, deciding_for=[custodian])
    request_id = subject if kind is SubjectKind.REQUEST else find(node, principal, subject).request
    request = get_request(session, request_id)
    return contacts(session, subjects={request.requester, *before}, deciding_for=request.reviewers)


def _view(comment: Comment) -> CommentView:
    return CommentView(comment.author, comment.body, comment.text, comment.created_at)
