"""A configuration directory read as a whole: settings and catalogue, or every mistake with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from catalogue.catalogue import Catalogue
from catalogue.documents import Places, faults_of
from catalogue.draft import Kind
from catalogue.faults import CatalogueError, Fault, nearest
from catalogue.loader import check_directory, declared_documents
from catalogue.standard import domains_of
from catalogue.yaml_source import Source, Step, read_yaml
from connectors.registry import KindUnusable, kind_of
from federation.settings import DEFAULT_KIND, Settings
from federation.web.maps import MapUnreadable, map_of
from policies.compiler import compile_query
from policies.context import Context, ParameterDomain
from policies.refusals import RefusalError

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


def read_configuration(directory: Path, today: date | None = None) -> Configuration:
    """Read ``node.yaml`` and the catalogue beside it. With ``today``, what is over by then is warned of.

    Raises:
        CatalogueError: with every mistake of the directory.
    """
    report = check_directory(directory, policy_packs(), today)
    settings, source, faults = _settings(directory) if directory.is_dir() else (None, None, [])
    if source is not None:
        given = source.data if settings is None else settings.model_dump()
        faults += _cross_faults(directory, source, given, report.faults)
    if report.catalogue is not None:
        faults += _standard_query_faults(report.catalogue)
    if settings is not None and source is not None and report.catalogue is not None:
        faults += _map_faults(directory, source, settings, report.catalogue)
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


def _cross_faults(
    directory: Path, source: Source, given: Mapping[str, Any], others: Iterable[Fault]
) -> Iterator[Fault]:
    """What settings and catalogue say of each other, sound or not. ``given`` are the settings, ``others`` the
    faults of the catalogue."""
    bodies = declared_documents(directory, Kind.BODY)
    readable = {document.file for document in bodies.values()}
    if not any(fault.file.startswith(Kind.BODY) and fault.file not in readable for fault in others):
        yield from _members(source, given, bodies)
    sources = given.get("sources")
    known = [str(name) for name in sources] if isinstance(sources, Mapping) else []
    federation = given.get("federation")
    peers = federation.get("peers") if isinstance(federation, Mapping) else None
    names = [str(name) for name in peers] if isinstance(peers, Mapping) else []
    for name, document in declared_documents(directory, Kind.DATASET).items():
        location = document.data.get("source")
        if not isinstance(location, Mapping):
            continue
        connector, parts = location.get("connector"), location.get("parts")
        if isinstance(connector, str) and connector not in known:
            message = f"dataset {name} uses the connector `{connector}`, which is not among `sources`"
            yield source.fault(("sources",), message, nearest(connector, known))
        for peer in (location.get("node"), *(parts if isinstance(parts, Mapping) else ())):
            if isinstance(peer, str) and peer not in names:
                message = (
                    f"dataset {name} is held by the node `{peer}`, which is not among `federation.peers`"
                )
                place: tuple[Step, ...] = ("federation", "peers") if names else ()
                yield source.fault(place, message, nearest(peer, names))


def _standard_query_faults(catalogue: Catalogue) -> Iterator[Fault]:
    """What a custodian publishes has to compile, on the day on which it was decided."""
    for query in catalogue.standard_queries.values():
        domains = domains_of(query, catalogue)
        agreement = catalogue.agreements[query.agreement]
        context = Context(
            catalogue=catalogue,
            body=(query.bodies or agreement.bodies)[0],
            agreement=agreement,
            purpose=query.purpose,
            today=query.decided_on,
            parameters={name: values[0] for name, values in domains.items()},
            domains={name: ParameterDomain(name, values) for name, values in domains.items()},
        )
        try:
            compile_query(query.sql, context)
        except RefusalError as error:
            for refusal in error.refusals:
                message = f"the standard query `{query.query}` is refused: {refusal.message}"
                yield Fault(str(Kind.QUERY), 0, 0, message, refusal.remedy)


def _map_faults(directory: Path, source: Source, settings: Settings, catalogue: Catalogue) -> Iterator[Fault]:
    """Maps of areas that the catalogue does not have, or whose file can't be used."""
    for index, each in enumerate(settings.pages.maps):
        try:
            map_of(each, directory, catalogue)
        except MapUnreadable as error:
            mend = "see `pages` in docs/configuration.md for what a map needs"
            yield source.fault(("pages", "maps", index), str(error), mend)


def _members(source: Source, given: Mapping[str, Any], bodies: Iterable[str]) -> Iterator[Fault]:
    """Whoever acts for a body that nobody declares."""
    identity = given.get("identity")
    if not isinstance(identity, Mapping):
        return
    named: list[tuple[tuple[Step, ...], object]] = []
    for kind in ("persons", "programs", "delegations"):
        members = identity.get(kind)
        for index, member in enumerate(members if isinstance(members, list | tuple) else ()):
            body = member.get("body") if isinstance(member, Mapping) else None
            named.append((("identity", kind, index, "body"), body))
    provider = identity.get("provider")
    mapped = provider.get("bodies") if isinstance(provider, Mapping) else None
    for value, body in mapped.items() if isinstance(mapped, Mapping) else ():
        named.append((("identity", "provider", "bodies", value), body))
    for place, body in named:
        if isinstance(body, str) and body not in bodies:
            yield source.fault(place, f"there is no body `{body}`", nearest(body, bodies))
