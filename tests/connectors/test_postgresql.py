"""What is PostgreSQL's own: the same cells as DuckDB's, values that read differently there, faults, identity."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Field,
    Fragment,
    Grid,
    Magnitude,
    Measure,
    RawCells,
    SourceError,
    SourceFault,
    Table,
    Tally,
)
from connectors.postgresql import PostgreSQLConnector
from connectors.postgresql_session import Limits
from connectors.protocol import Capability, FindingKind
from tests.connectors import labour
from tests.connectors.labour import DuckDBMarket
from tests.connectors.postgresql_market import PostgreSQLMarket, Server
from tests.connectors.test_conformance import bins_of, cells_of, fragments, run
from tests.connectors.test_verify import dataset

PEOPLE = Table("data", "people", "people")
SECRET = 987_654_321


@pytest.fixture
def market(postgresql_server: Server) -> Iterator[PostgreSQLMarket]:
    market = PostgreSQLMarket(postgresql_server, "own")
    yield market
    market.close()


def people(market: PostgreSQLMarket, rows: int = 1000) -> None:
    market.server.execute(
        "DROP TABLE IF EXISTS own.people CASCADE",
        "CREATE TABLE own.people AS SELECT i AS id, (i::bigint * 7919) % 100000000 AS rkey, i % 50 AS area,"
        f" (i % 1000)::numeric(10,2) AS pay, '{SECRET}'::text AS name FROM generate_series(1, {rows}) AS i",
    )


def total(measure: str, *, decimals: int = 2, axes: tuple[Axis, ...] = ()) -> Fragment:
    magnitude = Magnitude("s", Measure("m", Field(measure), decimals, signed=True), top=2, squares=True)
    return Fragment(
        PEOPLE, (), None, Field("rkey"), None, None, None, (), (Block(axes),), (Tally("t"), magnitude)
    )


def slow() -> Fragment:
    """Minutes of work: everybody among those of a view that pairs people with people with people."""
    return Fragment(
        Table("data", "crowd", "crowd"),
        (),
        None,
        Field("rkey"),
        None,
        None,
        None,
        (),
        (Block(()),),
        (Tally("t"),),
    )


def crowd(market: PostgreSQLMarket) -> None:
    people(market, 3000)
    market.server.execute(
        "CREATE VIEW own.crowd AS SELECT a.rkey FROM own.people a, own.people b, own.people c WHERE a.pay + b.pay > 1"
    )


def fails(connector: PostgreSQLConnector, asked: Fragment, fault: SourceFault, seconds: float = 30) -> None:
    with pytest.raises(SourceError) as raised:
        connector.run((asked,), deadline=time.monotonic() + seconds, cancel=threading.Event())
    assert raised.value.fault is fault
    assert raised.value.__context__ is None
    assert str(SECRET) not in "".join(traceback.format_exception(raised.value))


def works(market: PostgreSQLMarket) -> None:
    """The source is left clean: nothing runs, no transaction is open, and the connector answers."""
    people(market)
    assert run(market, total("pay")).cells["t_n"].to_pylist() == [1000]
    busy = (
        "SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'under test' AND state <> 'idle'"
    )
    for _ in range(100):
        if market.server.value(busy) == 0:
            return
        time.sleep(0.05)
    raise AssertionError("a statement or a transaction was left behind")


@pytest.mark.parametrize("row_is_unit", [True, False])
def test_duckdb_and_postgresql_give_the_same_raw_cells(
    market: PostgreSQLMarket, tmp_path: Path, row_is_unit: bool
) -> None:
    """Every digit, floating weights' squares alone excepted: protection is a function of these cells."""
    duckdb = DuckDBMarket("database", tmp_path)
    rows = labour.make_people(11, 40, 1 if row_is_unit else 3)
    tables = {
        "people": (labour.PEOPLE, rows),
        "employers": (labour.EMPLOYERS, labour.make_employers(12)),
        "learners": (labour.LEARNERS, labour.make_learners(13, 40)),
    }
    market.write(**tables)
    duckdb.write(**tables)

    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(fragments(market, row_is_unit))
    def check(fragment: Fragment) -> None:
        ours, theirs = run(market, fragment), run(duckdb, fragment)
        assert ours.cells.schema == theirs.cells.schema
        assert exact(ours, fragment) == exact(theirs, fragment)
        for id_ in theirs.histograms:
            assert ours.histograms[id_].schema == theirs.histograms[id_].schema
            assert bins_of(ours, fragment, id_) == bins_of(theirs, fragment, id_)

    check()
    duckdb.close()


