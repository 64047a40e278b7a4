"""A Spark source that fails: each failure is typed, says nothing of the data, and leaves the cluster clean."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.fragment import Field, Fragment, Magnitude, Measure, SourceError, SourceFault, Table
from tests.connectors.test_faults import PAY, PEOPLE, SECRET, fragment, people
from tests.support.spark import Cluster, free_port

pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]  # the first one starts the cluster


class Lake:
    """Files of the test's own on the cluster, and a connector on them."""

    def __init__(self, cluster: Cluster) -> None:
        from connectors.spark import SparkConnector
        from connectors.spark_tables import ParquetRoot
        from tests.connectors.spark_market import url

        self.cluster, self.folder = cluster, Path(tempfile.mkdtemp(dir=cluster.folder))
        self.connector = SparkConnector(
            url(cluster), ParquetRoot(str(self.folder)), {"spark.sql.shuffle.partitions": "4"}
        )

    def store(self, table: pa.Table, name: str = "people.parquet") -> None:
        pq.write_table(table, self.folder / name, row_group_size=50_000)

    def cells(self, asked: Fragment, seconds: float = 240) -> pa.Table:
        (raw,) = self.connector.run((asked,), deadline=time.monotonic() + seconds, cancel=threading.Event())
        return raw.cells.sort_by([("p0", "ascending")])

    def count(self, asked: Fragment, seconds: float = 240) -> int:
        return int(sum(self.cells(asked, seconds)["t_n"].to_pylist()))

    def fails(self, asked: Fragment, *faults: SourceFault, seconds: float = 240) -> None:
        with pytest.raises(SourceError) as raised:
            self.count(asked, seconds)
        assert raised.value.fault in faults
        assert raised.value.__context__ is None, "the engine's exception, which may quote values, is chained"
        assert str(SECRET) not in "".join(traceback.format_exception(raised.value))

    def when_busy(self, act: Callable[[], object]) -> threading.Thread:
        """Do something once rows are read, which takes more than one task; the listings before it have one each."""

        def work() -> None:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                running = self.cluster.tell("jobs?status=running")
                if any(job["numTasks"] > 1 and job["numActiveTasks"] for job in running):
                    act()
                    return
                time.sleep(0.1)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def assert_clean(self) -> None:
        deadline = time.monotonic() + 20
        while self.cluster.tell("jobs?status=running") and time.monotonic() < deadline:
            time.sleep(0.2)
        assert self.cluster.tell("jobs?status=running") == []
        assert self.cluster.tell("storage/rdd") == []


@pytest.fixture
def lake(spark_cluster: Cluster) -> Iterator[Lake]:
    lake = Lake(spark_cluster)
    lake.store(people(1000))
    yield lake
    lake.connector.close()
    shutil.rmtree(lake.folder)


def slow(table: Table) -> Fragment:
    """Many groups by entity of many measures: tens of seconds of work."""
    measures = tuple(
        Magnitude(f"m{i}" if i else "t", Measure("p", Field(f"sqrt(pay * {i + 1})"), 4)) for i in range(8)
    )
    return fragment(table, *measures, unit=Field("id"))


def test_what_is_not_there_or_not_as_declared(lake: Lake) -> None:
    lake.fails(fragment(Table("data", "nobody.parquet", "nobody")), SourceFault.MISSING)
    for location in ("../people.parquet", "/etc/passwd", "a//b", "file:/etc/passwd", "{people,x}.parquet"):
        lake.fails(fragment(Table("data", location, "people")), SourceFault.MISSING)
    for expression in ("bonus", "(SELECT max(pay) FROM people)", "sum(pay)", "md5(name)"):
        asked = fragment(PEOPLE, Magnitude("t", Measure("m", Field(expression), 2)))
        lake.fails(asked, SourceFault.SCHEMA)
    lake.store(people(10).append_column("list", [[[1]] * 10]))
    lake.fails(fragment(PEOPLE, Magnitude("t", Measure("list", Field("list"), 2))), SourceFault.SCHEMA)
    (lake.folder / "people.parquet").write_bytes(b"PAR1 no such thing")
    lake.fails(fragment(PEOPLE), SourceFault.FAILED)


def test_no_row_can_raise(lake: Lake) -> None:
    expressions = (
        "name", "CAST('x' || name AS INTEGER)", "CAST(id AS TINYINT) * CAST(100 AS TINYINT)", "pay / (id - 5)",
        "CAST(name AS BIGINT) * 99999999999", "id % 0", "id // 0", "sqrt(-pay)",
    )  # fmt: skip
    asked = [fragment(PEOPLE, Magnitude("t", Measure("m", Field(text), 2))) for text in expressions]
    found = lake.connector.run(asked, deadline=time.monotonic() + 240, cancel=threading.Event())
    assert all(0 <= sum(raw.cells["t_n"].to_pylist()) <= 1000 for raw in found)


