"""What goes wrong, as a person reads it, and the exit code that goes with it. No traceback reaches anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from federation.cli.exits import ExitCode
from federation.cli.output import clean, console, indented, say
from federation.client.errors import (
    Fault,
    FederationError,
    NodeUnreachable,
    NotAuthenticated,
    NotPermitted,
    RunFailed,
    TooManyRequests,
)

_CODES: tuple[tuple[type[FederationError], ExitCode], ...] = (
    (NodeUnreachable, ExitCode.UNREACHABLE),
    (TooManyRequests, ExitCode.UNREACHABLE),
    (NotAuthenticated, ExitCode.ACCESS),
    (NotPermitted, ExitCode.ACCESS),
    (RunFailed, ExitCode.FAILED),
)
_FAILED_AT_NODE = frozenset(
    {"internal_error", "state_unavailable", "compiler_busy", "not_ready", "identity_provider_unavailable"}
)


class Stop(typer.Exit):
    """Ends the command with a code, when all has been said."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(int(code))


def stop(message: str, code: ExitCode = ExitCode.REFUSED, *, remedy: str = "") -> Stop:
    """Say on standard error what is wrong and what to do; to be raised."""
    say(message, "bold red", stderr=True)
    if remedy:
        indented(remedy, stderr=True)
    return Stop(code)


def code_of(error: FederationError) -> ExitCode:
    """The exit code for what a node, or the way to it, said."""
    if error.code in _FAILED_AT_NODE:
        return ExitCode.FAILED
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.REFUSED)


def show(error: FederationError) -> None:
    """On standard error: every reason with its place in the SQL, the rule, and what to do."""
    if not error.faults:
        say(f"{error.message[:1].upper()}{error.message[1:]}", "bold red", stderr=True)
        indented(f"code: {error.code}", "dim", stderr=True)
        return
    if error.sql is not None:
        say("Refused." if len(error.faults) == 1 else f"Refused, for {len(error.faults)} reasons.", "bold red",
            stderr=True)  # fmt: skip
    for fault in error.faults:
        show_fault(fault, error.sql)


def show_fault(fault: Fault, sql: str | None) -> None:
    """One reason: what is wrong, where, under which rule, and what would be accepted."""
    say(stderr=True)
    indented(fault.message, "bold", stderr=True)
    if sql is not None:
        for line in excerpt(sql, fault, console(stderr=True).width - 6):
            indented(line, by=4, stderr=True)
    if fault.rule:
        indented(f"Rule: {fault.rule}", stderr=True)
    if fault.remedy:
        indented(f"What to do: {fault.remedy}", stderr=True)
    if fault.suggestion:
        indented("This would be accepted:", stderr=True)
        indented(fault.suggestion, "green", by=4, stderr=True)
    indented(f"code: {fault.code}", "dim", stderr=True)


def excerpt(sql: str, fault: Fault, width: int) -> Sequence[str]:
    """The typed line, cut to ``width`` characters, and a caret under the place.

    >>> excerpt("SELECT regoin FROM people", Fault("", "", line=1, column=8), 40)
    ('SELECT regoin FROM people', '       ^')
    >>> excerpt("SELECT regoin FROM people", Fault("", "", line=1, column=20), 12)
    ('…in FROM pe…', '         ^')
    """
    lines = sql.splitlines()
    if fault.line is None or fault.column is None or not 0 < fault.line <= len(lines):
        return ()
    # One character for one column: a tab, or what is made visible, must not move the caret away.
    line = "".join(c if clean(c) == c and c != "\t" else " " for c in lines[fault.line - 1])
    place = min(fault.column - 1, len(line))
    if len(line) <= width:
        return line, " " * place + "^"
    start = max(0, min(place - width + 3, len(line) - width))
    cut = line[start : start + width]
    if start > 0:
        cut = "…" + cut[1:]
    if start + width < len(line):
        cut = cut[:-1] + "…"
    return cut, " " * (place - start) + "^"


def as_json(error: FederationError) -> dict[str, Any]:
    """An error for scripts."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "errors": [asdict(fault) for fault in error.faults],
        }
    }


def unforeseen(error: Exception) -> ExitCode:
    """The last resort: class and place of an error, never its text, which may hold anything."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        say(f"{name}{error.strerror}", "bold red", stderr=True)
        return ExitCode.FAILED
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}"
    say(f"Something unforeseen went wrong: {type(error).__name__}{place}.", "bold red", stderr=True)
    indented("This is a fault of the program. Please report it with the command that you typed.", stderr=True)
    return ExitCode.FAILED
