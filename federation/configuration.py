"""A configuration directory read as a whole: settings and catalogue, or every mistake with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ValidationError

from catalogue.catalogue import Catalogue
from catalogue.documents import Places, faults_of
from catalogue.faults import CatalogueError, Fault, nearest
from catalogue.held import Local
from catalogue.loader import check_directory
from catalogue.yaml_source import Source, Step, read_yaml
from connectors.registry import KindUnusable, kind_of
from federation.settings import DEFAULT_KIND, Member, Settings

FILE = "node.yaml"


@dataclass(frozen=True)
class Configuration:
    """Sound settings and a sound catalogue. ``warnings`` are allowed but deserve a custodian's eye."""

    directory: Path
    settings: Settings
    catalogue: Catalogue
    warnings: tuple[Fault, ...]

    def path(self, relative: Path) -> Path:
        """A path of the settings, which are relative to the directory."""
        return self.directory / relative


def read_configuration(directory: Path) -> Configuration:
    """Read ``node.yaml`` and the catalogue beside it.

    Raises:
        CatalogueError: with every mistake of the directory.
    """
    report = check_directory(directory, policy_packs())
    settings, source, faults = _settings(directory) if directory.is_dir() else (None, None, [])
    if report.catalogue is not None and settings is not None and source is not None:
        faults += _cross_faults(settings, source, report.catalogue)
    if report.catalogue is None or settings is None or faults:
        raise CatalogueError((*faults, *report.faults))
    return Configuration(directory, settings, report.catalogue, report.warnings)


def read_settings(directory: Path) -> Settings | None:
    """``node.yaml`` alone, for what needs no catalogue; None where there is none.

    Raises:
        CatalogueError: with every mistake of the file.
    """
    if not (directory / FILE).exists():
        return None
    settings, _, faults = _settings(directory)
    if settings is None:
        raise CatalogueError(tuple(faults))
    return settings


def policy_packs() -> dict[str, str]:
    """The policy packs that come with the software: their YAML by name."""
    folder = resources.files("policies") / "packs"
    return {
        file.name.removesuffix(".yaml"): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }


def _settings(directory: Path) -> tuple[Settings | None, Source | None, list[Fault]]:
    path = directory / FILE
    if not path.exists():
        mend = "write one with at least `node`, `title` and `environment`"
        return None, None, [Fault(FILE, 0, 0, "there is none", mend)]
    sources, faults = read_yaml(path, FILE)
    if faults:
        return None, None, faults
    if len(sources) > 1:
        return None, None, [Fault(FILE, 0, 0, "should hold one document", "remove the others")]
    (source,) = sources
    try:
        return Settings(**source.data), source, []
    except ValidationError as error:
        return None, source, faults_of(Settings, source, error, _source_models(source))


def _source_models(source: Source) -> Places:
    """The model of each source whose kind is known."""
    sources = source.data.get("sources")
    found: dict[tuple[Step, ...], type[BaseModel]] = {}
    for name, given in sources.items() if isinstance(sources, Mapping) else ():
        kind = given.get("kind", DEFAULT_KIND) if isinstance(given, Mapping) else None
        with suppress(KeyError, KindUnusable):
            found["sources", name] = kind_of(str(kind)).settings
    return found


def _cross_faults(settings: Settings, source: Source, catalogue: Catalogue) -> Iterator[Fault]:
    """What settings and catalogue say of each other."""
    bodies = catalogue.bodies
    identity = settings.identity
    groups: tuple[tuple[str, tuple[Member, ...]], ...] = (
        ("persons", identity.persons),
        ("programs", identity.programs),
    )
    for kind, members in groups:
        for index, member in enumerate(members):
            if member.body not in bodies:
                place = ("identity", kind, index, "body")
                yield source.fault(place, f"there is no body `{member.body}`", nearest(member.body, bodies))
    for name, dataset in catalogue.datasets.items():
        held = dataset.held
        if isinstance(held, Local) and held.connector not in settings.sources:
            message = f"dataset {name} uses the connector `{held.connector}`, which is not among `sources`"
            yield source.fault(("sources",), message, nearest(held.connector, settings.sources))
        for peer in held.nodes:
            if peer not in settings.federation.peers:
                message = (
                    f"dataset {name} is held by the node `{peer}`, which is not among `federation.peers`"
                )
                known: tuple[Step, ...] = ("federation", "peers") if settings.federation.peers else ()
                yield source.fault(known, message, nearest(peer, settings.federation.peers))
