"""Loads a configuration directory as a whole: a sound catalogue, or every mistake with file and line.

::

    codelists/*.yaml (+ .csv)   datasets/*.yaml   profiles/*.yaml   bodies/*.yaml
    agreements/*.yaml           areas/*.yaml      rules/*.yaml      queries/*.yaml

A file holds one document or a list of them. ``node.yaml`` and other folders belong to the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from catalogue.catalogue import Catalogue, bind_dataset
from catalogue.checks import FAULT_CHECKS, WARNING_CHECKS, warn_over
from catalogue.codelist_source import CodeListDocument, build_codelist
from catalogue.digests import catalogue_version
from catalogue.documents import Sourced, validate
from catalogue.draft import Draft, Kind
from catalogue.faults import CatalogueError, Fault
from catalogue.profile_source import read_profile
from catalogue.yaml_source import Source, read_yaml

D = TypeVar("D")


@dataclass(frozen=True)
class Report:
    """What is known of a directory: ``catalogue`` is there if, and only if, there are no ``faults``.

    ``warnings`` are allowed but deserve a custodian's eye.
    """

    catalogue: Catalogue | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]

    @property
    def exit_status(self) -> int:
        """For a command line: 0 where the directory can be used, warnings or not, and 1 where it can't."""
        return 0 if self.catalogue is not None else 1


def load_catalogue(directory: Path, packs: Mapping[str, str] | None = None) -> Catalogue:
    """The catalogue that a directory declares. ``packs`` holds the policy packs that profiles may extend: their
    YAML text by name.

    Raises CatalogueError with all faults of the directory.
    """
    report = check_directory(directory, packs)
    if report.catalogue is None:
        raise CatalogueError(report.faults)
    return report.catalogue


def check_directory(
    directory: Path, packs: Mapping[str, str] | None = None, today: date | None = None
) -> Report:
    """Reads and checks a directory without raising: what ``federation check`` shows. With ``today``, agreements and
    rules that are over by then are warned of."""
    if not directory.is_dir():
        return Report(None, (Fault(str(directory), 0, 0, "there is no such directory"),), ())
    draft = Draft()
    faults = list(_stray_folders(directory))
    for kind in Kind:
        faults += _read_kind(directory, kind, draft, packs or {})
    for check in FAULT_CHECKS:
        faults += check(draft)
    if faults:
        return Report(None, tuple(sorted(set(faults))), ())
    warnings = {warning for check in WARNING_CHECKS for warning in check(draft)}
    if today is not None:
        warnings.update(warn_over(draft, today))
    if not draft.datasets:
        warnings.add(Fault("datasets", 0, 0, "no dataset is declared", "see `federation import`"))
    return Report(_bind(draft), (), tuple(sorted(warnings)))


def declared_names(directory: Path, kind: Kind) -> Mapping[str, str]:
    """The names that readable documents of a kind give, sound or not, with the file of each."""
    return {name: source.file for name, source in declared_documents(directory, kind).items()}


def declared_documents(directory: Path, kind: Kind) -> Mapping[str, Source]:
    """The readable documents of a kind by their names, sound or not."""
    folder = directory / kind.value
    found: dict[str, Source] = {}
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        sources, _ = read_yaml(path, f"{kind.value}/{path.name}")
        found.update({str(source.data.get(kind.key)): source for source in sources})
    return found


def _stray_folders(directory: Path) -> list[Fault]:
    """A folder with a slip in its name would be ignored in silence."""
    kinds = [kind.value for kind in Kind]
    return [
        Fault(entry.name, 0, 0, "is no folder of a catalogue", f"did you mean `{close[0]}`?")
        for entry in sorted(directory.iterdir())
        if entry.is_dir()
        and entry.name not in kinds
        and (close := get_close_matches(entry.name, kinds, n=1, cutoff=0.75))
    ]


def _read_kind(directory: Path, kind: Kind, draft: Draft, packs: Mapping[str, str]) -> list[Fault]:
    folder = directory / kind.value
    if folder.exists() and not folder.is_dir():
        return [Fault(kind.value, 0, 0, "should be a folder")]
    faults: list[Fault] = []
    first: dict[str, str] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = f"{kind.value}/{path.name}"
        if path.suffix in (".yml", ".YAML", ".YML", ".json"):
            faults.append(Fault(file, 0, 0, "is not read", f"rename it to `{path.stem}.yaml`"))
        if path.suffix != ".yaml" or path.name.startswith("."):
            continue
        sources, found = read_yaml(path, file)
        faults += found
        if not sources:
            # Nothing is known of a file that can't be read; its stem is most likely the name it declares.
            draft.declared[kind].add(path.stem)
        for source in sources:
            faults += _read_document(source, path, kind, draft, packs, first)
    return faults


def _read_document(
    source: Source, path: Path, kind: Kind, draft: Draft, packs: Mapping[str, str], first: dict[str, str]
) -> list[Fault]:
    draft.sources[kind].append(source)
    name = source.data.get(kind.key)
    if isinstance(name, str):
        draft.declared[kind].add(name)
        if name in first:
            return [source.fault((kind.key,), f"`{name}` is already declared in {first[name]}", "rename one")]
        first[name] = source.file
        if kind is Kind.CODELIST and name != path.stem:
            return [source.fault((kind.key,), f"should be the file's name, `{path.stem}`")]
    result: Sourced[BaseModel] | list[Fault] = (
        read_profile(source, packs) if kind is Kind.PROFILE else validate(kind.model, source)
    )
    if isinstance(result, list):
        return result
    document = result.document
    if isinstance(document, CodeListDocument):
        codelist, faults = build_codelist(Sourced(document, source), path.parent)
        if codelist is not None:
            draft.codelists[codelist.name] = Sourced(codelist, source)
        return faults
    draft.add(kind, str(name), result)
    return []


def _bind(draft: Draft) -> Catalogue:
    codelists = _documents(draft.codelists)
    areas = list(_documents(draft.areas).values())
    others = (
        draft.datasets,
        draft.profiles,
        draft.bodies,
        draft.agreements,
        draft.areas,
        draft.rules,
        draft.queries,
    )
    documents = [sourced.document for group in others for sourced in group.values()]
    return Catalogue(
        datasets=MappingProxyType(
            {
                name: bind_dataset(document, codelists, areas)
                for name, document in _documents(draft.datasets).items()
            }
        ),
        codelists=codelists,
        profiles=_documents(draft.profiles),
        bodies=_documents(draft.bodies),
        agreements=_documents(draft.agreements),
        areas=_documents(draft.areas),
        standing_rules=_documents(draft.rules),
        standard_queries=_documents(draft.queries),
        version=catalogue_version(documents, codelists.values()),
    )


def _documents(group: Mapping[str, Sourced[D]]) -> Mapping[str, D]:
    return MappingProxyType({name: sourced.document for name, sourced in group.items()})