def test_a_table_that_changes_while_it_is_read(lake: Lake) -> None:
    first = lake.connector.snapshot(PEOPLE)
    assert lake.connector.snapshot(PEOPLE) == first
    with pytest.raises(SourceError) as raised:
        lake.connector.run(
            (fragment(PEOPLE),),
            deadline=time.monotonic() + 240,
            cancel=_After(lake, lambda: lake.store(people(2000))),
        )
    assert raised.value.fault is SourceFault.CHANGED
    assert lake.connector.snapshot(PEOPLE) != first


class _After:
    """A signal that never fires, but changes the source once the cluster has run a first job for the snapshot. It is
    asked by the run and by what watches it."""

    def __init__(self, lake: Lake, change: Callable[[], object]) -> None:
        self.lake, self.changes, self.lock = lake, [change], threading.Lock()
        self.before = len(lake.cluster.tell("jobs"))

    def is_set(self) -> bool:
        with self.lock:
            if self.changes and len(self.lake.cluster.tell("jobs?status=succeeded")) > self.before:
                self.changes.pop()()
        return False


def test_cancel_and_deadline_stop_the_cluster(lake: Lake) -> None:
    lake.store(people(2_000_000))
    cancel, asked = threading.Event(), []
    thread = lake.when_busy(lambda: (asked.append(time.monotonic()), cancel.set()))
    with pytest.raises(SourceError) as raised:
        lake.connector.run((slow(PEOPLE),), deadline=time.monotonic() + 240, cancel=cancel)
    thread.join()
    assert raised.value.fault is SourceFault.CANCELLED
    assert time.monotonic() - asked[0] < 15, "a second on an idle machine"
    lake.assert_clean()
    lake.fails(slow(PEOPLE), SourceFault.TIMEOUT, seconds=5)
    lake.assert_clean()
    lake.store(people(10))
    assert lake.count(fragment(PEOPLE)) == 10


def test_a_run_leaves_nothing(lake: Lake) -> None:
    assert lake.count(fragment(PEOPLE, unit=Field("id"))) == 1000
    lake.assert_clean()


def test_an_unreachable_server_and_a_refused_token(lake: Lake) -> None:
    from connectors.spark import SparkConnector
    from connectors.spark_tables import ParquetRoot
    from tests.connectors.spark_market import url

    for address in (f"sc://localhost:{free_port()}", url(lake.cluster, token="wrong")):
        away = SparkConnector(address, ParquetRoot(str(lake.folder)))
        with pytest.raises(SourceError) as raised:
            away.snapshot(PEOPLE)
        assert raised.value.fault is SourceFault.UNREACHABLE
        assert raised.value.__context__ is None


def test_a_silent_server_does_not_hold_a_run(lake: Lake) -> None:
    server = lake.cluster.processes["server"]
    server.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        lake.fails(fragment(PEOPLE), SourceFault.TIMEOUT, seconds=3)
        assert time.monotonic() - started < 30
    finally:
        server.send_signal(signal.SIGCONT)
    assert lake.count(fragment(PEOPLE)) == 1000


def test_a_lost_worker_changes_no_digit(lake: Lake) -> None:
    lake.store(people(300_000))
    expected = lake.cells(slow(PEOPLE))
    killer = lake.when_busy(lambda: lake.cluster.kill("worker1"))
    try:
        assert lake.cells(slow(PEOPLE)) == expected
        killer.join()
        assert "worker1" not in lake.cluster.processes, "lost while it worked"
    finally:
        lake.cluster.restart_worker("worker1")


def test_memory_is_bounded(lake: Lake) -> None:
    """A list of every value of a group does not fit where the cluster's memory is small."""
    wide = pa.table({"id": range(40), "rkey": [1] * 40, "area": [1] * 40, "pay": [1.0] * 40})
    wide = wide.append_column("name", pa.array(["x" * 30_000_000] * 40, pa.large_string()))
    pq.write_table(
        wide, lake.folder / "people.parquet", use_dictionary=False, row_group_size=40, compression="zstd"
    )
    asked = Fragment(
        PEOPLE, (), Field("name || CAST(id AS VARCHAR)"), Field("rkey"), None, None, None, (),
        fragment(PEOPLE).blocks, (Magnitude("t", PAY),),
    )  # fmt: skip
    lake.fails(asked, SourceFault.RESOURCES)
    lake.store(people(10))
    assert lake.count(fragment(PEOPLE)) == 10


def test_a_server_that_is_killed_in_the_middle(lake: Lake) -> None:
    """Last, since starting it again takes a minute."""
    lake.store(people(1_000_000))
    killer = lake.when_busy(lambda: lake.cluster.kill("server"))
    lake.fails(slow(PEOPLE), SourceFault.UNREACHABLE)
    killer.join()
    lake.cluster.restart_server()
    lake.store(people(10))
    assert lake.count(fragment(PEOPLE)) == 10
