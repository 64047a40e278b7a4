"""For whoever keeps a node: import data, check the configuration, serve."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from federation.cli import output
from federation.cli.connection import Json
from federation.cli.examples import examples
from federation.cli.exits import ExitCode
from federation.cli.problems import Stop, stop

if TYPE_CHECKING:
    from catalogue.faults import Fault
    from connectors.protocol import Finding
    from federation.configuration import Configuration
    from federation.importing.importer import Imported
    from federation.settings import Settings

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="A configuration directory.", show_default=False)
]

MANY_FILES = 12
"""From so many on, the files of a folder are not named one by one."""


def register(app: typer.Typer) -> None:
    app.command(
        "serve",
        epilog=examples(
            "federation serve --config my-node", "start the node; Ctrl-C stops it",
            "FEDERATION_LIMITS__RUN_SECONDS=60 federation serve --config my-node", "with another setting",
        ),
    )(serve)  # fmt: skip
    app.command(
        "check",
        epilog=examples(
            "federation check my-node", "every mistake with file and line",
            "federation check my-node --data", "and whether the data is what the catalogue says",
        ),
    )(check)  # fmt: skip
    app.command(
        "import",
        epilog=examples(
            "federation import survey.csv --unit person_id --into my-node", "draft a dataset from a file",
            "federation import survey-2026.csv --unit person_id --into my-node --name survey --keep",
            "new data under the documents as you edited them",
        ),
    )(import_)  # fmt: skip


def serve(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The configuration directory.", show_default=False)
    ],
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Listen on this port rather than on that of node.yaml."),
    ] = None,
) -> None:
    """Start a node on a configuration directory, and serve until Ctrl-C.

    Every setting of node.yaml can be given in the environment: `FEDERATION_PORT`, `FEDERATION_LIMITS__RUN_SECONDS`.
    """
    # Before anything else: a node that is told to end while it starts lets go of what it has.
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with suppress(KeyboardInterrupt):
            _serve(config, port)
        output.say("The node has stopped.", stderr=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(config: Path, port: int | None) -> None:
    from catalogue.faults import CatalogueError
    from federation.api.server import serve as serve_node
    from federation.composition import build_node
    from federation.configuration import read_settings
    from federation.state.errors import StateError

    if port is not None:
        os.environ["FEDERATION_PORT"] = str(port)
    try:
        settings = read_settings(config)
        if settings is not None:
            _require_port(settings)
        node = build_node(config)
    except CatalogueError as error:
        raise unsound(config, error.faults, ExitCode.FAILED) from None
    except StateError as error:
        raise stop(f"The node cannot start: {error}.", ExitCode.FAILED) from None
    _announce(node.settings)
    try:
        serve_node(node)
    except SystemExit as end:
        if end.code:
            raise stop("The node could not be served.", ExitCode.FAILED) from None


def check(
    directory: Directory,
    data: Annotated[bool, typer.Option("--data", help="Hold the data against the catalogue too.")] = False,
    as_json: Json = False,
) -> None:
    """Find every mistake in a configuration at once: file, line, and how to mend it. Exit code 1 if there are any.

    With --data it is looked whether columns, types, codes, record keys and units are as declared. What is found
    names columns, never a value.
    """
    from catalogue.faults import CatalogueError
    from federation.configuration import read_configuration
    from federation.state.errors import StateError

    try:
        configuration = read_configuration(directory, datetime.now(UTC).date())
    except CatalogueError as error:
        if as_json:
            _print_report(error.faults, (), ())
            raise Stop(ExitCode.REFUSED) from None
        raise unsound(directory, error.faults) from None
    try:
        findings = _findings(configuration, as_json=as_json) if data else []
    except StateError as error:
        raise stop(f"The data cannot be read: {error}.", ExitCode.FAILED) from None
    if as_json:
        _print_report((), (*configuration.warnings, *_unstyled()), findings)
    else:
        _show_sound(configuration, findings, data=data)
        for missing in _unstyled():
            _show_fault(missing)
    if any(finding.kind.is_error for finding in findings):
        raise Stop(ExitCode.REFUSED)


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file.", metavar="FILE", show_default=False)],
    unit: Annotated[
        str,
        typer.Option(
            help="The column that tells one unit (person, employer) from another.", show_default=False
        ),
    ],
    into: Annotated[
        Path,
        typer.Option(help="The configuration directory; made where there is none.", show_default=False),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the dataset.", show_default="the file's")] = None,
    unit_name: Annotated[str, typer.Option(help="What a unit is called.")] = "person",
    unit_plural: Annotated[str, typer.Option(help="What several are called.")] = "people",
    many_rows: Annotated[
        bool,
        typer.Option("--many-rows", help="A unit may have several rows. Else it is checked that none has."),
    ] = False,
    custodian: Annotated[str, typer.Option(help="The body that decides on requests.")] = "custodian",
    profile: Annotated[str, typer.Option(help="The disclosure profile.")] = "draft_profile",
    connector: Annotated[str, typer.Option(help="The source of node.yaml that reads the data.")] = "duckdb",
    decimals: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=PLACES", help="Decimal places of a measure.", show_default=False),
    ] = None,
    null: Annotated[
        list[str] | None,
        typer.Option(help="A text that stands for no value. Can be repeated.", show_default=False),
    ] = None,
    codes: Annotated[int, typer.Option(min=1, help="Most codes that a drafted code list may have.")] = 500,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep a document that you have edited; replace the data alone.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Draft the document anew.")] = False,
    as_json: Json = False,
) -> None:
    """Make a dataset of a CSV or Parquet file: its data with record keys, and a draft of its catalogue entry.

    Types, roles and code lists are drafted from what the columns hold. Read them: the draft says what it guessed
    and marks what only the custodian knows. The file itself is left as it is.
    """
    from catalogue.faults import CatalogueError
    from federation.composition import import_secret
    from federation.importing.existing import Existing
    from federation.importing.importer import ImportOptions, draft_dataset
    from federation.importing.problems import ImportRefused
    from federation.state.errors import StateError

    if keep and replace:
        raise stop("Either --keep or --replace, not both.", ExitCode.USAGE)
    options = ImportOptions(
        unit=unit,
        name=name,
        unit_name=unit_name,
        unit_plural=unit_plural,
        one_row_per_unit=not many_rows,
        custodian=custodian,
        profile=profile,
        connector=connector,
        decimals=_decimals(decimals or ()),
        null_values=tuple(null or ()),
        codelist_limit=codes,
        existing=Existing.KEEP if keep else Existing.REPLACE if replace else Existing.REFUSE,
    )
    try:
        secret = import_secret(into)
        with output.busy(f"Reading {file.name}"):
            imported = draft_dataset(file, into, secret, options)
    except ImportRefused as error:
        if as_json:
            output.print_json({"problems": list(error.problems)})
            raise Stop(ExitCode.REFUSED) from None
        raise stop("Nothing was imported.", remedy="\n".join(error.problems)) from None
    except CatalogueError as error:
        raise unsound(into, error.faults) from None
    except StateError as error:
        raise stop(f"Nothing was imported: {error}.", ExitCode.FAILED) from None
    if as_json:
        output.print_json(asdict(imported))
    else:
        _show_imported(imported, into, unit_plural)


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _require_port(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise stop(
                f"The node cannot listen on {settings.host}, port {settings.port}: {error.strerror}.",
                ExitCode.FAILED,
                remedy="Another program may be using the port: choose one with --port, or `port` in node.yaml.",
            ) from None


def _announce(settings: Settings) -> None:
    output.say(
        f"{settings.title} is at {settings.public_url} (API documentation: /docs).", "bold", stderr=True
    )
    if settings.identity.persons:
        people = ", ".join(f"{person.person} ({person.body})" for person in settings.identity.persons)
        output.say(f"Anybody who reaches it may log in by name alone, as {people}.", "yellow", stderr=True)
    output.say("Ctrl-C stops it.", stderr=True)


def unsound(directory: Path, faults: Sequence[Fault], code: ExitCode = ExitCode.REFUSED) -> Stop:
    count = f"{len(faults)} mistakes" if len(faults) != 1 else "1 mistake"
    output.say(f"{directory}: {count}", "bold red", stderr=True)
    for fault in sorted(faults):
        _show_fault(fault)
    return Stop(code)


def _show_fault(fault: Fault) -> None:
    place = ":".join([fault.file, *(str(number) for number in (fault.line, fault.column) if number)])
    output.say(stderr=True)
    output.indented(place, "bold", stderr=True)
    output.indented(fault.message, by=4, stderr=True)
    if fault.mend:
        output.indented(f"→ {fault.mend}", "green", by=4, stderr=True)


def _unstyled() -> list[Fault]:
    """That the style of the pages is missing, if it is: they work without, and look plain."""
    from catalogue.faults import Fault
    from federation.web import assets

    if assets.present():
        return []
    message = f"the style of the pages is missing ({assets.PACKAGE} {assets.VERSION}): they look plain"
    return [Fault(str(assets.FOLDER), 0, 0, message, f"fetch it: {assets.MEND}")]


def _findings(configuration: Configuration, *, as_json: bool) -> list[Finding]:
    from federation.composition import check_data

    found: list[Finding] = []
    with output.busy("Reading the data") as busy:
        for dataset, findings in check_data(configuration):
            busy(f"Reading the data: {dataset} done")
            found += findings
            if not as_json:
                for finding in findings:
                    _show_finding(finding)
    return found


def _show_finding(finding: Finding) -> None:
    place = f"{finding.dataset}.{finding.column}" if finding.column else finding.dataset
    style = "bold red" if finding.kind.is_error else "yellow"
    output.say(f"{place}: {finding.detail} ({finding.kind})", style, stderr=True)


def _show_sound(configuration: Configuration, findings: Sequence[Finding], *, data: bool) -> None:
    for warning in configuration.warnings:
        _show_fault(warning)
    if configuration.warnings:
        output.say(stderr=True)
    catalogue = configuration.catalogue
    if any(finding.kind.is_error for finding in findings):
        output.say(f"{configuration.directory}: the data is not what the catalogue says.", "bold red")
    else:
        output.say(f"{configuration.directory}: the configuration is sound.", "bold green")
    counts = {
        "datasets": list(catalogue.datasets),
        "code lists": len(catalogue.codelists),
        "agreements": list(catalogue.agreements),
        "standing rules": list(catalogue.standing_rules),
        "standard queries": list(catalogue.standard_queries) or None,
        "to review": len(configuration.warnings) or None,
    }
    output.fields(counts, indent=2)
    if data and not findings:
        output.say("The data is what the catalogue says.", "bold green")


def _print_report(faults: Sequence[Fault], warnings: Sequence[Fault], findings: Sequence[Finding]) -> None:
    report: Mapping[str, list[dict[str, Any]]] = {
        "faults": [asdict(fault) for fault in sorted(faults)],
        "warnings": [asdict(warning) for warning in warnings],
        "findings": [asdict(finding) for finding in findings],
    }
    output.print_json(report)


def _decimals(given: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in given:
        column, _, places = item.rpartition("=")
        if not column or not places.isdecimal():
            raise stop(f"--decimals {item} is not COLUMN=PLACES.", ExitCode.USAGE)
        found[column] = int(places)
    return found


def _show_imported(imported: Imported, directory: Path, units: str) -> None:
    output.say(f"{imported.dataset}: {imported.rows:,} rows, {imported.units:,} {units}.", "bold green")
    output.rows(("column", "drafted as"), [(name, str(role)) for name, role in imported.roles.items()])
    output.say()
    output.fields({"written": _by_folder(imported.written), "kept": _by_folder(imported.kept)})
    for note in imported.notes:
        output.say(f"Note: {note}", "yellow")
    output.say(f"Now read and complete the drafts, then: federation check {directory}")


def _by_folder(files: Sequence[str]) -> str:
    """Files one a line, those of a folder with many of them as a number.

    >>> print(_by_folder(["data/a.parquet", *(f"codelists/{i}.csv" for i in range(20))]))
    data/a.parquet
    codelists/ (20 files)
    """
    folders: dict[str, list[str]] = {}
    for file in files:
        folders.setdefault(file.partition("/")[0], []).append(file)
    lines = [
        "\n".join(inside) if len(inside) < MANY_FILES else f"{folder}/ ({len(inside)} files)"
        for folder, inside in folders.items()
    ]
    return "\n".join(lines)
