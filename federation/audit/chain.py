"""Appending to the chain, and finding out whether anybody has edited, removed, moved or cut off events.

Each event holds the hash of the one before it (Haber and Stornetta 1991, linear linking; Schneier and Kelsey 1999,
section 4, for logs). The head is held apart, and a signed checkpoint (``federation.audit.checkpoint``) that is kept
elsewhere covers the case that both were rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.audit.events import GENESIS, AuditEvent, event_hash
from federation.audit.records import AuditHead, AuditRecord

BATCH = 1_000


class ChainError(Exception):
    """The chain cannot be extended: its head is missing. Nothing may run then."""

    code = "audit_chain_unavailable"


class ChainFaultKind(StrEnum):
    """What is wrong with a chain, at the first event where it shows."""

    CHANGED = "event_changed"
    MISSING = "event_missing"
    UNLINKED = "event_unlinked"
    HEAD_DIFFERS = "head_differs"
    CHECKPOINT_DIFFERS = "checkpoint_differs"
    CUT_OFF = "events_cut_off"


@dataclass(frozen=True, slots=True)
class ChainFault:
    kind: ChainFaultKind
    sequence: int


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A position in the chain: the event's number and its hash (0 and GENESIS before the first)."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """Outcome of a verification: how far the chain was followed, and the first fault if there is one."""

    reached: ChainLink
    fault: ChainFault | None

    @property
    def whole(self) -> bool:
        return self.fault is None


def append(session: Session, event: AuditEvent) -> ChainLink:
    """Add ``event`` to the chain within the caller's transaction: it is recorded if and only if that commits.

    The lock on the head makes one order of all writers, on engines with concurrent ones too.

    Raises:
        ChainError: the head is missing.
    """
    head = session.scalars(
        select(AuditHead).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if head is None:
        raise ChainError("the audit chain has no head")
    record = AuditRecord(
        sequence=head.sequence + 1,
        time=event.time_text,
        actor=event.actor,
        action=str(event.action),
        subject=event.subject,
        details=event.details_json,
        previous=head.hash,
    )
    record.hash = _hash(record)
    head.sequence, head.hash = record.sequence, record.hash
    session.add(record)
    session.flush()
    return ChainLink(record.sequence, record.hash)


def head(session: Session) -> ChainLink:
    """Where the chain ends, as its head says.

    Raises:
        ChainError: the head is missing.
    """
    row = session.scalars(select(AuditHead)).one_or_none()
    if row is None:
        raise ChainError("the audit chain has no head")
    return ChainLink(row.sequence, row.hash)


def events(session: Session, *, after: int = 0, subject: str | None = None) -> Iterator[AuditRecord]:
    """Stored events in order, streamed: those after number ``after``, of one subject where it is named."""
    query = select(AuditRecord).where(AuditRecord.sequence > after).order_by(AuditRecord.sequence)
    if subject is not None:
        query = query.where(AuditRecord.subject == subject)
    return iter(session.scalars(query.execution_options(yield_per=BATCH)))


def verify_chain(session: Session, checkpoint: ChainLink | None = None) -> ChainReport:
    """Follow the whole chain and compare it with its head and, where given, with an earlier checkpoint.

    Finds edited, removed, inserted, reordered and cut-off events. What it cannot find without a checkpoint is a
    chain rewritten from some event on, its head included.
    """
    report = _follow(events(session), checkpoint)
    row = session.scalars(select(AuditHead)).one_or_none()
    if report.whole and (row is None or ChainLink(row.sequence, row.hash) != report.reached):
        return ChainReport(report.reached, ChainFault(ChainFaultKind.HEAD_DIFFERS, report.reached.sequence))
    return _reaching(report, checkpoint)


def verify_events(records: Iterable[AuditRecord], checkpoint: ChainLink | None = None) -> ChainReport:
    """Follow events from the first on, exported ones for instance, and compare them with a checkpoint.

    Without a checkpoint it cannot be seen that the last events are missing.
    """
    return _reaching(_follow(records, checkpoint), checkpoint)


def _follow(records: Iterable[AuditRecord], checkpoint: ChainLink | None) -> ChainReport:
    reached = ChainLink(0, GENESIS)
    for record in records:
        kind = _fault(record, reached)
        if kind is not None:
            return ChainReport(reached, ChainFault(kind, reached.sequence + 1))
        reached = ChainLink(record.sequence, record.hash)
        if checkpoint is not None and checkpoint.sequence == reached.sequence and checkpoint != reached:
            return ChainReport(reached, ChainFault(ChainFaultKind.CHECKPOINT_DIFFERS, reached.sequence))
    return ChainReport(reached, None)


def _reaching(report: ChainReport, checkpoint: ChainLink | None) -> ChainReport:
    """The report, unless the events end before the checkpoint."""
    if not report.whole or checkpoint is None or checkpoint.sequence <= report.reached.sequence:
        return report
    return ChainReport(report.reached, ChainFault(ChainFaultKind.CHECKPOINT_DIFFERS, checkpoint.sequence))


def _fault(record: AuditRecord, before: ChainLink) -> ChainFaultKind | None:
    if record.sequence != before.sequence + 1:
        return ChainFaultKind.MISSING
    try:
        same = record.hash == _hash(record)
    except TypeError:  # SQLite stores whatever it is given: a blob, say, where there was text
        same = False
    if not same:
        return ChainFaultKind.CHANGED
    return None if record.previous == before.hash else ChainFaultKind.UNLINKED


def _hash(record: AuditRecord) -> str:
    return event_hash(
        sequence=record.sequence,
        time=record.time,
        actor=record.actor,
        action=record.action,
        subject=record.subject,
        details=record.details,
        previous=record.previous,
    )
