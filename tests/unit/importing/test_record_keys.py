"""A unit has one key, whatever the dataset, and only the secret gives it."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pytest

from catalogue.fragment import RECORD_KEY_MODULUS
from federation.importing.record_keys import WeakSecret, record_key, record_keys

SECRET = bytes(range(32))


@pytest.mark.parametrize(
    ("pseudonym", "key"),
    [
        ("7529361", 59_717_211),
        ("1", 11_768_045),
        ("", 95_350_909),
        ("Łódź-42", 7_837_721),
        ("a" * 200, 45_249_719),
    ],
)  # fmt: skip
def test_vectors(pseudonym: str, key: int) -> None:
    """Fixed for ever: another value would give every cell of every release new noise."""
    assert record_key(pseudonym, SECRET) == key


def test_definition() -> None:
    digest = hmac.new(SECRET, b"record-key\x00" + b"7529361", hashlib.sha256).digest()
    assert record_key("7529361", SECRET) == int.from_bytes(digest[:8], "big") % 10**8


def test_keys_of_many_units_are_those_of_each() -> None:
    units = [str(number) for number in range(1000)]
    keys = record_keys(units, SECRET)
    assert keys.type == pa.int32()
    assert keys.to_pylist() == [record_key(unit, SECRET) for unit in units]
    assert all(0 <= key < RECORD_KEY_MODULUS for key in keys.to_pylist())
    assert len(record_keys([], SECRET)) == 0


def test_blanks_and_unicode_forms_are_one_unit() -> None:
    assert record_key(" 42\t", SECRET) == record_key("42", SECRET)
    assert record_key("e\u0301", SECRET) == record_key("\u00e9", SECRET)
    assert record_key("042", SECRET) != record_key("42", SECRET)


def test_another_secret_gives_other_keys() -> None:
    units = [str(number) for number in range(100)]
    assert record_keys(units, SECRET) != record_keys(units, SECRET[::-1])


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(WeakSecret, match="32 bytes"):
        record_key("1", b"short")


def test_keys_are_spread_evenly() -> None:
    """Chi-squared over 100 bins of 50,000 keys: 99 degrees of freedom, 99.99 % point about 161."""
    keys = record_keys([f"unit {number}" for number in range(50_000)], SECRET).to_numpy()
    bins = [int((keys // (RECORD_KEY_MODULUS // 100) == i).sum()) for i in range(100)]
    assert sum((count - 500) ** 2 / 500 for count in bins) < 161
