"""``federation import FILE``: a CSV or Parquet file becomes a dataset of a configuration directory, in draft."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from catalogue.codelist_source import CodeListDocument, build_codelist
from catalogue.documents import snake, validate
from catalogue.draft import Kind
from catalogue.loader import declared_names
from catalogue.models import Role
from catalogue.yaml_source import read_yaml
from federation.importing import drafting
from federation.importing.columns import (
    MAXIMUM_DECIMALS,
    Candidate,
    Column,
    Holds,
    candidate,
    describe_columns,
)
from federation.importing.drafting import RECORD_KEY_COLUMN, Naming
from federation.importing.problems import SHOWN_ROWS, ImportRefused, rows_text
from federation.importing.record_keys import record_keys
from federation.importing.staging import Staged, literal, quoted, stage

_KEY_BATCH = 100_000
_DECIMAL_DIGITS = 18


@dataclass(frozen=True)
class ImportOptions:
    """What a custodian says about a file.

    ``unit`` is the column with the units' pseudonyms; ``one_row_per_unit`` says that none stands twice, which is
    verified. ``decimals`` gives the decimal places of measures by column name (default: as many as the data has,
    at most 6). ``null_values`` are texts that mean no value. ``codelist_limit`` is the largest number of different
    codes of which a code list is drafted. ``replace`` overwrites drafts that were edited since.
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
    replace: bool = False


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
    name = snake(options.name or path.stem)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=directory) as folder:
        workspace = Path(folder)
        with stage(path, workspace, options.null_values) as staged:
            candidates = _candidates(staged, options)
            units = _check_units(staged, options)
            notes = tuple(_notes(staged, candidates, options))
            naming = Naming(
                name, options.unit_name, options.unit_plural, options.custodian, options.profile, options.connector,
                f"{name}.parquet", options.one_row_per_unit,
            )  # fmt: skip
            drafts = _drafts(staged, naming, options, candidates, notes)
            kept = _settled(directory, drafts, options)
            notes += tuple(_uncovered(staged, directory, candidates, kept))
            _write_keys(staged, options.unit, key_secret)
            data = workspace / naming.location
            _write_data(staged, candidates, options.unit, data)
        written = _move(directory, workspace, {k: v for k, v in drafts.items() if k not in kept}, data)
    roles = {c.column.variable: c.role for c in candidates if c.role is not None}
    return Imported(name, staged.rows, units, roles, written, kept, notes)


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
        top = 10 ** (_DECIMAL_DIGITS - item.column.decimals)
        low, high = item.column.low or Decimal(0), item.column.high or Decimal(0)
        if item.role in (Role.MEASURE, Role.WEIGHT) and max(abs(low), abs(high)) >= top:
            problems.append(
                f"Column `{item.column.name}` holds numbers of more than {_DECIMAL_DIGITS} digits."
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
        drafts[f"codelists/{name}.csv"] = drafting.codes_csv(item, _codes(staged, item))
        drafts[f"codelists/{name}.yaml"] = drafting.codes_yaml(item, drafting.levels_of(item))
    drafts[f"bodies/{naming.custodian}.yaml"] = drafting.body_yaml(naming)
    drafts[f"profiles/{naming.profile}.yaml"] = drafting.profile_yaml(naming)
    drafts[f"datasets/{naming.dataset}.yaml"] = drafting.dataset_yaml(naming, options.unit, candidates, notes)
    return drafts


def _codes(staged: Staged, item: Candidate) -> list[str]:
    code = f"CAST({_stored(item)} AS VARCHAR)"
    order = "code"
    if item.column.holds is Holds.DATES:
        code = f"strftime({_stored(item)}, '%Y-%m')"
    elif item.column.holds is Holds.WHOLE_NUMBERS:
        order = "CAST(code AS BIGINT)"
    found = staged.connection.execute(
        f"SELECT code FROM (SELECT DISTINCT {code} AS code FROM staged) WHERE code IS NOT NULL ORDER BY {order}"
    ).fetchall()
    return [str(value) for (value,) in found]


def _settled(directory: Path, drafts: dict[str, str], options: ImportOptions) -> tuple[str, ...]:
    """Drafts that are not written: equal to what is there, or of something that is there and may be better by now.

    Raises ImportRefused for a dataset that is there and differs, unless it may be replaced.
    """
    declared = {
        kind.value: declared_names(directory, kind) for kind in (Kind.BODY, Kind.PROFILE, Kind.DATASET)
    }
    kept = []
    for file, text in drafts.items():
        folder, stem = file.split("/")[0], Path(file).stem
        there = directory / file
        file_of_name = declared.get(folder, {}).get(stem)
        if there.exists() and there.read_bytes() == text.encode():
            kept.append(file)
        elif folder == Kind.DATASET:
            if file_of_name not in (None, file) or (there.exists() and not options.replace):
                raise ImportRefused(
                    f"`{file_of_name or file}` is there already and differs: choose another name, or replace it."
                )
        elif (
            file_of_name is not None
            or (there.exists() and not options.replace)
            or (there.exists() and folder != Kind.CODELIST)
        ):
            kept.append(file)
    return tuple(kept)


def _uncovered(
    staged: Staged, directory: Path, candidates: tuple[Candidate, ...], kept: tuple[str, ...]
) -> Iterator[str]:
    """Notes on code lists that were there already and lack codes of the data."""
    for item in candidates:
        file = f"codelists/{item.column.variable}.yaml"
        if item.role is not Role.DIMENSION or file not in kept:
            continue
        sources, _ = read_yaml(directory / file, file)
        sourced = validate(CodeListDocument, sources[0]) if len(sources) == 1 else []
        codelist = None if isinstance(sourced, list) else build_codelist(sourced, directory / "codelists")[0]
        known = {str(code) for code in codelist.leaf_level.codes} if codelist else set()
        missing = sum(code not in known for code in _codes(staged, item))
        if missing:
            yield f"`{file}` was kept, but lacks {missing:,} codes of column `{item.column.name}`: complete it."


def _write_keys(staged: Staged, unit: str, key_secret: bytes) -> None:
    """A table ``keys`` with the record key of every distinct unit, made batch by batch."""
    staged.connection.execute("CREATE TABLE keys (unit VARCHAR, record_key INTEGER)")
    cursor = staged.connection.cursor()
    reader = cursor.sql(f"SELECT DISTINCT {quoted(unit)} AS unit FROM staged").to_arrow_reader(_KEY_BATCH)
    for batch in reader:
        units = batch.column("unit")
        keyed = pa.table({"unit": units, "record_key": record_keys(units.to_pylist(), key_secret)})
        staged.connection.register("keyed", keyed)
        staged.connection.execute("INSERT INTO keys SELECT unit, record_key FROM keyed")
        staged.connection.unregister("keyed")


def _write_data(staged: Staged, candidates: tuple[Candidate, ...], unit: str, target: Path) -> None:
    columns = ", ".join(
        f"{_stored(item)} AS {quoted(item.column.name)}" for item in candidates if item.role is not None
    )
    staged.connection.execute(
        f"COPY (SELECT {columns}, keys.record_key AS {RECORD_KEY_COLUMN} FROM staged "
        f"JOIN keys ON keys.unit = staged.{quoted(unit)}) "
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _stored(item: Candidate) -> str:
    """A staged column as it is stored: codes as text, ages as integers, dates as dates, measures as decimals."""
    column = f"staged.{quoted(item.column.name)}"
    if item.integers:
        return f"CAST(CAST({column} AS DECIMAL(38, 0)) AS INTEGER)"
    if item.role in (Role.MEASURE, Role.WEIGHT):
        return f"CAST({column} AS DECIMAL({_DECIMAL_DIGITS}, {item.column.decimals}))"
    if item.column.holds is Holds.DATES:
        return f"CAST(CAST({column} AS TIMESTAMP) AS DATE)"
    if item.column.holds is Holds.WHOLE_NUMBERS and item.column.pointed:
        # Whole numbers that some tool wrote as 5.0 because the column has gaps.
        return f"CAST(CAST({column} AS DECIMAL(38, 0)) AS VARCHAR)"
    return column


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
