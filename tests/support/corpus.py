"""The corpus of ordinary questions: what each is, and how far its released answer is from the truth.

Three things are compared. The *truth* is what DuckDB gives for the question as typed on the unit rows. The *exact*
answer is what the compiler's plan gives over cells that nothing protects: it shows that the rewriting is right. The
*released* answer is what the plan gives under the dataset's own profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml

from catalogue.fragment import Histogram, Magnitude, RawCells
from catalogue.models import ClassDisclosure, Dominance, Profile
from policies.cells import ProtectedCells, Status
from policies.plan import Atom, AtomKind, CellQuery, ClearedPlan
from policies.protect import ptable_of
from policies.protect.dense import DenseCells
from policies.protect.grid import check_grid
from tests.support.answer import Answerer
from tests.support.null_profile import NULL_PROFILE

LARGE = 20
"""Contributors from which on a count must be shown whatever its noise."""

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """A column that is ``scale`` times a part of the column ``of``, of which there may be several bases."""

    of: str
    scale: int = 1


@dataclass(frozen=True)
class Question:
    """One question. ``truth`` is SQL for DuckDB where what was typed uses what DuckDB does not know (names of codes,
    parameters, custom areas) or what the agreement rewrites. ``counts`` says of how many atoms a count is the sum,
    where not of one. ``tolerance`` bounds, in per cent, the median error of a column that is no count or share."""

    name: str
    question: str
    sql: str
    truth: str
    body: str = "greater_manchester"
    agreement: str = "local_labour_market"
    purpose: str = "Local skills and employment planning"
    parameters: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)
    noisy_rows: bool = False


def questions(folder: Path) -> list[Question]:
    """All questions of the folder's YAML files, named by file and number."""
    found = []
    for file in sorted(folder.glob("*.yaml")):
        for number, entry in enumerate(yaml.safe_load(file.read_text()), 1):
            shares = {column: Share(**share) for column, share in entry.pop("shares", {}).items()}
            entry.setdefault("truth", entry["sql"])
            found.append(Question(name=f"{file.stem}-{number:02}", shares=shares, **entry))
    return found


@dataclass(frozen=True)
class AtomFindings:
    """One kind of atom over the cells of a question. ``errors`` are of published cells, ``bounds`` theirs.

    ``occupied`` counts cells with anybody, ``hidden`` those of them that are withheld; ``large_hidden`` counts cells
    that no rule but the minimum frequency could withhold and that have many contributors, and yet are withheld.
    """

    kind: AtomKind
    weighted: bool
    occupied: int
    hidden: int
    large_hidden: int
    errors: Floats
    bounds: Floats
    relative: Floats

    @property
    def is_count(self) -> bool:
        return self.kind in (AtomKind.UNITS, AtomKind.COUNT) and not self.weighted


@dataclass(frozen=True)
class Answers:
    """``noise`` is how far any published count of the answer may be from the truth."""

    plan: ClearedPlan
    truth: pa.Table
    exact: pa.Table
    released: pa.Table
    noise: float
    atoms: tuple[AtomFindings, ...]


class Corpus:
    """Asks the questions of one market."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    def plan(self, question: Question) -> ClearedPlan:
        agreement = self._answerer.market.catalogue.agreements[question.agreement]
        return self._answerer.plan(
            question.sql,
            body=question.body,
            agreement=agreement,
            purpose=question.purpose,
            parameters=question.parameters,
        )

    def ask(self, question: Question) -> Answers:
        plan = self.plan(question)
        exact, released, findings = [], [], []
        for query in plan.queries:
            raw, guards = self._answerer.raw(query)
            profile = self._answerer.profile(query)
            free = replace(query, guards=())
            exact.append(self._answerer.protected(free, raw, [], NULL_PROFILE))
            released.append(self._answerer.protected(query, raw, guards, profile))
            # What the minimum frequency alone withholds: no dominance, quality, class or neighbour rule.
            plain = profile.model_copy(
                update={
                    "dominance": Dominance(),
                    "class_disclosure": ClassDisclosure(),
                    "maximum_cv_percent": None,
                }
            )
            minimal = self._answerer.protected(free, raw, [], plain)
            findings += _findings(query, raw, profile, (exact[-1], released[-1], minimal))
        present = self._answerer.present
        return Answers(
            plan,
            self._answerer.original(question.truth),
            present(plan.presentation, exact, plan.lookups),
            present(plan.presentation, released, plan.lookups),
            max(
                (float(bound) for found in findings if found.is_count for bound in found.bounds), default=0.0
            ),
            tuple(findings),
        )


def noise_of(profile: Profile) -> int:
    """How far a published count may be from the true one: the p-table's bound, and half of what it is rounded to."""
    table = ptable_of(profile)
    spec = profile.cell_keys.counts if profile.cell_keys is not None and table is not None else None
    most = spec.maximum_noise if spec is not None and spec.maximum_noise is not None else 0
    return most + profile.rounding.count_base // 2


