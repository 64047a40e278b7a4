"""Which data was held against the catalogue and found sound."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.models import VerifiedData


def is_verified(session: Session, dataset: str, snapshot: str, catalogue_digest: str) -> bool:
    """Whether this very data was found sound against this very part of the catalogue."""
    return session.get(VerifiedData, (dataset, snapshot, catalogue_digest)) is not None


def add_verified(
    session: Session, dataset: str, snapshot: str, catalogue_digest: str, now: datetime, event: AuditEvent
) -> None:
    """Remember it. Remembering twice is remembering once."""
    record(session, event, AuditAction.DATA_VERIFIED, dataset)
    if not is_verified(session, dataset, snapshot, catalogue_digest):
        row = VerifiedData(
            dataset=dataset, snapshot=snapshot, catalogue_digest=catalogue_digest, verified_at=now
        )
        session.add(row)
