"""What people say about requests, datasets and releases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.models import Comment, SubjectKind


def add_comment(
    session: Session,
    kind: SubjectKind,
    subject: str,
    author: str,
    body: str,
    text: str,
    now: datetime,
    event: AuditEvent,
) -> Comment:
    """Say something. It stays: nobody edits or removes it."""
    record(session, event, AuditAction.COMMENT_ADDED, subject)
    comment = Comment(kind=kind, subject=subject, author=author, body=body, text=text, created_at=now)
    session.add(comment)
    session.flush()
    return comment


def list_comments(session: Session, kind: SubjectKind, subject: str) -> Sequence[Comment]:
    """What was said about one thing, in order."""
    query = select(Comment).where(Comment.kind == kind, Comment.subject == subject)
    return session.scalars(query.order_by(Comment.id)).all()
