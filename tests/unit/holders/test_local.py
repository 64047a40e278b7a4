"""The local holder on a real DuckDB source: what it answers, and when it answers nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from catalogue.catalogue import Catalogue, bind_dataset
from catalogue.fragment import Fragment, SourceError, SourceFault
from catalogue.models import CellKeys, Dominance, Frequency, Profile, PTableSpec
from connectors.duckdb import DuckDBConnector
from connectors.sources import FileSource
from federation.holders.local import LocalHolder
from federation.holders.protocol import Holder
from policies.cells import ProtectedCells
from policies.plan import CellQuery
from policies.protect import ProtectError, ProtectFault, protect, ptable_of
from tests.support.cell_queries import NOISE, axis, pay_of_people, with_guard
from tests.support.labour import CODELISTS, datasets
from tests.support.naive_source import Row, run
from tests.support.verifications import Remembered

PROFILE = Profile(
    profile="profile",
    title="Cell keys, ten people",
    version="1",
    frequency=Frequency(minimum_frequency=10),
    cell_keys=CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05, smallest_published=1)),
    dominance=Dominance(p_percent=Decimal(10)),
)
SCHEMA = pa.schema(
    {"area": pa.string(), "sex": pa.string(), "pay": pa.decimal128(9, 2), "record_key": pa.int32()}
)


def population(seed: int = 1) -> list[Row]:
    random = Random(seed)
    return [
        {
            "area": random.choices(["E1", "E2", "E3", "W1"], [30, 20, 3, 1])[0],
            "sex": random.choice("FM"),
            "pay": random.choices([None, Decimal(0), Decimal(random.randrange(150_000)) / 100], [1, 1, 8])[0],
            "record_key": random.randrange(100_000_000),
        }
        for _ in range(300)
    ]


def question(location: str) -> CellQuery:
    """Pay by area and sex, by area, in England (guarded, W1 being too few), and of everybody."""
    areas, england = axis("area"), axis("area", [["E1", "E2", "E3"]])
    query = pay_of_people([areas, axis("sex")], [areas], [england], [])
    everybody = axis("area", [["E1", "E2", "E3", "W1"]])
    relaxed = [[areas, axis("sex")], [areas], [everybody], []]
    query = with_guard(query, "area", relaxed, [(), (), (0,), ()])

    def moved(fragment: Fragment) -> Fragment:
        return replace(fragment, table=replace(fragment.table, location=location))

    guards = tuple(replace(guard, fragment=moved(guard.fragment)) for guard in query.guards)
    return replace(query, fragment=moved(query.fragment), guards=guards)


def catalogue(profile: Profile = PROFILE) -> Catalogue:
    document = datasets(Path(), "profile")["people"]
    bound = bind_dataset(document, CODELISTS)
    return Catalogue({"people": bound}, CODELISTS, {profile.profile: profile}, {}, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = pa.Table.from_pylist(population(), schema=SCHEMA)
    pq.write_table(table, tmp_path / "people.parquet")
    pacsv.write_csv(table, tmp_path / "people.csv")
    return tmp_path


@pytest.fixture
def connector(folder: Path) -> Iterator[DuckDBConnector]:
    connector = DuckDBConnector(FileSource(folder), threads=1)
    yield connector
    connector.close()


def answer(holder: LocalHolder, query: CellQuery) -> ProtectedCells:
    return holder.answer(query, deadline=time.monotonic() + 60, cancel=threading.Event())


@pytest.mark.parametrize("location", ["people.parquet", "people.csv"])
def test_the_answer_is_the_protection_of_what_a_naive_source_gives(
    connector: DuckDBConnector, location: str
) -> None:
    query = question(location)
    holder = LocalHolder({"duckdb": connector}, catalogue(), NOISE, Remembered(sound=True))
    rows = population()
    guards = [run(guard.fragment, rows) for guard in query.guards]
    expected = protect(query, run(query.fragment, rows), guards, PROFILE, NOISE, ptable_of(PROFILE))
    found = answer(holder, query)
    assert found.table.to_pylist() == expected.table.to_pylist()
    assert found.snapshot == connector.snapshot(query.fragment.table)
    in_england = [row for row in found.table.to_pylist() if row["area"] == "E1+E2+E3"]
    assert [row["a0"] for row in in_england] == [None]
    assert sum(row["a1"] is not None for row in found.table.to_pylist()) >= 6


class Changing:
    """A cancel signal that never fires: when it is first asked, the fragments being read, the source changes."""

    def __init__(self, folder: Path) -> None:
        self.path: Path | None = folder / "people.parquet"

    def is_set(self) -> bool:
        if self.path is not None:
            path, self.path = self.path, None
            pq.write_table(pa.Table.from_pylist(population()[1:], schema=SCHEMA), path)
        return False


def test_a_source_that_changes_while_its_fragments_are_read_gives_no_answer(
    connector: DuckDBConnector, folder: Path
) -> None:
    holder = LocalHolder({"duckdb": connector}, catalogue(), NOISE, Remembered(sound=True))
    with pytest.raises(SourceError) as caught:
        holder.answer(question("people.parquet"), deadline=time.monotonic() + 60, cancel=Changing(folder))
    assert caught.value.fault is SourceFault.CHANGED


def test_a_source_that_is_not_there_gives_no_answer(connector: DuckDBConnector) -> None:
    holder: Holder = LocalHolder({"duckdb": connector}, catalogue(), NOISE, Remembered(sound=True))
    with pytest.raises(SourceError) as caught:
        holder.answer(question("nobody.parquet"), deadline=time.monotonic() + 60, cancel=threading.Event())
    assert caught.value.fault is SourceFault.MISSING


def test_a_connector_that_nobody_configured_gives_no_answer() -> None:
    with pytest.raises(SourceError) as caught:
        answer(LocalHolder({}, catalogue(), NOISE, Remembered(sound=True)), question("people.parquet"))
    assert caught.value.fault is SourceFault.MISSING


def test_a_profile_that_is_not_there_gives_no_answer(connector: DuckDBConnector) -> None:
    other = PROFILE.model_copy(update={"profile": "other"})
    with pytest.raises(ProtectError) as caught:
        answer(
            LocalHolder({"duckdb": connector}, catalogue(other), NOISE, Remembered(sound=True)),
            question("people.parquet"),
        )
    assert caught.value.fault is ProtectFault.PROFILE


def test_a_cancelled_run_gives_no_answer(connector: DuckDBConnector) -> None:
    cancel = threading.Event()
    cancel.set()
    holder = LocalHolder({"duckdb": connector}, catalogue(), NOISE, Remembered(sound=True))
    with pytest.raises(SourceError) as caught:
        holder.answer(question("people.parquet"), deadline=time.monotonic() + 60, cancel=cancel)
    assert caught.value.fault is SourceFault.CANCELLED
