"""Each policy pack does to its test vectors what it says: cells in, the protected table out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pytest
import yaml

from catalogue.documents import Sourced
from catalogue.fragment import (
    Axis,
    Block,
    Column,
    Field,
    Fragment,
    Magnitude,
    Measure,
    RawCells,
    Table,
    Tally,
)
from catalogue.leaves import LeafSet
from catalogue.models import Profile
from catalogue.profile_source import read_profile
from catalogue.yaml_source import parse_yaml
from policies.cells import Status
from policies.plan import Atom, AtomKind, Box, CellQuery, GridAxis, GridBlock, KeyColumn
from policies.protect import NoiseKey, protect, ptable_of

PACKS = {
    file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
    for file in (files("policies") / "packs").iterdir()
    if file.name.endswith(".yaml")
}
DECIMALS = 2
PAY = Measure("people.pay", Field("pay"), DECIMALS)


def profile_of(pack: str) -> Profile:
    """The pack as a custodian uses it: extended by a profile that adds nothing but the reasons that it asks for."""
    text = f"profile: mine\nextends: {pack}\n"
    (source,), faults = parse_yaml(text, "mine.yaml")
    assert not faults
    read = read_profile(source, PACKS)
    assert isinstance(read, Sourced), read
    return read.document


def vectors() -> Iterator[Any]:
    for name, text in sorted(PACKS.items()):
        for vector in yaml.safe_load(text)["vectors"]:
            yield pytest.param(name, vector, id=f"{name}: {vector['says']}")


def question(n: int, *, magnitude: bool, second: bool, top: int) -> CellQuery:
    """COUNT(*) and AVG(pay) by one dimension of n codes."""
    codes = tuple(f"c{i}" for i in range(n))
    axis = GridAxis("code", ("code",), (codes,), tuple(LeafSet.of([i], n) for i in range(n)), (False,) * n)
    atoms = [Atom(AtomKind.UNITS, "a0", "s0", "t0")]
    statistics: list[Tally | Magnitude] = [Tally("t0")]
    if magnitude:
        mean = Atom(AtomKind.MEAN, "a1", "s1", "t1", measure=PAY.name, decimals=DECIMALS, count="t0")
        atoms.append(mean)
        statistics.append(Magnitude("t1", PAY, top=top))
    fragment = Fragment(
        table=Table("duckdb", "people", "people"),
        joins=(),
        unit=None,
        record_key=Field("record_key"),
        second_unit=Field("employer") if second else None,
        holding=None,
        weight=None,
        where=(),
        blocks=(Block((Axis(Column(Field("code"), codes), tuple(range(n)), n),)),),
        statistics=tuple(statistics),
    )
    key = KeyColumn("code", "VARCHAR", "Code")
    return CellQuery("cells0", "people", "mine", Box(), (key,), (GridBlock((axis,)),), tuple(atoms), fragment)


def answer(cells: list[dict[str, Any]], *, magnitude: bool, second: bool, top: int) -> RawCells:
    """What a source would say of the cells that have anybody."""
    occupied = [(i, cell) for i, cell in enumerate(cells) if cell["units"]]
    columns: dict[str, pa.Array] = {
        "block": pa.array([0] * len(occupied), pa.int32()),
        "p0": pa.array([i for i, _ in occupied], pa.int32()),
    }

    def add(name: str, values: list[Any], type_: pa.DataType) -> None:
        columns[name] = pa.array(values, type_)

    money = pa.decimal128(38, DECIMALS)
    for statistic in ("t0", "t1") if magnitude else ("t0",):
        add(f"{statistic}_n", [cell["units"] for _, cell in occupied], pa.int64())
        add(f"{statistic}_key", [cell.get("key", 0) for _, cell in occupied], pa.int64())
        if second:
            add(f"{statistic}_second", [cell["second"] for _, cell in occupied], pa.int64())
    if magnitude:
        add("t1_present", [cell["units"] for _, cell in occupied], pa.int64())
        add("t1_sum", [Decimal(str(cell["total"])) for _, cell in occupied], money)
        for rank in range(top):
            add(f"t1_top{rank + 1}", [Decimal(cell["largest"][rank]) for _, cell in occupied], money)
    return RawCells(pa.table(columns), {}, "snapshot")


@pytest.mark.parametrize(("pack", "vector"), list(vectors()))
def test_vector(pack: str, vector: dict[str, Any]) -> None:
    profile, cells = profile_of(pack), vector["cells"]
    shape = {"magnitude": "mean" in cells[0], "second": "second" in cells[0], "top": 2}
    noise = NoiseKey(bytes.fromhex(vector.get("secret", "00" * 32)), epoch=1)

    protected = protect(
        question(len(cells), **shape), answer(cells, **shape), [], profile, noise, ptable_of(profile)
    )

    for atom, status, expected in (("a0", "s0", "shown"), ("a1", "s1", "mean")):
        if expected in cells[0]:
            table = protected.table
            marks = [Status(code).mark for code in table[status].to_pylist()]
            shown = [mark or value for mark, value in zip(marks, table[atom].to_pylist(), strict=True)]
            assert shown == [
                cell[expected] if isinstance(cell[expected], str) else Decimal(str(cell[expected]))
                for cell in cells
            ]


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_pack_is_a_profile_with_vectors(pack: str) -> None:
    profile = profile_of(pack)
    content = yaml.safe_load(PACKS[pack])
    assert content["profile"] == pack
    assert profile.modelled_on
    assert set(content) - {"vectors"} <= set(Profile.model_fields)
    assert content["vectors"]
    table = ptable_of(profile)
    assert table is None or not table.perturbs_zero
