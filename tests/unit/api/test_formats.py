"""Values of every type that a release can hold, in every format."""

from __future__ import annotations

import io
import json
import math
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from federation.api.formats import encode
from federation.api.negotiation import MediaType, negotiate
from federation.client.verify import METADATA_KEY
from federation.service.errors import ServiceError

TABLE = pa.table(
    {
        "area": ["Ynys Môn", 'a "quoted", name'],
        "people": pa.array([12, None], pa.int64()),
        "people__status": ["", "[c]"],
        "pay": pa.array([Decimal("601.10"), None], pa.decimal128(38, 2)),
        "share": [0.5, math.nan],
        "day": [date(2026, 1, 5), None],
    }
)
ABOUT = {"release": "rel_1", "source": "Office: People.", "notes": []}


def test_json_has_names_types_marks_and_no_nan() -> None:
    document = json.loads(encode(TABLE, "a.b.c", ABOUT, MediaType.JSON))
    assert document["columns"][0] == {"name": "area", "type": "string"}
    assert document["data"][0]["pay"] == 601.1
    assert document["data"][1] == {
        "area": 'a "quoted", name',
        "people": None,
        "people__status": "[c]",
        "pay": None,
        "share": None,
        "day": None,
    }
    assert document["data"][0]["day"] == "2026-01-05"
    assert list(document["legend"]) == ["[c]"]


def test_csv_can_be_read_back() -> None:
    content = encode(TABLE, "a.b.c", ABOUT, MediaType.CSV)
    read = pyarrow.csv.read_csv(io.BytesIO(content))
    assert read.column("area").to_pylist() == TABLE.column("area").to_pylist()
    assert content.splitlines()[1] == '"Ynys Môn",12,"",601.10,0.5,2026-01-05'.encode()


def test_arrow_and_parquet_carry_the_statement() -> None:
    arrow = pa.ipc.open_stream(encode(TABLE, "a.b.c", ABOUT, MediaType.ARROW)).read_all()
    parquet = pq.read_table(io.BytesIO(encode(TABLE, "a.b.c", ABOUT, MediaType.PARQUET)))
    for read in (arrow, parquet):
        assert read.schema.metadata[METADATA_KEY] == b"a.b.c"
        assert read.drop_columns(["share"]).equals(TABLE.drop_columns(["share"]))


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/html, text/*;q=0", "nonsense"])
def test_what_is_not_offered_is_told(accept: str) -> None:
    with pytest.raises(ServiceError, match=r"text/csv"):
        negotiate(accept)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*;q=0.1, text/csv", MediaType.CSV),
        ("TEXT/CSV", MediaType.CSV),
        ("application/*", MediaType.JSON),
        ("text/csv;q=high, application/json;q=0.2", MediaType.JSON),
        ("application/vnd.apache.parquet; q=0.9; version=1, */*; q=0.5", MediaType.PARQUET),
    ],
)
def test_the_most_specific_range_decides(accept: str, chosen: MediaType) -> None:
    assert negotiate(accept) is chosen
