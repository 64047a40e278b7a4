"""Answers: printed with their marks, or saved in the format that a file's name asks for."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

from federation.cli import output
from federation.cli.exits import ExitCode
from federation.cli.problems import stop
from federation.client import Result, Session
from federation.client.display import MEANINGS, ROWS_SHOWN, prepare

FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".arrow": "application/vnd.apache.arrow.stream",
    ".parquet": "application/vnd.apache.parquet",
}
STATEMENT_BESIDE = frozenset({".csv", ".json"})
"""Formats that have no room for the statement: it stands in a file of its own."""
STATEMENT_SUFFIX = ".jws"


def print_result(result: Result) -> None:
    """The table, what its marks mean, notes, and where it comes from."""
    shown = prepare(result.table, ROWS_SHOWN if output.console().is_terminal else len(result))
    output.say()
    if shown.rows:
        output.rows(shown.columns, shown.rows, shown.numeric)
    else:
        output.rows(shown.columns, [])
        output.say("The answer has no rows.")
    output.say()
    if shown.left_out:
        output.say(f"{shown.left_out:,} more rows: see all with --csv, or save them with --out FILE", "dim")
    for mark in shown.marks:
        output.say(f"{mark}  {MEANINGS.get(mark, 'see the documentation of the node')}", "yellow")
    for note in result.notes:
        output.say(f"Note: {note}")
    output.say(f"Source: {result.source}", "dim")


def print_bytes(content: bytes) -> None:
    """A download as it came."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def checked_target(file: Path | None) -> None:
    """Refuse a file that could not be written before anything is asked."""
    if file is None:
        return
    if file.suffix.lower() not in FORMATS:
        raise stop(
            f"{file.name} has no known ending.", ExitCode.USAGE, remedy=f"Use one of {', '.join(FORMATS)}"
        )
    if not file.parent.is_dir():
        raise stop(f"There is no folder {file.parent}.", ExitCode.USAGE)


def save(session: Session, release: str, file: Path) -> None:
    """Write a release to a file, whole or not at all, and its statement beside it where it has no room for it."""
    suffix = file.suffix.lower()
    content = session.download(release, FORMATS[suffix])
    written = [str(file)]
    if suffix in STATEMENT_BESIDE:
        beside = statement_file(file)
        write_file(beside, session.statement(release).encode())
        written.append(f"{beside} (its signed statement)")
    write_file(file, content)
    for name in written:
        output.say(f"Saved {name}", stderr=True)


def statement_file(file: Path) -> Path:
    """Where the statement of a table in CSV or JSON stands."""
    return file.with_name(file.name + STATEMENT_SUFFIX)


def pretty_json(content: bytes) -> None:
    output.print_json(json.loads(content))


def write_file(file: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        partial.write_bytes(content)
        os.replace(partial, file)  # noqa: PTH105  # atomic, and says so
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise stop(f"{file} cannot be written: {error.strerror}.", ExitCode.FAILED) from None
