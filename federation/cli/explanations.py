"""A question on its way: in words, as asked, at the source, as presented, and which rule put in what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.padding import Padding
from rich.syntax import Syntax

from federation.cli import output
from federation.client.check import Check


def as_json(checked: Check) -> dict[str, Any]:
    """A check for scripts."""
    return asdict(checked)


def show_check(checked: Check) -> None:
    show(
        checked.question,
        checked.sql,
        checked.source_sql,
        checked.presentation_sql,
        checked.rules,
    )
    if checked.warnings:
        output.heading("Take care")
        for warning in checked.warnings:
            output.indented(f"• {warning}")
    output.heading("Who decides")
    output.fields(checked.decided_by, indent=2)


def show_reviewed(explanation: Mapping[str, Any]) -> None:
    """What a custodian reviews, as the node explains it."""
    show(
        explanation["question"],
        explanation["sql_as_asked"],
        explanation["source_sql"],
        explanation["presentation_sql"],
        [(rule["rule"], rule["effect"]) for rule in explanation["rules"]],
    )


def show(
    question: str, asked: str, source: Sequence[str], presentation: str, rules: Sequence[tuple[str, str]]
) -> None:
    output.heading("The question")
    output.indented(question)
    output.heading("SQL as asked")
    _sql(asked)
    output.heading("SQL sent to the source")
    for statement in source:
        _sql(folded(statement))
    output.heading("SQL that presents the protected cells")
    _sql(presentation)
    output.heading("Rules that apply")
    for rule, effect in rules:
        output.indented(f"• {rule}: {effect}")


_TEXT = r"'(?:[^']|'')*'"
_LITERAL = rf"(?:{_TEXT}|-?\d+)"
_LIST = re.compile(rf"{_TEXT}|\(\s*(?P<list>{_LITERAL}(?:,\s*{_LITERAL})+)\s*\)")
"""A text literal, which stays as it is, or a list of literals."""


def folded(sql: str) -> str:
    """SQL with lists of literals in one line each, for a list of codes is not to be read one a line.

    >>> folded("a IN (\\n  'x',\\n  'y'\\n)")
    "a IN ('x', 'y')"
    """
    return _LIST.sub(_folded, sql)


def _folded(found: re.Match[str]) -> str:
    listed = found["list"]
    return found[0] if listed is None else f"({', '.join(re.findall(_LITERAL, listed))})"


def _sql(text: str) -> None:
    highlighter = Syntax("", "sql", theme="ansi_light", background_color="default")
    shown = highlighter.highlight(output.clean(text.strip()))
    shown.rstrip()
    shown.no_wrap = False  # a reviewer sees all of it, however narrow the terminal
    output.emit(Padding(shown, (0, 0, 0, 2), expand=False))
