"""``federation import FILE``: a CSV or Parquet file becomes a dataset of a configuration directory, in draft."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from catalogue.models import Role
from federation.importing import drafting
from federation.importing.columns import (
    MAXIMUM_DECIMALS,
    RECORD_KEY_COLUMN,
    Candidate,
    Column,
    Holds,
    candidate,
    describe_columns,
    free_name,
    reserved_words,
)
from federation.importing.drafting import Naming
from federation.importing.existing import (
    Existing,
    as_documented,
    documented,
    settled,
    stored_in_order_of,
    uncovered,
)
from federation.importing.problems import SHOWN_ROWS, ImportRefused, rows_text
from federation.importing.staging import Staged, quoted, stage
from federation.importing.storing import DECIMAL_DIGITS, codes_of, write_data, write_keys

WORKSPACE = ".import-"


@dataclass(frozen=True)
class ImportOptions:
    """What a custodian says about a file.

    ``unit`` is the column with the units' pseudonyms; ``one_row_per_unit`` says that none stands twice, which is
    verified. ``decimals`` gives the decimal places of measures by column name (default: as many as the data has,
    at most 6). ``null_values`` are texts that mean no value. ``codelist_limit`` is the largest number of different
    codes of which a code list is drafted. ``existing`` says what to do where the dataset was drafted before.
    """

    unit: str
    name: str | None = None
    unit_name: str = "person"
    unit_plural: str = "people"
    one_row_per_unit: bool = True
    custodian: str = "custodian"
    profile: str = "draft_profile"
    connector: str = "duckdb"
    decimals: Mapping[str, int] = field(default_factory=dict)
    null_values: tuple[str, ...] = ()
    codelist_limit: int = 500
    existing: Existing = Existing.REFUSE


@dataclass(frozen=True)
class Imported:
    """What an import did: files by their path in the directory; ``notes`` are for the custodian to read."""

    dataset: str
    rows: int
    units: int
    roles: Mapping[str, Role]
    written: tuple[str, ...]
    kept: tuple[str, ...]
    notes: tuple[str, ...]


def draft_dataset(path: Path, directory: Path, key_secret: bytes, options: ImportOptions) -> Imported:
    """Imports ``path`` into the configuration directory ``directory``.

    Writes ``data/NAME.parquet`` (the named columns, typed by role, and the record keys of the units as INT32),
    ``datasets/NAME.yaml``, a code list for each coded column, and a body and a profile where those that the
    options name are not there. All or nothing: files are made aside and moved into place when all are ready. The
    same import again changes nothing.

    Raises ImportRefused with every problem that was found, WeakSecret for a short secret.
    """
    try:
        return _import(path, directory, key_secret, options)
    except OSError as error:
        raise ImportRefused(f"The directory could not be written ({error.strerror}).") from None


def _import(path: Path, directory: Path, key_secret: bytes, options: ImportOptions) -> Imported:
    with _workspace(directory) as workspace:
        with stage(path, workspace, options.null_values) as staged:
            name = free_name(options.name or path.stem, reserved_words(staged))
            document = documented(directory, name) if options.existing is Existing.KEEP else None
            candidates = _candidates(staged, options)
            if document is not None:
                candidates = as_documented(directory, document, candidates)
            units = _check_units(staged, options)
            notes = tuple(_notes(staged, candidates, options))
            naming = Naming(
                name, options.unit_name, options.unit_plural, options.custodian, options.profile, options.connector,
                f"{name}.parquet", options.one_row_per_unit,
            )  # fmt: skip
            drafts: dict[str, str] = {}
            kept: tuple[str, ...] = (f"datasets/{name}.yaml",)
            if document is None:
                drafts = _drafts(staged, naming, options, candidates, notes)
                kept = settled(directory, drafts, options.existing)
                notes += tuple(uncovered(staged, directory, candidates, kept))
            write_keys(staged, options.unit, key_secret)
            data = workspace / naming.location
            order = stored_in_order_of(document, candidates) if document is not None else None
            write_data(staged, candidates, options.unit, data, order)
        written = _move(directory, workspace, {k: v for k, v in drafts.items() if k not in kept}, data)
    roles = {c.column.variable: c.role for c in candidates if c.role is not None}
    return Imported(name, staged.rows, units, roles, written, kept, notes)


@contextmanager
def _workspace(directory: Path) -> Iterator[Path]:
    """A folder for one import, at a time: the next waits. What a killed one left holds rows, and is removed."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in directory.glob(f"{WORKSPACE}*"):
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=WORKSPACE, dir=directory) as folder:
            yield Path(folder)
    finally:
        os.close(lock)


def _candidates(staged: Staged, options: ImportOptions) -> tuple[Candidate, ...]:
    problems = [
        f"There is no column `{name}`. The columns are: {', '.join(staged.columns)}."
        for name in (options.unit, *options.decimals)
        if name not in staged.columns
    ]
    if any(name.casefold() == RECORD_KEY_COLUMN for name in staged.columns):
        problems.append(f"The column `{RECORD_KEY_COLUMN}` is what the import adds: rename or remove it.")
    if problems:
        raise ImportRefused(*problems)
    columns = [
        _with_decimals(column, options.decimals.get(column.name))
        for column in describe_columns(staged, options.codelist_limit)
    ]
    problems += [_mixed(staged, column) for column in columns if column.mixed and column.name != options.unit]
    candidates = tuple(
        candidate(column, options.unit, staged.rows, options.codelist_limit) for column in columns
    )
    for item in candidates:
        top = 10 ** (DECIMAL_DIGITS - item.column.decimals)
        low, high = item.column.low or Decimal(0), item.column.high or Decimal(0)
        if item.role in (Role.MEASURE, Role.WEIGHT) and max(abs(low), abs(high)) >= top:
            problems.append(
                f"Column `{item.column.name}` holds numbers of more than {DECIMAL_DIGITS} digits."
            )
    if problems:
        raise ImportRefused(*problems)
    return candidates


