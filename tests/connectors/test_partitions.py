"""Directories whose folders are columns: what they hold, and that a condition leaves the other folders unread."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Condition,
    Field,
    Fragment,
    SourceError,
    SourceFault,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from connectors.duckdb import DuckDBConnector
from connectors.protocol import ColumnType, TypeKind
from connectors.sources import FileSource

WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "parquet": pq.write_table,
    "arrow": feather.write_feather,
    "csv": pacsv.write_csv,
}
SEX = Column(Field("sex"), ("F", "M"))
BAND = Column(Field("band"), (1, 2, 3, None))
PEOPLE = Table("data", "people", "people")


def write(folder: Path, suffix: str) -> None:
    """Ten people in each of six folders, and ten of no band whose folder is called as Hive calls it."""
    for sex in "FM":
        for band in ("1", "2", "3", "__HIVE_DEFAULT_PARTITION__"):
            place = folder / "people" / f"sex={sex}" / f"band={band}"
            place.mkdir(parents=True)
            WRITERS[suffix](pa.table({"rkey": pa.array(range(10))}), place / f"part-0.{suffix}")


@pytest.fixture(params=list(WRITERS))
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connector(tmp_path: Path, suffix: str) -> Iterator[DuckDBConnector]:
    write(tmp_path, suffix)
    connector = DuckDBConnector(FileSource(tmp_path), threads=2)
    yield connector
    connector.close()


def counts(
    connector: DuckDBConnector, column: Column, *where: Condition, table: Table = PEOPLE
) -> dict[int, int]:
    size = len(column.values)
    axis = Axis(column, tuple(range(size)), size)
    asked = Fragment(
        table, (), None, Field("rkey"), None, None, None, where, (Block((axis,)),), (Tally("t"),)
    )
    (raw,) = connector.run((asked,), deadline=time.monotonic() + 60, cancel=threading.Event())
    return {row["p0"]: row["t_n"] for row in raw.cells.to_pylist()}


def test_folders_are_columns(connector: DuckDBConnector) -> None:
    described = connector.describe(PEOPLE)
    assert (described["sex"], described["band"]) == (ColumnType(TypeKind.TEXT),) * 2
    assert counts(connector, SEX) == {0: 40, 1: 40}
    assert counts(connector, BAND) == {0: 20, 1: 20, 2: 20, 3: 20}


def test_what_engines_leave_beside_their_data_is_passed_over(
    connector: DuckDBConnector, tmp_path: Path, suffix: str
) -> None:
    """As Spark passes it over: or rows would be counted twice."""
    for left in ("_temporary/0/part", ".ipynb_checkpoints/part", "sex=F/._part"):
        path = tmp_path / "people" / f"{left}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(500))
    assert counts(connector, SEX) == {0: 40, 1: 40}


def damage(tmp_path: Path, folder: str) -> None:
    for path in (tmp_path / "people").glob(f"{folder}/*"):
        path.write_bytes(os.urandom(500))


@pytest.mark.parametrize(
    "suffix", ["parquet", "arrow"]
)  # of CSV files the heads are looked at, to tell their delimiter
def test_a_condition_leaves_other_folders_unread(
    connector: DuckDBConnector, tmp_path: Path, suffix: str
) -> None:
    """What is not read may as well be damaged."""
    damage(tmp_path, "sex=M/*")
    women = Condition(SEX, LeafSet.of([0], 2))
    assert counts(connector, BAND, women) == {0: 10, 1: 10, 2: 10, 3: 10}
    with pytest.raises(SourceError) as damaged:
        counts(connector, SEX)
    assert damaged.value.fault is SourceFault.FAILED


def test_numbered_folders_are_left_unread_too(tmp_path: Path) -> None:
    """Codes that are numbers are read from the text of folders by a guarded cast, which the engine folds."""
    write(tmp_path, "parquet")
    connector = DuckDBConnector(FileSource(tmp_path), threads=2)
    damage(tmp_path, "sex=*/band=3")
    damage(tmp_path, "sex=M/band=2")
    bands, women = Condition(BAND, LeafSet.of([0, 1, 3], 4)), Condition(SEX, LeafSet.of([0], 2))
    assert counts(connector, BAND, bands, women) == {0: 10, 1: 10, 3: 10}
    connector.close()


def test_globs_take_files_of_one_format(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b", "other"):
        WRITERS[suffix](pa.table({"rkey": [1], "sex": ["F"]}), tmp_path / f"{name}.{suffix}")
    connector = DuckDBConnector(FileSource(tmp_path), threads=2)
    assert counts(connector, SEX, table=Table("data", f"[ab].{suffix}", "people")) == {0: 2}
    WRITERS["csv" if suffix == "parquet" else "parquet"](pa.table({"rkey": [1]}), tmp_path / "b.more")
    (tmp_path / "b.more").rename(tmp_path / f"b.{'csv' if suffix == 'parquet' else 'parquet'}")
    with pytest.raises(SourceError) as mixed:
        counts(connector, SEX, table=Table("data", "[ab].*", "people"))
    assert mixed.value.fault is SourceFault.SCHEMA
    connector.close()
