"""Small neighbouring databases: one labour market, and the same with one unit absent or one value of it changed.

The target is a woman of an age that nobody else has in her area. The attacker knows everything else, as the strongest
one would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from catalogue.fragment import RECORD_KEY_MODULUS, RawCells
from catalogue.models import Profile
from policies.cells import ProtectedCells
from policies.compiler import compile_query
from policies.methods.ptable import PTable
from policies.plan import CellQuery, ClearedPlan
from policies.presentation.model import Presentation
from policies.protect import NoiseKey, protect, ptable_of
from tests.support.answer import Answerer
from tests.support.labour import labour_market

PEOPLE = 2000
AGE = 51
AREA = "area = 'E0601'"
"""Whom the target is one of: some four hundred people, of whom she alone is 51."""
BOX = f"{AREA} AND occupation = '51'"
"""Some thirty of them."""
GROUP = "area = 'E0606' AND occupation = '22'"
"""A few dozen people who all have the same status."""

_EDITS = f"""
CREATE TABLE p AS
SELECT * REPLACE (
    CASE WHEN area = 'E0602' AND employer_id IS NOT NULL AND age < 40 THEN 'F99999' ELSE employer_id END AS employer_id,
    CASE WHEN {GROUP} THEN $group_status ELSE status END AS status)
FROM read_parquet($people) WHERE NOT ({AREA} AND age = {AGE});
CREATE TABLE e AS FROM read_parquet($employers) WHERE NOT (seat = 'E0604' AND size_band = 'L')
UNION ALL SELECT 'F99999', 'L', 'E0604', $turnover, 27182818;
CREATE TABLE l AS FROM read_parquet($learners);
"""
_TARGET = f"""
INSERT INTO p SELECT
    'P9999999', IF($status = 'EMP', 'F00003', NULL), 'E0601', 'E12N', IF($status = 'EMP', 'E0601', NULL), 'F', {AGE},
    '51', $status, IF($status = 'EMP', $pay::DECIMAL(9, 2), NULL), IF($status = 'EMP', 37, 0), 5, 31415926;
INSERT INTO l SELECT 'P9999999', 'L4', 'E0601', '2024-03', 120, 31415926;
"""


@dataclass(frozen=True)
class Variant:
    """What is so in one of the databases. All else is the same in all of them."""

    present: bool = True
    status: str = "EMP"
    pay: str = "615.00"
    turnover: int = 60_000
    group_status: str = "EMP"


@dataclass(frozen=True)
class Draw:
    """One draw of a custodian's secrets.

    The noise secret is drawn afresh. The record keys are those of the files times ``factor``, which has no divisor in
    common with the modulus: a cell key is a sum of record keys modulo M, so multiplying the sums gives what the source
    would have given for the other keys, and raw cells are computed once.
    """

    secret: bytes = field(repr=False)
    factor: int

    @classmethod
    def number(cls, number: int) -> Draw:
        digest = hashlib.sha256(b"draw %d" % number).digest()
        factor = int.from_bytes(digest[:3], "little") * 10 + (1, 3, 7, 9)[number % 4]
        return cls(digest, factor)

    def redrawn(self, raw: RawCells) -> RawCells:
        cells = raw.cells
        for i, name in enumerate(cells.column_names):
            if name.endswith("_key"):
                keys = np.asarray(cells[name].to_numpy(), dtype=np.int64)
                cells = cells.set_column(i, name, pa.array(keys * self.factor % RECORD_KEY_MODULUS))
        return RawCells(cells, raw.histograms, raw.snapshot)


class Database(Answerer):
    """One of the neighbouring databases under one profile, asked by somebody under any draw of the secrets."""

    def __init__(
        self, folder: Path, profile: Profile, variant: Variant, *, jurisdiction: bool = False
    ) -> None:
        super().__init__(labour_market(folder, profile, jurisdiction, PEOPLE, seed=7))
        _edit(folder, variant)
        self._plans: dict[tuple[object, ...], ClearedPlan] = {}
        self._raw: dict[object, tuple[RawCells, list[RawCells]]] = {}
        self._shown: dict[object, pa.Table] = {}
        self._ptables: dict[str, PTable | None] = {}
        self._draw = Draw.number(0)
        self._engine = duckdb.connect(":memory:", config={"threads": "1"})
        for name, codelist in self.market.catalogue.codelists.items():
            self._engine.register(name, codelist.table)

    def under(self, draw: Draw, sql: str) -> pa.Table:
        """The released answer under one draw."""
        self._draw, self.secret = draw, draw.secret
        return self.answer(sql)

    @cached_property
    def rows(self) -> duckdb.DuckDBPyConnection:
        """The unprotected rows, for questions that change nothing."""
        return self.unprotected()

    def plan(self, sql: str, **changes: object) -> ClearedPlan:
        """Compiled once, or once for each answer that its stages have."""
        key = (sql, *(self.stage_values(self._plans[(sql,)]) if (sql,) in self._plans else ()))
        if key not in self._plans:
            context = self.market.context(stage_values=key[1:], **changes)
            self._plans[key] = compile_query(sql, context)
        plan = self._plans[key]
        return self.plan(sql, **changes) if plan.stages and len(key) == 1 else plan

    def raw(self, query: CellQuery) -> tuple[RawCells, list[RawCells]]:
        """Asked of the source once; then the keys of the draw are put in."""
        key = (query.fragment, tuple(guard.fragment for guard in query.guards))
        if key not in self._raw:
            self._raw[key] = super().raw(query)
        cells, guards = self._raw[key]
        return self._draw.redrawn(cells), [self._draw.redrawn(guard) for guard in guards]

    def protected(
        self, query: CellQuery, raw: RawCells, guards: Sequence[RawCells], profile: Profile
    ) -> ProtectedCells:
        if profile.profile not in self._ptables:
            self._ptables[profile.profile] = ptable_of(profile)
        noise = NoiseKey(self.secret, 1)
        return protect(query, raw, guards, profile, noise, self._ptables[profile.profile])

    def present(
        self, presentation: Presentation, cells: Sequence[ProtectedCells], lookups: tuple[str, ...]
    ) -> pa.Table:
        """Draws that give the same cells give the same answer."""
        key = (presentation.sql, tuple(_content(each.table) for each in cells))
        if key not in self._shown:
            for each in cells:
                self._engine.register(each.relation, each.table)
            self._shown[key] = self._engine.sql(presentation.sql).to_arrow_table()
        return self._shown[key]


def _content(table: pa.Table) -> bytes:
    chunks = (chunk for column in table.columns for chunk in column.chunks)
    return b"".join(bytes(buffer) for chunk in chunks for buffer in chunk.buffers() if buffer is not None)


def _edit(folder: Path, variant: Variant) -> None:
    """Put the variant's target, firm and group into the tables of ``folder``."""
    names = {"p": "people", "e": "employers", "l": "learners"}
    files = {long: str(folder / f"{long}.parquet") for long in names.values()}
    values = {**vars(variant), **files}
    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        for statement in (_EDITS + (_TARGET if variant.present else "")).split(";"):
            if statement.strip():
                used = {name: value for name, value in values.items() if f"${name}" in statement}
                connection.execute(statement, used)
        for short, long in names.items():
            connection.execute(f"COPY {short} TO '{files[long]}' (FORMAT parquet)")