def _with_decimals(column: Column, decimals: int | None) -> Column:
    if decimals is None:
        return column
    if not 0 <= decimals <= MAXIMUM_DECIMALS:
        raise ImportRefused(f"Decimal places of `{column.name}` should be 0 to {MAXIMUM_DECIMALS}.")
    if column.holds not in (Holds.WHOLE_NUMBERS, Holds.DECIMALS):
        raise ImportRefused(f"Column `{column.name}` has decimal places declared but does not hold numbers.")
    return replace(column, decimals=decimals, holds=Holds.DECIMALS)


def _mixed(staged: Staged, column: Column) -> str:
    rows = _rows(
        staged,
        rf"{quoted(column.name)} IS NOT NULL AND NOT regexp_full_match({quoted(column.name)}, '-?\d+(\.\d+)?')",
    )
    return (
        f"Column `{column.name}` holds numbers, but not in {rows_text(rows, column.mixed)}: mend them, or declare "
        "what stands there as meaning no value."
    )


def _check_units(staged: Staged, options: ImportOptions) -> int:
    unit = quoted(options.unit)
    counted = staged.connection.execute(
        f"SELECT count({unit}), count(DISTINCT {unit}) FROM staged"
    ).fetchone()
    assert counted is not None
    values, units = int(counted[0]), int(counted[1])
    problems = []
    if values < staged.rows:
        rows = _rows(staged, f"{unit} IS NULL")
        problems.append(f"Column `{options.unit}` is blank in {rows_text(rows, staged.rows - values)}.")
    if options.one_row_per_unit and units < values:
        repeated = f"{unit} IN (SELECT {unit} FROM staged GROUP BY {unit} HAVING count(*) > 1)"
        rows, total = _rows(staged, repeated), _count(staged, repeated)
        problems.append(
            f"Column `{options.unit}` repeats in {rows_text(rows, total)}: a row is not a unit. Mend the file, or "
            "declare that a unit may have many rows."
        )
    if problems:
        raise ImportRefused(*problems)
    return units


def _rows(staged: Staged, condition: str) -> list[int]:
    found = staged.connection.execute(
        f"SELECT rowid + 2 FROM staged WHERE {condition} ORDER BY rowid LIMIT {SHOWN_ROWS}"
    ).fetchall()
    return [int(row) for (row,) in found]


def _count(staged: Staged, condition: str) -> int:
    counted = staged.connection.execute(f"SELECT count(*) FROM staged WHERE {condition}").fetchone()
    return int(counted[0]) if counted else 0


def _notes(staged: Staged, candidates: tuple[Candidate, ...], options: ImportOptions) -> Iterator[str]:
    if staged.unnamed:
        yield f"Columns without a name were left out: {staged.unnamed}."
    for name in staged.nested:
        yield f"Column `{name}` holds lists, structures or bytes and was left out."
    for item in candidates:
        column = item.column
        if item.role is Role.MEASURE and column.name in options.decimals:
            scaled = f"try_cast({quoted(column.name)} AS DECIMAL(38, 12))"
            rounded = _count(staged, f"{scaled} <> round({scaled}, {column.decimals})")
            if rounded:
                yield f"Column `{column.name}` was rounded to {column.decimals} decimal places in {rounded:,} rows."
        if item.role is Role.IDENTIFIER and column.name != options.unit:
            yield f"Column `{column.name}` was drafted as an identifier ({item.reason})."
        if item.role is None:
            yield f"Column `{column.name}` was left out: it {item.reason}."


def _drafts(
    staged: Staged,
    naming: Naming,
    options: ImportOptions,
    candidates: tuple[Candidate, ...],
    notes: tuple[str, ...],
) -> dict[str, str]:
    """The text of every document by its path, in the order in which they are put in place: the dataset last."""
    drafts: dict[str, str] = {}
    for item in candidates:
        if item.role is not Role.DIMENSION:
            continue
        name = item.column.variable
        if item.integers:
            drafts[f"codelists/{name}.yaml"] = drafting.integers_yaml(item)
            continue
        drafts[f"codelists/{name}.csv"] = drafting.codes_csv(item, codes_of(staged, item))
        drafts[f"codelists/{name}.yaml"] = drafting.codes_yaml(item, drafting.levels_of(item))
    drafts[f"bodies/{naming.custodian}.yaml"] = drafting.body_yaml(naming)
    drafts[f"profiles/{naming.profile}.yaml"] = drafting.profile_yaml(naming)
    drafts[f"datasets/{naming.dataset}.yaml"] = drafting.dataset_yaml(naming, options.unit, candidates, notes)
    return drafts


def _move(directory: Path, workspace: Path, drafts: dict[str, str], data: Path) -> tuple[str, ...]:
    """Puts everything in place, the data first and the dataset's document last."""
    ready = {f"data/{data.name}": data}
    for index, (file, text) in enumerate(drafts.items()):
        ready[file] = workspace / f"draft{index}"
        ready[file].write_text(text, encoding="utf-8", newline="\n")
    for file, made in ready.items():
        target = directory / file
        target.parent.mkdir(parents=True, exist_ok=True)
        made.replace(target)
    return tuple(ready)
