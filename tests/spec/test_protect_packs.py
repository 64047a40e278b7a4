"""Every policy pack against the test vectors that it carries: true statistics of a cell in, what is shown out."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from catalogue.fragment import Field, Magnitude, Measure, RawCells, Tally
from catalogue.models import Profile
from policies.cells import Status
from policies.plan import Atom, AtomKind
from policies.protect import NoiseKey, protect, ptable_of
from tests.support.cell_queries import cell_query

PACKS = sorted((Path(__file__).parents[2] / "policies" / "packs").glob("*.yaml"))
PAY = Measure("people.pay", Field("pay"), 2, nullable=False)
COUNT = Atom(AtomKind.UNITS, "a0", "s0", "t0")
MEAN = Atom(AtomKind.MEAN, "a1", "s1", "t1", measure="pay", decimals=2, count="t0")


def read(pack: Path) -> tuple[Profile, list[dict[str, Any]]]:
    document = yaml.safe_load(pack.read_text())
    vectors = document.pop("vectors")
    return Profile.model_validate(document), vectors


def cases() -> list[Any]:
    return [
        pytest.param(profile, vector, cell, id=f"{pack.stem}-{cell['units']}-{cell['shown']}")
        for pack in PACKS
        for profile, vectors in [read(pack)]
        for vector in vectors
        for cell in vector["cells"]
    ]


def answer(profile: Profile, vector: dict[str, Any], cell: dict[str, Any]) -> list[object]:
    """What is shown of one cell: its count and, where the vector has a total, its mean."""
    units, key, second = cell["units"], cell.get("key", 0), cell.get("second", cell["units"])
    columns = {"block": 0, "t0_n": units, "t0_key": key, "t0_second": second}
    if "total" in cell:
        first, other = (Decimal(value).quantize(Decimal("0.01")) for value in cell["largest"])
        total = Decimal(cell["total"]).quantize(Decimal("0.01"))
        columns |= {"t1_n": units, "t1_key": key, "t1_second": second, "t1_present": units}
        columns |= {"t1_sum": total, "t1_top1": first, "t1_top2": other}
    atoms = [COUNT, MEAN] if "total" in cell else [COUNT]
    statistics = [Tally("t0"), Magnitude("t1", PAY)] if "total" in cell else [Tally("t0")]
    query = cell_query(atoms, statistics, [], second_unit="employer" if "second" in cell else None)
    raw = RawCells(pa.table({name: [value] for name, value in columns.items()}), {}, "snapshot")
    noise = NoiseKey(bytes.fromhex(vector.get("secret", "00" * 32)), epoch=1)
    (row,) = protect(query, raw, [], profile, noise, ptable_of(profile)).table.to_pylist()
    return [Status(row[atom.status]).mark if row[atom.column] is None else row[atom.column] for atom in atoms]


@pytest.mark.parametrize(("profile", "vector", "cell"), cases())
def test_a_vector_of_the_pack(profile: Profile, vector: dict[str, Any], cell: dict[str, Any]) -> None:
    expected = [cell["shown"]] + ([cell["mean"]] if "total" in cell else [])
    assert answer(profile, vector, cell) == [
        value if isinstance(value, str) else Decimal(str(value)) for value in expected
    ]


def test_every_pack_has_vectors() -> None:
    assert PACKS
    assert all(read(pack)[1] for pack in PACKS)
