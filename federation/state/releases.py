"""Releases and the ledger: written once, with the end of their run and the audit event, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from federation.audit.events import AuditAction, AuditEvent
from federation.state.changes import record
from federation.state.errors import (
    AlreadyReleased,
    LeaseLost,
    NotFound,
    NotReleasable,
    PartitionsExhausted,
    PartRecalled,
    RunCancelled,
)
from federation.state.lifecycle import RUNNABLE, Role, RunAction
from federation.state.models import LedgerEntry, PartRecall, Release, ReleasePart, Request, Run
from federation.state.steps import Lease, ended, held, take_step


@dataclass(frozen=True, slots=True)
class NewRelease:
    """What is released. Its files are in place already (``federation.release.files``); ``path`` is relative.

    ``parts`` are releases of other nodes that went into it: of each the node and the id.
    """

    id: str
    table_digest: str
    file_digest: str
    path: str
    statement: str
    snapshots: Mapping[str, str]
    parts: Collection[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class CellQueryRecord:
    """What the ledger keeps of one cell query.

    ``partition`` is the digest of what is charged, so that asking the same again charges nothing more;
    ``maximum_partitions`` is the profile's limit for one population: a series, reference period and key epoch.
    """

    dataset: str
    series: str
    reference_period: str
    atoms: Sequence[Any]
    box: Mapping[str, Any]
    dimensions: Sequence[str]
    snapshot: str
    key_epoch: int
    partition: str
    partition_charge: int
    maximum_partitions: int | None
    cells_digest: str


def finish_run(
    session: Session,
    lease: Lease,
    release: NewRelease,
    cells: Sequence[CellQueryRecord],
    now: datetime,
    event: AuditEvent,
) -> Release:
    """End a run with its release: release, ledger rows, end of the run and audit event commit together or not at all.

    Raises:
        AlreadyReleased: the run has a release.
        LeaseLost: the run is not held by this claim any more.
        NotReleasable: the request's approval was withdrawn in the meantime.
        PartitionsExhausted: other releases of these populations used up what the profile allows.
        PartRecalled: another node recalled what it had given for it.
        RunCancelled: cancellation was asked for.
    """
    record(session, event, AuditAction.RELEASE_ISSUED, release.id)
    run = session.get(Run, lease.run_id, populate_existing=True)
    if run is None:
        raise NotFound(f"there is no run {lease.run_id}")
    if session.scalars(select(Release.id).where(Release.run_id == run.id)).first() is not None:
        raise AlreadyReleased(f"the run {run.id} has a release already")
    request = session.get_one(Request, run.request_id, populate_existing=True)
    if request.state not in RUNNABLE:
        raise NotReleasable(f"the request is {request.state}: nothing is released under it")
    if run.cancel_requested:
        raise RunCancelled(f"the run {run.id} was to be cancelled")
    if any(session.get(PartRecall, part) is not None for part in release.parts):
        raise PartRecalled("a node recalled what it had given: nothing is released that rests on it")
    finished = ended(now) | {"progress": 100}
    if not take_step(session, run.id, RunAction.FINISH, Role.NODE, held(lease), finished):
        raise LeaseLost(f"the run {run.id} is no longer held by this worker")
    stored = Release(
        id=release.id,
        run_id=run.id,
        request_id=request.id,
        table_digest=release.table_digest,
        file_digest=release.file_digest,
        path=release.path,
        statement=release.statement,
        snapshots=dict(release.snapshots),
        created_at=now,
    )
    session.add(stored)
    session.flush()
    session.add_all(ReleasePart(release_id=stored.id, node=node, part=part) for node, part in release.parts)
    before = _spent(session, cells)
    session.add_all(_ledger_rows(release.id, request.body, cells, now))
    session.flush()
    after = _spent(session, cells)
    for cell in cells:
        spent = after[_population(cell)]
        if (
            cell.maximum_partitions is not None
            and before[_population(cell)] < spent > cell.maximum_partitions
        ):
            raise PartitionsExhausted(
                f"{cell.series} has been divided as often as its profile allows; ask with divisions used before"
            )
    return stored


def get_release(session: Session, release_id: str) -> Release:
    """The release of this id.

    Raises:
        NotFound: there is none.
    """
    release = session.get(Release, release_id)
    if release is None:
        raise NotFound(f"there is no release {release_id}")
    return release


def release_of_run(session: Session, run_id: str) -> Release | None:
    """The release that the run ended with, if it did."""
    return session.scalars(select(Release).where(Release.run_id == run_id)).one_or_none()


def count_releases(session: Session, request_id: str) -> int:
    """How many releases a request has had."""
    return session.scalars(select(func.count()).where(Release.request_id == request_id)).one()


def ledger(
    session: Session, series: str, reference_period: str, *, key_epoch: int | None = None
) -> Iterator[LedgerEntry]:
    """All that was released of one series and reference period, to anyone, in order, streamed."""
    query = select(LedgerEntry).where(
        LedgerEntry.series == series, LedgerEntry.reference_period == reference_period
    )
    if key_epoch is not None:
        query = query.where(LedgerEntry.key_epoch == key_epoch)
    return iter(session.scalars(query.order_by(LedgerEntry.id).execution_options(yield_per=1_000)))


def partitions_spent(session: Session, series: str, reference_period: str, key_epoch: int) -> int:
    """The partitions charged so far to one population across all recipients; equal partitions count once."""
    once = (
        select(func.max(LedgerEntry.partition_charge).label("charge"))
        .where(
            LedgerEntry.series == series,
            LedgerEntry.reference_period == reference_period,
            LedgerEntry.key_epoch == key_epoch,
        )
        .group_by(LedgerEntry.partition)
        .subquery()
    )
    return int(session.scalar(select(func.coalesce(func.sum(once.c.charge), 0))) or 0)


def referenced_digests(session: Session) -> frozenset[str]:
    """Digests of all files that releases and ledger name, for clearing away what a killed run left behind."""
    files = session.scalars(select(Release.file_digest)).all()
    return frozenset(files) | frozenset(session.scalars(select(LedgerEntry.cells_digest).distinct()))


def _population(cell: CellQueryRecord) -> tuple[str, str, int]:
    return cell.series, cell.reference_period, cell.key_epoch


def _spent(session: Session, cells: Sequence[CellQueryRecord]) -> dict[tuple[str, str, int], int]:
    return {population: partitions_spent(session, *population) for population in map(_population, cells)}


def _ledger_rows(
    release_id: str, recipient: str, cells: Sequence[CellQueryRecord], now: datetime
) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            release_id=release_id,
            ordinal=ordinal,
            dataset=cell.dataset,
            series=cell.series,
            reference_period=cell.reference_period,
            atoms=list(cell.atoms),
            box=dict(cell.box),
            dimensions=list(cell.dimensions),
            snapshot=cell.snapshot,
            key_epoch=cell.key_epoch,
            recipient=recipient,
            partition=cell.partition,
            partition_charge=cell.partition_charge,
            cells_digest=cell.cells_digest,
            created_at=now,
        )
        for ordinal, cell in enumerate(cells)
    ]