def exact(raw: RawCells, fragment: Fragment) -> dict[object, dict[str, object]]:
    cells = cells_of(raw, fragment)
    return {
        key: {n: pytest.approx(v) if n.endswith("_wsumsq") else v for n, v in cell.items()}
        for key, cell in cells.items()
    }


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        ("double precision", ["0.005", "0.015", "-0.005", "2.5", "0.49999999999999994"], "3.02"),
        ("double precision", ["'NaN'", "'Infinity'", "'-Infinity'", "1"], "1.00"),
        ("numeric(10,3)", ["'NaN'", "0.005", "-0.005", "0.015"], "0.02"),
        ("numeric", ["'NaN'", "'Infinity'", "1e100", "1.005"], "1.01"),
        ("text", ["'1e3'", "'x'", "' 2 '", "'1_0'", "''", "'12e999'", "'.5'"], "1002.50"),
        ("bigint", ["9223372036854775807", "'-9223372036854775808'", "5"], "5.00"),
        ("boolean", ["true", "false", "true"], "2.00"),
        ("character(5)", ["'1'", "'2.5'"], "3.50"),
    ],
)
def test_numbers_that_read_differently(
    market: PostgreSQLMarket, type_: str, values: list[str], expected: str
) -> None:
    """No value raises, and halves go away from zero."""
    rows = ", ".join(f"({i}, {i}, {value}::{type_})" for i, value in enumerate(values))
    market.server.execute(
        f"CREATE TABLE own.people (id int, rkey int, x {type_})", f"INSERT INTO own.people VALUES {rows}"
    )
    assert run(market, total("x")).cells["s_sum"].to_pylist() == [Decimal(expected)]


def test_a_nan_that_comes_later_counts_as_no_number(market: PostgreSQLMarket) -> None:
    """Whether a column holds one is asked once for each state of its table, and of views never."""
    people(market)
    market.server.execute("CREATE VIEW own.seen AS SELECT * FROM own.people")
    asked, seen = total("pay"), replace(total("pay"), table=Table("data", "seen", "people"))
    assert "NaN" not in "".join(market.connector.explain(asked))
    assert "NaN" in "".join(market.connector.explain(seen))
    before = market.connector.snapshot(PEOPLE)
    market.server.execute("INSERT INTO own.people VALUES (0, 0, 0, 'NaN', '')")
    for _ in range(200):
        if market.connector.snapshot(PEOPLE) != before:
            break
        time.sleep(0.05)
    for fragment in (asked, seen):
        cells = run(market, fragment).cells
        assert cells["t_n"].to_pylist() == [1001]
        assert cells["s_n"].to_pylist() == [999], "one is zero, one is not a number"
    assert "NaN" in "".join(market.connector.explain(asked))


def test_codes_compare_byte_by_byte_and_without_padding(market: PostgreSQLMarket) -> None:
    market.server.execute(
        "CREATE TABLE own.people (id int, rkey int, code character(4), pay int)",
        "INSERT INTO own.people VALUES (1, 1, 'a', 1), (2, 2, 'A', 2), (3, 3, 'ä', 4), (4, 4, NULL, 8)",
    )
    column = Column(Field("code"), ("a", "A", "ä", None))
    cells = run(market, total("pay", decimals=0, axes=(Axis(column, (0, 1, 2, 3), 4),))).cells
    assert dict(zip(cells["p0"].to_pylist(), cells["s_sum"].to_pylist(), strict=True)) == {
        0: 1,
        1: 2,
        2: 4,
        3: 8,
    }


def test_bins_of_negative_and_floating_numbers(market: PostgreSQLMarket) -> None:
    market.server.execute(
        "CREATE TABLE own.people (id int, rkey int, x double precision)",
        "INSERT INTO own.people VALUES (1, 1, -7.5), (2, 2, -0.1), (3, 3, 0.3), (4, 4, 99), (5, 5, 'NaN')",
    )
    column = Column(Field("x"), (0, 1, 2, None), Grid(Decimal("-0.3"), Decimal("0.3"), 3))
    cells = run(market, total("x", axes=(Axis(column, (0, 1, 2, 3), 4),))).cells
    assert dict(zip(cells["p0"].to_pylist(), cells["t_n"].to_pylist(), strict=True)) == {0: 2, 2: 2, 3: 1}


@pytest.mark.parametrize("values", ["7", "i % 3", "i", "CASE WHEN i < 3 THEN i * 100 END", "NULL::int"])
def test_the_largest_are_found_whatever_the_ties(market: PostgreSQLMarket, values: str) -> None:
    market.server.execute(
        f"CREATE TABLE own.people AS SELECT i AS id, i % 2 AS rkey, {values} AS x FROM generate_series(0, 99) i"
    )
    cells = run(market, total("x", decimals=0)).cells
    query = "SELECT array_agg(coalesce(x, 0)::int ORDER BY x DESC NULLS LAST) FROM own.people"
    assert [cells["s_top1"][0].as_py(), cells["s_top2"][0].as_py()] == market.server.value(query)[:2]


