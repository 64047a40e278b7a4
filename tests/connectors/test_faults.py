"""Sources that fail: each failure is typed, says nothing of the data, and leaves the connector usable."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
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
    Grid,
    Histogram,
    Magnitude,
    Measure,
    SourceError,
    SourceFault,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from connectors.duckdb import DuckDBConnector
from connectors.sources import DatabaseSource, FileSource, content_digest

SECRET = 987_654_321
AREA = Column(Field("area"), tuple(range(50)))
PAY = Measure("pay", Field("pay"), 2)


def people(rows: int) -> pa.Table:
    rng = np.random.default_rng(1)
    return pa.table({
        "id": np.arange(rows),
        "rkey": rng.integers(0, 10**8, rows).astype(np.int32),
        "area": rng.integers(0, 50, rows),
        "pay": rng.random(rows) * 1000,
        "name": [str(SECRET)] * rows,
    })  # fmt: skip


def fragment(table: Table, *statistics: Tally | Magnitude | Histogram, unit: Field | None = None) -> Fragment:
    block = Block((Axis(AREA, tuple(range(50)), 50),))
    found = statistics or (Tally("t"),)
    return Fragment(table, (), unit, Field("rkey"), None, None, None, (), (block,), found)


PEOPLE = Table("data", "people.parquet", "people")


@pytest.fixture
def connector(tmp_path: Path) -> Iterator[DuckDBConnector]:
    pq.write_table(people(1000), tmp_path / "people.parquet")
    connector = DuckDBConnector(FileSource(tmp_path), threads=2)
    yield connector
    connector.close()


def run(connector: DuckDBConnector, asked: Fragment, seconds: float = 60) -> int:
    (raw,) = connector.run((asked,), deadline=time.monotonic() + seconds, cancel=threading.Event())
    return int(sum(raw.cells["t_n"].to_pylist()))


def fails(connector: DuckDBConnector, asked: Fragment, fault: SourceFault) -> None:
    with pytest.raises(SourceError) as raised:
        run(connector, asked)
    assert raised.value.fault is fault
    assert raised.value.__context__ is None, (
        "the engine's exception, which may quote values, must not be chained"
    )
    assert str(SECRET) not in "".join(traceback.format_exception(raised.value))


def test_a_missing_file(connector: DuckDBConnector) -> None:
    fails(connector, fragment(Table("data", "nobody.parquet", "nobody")), SourceFault.MISSING)


@pytest.mark.parametrize("location", ["../people.parquet", "/etc/passwd", "link.parquet"])
def test_a_location_outside_the_declared_folder(
    connector: DuckDBConnector, tmp_path: Path, location: str
) -> None:
    outside = tmp_path.parent / "outside.parquet"
    pq.write_table(people(3), outside)
    (tmp_path / "link.parquet").symlink_to(outside)
    fails(connector, fragment(Table("data", location, "people")), SourceFault.MISSING)


def test_a_missing_column(connector: DuckDBConnector) -> None:
    asked = fragment(PEOPLE, Magnitude("t", Measure("bonus", Field("bonus"), 2)))
    fails(connector, asked, SourceFault.SCHEMA)


def test_a_column_of_another_type(connector: DuckDBConnector, tmp_path: Path) -> None:
    pq.write_table(people(10).append_column("list", [[[1]] * 10]), tmp_path / "people.parquet")
    asked = fragment(PEOPLE, Magnitude("t", Measure("list", Field("list"), 2)))
    fails(connector, asked, SourceFault.SCHEMA)


def test_text_where_numbers_should_be_raises_nothing_about_a_row(connector: DuckDBConnector) -> None:
    """Totality: neither a cast nor a custodian's expression can fail for one row and tell of it."""
    measures = [
        Measure("name", Field("name"), 2),
        Measure("cast", Field("CAST('x' || name AS INTEGER)"), 0),
        Measure("overflow", Field("CAST(id AS TINYINT) * CAST(100 AS TINYINT)"), 0),
        Measure("division", Field("pay / (id - 5)"), 2),
    ]
    for measure in measures:
        asked = fragment(PEOPLE, Magnitude("t", measure))
        assert 0 <= run(connector, asked) <= 1000


