"""Data is held against the catalogue before anything of it is released: once for every new snapshot.

Protection leans on what the catalogue declares: that a row is a unit, that record keys are whole and follow the unit,
that codes are in their lists. Data that was replaced after the import may say otherwise, so it is looked at again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from catalogue.catalogue import BoundDataset, Catalogue
from catalogue.fragment import SourceError, SourceFault
from connectors.protocol import CancelSignal, Connector, Finding, FindingKind
from connectors.verify import source_table

CHECKS = 1
"""Raised when connectors find more than before, so that what passed then is looked at again."""
POLL_SECONDS = 0.1
_SCHEMA = (FindingKind.MISSING_COLUMN, FindingKind.WRONG_TYPE)


@dataclass(frozen=True, slots=True)
class HeldData:
    """One state of a dataset's data under one state of the catalogue: what a verification holds for.

    ``snapshot`` is of the dataset's table and of those related ones that are read with it; ``digest`` is of
    the documents and code lists that they are held against.
    """

    dataset: str
    snapshot: str
    digest: str


class VerificationRecord(Protocol):
    """Remembers what was verified, across restarts of the node."""

    def is_sound(self, held: HeldData) -> bool:
        """Whether this very data was verified and nothing was found."""

    def keep(self, held: HeldData, findings: tuple[Finding, ...]) -> None:
        """Record that ``held`` was verified, with the errors that were found."""


class Verification:
    """Lets data through that is what the catalogue says. The same data is never looked at twice at once."""

    def __init__(
        self, connectors: Mapping[str, Connector], catalogue: Catalogue, record: VerificationRecord
    ) -> None:
        self._connectors = connectors
        self._catalogue = catalogue
        self._record = record
        self._busy: set[HeldData] = set()
        self._turn = threading.Condition()

    def require(self, names: Iterable[str], *, deadline: float, cancel: CancelSignal) -> None:
        """Return once the data of the datasets ``names``, read together, is known to be sound.

        Raises:
            SourceError: UNSOUND or SCHEMA, the data is not what the catalogue says; or the source didn't
                answer, changed, or there was no time.
        """
        datasets = {name: self._catalogue.datasets[name] for name in names}
        for dataset in datasets.values():
            self._require(dataset, related_to(dataset, datasets), deadline, cancel)

    def _require(
        self,
        dataset: BoundDataset,
        related: Mapping[str, BoundDataset],
        deadline: float,
        cancel: CancelSignal,
    ) -> None:
        own = source_table(dataset)
        connector = self._connectors[own.connector]
        tables = [own] + [
            table for table in map(source_table, related.values()) if table.connector == own.connector
        ]
        held = HeldData(dataset.name, connector.snapshot(*tables), self._digest([dataset, *related.values()]))
        if self._record.is_sound(held):
            return
        with self._alone(held, deadline, cancel):
            if self._record.is_sound(held):
                return
            found = connector.verify(dataset, related, deadline=deadline, cancel=cancel)
            if connector.snapshot(*tables) != held.snapshot:
                raise SourceError(SourceFault.CHANGED, f"dataset {dataset.name}: changed while it was read")
            errors = tuple(finding for finding in found if finding.kind.is_error)
            self._record.keep(held, errors)
        if errors:
            schema = any(finding.kind in _SCHEMA for finding in errors)
            fault = SourceFault.SCHEMA if schema else SourceFault.UNSOUND
            raise SourceError(fault, f"dataset {dataset.name} is not what the catalogue says")

    @contextmanager
    def _alone(self, held: HeldData, deadline: float, cancel: CancelSignal) -> Iterator[None]:
        """Wait until nobody else looks at this data; the wait ends with the run's own time."""
        with self._turn:
            while held in self._busy:
                if cancel.is_set():
                    raise SourceError(SourceFault.CANCELLED, "stopped before it was done")
                if time.monotonic() >= deadline:
                    raise SourceError(SourceFault.TIMEOUT, "stopped before it was done")
                self._turn.wait(POLL_SECONDS)
            self._busy.add(held)
        try:
            yield
        finally:
            with self._turn:
                self._busy.remove(held)
                self._turn.notify_all()

    def _digest(self, datasets: list[BoundDataset]) -> str:
        digests = self._catalogue.digests
        lists = {
            v.codelist for d in datasets for v in d.document.variables.values() if v.codelist is not None
        }
        names = [f"dataset:{d.name}" for d in datasets] + [f"codelist:{name}" for name in sorted(lists)]
        text = "\n".join([str(CHECKS), *(f"{name} {digests[name]}" for name in names)])
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def related_to(dataset: BoundDataset, among: Mapping[str, BoundDataset]) -> dict[str, BoundDataset]:
    """Those of ``among`` that relationships of ``dataset`` lead to."""
    targets = sorted({relationship.to for relationship in dataset.document.relationships.values()})
    return {name: among[name] for name in targets if name in among}