@pytest.mark.parametrize(
    "text", ["pay / (id - 5)", "CAST(name AS INTEGER)", "lower(name)", "sqrt(id)", "pay + name", "id::DATE"]
)
def test_an_expression_that_could_fail_is_refused(market: PostgreSQLMarket, text: str) -> None:
    people(market)
    fails(market.connector, total(text), SourceFault.SCHEMA)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("DROP TABLE own.people CASCADE", SourceFault.MISSING),
        ("ALTER TABLE own.people DROP COLUMN pay", SourceFault.SCHEMA),
        ("ALTER TABLE own.people ALTER COLUMN pay TYPE date USING '2020-01-01'", SourceFault.SCHEMA),
    ],
)
def test_a_source_that_lost_something(market: PostgreSQLMarket, change: str, fault: SourceFault) -> None:
    people(market)
    market.server.execute(change)
    fails(market.connector, total("pay"), fault)
    works(market)


def connector(
    market: PostgreSQLMarket, user: str = "federation", limits: Limits | None = None
) -> PostgreSQLConnector:
    told = market.server.conninfo.replace("user='federation'", f"user='{user}' application_name='under test'")
    return PostgreSQLConnector(told, ("own",), limits or Limits())


@pytest.fixture
def tested(market: PostgreSQLMarket) -> PostgreSQLConnector:
    market.connector.close()
    market.connector = connector(market)
    return market.connector


def test_a_role_that_lost_its_permission(market: PostgreSQLMarket) -> None:
    people(market)
    market.server.execute(
        "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN", "GRANT USAGE ON SCHEMA own TO reader",
        "GRANT SELECT ON own.people TO reader",
    )  # fmt: skip
    reader = connector(market, "reader")
    (raw,) = reader.run((total("pay"),), deadline=time.monotonic() + 30, cancel=threading.Event())
    assert raw.cells["t_n"].to_pylist() == [1000]
    market.server.execute("REVOKE SELECT ON own.people FROM reader")
    fails(reader, total("pay"), SourceFault.DENIED)
    market.server.execute("GRANT SELECT ON own.people TO reader")
    reader.run((total("pay"),), deadline=time.monotonic() + 30, cancel=threading.Event())
    reader.close()
    market.server.execute("DROP OWNED BY reader", "DROP ROLE reader")


def test_a_schema_that_is_not_allowed_is_not_read(market: PostgreSQLMarket) -> None:
    asked = Fragment(
        Table("data", "pg_catalog.pg_class", "people"), (), None, Field("oid"), None, None, None, (),
        (Block(()),), (Tally("t"),),
    )  # fmt: skip
    fails(market.connector, asked, SourceFault.MISSING)


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    nobody = PostgreSQLConnector(f"host='{tmp_path}' user='nobody' connect_timeout=2", ("public",), Limits())
    fails(nobody, total("pay"), SourceFault.UNREACHABLE)


def test_the_deadline_ends_a_statement(market: PostgreSQLMarket, tested: PostgreSQLConnector) -> None:
    crowd(market)
    started = time.monotonic()
    fails(tested, slow(), SourceFault.TIMEOUT, seconds=1)
    assert time.monotonic() - started < 10
    works(market)


def test_the_servers_own_timeout(market: PostgreSQLMarket) -> None:
    crowd(market)
    short = connector(market, limits=Limits(statement_seconds=0.5))
    fails(short, slow(), SourceFault.TIMEOUT)
    short.close()


def test_a_cancelled_run(market: PostgreSQLMarket, tested: PostgreSQLConnector) -> None:
    crowd(market)
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    with pytest.raises(SourceError) as raised:
        tested.run((slow(),), deadline=time.monotonic() + 60, cancel=cancel)
    assert raised.value.fault is SourceFault.CANCELLED
    works(market)


def test_a_connection_that_is_cut_in_mid_query(market: PostgreSQLMarket, tested: PostgreSQLConnector) -> None:
    """What a restart of the server does to a statement under way."""
    crowd(market)
    cut = "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE application_name = 'under test'"
    threading.Timer(0.7, market.server.value, [cut]).start()
    fails(tested, slow(), SourceFault.UNREACHABLE)
    works(market)


def test_an_idle_connection_that_was_cut_is_opened_anew(
    market: PostgreSQLMarket, tested: PostgreSQLConnector
) -> None:
    works(market)
    market.server.value(
        "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE application_name = 'under test'"
    )
    works(market)