def test_an_expression_that_is_a_query_is_refused(connector: DuckDBConnector) -> None:
    for text in ("(SELECT max(pay) FROM people)", "other.pay", "sum(pay)", "pay; DROP TABLE x", "1 +"):
        asked = fragment(PEOPLE, Magnitude("t", Measure("m", Field(text), 2)))
        fails(connector, asked, SourceFault.SCHEMA)


def test_codes_with_quotes_are_data(connector: DuckDBConnector) -> None:
    column = Column(Field("name"), ("' OR 1=1 --", "';DROP TABLE people;", str(SECRET)))
    asked = fragment(PEOPLE, Tally("t", (Condition(column, LeafSet.of([0, 1], 3)),)))
    assert run(connector, asked) == 0
    asked = fragment(PEOPLE, Tally("t", (Condition(column, LeafSet.of([2], 3)),)))
    assert run(connector, asked) == 1000


def test_a_truncated_file(connector: DuckDBConnector, tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    os.truncate(path, path.stat().st_size // 2)
    fails(connector, fragment(PEOPLE), SourceFault.FAILED)


def test_an_empty_table_has_no_cells(connector: DuckDBConnector, tmp_path: Path) -> None:
    pq.write_table(people(0), tmp_path / "people.parquet")
    asked = fragment(
        PEOPLE, Tally("t"), Magnitude("m", PAY), Histogram("h", PAY, Grid(Decimal(0), Decimal(10), 5))
    )
    (raw,) = connector.run((asked,), deadline=time.monotonic() + 60, cancel=threading.Event())
    assert raw.cells.num_rows == 0
    assert raw.histograms["h"].num_rows == 0


class Trap:
    """A cancel signal that never fires, but changes the source while the run asks about it."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change: Callable[[], object] | None = change

    def is_set(self) -> bool:
        if self.change is not None:
            self.change()
            self.change = None
        return False


@pytest.mark.parametrize("what", ["vanishes", "is_truncated", "is_replaced"])
def test_a_file_that_changes_while_it_is_read(connector: DuckDBConnector, tmp_path: Path, what: str) -> None:
    path = tmp_path / "people.parquet"
    changes: dict[str, Callable[[], object]] = {
        "vanishes": path.unlink,
        "is_truncated": lambda: os.truncate(path, 100),
        "is_replaced": lambda: pq.write_table(people(2000), path),
    }
    with pytest.raises(SourceError) as raised:
        connector.run((fragment(PEOPLE),), deadline=time.monotonic() + 60, cancel=Trap(changes[what]))
    assert raised.value.fault in (SourceFault.CHANGED, SourceFault.MISSING)
    assert raised.value.__context__ is None


def slow(table: Table) -> Fragment:
    """Hundreds of thousands of groups by entity: several seconds of work."""
    parts = Axis(Column(Field("id"), tuple(range(10))), tuple(range(10)), 10)
    wide = Block((Axis(AREA, tuple(i % 7 for i in range(50)), 7),))
    tallies = tuple(
        Magnitude(f"m{i}", Measure("p", Field(f"sqrt(sin(pay * {i}) + 2)"), 4)) for i in range(30)
    )
    return Fragment(
        table,
        (),
        Field("id"),
        Field("rkey"),
        Field("name"),
        Field("pay"),
        None,
        (),
        (wide, Block((parts,))),
        tallies,
    )


@dataclass(frozen=True)
class Stopped:
    """How a run ended, and the processor seconds that this process spent on it: a busy machine adds none."""

    fault: SourceFault | None
    cost: float


def attempt(connector: DuckDBConnector, seconds: float, cancel: threading.Event) -> Stopped:
    started, fault = time.process_time(), None
    try:
        connector.run((slow(PEOPLE),), deadline=time.monotonic() + seconds, cancel=cancel)
    except SourceError as error:
        fault = error.fault
    return Stopped(fault, time.process_time() - started)


def test_cancellation_and_deadline_stop_the_engine(connector: DuckDBConnector, tmp_path: Path) -> None:
    """Long before the work would end: a small part of what the same work costs when nothing stops it."""
    pq.write_table(people(40_000), tmp_path / "people.parquet")
    whole = attempt(connector, 600, threading.Event())
    assert whole.fault is None
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    cancelled = attempt(connector, 600, cancel)
    assert cancelled.fault is SourceFault.CANCELLED
    late = attempt(connector, 0.3, threading.Event())
    assert late.fault is SourceFault.TIMEOUT
    assert max(cancelled.cost, late.cost) < whole.cost / 2
    pq.write_table(people(10), tmp_path / "people.parquet")
    assert run(connector, fragment(PEOPLE)) == 10


def test_memory_is_bounded(tmp_path: Path) -> None:
    """Without a place to spill, too many groups end the run; with one, it gets through."""
    pq.write_table(people(1_000_000), tmp_path / "people.parquet")
    asked = fragment(PEOPLE, Tally("t"), Magnitude("m", PAY), unit=Field("id"))
    small = DuckDBConnector(FileSource(tmp_path), memory_limit="40MB", threads=1)
    with pytest.raises(SourceError) as raised:
        run(small, asked)
    assert raised.value.fault is SourceFault.RESOURCES
    small.close()
    spilling = DuckDBConnector(
        FileSource(tmp_path), memory_limit="100MB", threads=1, temp_directory=tmp_path / "spill"
    )
    assert run(spilling, asked) == 1_000_000
    spilling.close()


def test_the_engine_is_locked_down(connector: DuckDBConnector, tmp_path: Path) -> None:
    """What SQL could do on the connector's own cursor, were any injected: nothing outside the data."""
    run(connector, fragment(PEOPLE))
    assert connector._instance is not None
    cursor = connector._instance.cursor()
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("secret")
    for statement in (
        f"SELECT * FROM read_text('{outside}')",
        f"COPY (SELECT 1) TO '{tmp_path.parent / 'out.csv'}'",
        f"ATTACH '{tmp_path.parent / 'other.duckdb'}' AS other",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM connector",
    ):
        with pytest.raises(duckdb.Error):
            cursor.execute(statement).fetchall()


def test_a_database_that_is_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "market.duckdb"

    def store(rows: int) -> None:
        fresh = tmp_path / "fresh.duckdb"
        with duckdb.connect(str(fresh)) as connection:
            connection.register("given", people(rows))
            connection.execute("CREATE TABLE people AS FROM given")
        fresh.replace(path)

    connector = DuckDBConnector(DatabaseSource(path))
    table = Table("data", "people", "people")
    fails(connector, fragment(table), SourceFault.UNREACHABLE)
    store(10)
    assert run(connector, fragment(table)) == 10
    store(20)
    assert run(connector, fragment(table)) == 20
    fails(connector, fragment(Table("data", "nobody", "nobody")), SourceFault.SCHEMA)
    path.write_bytes(b"not a database" * 1000)
    fails(connector, fragment(table), SourceFault.UNREACHABLE)
    connector.close()


def test_snapshots_follow_the_files(connector: DuckDBConnector, tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    first, content = connector.snapshot(PEOPLE), content_digest([path])
    assert connector.snapshot(PEOPLE) == first
    status = path.stat()
    pq.write_table(people(1001), path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert connector.snapshot(PEOPLE) != first, "same time, other content"
    pq.write_table(people(1000), path)
    assert content_digest([path]) == content
    feather.write_feather(people(10), tmp_path / "people.arrow")
    arrow = Table("data", "people.arrow", "people")
    assert connector.snapshot(PEOPLE, arrow) == connector.snapshot(arrow, PEOPLE)


def test_a_file_of_no_known_format(connector: DuckDBConnector, tmp_path: Path) -> None:
    (tmp_path / "people.xlsx").write_bytes(b"PK")
    fails(connector, fragment(Table("data", "people.xlsx", "people")), SourceFault.SCHEMA)


def test_closing_ends_runs_and_opens_none(connector: DuckDBConnector) -> None:
    connector.close()
    fails(connector, fragment(PEOPLE), SourceFault.CANCELLED)
