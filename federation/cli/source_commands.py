"""For whoever keeps a node: whether its sources are set up well, and record keys for those it cannot alter."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from federation.cli import output
from federation.cli.connection import Json
from federation.cli.examples import examples
from federation.cli.exits import ExitCode
from federation.cli.keeper_commands import unsound
from federation.cli.problems import Stop, stop

if TYPE_CHECKING:
    from federation.configuration import Configuration

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration directory.", show_default=False)
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(name="sources", help="Look after the sources of a node.", no_args_is_help=True)
    group.command(
        "check",
        epilog=examples(
            "federation sources check --config my-node", "all sources",
            "federation sources check lake --config my-node --json", "one, for a program",
        ),
    )(check)  # fmt: skip
    group.command(
        "keys",
        epilog=examples(
            "federation sources keys people --config my-node", "the SQL that makes a table of keys",
            "federation sources keys people --config my-node --units units.csv --out keys.csv", "the keys",
        ),
    )(keys)  # fmt: skip
    app.add_typer(group)


def check(
    config: Config,
    source: Annotated[
        str | None, typer.Argument(help="A source of node.yaml; all where none is given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """See whether sources answer and are set up well. Exit code 1 if runs would fail.

    Warned of is what works but is unwise: a role that may write, a connection that is not encrypted.
    """
    from federation.composition import check_source

    configuration = _configuration(config)
    known = configuration.settings.sources
    if source is not None and source not in known:
        raise stop(f"There is no source {source}.", remedy=f"Known are: {', '.join(known)}.")
    found = {name: check_source(configuration, name) for name in ([source] if source else known)}
    if as_json:
        output.print_json({name: [asdict(advice) for advice in each] for name, each in found.items()})
    for name, each in found.items() if not as_json else ():
        if not each:
            output.say(f"{name}: nothing to mend.", "bold green")
        for advice in each:
            output.say(f"{name}: {advice.what}", "bold red" if advice.error else "yellow", stderr=True)
            output.indented(f"→ {advice.mend}", "green", by=4, stderr=True)
    if any(advice.error for each in found.values() for advice in each):
        raise Stop(ExitCode.REFUSED)


def keys(
    dataset: Annotated[str, typer.Argument(help="A dataset of the catalogue.", show_default=False)],
    config: Config,
    units: Annotated[
        Path | None, typer.Option(help="A CSV file whose first column names the units.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where their keys go, for the key table to load.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the SQL that gives a dataset record keys beside its table; with --units and --out, make the keys."""
    from federation.composition import import_secret, key_statements
    from federation.importing.record_keys import record_keys
    from federation.state.errors import StateError
    from federation.state.private import create_private

    if (units is None) != (out is None):
        raise stop("--units and --out go together.", ExitCode.USAGE)
    configuration = _configuration(config)
    if dataset not in configuration.catalogue.datasets:
        known = ", ".join(configuration.catalogue.datasets)
        raise stop(f"There is no dataset {dataset}.", remedy=f"Known are: {known}.")
    if units is None or out is None:
        statements = key_statements(configuration, dataset)
        if statements is None:
            raise stop(f"{dataset} is held by another node.", remedy="Its record keys are made there.")
        output.say(statements)
        return
    try:
        with units.open(encoding="utf-8", newline="") as file:
            names = [row[0] for row in csv.reader(file) if row and row[0].strip()][1:]
        found = record_keys(names, import_secret(config)).to_pylist()
        lines = ["unit,record_key", *(f"{_field(n)},{key}" for n, key in zip(names, found, strict=True))]
        create_private(out, ("\n".join(lines) + "\n").encode())
    except (OSError, UnicodeDecodeError, csv.Error):
        raise stop(f"{units} cannot be read as a CSV file.", ExitCode.FAILED) from None
    except StateError as error:
        raise stop(f"No keys were made: {error}.", ExitCode.FAILED) from None
    output.say(f"{out}: the keys of {len(names):,} units. Load them, then destroy the file.", "bold green")


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _configuration(directory: Path) -> Configuration:
    from catalogue.faults import CatalogueError
    from federation.configuration import read_configuration

    try:
        return read_configuration(directory)
    except CatalogueError as error:
        raise unsound(directory, error.faults) from None
