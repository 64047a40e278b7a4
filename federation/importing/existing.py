"""What a configuration directory holds already of what an import would draft."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from catalogue.codelist_source import CodeListDocument, build_codelist
from catalogue.codelists import CodeListKind
from catalogue.documents import Sourced, validate
from catalogue.draft import Kind
from catalogue.loader import declared_names
from catalogue.models import Dataset, Role, Variable
from catalogue.yaml_source import read_yaml
from federation.importing.columns import Candidate, Holds
from federation.importing.problems import ImportRefused
from federation.importing.staging import Staged, quoted
from federation.importing.storing import codes_of


class Existing(StrEnum):
    """What to do where the dataset has been drafted before and its document was edited since."""

    REFUSE = "refuse"
    # New data under the same documents, typed as they say: what a custodian does each year.
    KEEP = "keep"
    # A new draft over the edited one.
    REPLACE = "replace"


def documented(directory: Path, name: str) -> Dataset | None:
    """The sound document of a dataset, where the directory has one in its usual place."""
    file = f"datasets/{name}.yaml"
    if not (directory / file).is_file():
        return None
    sources, _ = read_yaml(directory / file, file)
    sourced = validate(Dataset, sources[0]) if len(sources) == 1 else []
    if not isinstance(sourced, Sourced):
        raise ImportRefused(f"`{file}` is there already and is faulty: see `federation check`.")
    return sourced.document


def as_documented(
    directory: Path, dataset: Dataset, candidates: tuple[Candidate, ...]
) -> tuple[Candidate, ...]:
    """Candidates in the roles, with the decimals and as the kind of codes, that the dataset's document gives them."""
    by_expression = {
        variable.expression or quoted(name): variable for name, variable in dataset.variables.items()
    }
    return tuple(
        _as_variable(directory, item, by_expression.get(quoted(item.column.name))) for item in candidates
    )


def stored_in_order_of(dataset: Dataset, candidates: tuple[Candidate, ...]) -> str | None:
    """The column of the holding, or else of the second unit, that a document names, if it is stored: who is grouped
    by it reads rows of one after the other, which is faster (docs/adr/entities-are-grouped-first.md)."""
    unit = dataset.unit
    entities = [unit.holding, unit.second.expression if unit.second is not None else None]
    stored = {item.column.name for item in candidates if item.role is not None}
    names = {name: name for name in stored} | {quoted(name): name for name in stored}
    return next((names[entity] for entity in entities if entity in names), None)


def _as_variable(directory: Path, item: Candidate, variable: Variable | None) -> Candidate:
    if variable is None:
        return item
    column = item.column
    numeric = column.holds in (Holds.WHOLE_NUMBERS, Holds.DECIMALS, Holds.NOTHING)
    if variable.role in (Role.MEASURE, Role.WEIGHT) and not numeric:
        raise ImportRefused(f"Column `{column.name}` is a {variable.role} but does not hold numbers alone.")
    if variable.role is Role.MEASURE:
        column = replace(column, decimals=variable.decimals)
    integers = False
    if variable.role is Role.DIMENSION and variable.codelist and column.holds is Holds.WHOLE_NUMBERS:
        codelist = _codelist_document(directory, variable.codelist)
        integers = codelist is not None and codelist.document.kind is CodeListKind.INTEGERS
    return Candidate(column, variable.role, "as documented", integers)


def settled(directory: Path, drafts: dict[str, str], existing: Existing) -> tuple[str, ...]:
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
            if file_of_name not in (None, file) or (there.exists() and existing is not Existing.REPLACE):
                there_already = file_of_name or file
                raise ImportRefused(
                    f"`{there_already}` is there already and differs: keep or replace it, or choose another name."
                )
        elif file_of_name is not None or there.exists():
            kept.append(file)
    return tuple(kept)


def uncovered(
    staged: Staged, directory: Path, candidates: tuple[Candidate, ...], kept: tuple[str, ...]
) -> Iterator[str]:
    """Notes on code lists that were there already and lack codes of the data."""
    for item in candidates:
        name = item.column.variable
        if item.role is not Role.DIMENSION or f"codelists/{name}.yaml" not in kept:
            continue
        sourced = _codelist_document(directory, name)
        codelist = build_codelist(sourced, directory / Kind.CODELIST)[0] if sourced else None
        known = {str(code) for code in codelist.leaf_level.codes} if codelist else set()
        missing = sum(code not in known for code in codes_of(staged, item))
        if missing:
            yield (
                f"`codelists/{name}.yaml` was kept, but lacks {missing:,} codes of column `{item.column.name}`: "
                "complete it."
            )


def _codelist_document(directory: Path, name: str) -> Sourced[CodeListDocument] | None:
    file = f"codelists/{name}.yaml"
    sources, _ = read_yaml(directory / file, file)
    sourced = validate(CodeListDocument, sources[0]) if len(sources) == 1 else None
    return sourced if isinstance(sourced, Sourced) else None
