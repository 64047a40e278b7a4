"""Writes the draft of a dataset and of its code lists as YAML and CSV that a custodian then completes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from catalogue.checks.unfinished import UNFINISHED
from catalogue.models import Role
from federation.importing.columns import RECORD_KEY_COLUMN, Candidate, Column, Holds
from federation.importing.staging import quoted

OLDEST = 120
_STEPS = 1_000

_FROM_DATA = """\
# Drafted from the data by `federation import`. A list made from data shows which codes occur in it, also those of
# a single unit: replace it by the official list, with all its codes and their titles, before anybody may ask.
"""


@dataclass(frozen=True)
class Naming:
    """How the draft calls what the file does not name."""

    dataset: str
    unit: str
    unit_plural: str
    custodian: str
    profile: str
    connector: str
    location: str
    one_row_per_unit: bool


def dataset_yaml(
    naming: Naming, unit_column: str, candidates: Sequence[Candidate], notes: Iterable[str]
) -> str:
    """The dataset's document. Text that only the custodian knows is marked as to be completed."""
    weight = next((c.column.variable for c in candidates if c.role is Role.WEIGHT), None)
    lines = [
        "# Drafted by `federation import`: check every role, and complete what is marked.",
        *(f"# {note}" for note in notes),
        f"dataset: {naming.dataset}",
        *(f"{key}: {_text(UNFINISHED)}" for key in ("title", "description")),
        f"publisher: {naming.custodian}",
        f"custodian: {naming.custodian}",
        f"population: {_text(UNFINISHED)}",
        "unit:",
        f"  name: {_text(naming.unit)}",
        f"  plural: {_text(naming.unit_plural)}",
        f"  expression: {_text(quoted(unit_column))}",
        f"  row_is_unit: {str(naming.one_row_per_unit).lower()}  # verified by the import",
        f"series: {naming.dataset}",
        *(f"{key}: {_text(UNFINISHED)}" for key in ("reference_period", "licence", "legal_basis")),
        f"source: {{connector: {naming.connector}, location: {_text(naming.location)}}}",
        f"record_key: {RECORD_KEY_COLUMN}",
        *([f"weight: {weight}"] if weight else []),
        f"profile: {naming.profile}",
        "variables:",
    ]
    for item in candidates:
        lines += _variable(item)
    lines.append(f"  {RECORD_KEY_COLUMN}: {{role: record_key, title: Record key}}")
    return "\n".join(lines) + "\n"


def _variable(item: Candidate) -> Iterator[str]:
    column = item.column
    if item.role is None:
        yield f"  # {_comment(column.name)} is left out: {item.reason}"
        return
    yield f"  {column.variable}:  # {item.reason}"
    yield f"    role: {item.role}"
    yield f"    title: {_text(column.name)}"
    expression = quoted(column.name)
    if item.role is Role.DIMENSION and column.holds is Holds.DATES:
        expression = f"strftime({expression}, '%Y-%m')"
    if expression != f'"{column.variable}"':
        yield f"    expression: {_text(expression)}"
    if item.role is Role.DIMENSION:
        yield f"    codelist: {column.variable}"
    if column.nulls and item.role in (Role.DIMENSION, Role.MEASURE):
        yield "    nullable: true"
    if item.role is Role.MEASURE:
        minimum, maximum, step = grid(column)
        yield f"    unit: {_text(UNFINISHED)}"
        yield f"    decimals: {column.decimals}"
        yield "    # rounded out to a power of ten, so that the bounds tell nothing of a single value"
        yield f"    minimum: {minimum}"
        yield f"    maximum: {maximum}"
        yield f"    step: {step}"


def grid(column: Column) -> tuple[Decimal, Decimal, Decimal]:
    """Bounds at a power of ten around a measure's values and a step of a thousandth of it, for a start.

    The smallest and largest value themselves belong to single units and are not written down.
    """
    assert column.low is not None
    assert column.high is not None
    bound = Decimal(10)
    while bound < max(abs(column.low), abs(column.high)):
        bound *= 10
    step = max(bound / _STEPS, Decimal(1).scaleb(-column.decimals))
    return (-bound if column.low < 0 else Decimal(0)), bound, _plain(step)


def codes_yaml(item: Candidate, levels: Sequence[tuple[str, str]]) -> str:
    name = item.column.variable
    return _FROM_DATA + "\n".join(
        [
            *_codelist_head(item, "codes"),
            f"file: {name}.csv",
            "levels:",
            *(f"  - {{name: {level}, title: {_text(title)}}}" for level, title in levels),
            "",
        ]
    )


def integers_yaml(item: Candidate) -> str:
    return "\n".join([*_codelist_head(item, "integers"), "minimum: 0", f"maximum: {OLDEST}", ""])


def _codelist_head(item: Candidate, kind: str) -> list[str]:
    return [
        f"codelist: {item.column.variable}",
        f"title: {_text(item.column.name)}",
        f"source: {_text(UNFINISHED)}",
        f"vintage: {_text(UNFINISHED)}",
        f"kind: {kind}",
    ]


def levels_of(item: Candidate) -> tuple[tuple[str, str], ...]:
    """The levels of a drafted code list: months fall into years, other codes have one level."""
    name = item.column.variable
    if item.column.holds is Holds.DATES:
        return ((f"{name[:58]}_year", "Year"), (name, "Month"))
    return ((name, item.column.name),)


def codes_csv(item: Candidate, codes: Sequence[str]) -> str:
    """One row per code, its title the code itself until the custodian gives a better one."""
    levels = levels_of(item)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column for level, _ in levels for column in (level, f"{level}_name")])
    for code in codes:
        parents = [code[:4]] * 2 if len(levels) > 1 else []
        writer.writerow([*parents, code, code])
    return stream.getvalue()


def body_yaml(naming: Naming) -> str:
    return f"body: {naming.custodian}\ntitle: {_text(UNFINISHED)}\n"


def profile_yaml(naming: Naming) -> str:
    """A cautious profile to begin with: counts with noise that never shows 1, and nothing under ten."""
    return (
        "# Drafted by `federation import`: rules to begin with, until the custodian has chosen.\n"
        f"profile: {naming.profile}\n"
        "title: Counts of ten and more, with noise\n"
        'version: "1"\n'
        "frequency: {minimum_frequency: 10}\n"
        "cell_keys:\n"
        "  counts: {maximum_noise: 2, variance: 1.05, smallest_published: 1}\n"
        "dominance: {p_percent: 10}\n"
    )


def _text(text: str) -> str:
    """A quoted YAML scalar, whatever the text holds."""
    if '"' in text and "'" not in text and "\\" not in text and text.isprintable():
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def _comment(name: str) -> str:
    return " ".join(f"`{name}`".split())


def _plain(number: Decimal) -> Decimal:
    """Without an exponent, as YAML reads numbers."""
    return Decimal(format(number.normalize(), "f"))
