"""What custodians saw of requests before they decided."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.models import DryRun


def add_dry_run(session: Session, made: DryRun, event: AuditEvent) -> DryRun:
    """Keep what a dry run found, for whoever decides after this."""
    record(session, event, AuditAction.DRY_RUN_DONE, made.request_id)
    session.add(made)
    session.flush()
    return made


def dry_runs(session: Session, request_id: str, plan_digest: str, limit: int) -> Sequence[DryRun]:
    """The dry runs of a request's plan, the newest first."""
    query = select(DryRun).where(DryRun.request_id == request_id, DryRun.plan_digest == plan_digest)
    return session.scalars(query.order_by(DryRun.id.desc()).limit(limit)).all()
