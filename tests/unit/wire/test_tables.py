"""Tables in messages: as they were, or refused."""

from __future__ import annotations

import base64
from contextlib import suppress
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.client.digest import table_digest
from federation.wire import tables
from federation.wire.tables import TableError, decode_table, encode_table


def test_a_table_comes_back_with_its_digest() -> None:
    table = pa.table(
        {
            "area": pa.array(["E1", None, "Ynys Môn"]).dictionary_encode(),
            "n": pa.array([1, None, 2**62], pa.int64()),
            "key": pa.array([0, 2**64 - 1, None], pa.uint64()),
            "mean": pa.array([None, Decimal("12.50"), Decimal("-3.00")], pa.decimal128(38, 2)),
        }
    )
    back = decode_table(encode_table(table))
    assert back.equals(table)
    kept = ["area", "n", "mean"]
    assert table_digest(back.select(kept)) == table_digest(table.select(kept))
    empty = table.slice(0, 0)
    assert decode_table(encode_table(empty)).equals(empty)


@pytest.mark.parametrize("text", [None, 7, [], "", "no base64!", "AAAA", "é"])
def test_what_is_no_table_is_refused(text: object) -> None:
    with pytest.raises(TableError):
        decode_table(text)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LARGEST_BYTES", 1_000_000)
    with pytest.raises(TableError, match="at most"):
        decode_table(encode_table(pa.table({"n": pa.array([0] * 200_000, pa.int64())})))


GOOD = base64.b64decode(encode_table(pa.table({"n": [1, 2, 3], "t": ["a", "b", None]})))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255), st.booleans())
def test_damage_is_noticed_or_harmless(place: int, change: int, cut: bool) -> None:
    bad = GOOD[:place] if cut else GOOD[:place] + bytes([GOOD[place] ^ change]) + GOOD[place + 1 :]
    with suppress(TableError):
        decode_table(base64.b64encode(bad).decode()).to_pydict()
