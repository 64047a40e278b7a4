"""The digest belongs to the table, not to the file that it travelled in."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import struct
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.client.digest import DigestError, canonical_json, columns_of, schema_of, table_digest
from federation.client.verify import VerificationError, table_of_csv

EVERY_TYPE = pa.table(
    {
        "area": pa.array(["E06000001", None, "Ynys Môn"]).dictionary_encode(),
        "people": pa.array([10, None, -3], pa.int32()),
        "status": pa.array([0, 5, 0], pa.int8()),
        "mean": [1.5, None, -0.0],
        "pay": [Decimal("512.50"), None, Decimal("-2.25")],
        "wide": pa.array([1, 2, None], pa.decimal256(40, 2)),
        "flag": [True, None, False],
        "day": [dt.date(2021, 3, 21), None, dt.date(1969, 12, 31)],
        "moment": pa.array([dt.datetime(2021, 3, 21, 9), None, None], pa.timestamp("s")),
        "instant": pa.array([0, None, 1], pa.timestamp("us", "UTC")),
        "hour": [dt.time(9, 30), None, None],
        "nothing": pa.nulls(3),
        "view": pa.array(["", None, "a text longer than an inlined view"], pa.string_view()),
    }
)


def test_the_serialisation_can_be_computed_by_hand() -> None:
    table = pa.table({"n": pa.array([7, None], pa.int16()), "t": ["é", ""]})
    header = canonical_json(
        {
            "format": "federation-table/1",
            "rows": 2,
            "columns": [{"name": "n", "type": "integer"}, {"name": "t", "type": "string"}],
        }
    )
    body = bytes([1, 0]) + struct.pack("<2q", 7, 0) + bytes([1, 1]) + struct.pack("<2q", 2, 0) + "é".encode()
    assert table_digest(table) == "sha256:" + hashlib.sha256(header + b"\n" + body).hexdigest()


def test_parquet_ipc_chunks_dictionaries_and_metadata_leave_it_alone() -> None:
    digest = table_digest(EVERY_TYPE)
    parquet = io.BytesIO()
    pq.write_table(EVERY_TYPE, parquet)
    ipc = io.BytesIO()
    with pa.ipc.new_stream(ipc, EVERY_TYPE.schema) as writer:
        writer.write_table(EVERY_TYPE)
    chunked = pa.concat_tables([EVERY_TYPE.slice(0, 1), EVERY_TYPE.slice(1, 1), EVERY_TYPE.slice(2)])
    plain = EVERY_TYPE.set_column(0, "area", EVERY_TYPE.column(0).cast(pa.large_string()))
    noted = EVERY_TYPE.replace_schema_metadata({"note": "of no matter"})
    for other in (
        pq.read_table(parquet),
        pa.ipc.open_stream(ipc.getvalue()).read_all(),
        chunked,
        plain,
        noted,
    ):
        assert table_digest(other) == digest


@pytest.mark.parametrize("quoting", ["needed", "all_valid"])
def test_a_csv_read_with_the_declared_types_has_the_same_digest(quoting: str) -> None:
    texts = pa.array(["Ynys Môn", None, "", 'a "b",\nc', "NULL"])
    table = pa.concat_tables([EVERY_TYPE.drop_columns("view"), EVERY_TYPE.drop_columns("view").slice(0, 2)])
    table = table.append_column("text", texts)
    out = io.BytesIO()
    csv.write_csv(table, out, csv.WriteOptions(quoting_style=quoting))
    assert table_digest(table_of_csv(out.getvalue(), columns_of(table))) == table_digest(table)


@pytest.mark.parametrize("values", [[1, None, 3, None], [None], []])
def test_a_csv_of_one_column_keeps_its_empty_lines(values: list[int | None]) -> None:
    table = pa.table({"people": pa.array(values, pa.int64())})
    out = io.BytesIO()
    csv.write_csv(table, out)
    assert table_digest(table_of_csv(out.getvalue(), columns_of(table))) == table_digest(table)


def test_a_csv_of_other_columns_or_types_is_not_the_table() -> None:
    columns = [{"name": "people", "type": "integer"}]
    with pytest.raises(VerificationError):
        table_of_csv(b"people\nmany\n", columns)
    assert columns_of(table_of_csv(b"persons\n1\n", columns)) != columns
    with pytest.raises(DigestError):
        schema_of([{"name": "people", "type": "list"}])


def test_different_dictionaries_in_chunks_are_decoded() -> None:
    parts = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()]
    assert table_digest(pa.table({"c": pa.chunked_array(parts)})) == table_digest(
        pa.table({"c": ["a", "b", "b", "c"]})
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.rename_columns([f"{name}_" for name in t.schema.names]),
        lambda t: pa.concat_tables([t.slice(1, 1), t.slice(0, 1), t.slice(2)]),
        lambda t: t.slice(0, 2),
        lambda t: t.select(t.schema.names[::-1]),
        lambda t: t.set_column(1, "people", pa.array([11, None, -3], pa.int32())),
        lambda t: t.set_column(1, "people", pa.array([10, 0, -3], pa.int32())),
        lambda t: t.set_column(1, "people", pa.array([10.0, None, -3.0])),
        lambda t: t.set_column(2, "status", pa.array([0, 0, 0], pa.int8())),
    ],
)
def test_every_change_of_substance_changes_it(change) -> None:  # type: ignore[no-untyped-def]
    assert table_digest(change(EVERY_TYPE)) != table_digest(EVERY_TYPE)


def test_one_nan_and_one_zero() -> None:
    odd = pa.array(struct.unpack("<2d", struct.pack("<Qd", 0xFFF8000000000001, -0.0)))
    assert table_digest(pa.table({"x": odd})) == table_digest(pa.table({"x": [float("nan"), 0.0]}))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([b"x"]),
        pa.array([2**63], pa.uint64()),
        pa.array([10**40], pa.decimal256(41, 0)),
    ],
)
def test_what_a_release_cannot_hold_is_named_without_its_value(column: pa.Array) -> None:
    with pytest.raises(DigestError, match="column 'odd'") as raised:
        table_digest(pa.table({"odd": column}))
    assert "9223372036854775808" not in str(raised.value)


texts = st.lists(st.none() | st.text(), max_size=6)


@given(texts, texts)
def test_texts_never_run_into_each_other(left: list[str | None], right: list[str | None]) -> None:
    a, b = (pa.table({"t": pa.array(values, pa.string())}) for values in (left, right))
    assert (table_digest(a) == table_digest(b)) == (left == right)


@given(texts, st.integers(0, 6), st.integers(0, 6))
def test_slices_equal_copies(values: list[str | None], start: int, length: int) -> None:
    column = pa.array(values, pa.string()).slice(start, length)
    copy = pa.array(column.to_pylist(), pa.string())
    assert table_digest(pa.table({"t": column})) == table_digest(pa.table({"t": copy}))


def test_columns_are_described_by_canonical_type() -> None:
    types = " ".join(column["type"] for column in columns_of(EVERY_TYPE))
    assert types == (
        "string integer integer float decimal(2) decimal(2) boolean date timestamp instant time null string"
    )