def test_a_server_without_room(market: PostgreSQLMarket) -> None:
    people(market, 300_000)
    market.server.execute(
        "DROP ROLE IF EXISTS narrow", "CREATE ROLE narrow LOGIN", "ALTER ROLE narrow SET temp_file_limit = '64kB'",
        "GRANT USAGE ON SCHEMA own TO narrow", "GRANT SELECT ON own.people TO narrow",
    )  # fmt: skip
    narrow = connector(market, "narrow", Limits(work_mem="64kB"))
    asked = Fragment(
        PEOPLE, (), Field("id"), Field("rkey"), None, None, None, (), (Block(()),),
        (Magnitude("s", Measure("m", Field("pay"), 2)),),
    )  # fmt: skip
    fails(narrow, asked, SourceFault.RESOURCES)
    narrow.close()
    market.server.execute("DROP OWNED BY narrow", "DROP ROLE narrow")


class Trap:
    """A cancel signal that never fires, but changes the source once, while the run asks about it."""

    def __init__(self, change: Callable[[], object], after: float) -> None:
        self.change, self.at = change, time.monotonic() + after
        self.done = False

    def is_set(self) -> bool:
        if not self.done and time.monotonic() > self.at:
            self.done = True
            self.change()
        return False


def test_a_table_that_changes_while_it_is_read(market: PostgreSQLMarket) -> None:
    people(market, 2000)
    market.server.execute(
        "CREATE VIEW own.pairs AS SELECT a.rkey, a.pay FROM own.people a, own.people b WHERE a.pay + b.pay > 1"
    )
    asked = Fragment(
        Table("data", "pairs", "pairs"),
        (),
        None,
        Field("rkey"),
        None,
        None,
        None,
        (),
        (Block(()),),
        (Tally("t"),),
    )

    def write() -> None:
        market.server.execute("INSERT INTO own.people SELECT * FROM own.people LIMIT 1")

    before = market.connector.snapshot(asked.table)
    fragments_ = (asked,) * 12
    with pytest.raises(SourceError) as raised:
        market.connector.run(fragments_, deadline=time.monotonic() + 120, cancel=Trap(write, 0.2))
    assert raised.value.fault is SourceFault.CHANGED
    assert market.connector.snapshot(asked.table) != before


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO own.north SELECT * FROM own.north LIMIT 1",
        "UPDATE own.parts SET pay = pay + 1 WHERE id = 1",
        "DELETE FROM own.parts WHERE id = 2",
        "TRUNCATE own.north",
        "CREATE OR REPLACE VIEW own.inner_view AS SELECT * FROM own.parts WHERE id > 1",
        "ALTER TABLE own.parts ADD COLUMN more int",
    ],
)
def test_the_identity_sees_through_views_and_partitions(market: PostgreSQLMarket, change: str) -> None:
    market.server.execute(
        "CREATE TABLE own.parts (id int, rkey int, area text, pay int) PARTITION BY LIST (area)",
        "CREATE TABLE own.north PARTITION OF own.parts FOR VALUES IN ('N')",
        "CREATE TABLE own.south PARTITION OF own.parts FOR VALUES IN ('S')",
        "INSERT INTO own.parts SELECT i, i, CASE WHEN i % 2 = 0 THEN 'N' ELSE 'S' END, i FROM generate_series(1, 9) i",
        "CREATE VIEW own.inner_view AS SELECT * FROM own.parts",
        "CREATE VIEW own.outer_view AS SELECT id, rkey, pay FROM own.inner_view",
    )
    time.sleep(0.1)
    table = Table("data", "outer_view", "people")
    before = market.connector.snapshot(table)
    assert market.connector.snapshot(table) == before
    market.server.execute(change)
    for _ in range(100):
        if market.connector.snapshot(table) != before:
            return
        time.sleep(0.05)
    raise AssertionError("the identity did not change")


def test_data_is_held_against_the_catalogue(market: PostgreSQLMarket) -> None:
    market.server.execute(
        "CREATE TABLE own.people (id int, rkey int, area text, region text, pay numeric(9, 2), hours int,"
        " weight float8, employer int)",
        "INSERT INTO own.people VALUES (1, 5, 'E01', 'N', 1, 1, 1, NULL), (2, 6, 'E02', 'N', 1.5, 2, 2, NULL)",
        "CREATE TABLE own.employers (id int)",
    )
    held = dataset()
    source = held.document.source.model_copy(update={"location": "people"})
    bound = replace(held, document=held.document.model_copy(update={"source": source}))
    found = market.connector.verify(bound, {}, deadline=time.monotonic() + 30, cancel=threading.Event())
    assert [finding.detail for finding in found] == []
    market.server.execute("UPDATE own.people SET area = 'E99', rkey = -1 WHERE id = 2")
    found = market.connector.verify(bound, {}, deadline=time.monotonic() + 30, cancel=threading.Event())
    kinds = {finding.kind for finding in found}
    assert {FindingKind.UNKNOWN_CODE, FindingKind.RECORD_KEY_RANGE} <= kinds


def test_it_can_do_all_there_is(market: PostgreSQLMarket) -> None:
    assert market.connector.capabilities == frozenset(Capability)
