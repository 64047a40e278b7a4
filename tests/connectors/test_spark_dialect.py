"""The rewriting pass for Spark: pairs of statements, and the same values on a cluster as on DuckDB."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlglot import parse_one

from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Field,
    Fragment,
    Grid,
    Magnitude,
    Measure,
    SourceError,
    SourceFault,
    Table,
    Tally,
)
from connectors.dialects.spark import spark_sql, to_spark
from connectors.duckdb import DuckDBConnector
from connectors.protocol import ColumnType, TypeKind
from connectors.sources import FileSource
from tests.support.spark import Cluster

RELATIONS = {
    "people": {
        '"id"': ColumnType(TypeKind.INTEGER, 19),
        '"age"': ColumnType(TypeKind.INTEGER, 10),
        '"tiny"': ColumnType(TypeKind.INTEGER, 3),
        '"pay"': ColumnType(TypeKind.DECIMAL, 10, 2),
        '"hours"': ColumnType(TypeKind.FLOAT),
        '"text"': ColumnType(TypeKind.TEXT),
    },
    "step": {"a0": ColumnType(TypeKind.DECIMAL, 38), "a1": ColumnType(TypeKind.INTEGER, 10)},
}
NUMERAL = (
    "CASE WHEN REGEXP_REPLACE(t.`text`, '(?<=[0-9])_(?=[0-9])', '') RLIKE "
    "'^[ \\\\t\\\\n\\\\x0B\\\\f\\\\r]*[-+.0-9eE]+[ \\\\t\\\\n\\\\x0B\\\\f\\\\r]*$' "
    "THEN REGEXP_REPLACE(t.`text`, '(?<=[0-9])_(?=[0-9])', '') END"
)

PAIRS = [
    # Sums: plain where 64 bits are enough, in halves where not, as decimals where they are decimals.
    ('SUM(t."age")', "SUM(t.`age`)"),
    (
        'SUM(t."id") FILTER (WHERE t."age" > 3)',
        "CAST((CAST(SUM(SHIFTRIGHT(CAST(t.`id` AS BIGINT), 25)) FILTER(WHERE t.`age` > 3) AS DECIMAL(38, 0)) * 33554432"
        " + CAST(SUM((t.`id`) & 33554431) FILTER(WHERE t.`age` > 3) AS DECIMAL(38, 0))) AS DECIMAL(38, 0))",
    ),
    (
        'SUM(t."pay")',
        "CAST(CAST(SUM(FLOOR(CAST(t.`pay` AS DOUBLE) * 100 + 0.5)) AS DECIMAL(38, 0)) * 0.01 AS DECIMAL(38, 2))",
    ),
    ('CAST(t."id" AS HUGEINT)', "CAST(t.`id` AS DECIMAL(38, 0))"),
    ('MAX(t."id", 2)', "MAX_BY(t.`id`, t.`id`, 2)"),
    # Casts to whole numbers: away from zero for decimals; a product that is whole is not rounded.
    ('CAST((t."pay" * 10) AS BIGINT)', "CAST(ROUND((t.`pay` * 10)) AS BIGINT)"),
    ('CAST((t."pay" * 100) AS BIGINT)', "CAST((t.`pay` * 100) AS BIGINT)"),
    ('TRY_CAST(t."hours" AS BIGINT)', "TRY_CAST(BROUND(t.`hours`) AS BIGINT)"),
    # Texts as numbers.
    ('TRY_CAST(t."text" AS DECIMAL(15, 2))', f"TRY_CAST({NUMERAL} AS DECIMAL(15, 2))"),
    ('TRY_CAST(t."text" AS BIGINT)', f"TRY_CAST(ROUND(TRY_CAST({NUMERAL} AS DECIMAL(38, 18))) AS BIGINT)"),
    # A custodian's expressions: null where TRY is null there.
    ('TRY(t."tiny" * 100)', "TRY_MULTIPLY(TRY_CAST(t.`tiny` AS TINYINT), TRY_CAST(100 AS TINYINT))"),
    ('TRY(t."pay" - 1)', "TRY_SUBTRACT(t.`pay`, 1)"),
    ('t."id" IS NOT DISTINCT FROM t."age"', "t.`id` IS NOT DISTINCT FROM t.`age`"),
    ('CAST(t."id" AS VARCHAR)', "CAST(t.`id` AS STRING)"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_pairs(ours: str, theirs: str) -> None:
    tree = parse_one(f"SELECT {ours} AS x FROM people AS t", dialect="duckdb")
    before = tree.sql("duckdb")
    assert spark_sql(to_spark(tree, RELATIONS)) == f"SELECT {theirs} AS x FROM people AS t"
    assert tree.sql("duckdb") == before, "the given tree is left as it is"


def test_functions_not_known_to_mean_the_same_are_refused() -> None:
    for text in ('md5(t."text")', 'random() * t."id"', 'sin(t."hours")', 'CAST(t."hours" AS VARCHAR)'):
        with pytest.raises(SourceError) as raised:
            to_spark(parse_one(f"SELECT TRY({text}) AS x FROM people AS t", dialect="duckdb"), RELATIONS)
        assert raised.value.fault is SourceFault.SCHEMA


TEXTS = [
    "1", "+1", "-1", " 1", "1 ", "\t1\n", "1.5", "1.", ".5", "1e3", "1E-1", "1e", "1_000", "_1", "1__0", "1,000",
    "\u0661", "NaN", "Infinity", "", " ", "1d", "1L", "--1", "+-1", "0.125", "0.135", "-0.125", "12e12", "1e400",
    "1e-400", "00012", "1 2", "\u00a01", "true", "1_0.5", "2.5", "-2.5", "0.5", "\x001", "1\x00", "999999999999999",
    "9999999999999.994", "9999999999999.995", "e", "E5", "a", "A", None, "${x}", "it's", "back\\slash", "\u00e9",
]  # fmt: skip
DOUBLES = [
    0.5,
    -0.5,
    2.5,
    0.125,
    1e15,
    1e16,
    float("nan"),
    float("inf"),
    float("-inf"),
    -0.0,
    1.005,
    None,
    1e300,
    4e12,
]
EXPRESSIONS = [
    Measure("text", Field("text"), 2, signed=True),
    Measure("text_whole", Field("text"), 0, signed=True),
    Measure("text_integer", Field("CAST(text AS BIGINT)"), 0, signed=True),
    Measure("double", Field("number"), 2, signed=True),
    Measure("double_whole", Field("number"), 0, signed=True),
    Measure("double_integer", Field("CAST(number AS INTEGER)"), 0, signed=True),
    Measure("decimal_rounded", Field("price"), 1, signed=True),
    Measure("decimal_whole", Field("price"), 0, signed=True),
    Measure("divided", Field("price / (id - 5)"), 2, signed=True),
    Measure("whole_division", Field("(id - 20) // 7"), 0, signed=True),
    Measure("remainder", Field("(id - 20) % 7"), 0, signed=True),
    Measure("overflow", Field("tiny * 100"), 0, signed=True),
    Measure("long", Field("id * 9000000000000000000"), 0, signed=True),
    Measure("case", Field("CASE WHEN price > 0 THEN id ELSE -id END"), 0, signed=True),
    Measure("boolean", Field("flag"), 0),
]


@pytest.mark.spark
@pytest.mark.timeout(900)  # it may start the cluster
def test_each_row_is_read_as_duckdb_reads_it(spark_cluster: Cluster, tmp_path: Path) -> None:
    """One cell per row: spelling, rounding, overflow, division, infinities, case and blanks of codes."""
    from connectors.spark import SparkConnector
    from connectors.spark_tables import ParquetRoot
    from tests.connectors.spark_market import url

    n = len(TEXTS)
    prices = [None if i % 11 == 0 else Decimal(i * 5 - 130) / 1000 for i in range(n)]
    rows = pa.table({
        "id": pa.array(range(n), pa.int64()), "rkey": pa.array([99_999_999] * n, pa.int32()),
        "text": pa.array(TEXTS), "number": pa.array([DOUBLES[i % len(DOUBLES)] for i in range(n)]),
        "price": pa.array(prices, pa.decimal128(12, 3)), "tiny": pa.array([i - 20 for i in range(n)], pa.int8()),
        "flag": pa.array([None if i % 5 == 0 else i % 2 == 0 for i in range(n)]),
    })  # fmt: skip
    folder = spark_cluster.folder / "dialect"
    folder.mkdir()
    pq.write_table(rows, folder / "rows.parquet")
    table = Table("data", "rows.parquet", "rows")
    each = Axis(Column(Field("id"), tuple(range(n))), tuple(range(n)), n)
    codes = tuple(dict.fromkeys(text for text in TEXTS if text is not None))
    coded = Column(Field("text"), (*codes, None))
    whole = Column(Field("text"), (1, 2, 3, 12, 1000, None))
    numbers = Column(Field("number"), (0, 1, -1, 1000, None))
    grid = Column(Field("text"), (*range(5), None), Grid(Decimal(0), Decimal("0.5"), 5))
    blocks = [
        Block((Axis(c, tuple(range(len(c.values))), len(c.values)),)) for c in (coded, whole, numbers, grid)
    ]
    asked = [
        Fragment(
            table,
            (),
            None,
            Field("rkey"),
            None,
            None,
            None,
            (),
            (Block((each,)),),
            (Magnitude("m", measure),),
        )
        for measure in EXPRESSIONS
    ]
    asked.append(Fragment(table, (), None, Field("rkey"), None, None, None, (), tuple(blocks), (Tally("t"),)))
    spark = SparkConnector(
        url(spark_cluster), ParquetRoot(str(folder)), {"spark.sql.shuffle.partitions": "1"}
    )
    duck = DuckDBConnector(FileSource(folder))
    deadline, cancel = time.monotonic() + 280, threading.Event()
    theirs = spark.run(asked, deadline=deadline, cancel=cancel)
    ours = duck.run(asked, deadline=deadline, cancel=cancel)
    for fragment, a, b in zip(asked, ours, theirs, strict=True):
        assert a.cells.schema == b.cells.schema
        expected, found = (sorted(raw.cells.to_pylist(), key=repr) for raw in (a, b))
        assert found == expected, fragment.statistics
    spark.close()
    duck.close()
