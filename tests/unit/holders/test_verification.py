"""Data is held against the catalogue once for each snapshot, by one thread, within the run's time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.catalogue import BoundDataset
from catalogue.fragment import SourceError, SourceFault
from catalogue.models import Frequency, Profile
from connectors.duckdb import DuckDBConnector
from connectors.protocol import CancelSignal, Finding, FindingKind
from connectors.sources import FileSource
from federation.holders.verification import Verification
from tests.support.labour import LabourMarket, labour_market
from tests.support.verifications import Remembered

PROFILE = Profile(profile="counts", title="Counts", version="1", frequency=Frequency(minimum_frequency=10))


class Counting(DuckDBConnector):
    """The same source, which counts verifications and can be held up in them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FileSource(folder), threads=1)
        self.verified: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def verify(
        self,
        dataset: BoundDataset,
        related: Mapping[str, BoundDataset],
        *,
        deadline: float,
        cancel: CancelSignal,
    ) -> tuple[Finding, ...]:
        self.verified.append(dataset.name)
        self.gate.wait(30)
        return super().verify(dataset, related, deadline=deadline, cancel=cancel)


@pytest.fixture
def market(tmp_path: Path) -> LabourMarket:
    return labour_market(tmp_path, PROFILE)


@pytest.fixture
def connector(market: LabourMarket) -> Iterator[Counting]:
    connector = Counting(market.folder)
    yield connector
    connector.close()


def require(
    verification: Verification, *names: str, seconds: float = 60, cancel: threading.Event | None = None
) -> None:
    verification.require(names, deadline=time.monotonic() + seconds, cancel=cancel or threading.Event())


def rewrite(market: LabourMarket, name: str, change: object = None) -> None:
    file = market.folder / f"{name}.parquet"
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table.slice(0, 1)]) if change is None else change, file)


def test_each_snapshot_is_verified_once(market: LabourMarket, connector: Counting) -> None:
    record = Remembered()
    verification = Verification({"duckdb": connector}, market.catalogue, record)
    require(verification, "people")
    require(verification, "people")
    assert connector.verified == ["people"]
    require(verification, "people", "employers")
    assert connector.verified == ["people", "people", "employers"], "with the table that is joined now"
    again = Verification({"duckdb": connector}, market.catalogue, record)
    require(again, "people", "employers")
    assert len(connector.verified) == 3, "what was recorded holds for another process too"
    table = pq.read_table(market.folder / "people.parquet")
    rewrite(market, "people", table.slice(0, 1000))
    require(again, "people")
    assert len(connector.verified) == 4


def test_unsound_data_is_refused_every_time(market: LabourMarket, connector: Counting) -> None:
    record = Remembered()
    verification = Verification({"duckdb": connector}, market.catalogue, record)
    rewrite(market, "people")
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            require(verification, "people")
        assert caught.value.fault is SourceFault.UNSOUND
    assert len(connector.verified) == 2
    assert [finding.kind for _, found in record.kept for finding in found] == [FindingKind.DUPLICATE_UNIT] * 2


def test_a_relationship_counts_where_it_is_read(market: LabourMarket, connector: Counting) -> None:
    verification = Verification({"duckdb": connector}, market.catalogue, Remembered())
    rewrite(market, "employers")
    require(verification, "people")
    with pytest.raises(SourceError) as caught:
        require(verification, "people", "employers")
    assert caught.value.fault is SourceFault.UNSOUND


def test_a_missing_column_and_empty_data(market: LabourMarket, connector: Counting) -> None:
    verification = Verification({"duckdb": connector}, market.catalogue, Remembered())
    table = pq.read_table(market.folder / "people.parquet")
    rewrite(market, "people", table.drop_columns(["rkey"]))
    with pytest.raises(SourceError) as caught:
        require(verification, "people")
    assert caught.value.fault is SourceFault.SCHEMA
    rewrite(market, "people", table.slice(0, 0))
    require(verification, "people")


def test_another_catalogue_is_another_verification(market: LabourMarket, connector: Counting) -> None:
    record = Remembered()
    require(Verification({"duckdb": connector}, market.catalogue, record), "employers")
    document = market.catalogue.datasets["employers"].document.model_copy(update={"title": "Firms"})
    bound = BoundDataset(document, market.catalogue.datasets["employers"].dimensions)
    changed = market.catalogue.__class__(
        {"employers": bound}, market.catalogue.codelists, market.catalogue.profiles, {}, {}
    )
    require(Verification({"duckdb": connector}, changed, record), "employers")
    assert len(connector.verified) == 2


def test_two_at_once_verify_once_and_who_waits_keeps_to_its_time(
    market: LabourMarket, connector: Counting
) -> None:
    verification = Verification({"duckdb": connector}, market.catalogue, Remembered())
    connector.gate.clear()
    threads = [threading.Thread(target=require, args=(verification, "people")) for _ in range(3)]
    for thread in threads:
        thread.start()
    while not connector.verified:
        time.sleep(0.01)
    with pytest.raises(SourceError) as late:
        require(verification, "people", seconds=0.2)
    assert late.value.fault is SourceFault.TIMEOUT
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(SourceError) as stopped:
        require(verification, "people", cancel=cancel)
    assert stopped.value.fault is SourceFault.CANCELLED
    connector.gate.set()
    for thread in threads:
        thread.join(30)
    assert connector.verified == ["people"]


def test_cancelling_ends_the_verification_itself(market: LabourMarket, connector: Counting) -> None:
    verification = Verification({"duckdb": connector}, market.catalogue, Remembered())
    with pytest.raises(SourceError) as late:
        require(verification, "people", seconds=-1)
    assert late.value.fault is SourceFault.TIMEOUT
    require(verification, "people")