def _findings(
    query: CellQuery, raw: RawCells, profile: Profile, cells: tuple[ProtectedCells, ...]
) -> Iterator[AtomFindings]:
    exact, released, minimal = (each.table for each in cells)
    if any(each.sparse for each in cells):
        return
    dense = DenseCells(check_grid(query), raw)
    for atom in query.atoms:
        contributors = dense.integers(f"{atom.count or atom.statistic}_n")
        occupied = contributors > 0
        hidden = released[atom.status].to_numpy() >= Status.LOW
        enough = contributors >= _enough(atom)
        true, shown = _floats(exact[atom.column]), _floats(released[atom.column])
        published = occupied & ~hidden & ~np.isnan(true)
        errors = np.abs(shown - true)[published]
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = errors / np.abs(true[published])
        yield AtomFindings(
            atom.kind,
            atom.weighted,
            int(occupied.sum()),
            int((hidden & occupied).sum()),
            int((enough & (minimal[atom.status].to_numpy() == Status.CONFIDENTIAL)).sum()),
            errors,
            _bound(query, atom, profile, dense, true)[published],
            relative[np.isfinite(relative)],
        )


def _enough(atom: Atom) -> float:
    if atom.kind is not AtomKind.QUANTILE or atom.quantile is None:
        return LARGE
    return LARGE / (2 * float(min(atom.quantile, 1 - atom.quantile)))


def _bound(query: CellQuery, atom: Atom, profile: Profile, dense: DenseCells, true: Floats) -> Floats:
    """How far an atom may be from the truth, by the definition of its method."""
    noise = noise_of(profile)
    spec = next(each for each in query.fragment.statistics if each.id == atom.statistic)
    n = dense.integers(f"{atom.count or atom.statistic}_n").astype(float)
    rounding = 10.0**-atom.decimals
    if atom.kind is AtomKind.UNITS and not atom.weighted:
        return np.full(true.shape, float(noise))
    if atom.kind is AtomKind.UNITS:
        weight = np.divide(dense.floats(f"{spec.id}_w"), n, out=np.zeros_like(n), where=n > 0)
        return noise * weight + 1
    if isinstance(spec, Histogram):
        # On the rank; what that is in the measure depends on the data, and is reported instead.
        return np.full(true.shape, np.inf)
    assert isinstance(spec, Magnitude)
    assert profile.cell_keys is not None
    steps = (profile.cell_keys.counts.maximum_noise or 0) + 0.5
    most = float(profile.cell_keys.magnitude_delta) * steps
    moved = most * dense.floats(f"{spec.id}_top1")
    if atom.kind is AtomKind.COUNT:
        return moved + profile.rounding.count_base / 2 + 0.5
    per_unit = np.divide(moved, dense.integers(f"{spec.id}_present"), out=np.zeros_like(moved), where=n > 0)
    if atom.kind is AtomKind.MEAN:
        return per_unit + rounding
    if atom.kind is AtomKind.SUM and not atom.weighted:
        mean = np.divide(np.abs(true), n, out=np.zeros_like(n), where=n > 0)
        return (per_unit + rounding) * (n + noise) + mean * noise
    return np.full(true.shape, np.inf)


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.array([np.nan if v is None else float(v) for v in column.to_pylist()])


# -- tables ------------------------------------------------------------------------------------------------------


def is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def measured(question: Question, truth: pa.Table) -> list[str]:
    """The columns of an answer that are numbers from data; the rest say which row it is."""
    named = {*question.counts, *question.shares, *question.tolerance}
    return [
        each.name
        for each in truth.schema
        if each.name in named or (not _is_text(each.type) and each.name not in KEYS)
    ]


KEYS = {"period", "age", "decade", "band_from"}
"""Names of number columns that are keys of the corpus's tables."""


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind)
        or pa.types.is_string(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_date(kind)
    )


def by_key(table: pa.Table, names: list[str], numbers: list[str]) -> dict[tuple[object, ...], dict[str, Any]]:
    """Rows by their keys; where a table has no key, by position."""
    keys = [name for name in names if name not in numbers]
    columns = {name: table.column(i).to_pylist() for i, name in enumerate(names)}
    rows: dict[tuple[object, ...], dict[str, Any]] = {}
    for i in range(table.num_rows):
        key = tuple(columns[name][i] for name in keys)
        rows[key if key not in rows and keys else (*key, i)] = {name: columns[name][i] for name in numbers}
    return rows


def is_whole(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
