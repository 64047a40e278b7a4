"""What a column of a staged file holds, and which role it therefore most likely plays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from catalogue.documents import snake
from catalogue.models import Role
from federation.importing.staging import Staged, quoted

MAXIMUM_DECIMALS = 6
# What the import adds to every file.
RECORD_KEY_COLUMN = "record_key"
# A whole-number column with more different values than this counts something rather than coding it.
MAXIMUM_NUMERIC_CODES = 60
_YAML_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_CODED = re.compile(r"code|soc|sic|lad|gss|region|area|occupation|industry|sector|level|status|group|band")
_IDENTIFYING = re.compile(r"(^|_)(id|identifier|pseudonym|uuid|reference|postcode|name)$")
_WEIGHTING = re.compile(r"(^|_)(weight|wt|grossing)(_|$)")
_AGE = re.compile(r"(^|_)age(_|$)")


class Holds(StrEnum):
    """The type of a column's values, decided over all rows."""

    NOTHING = "nothing"
    WHOLE_NUMBERS = "whole numbers"
    DECIMALS = "decimal numbers"
    DATES = "dates"
    TEXT = "text"


@dataclass(frozen=True)
class Column:
    """A column's facts. ``distinct`` is exact up to twice the limit of a code list, else an estimate."""

    name: str
    variable: str
    holds: Holds
    values: int
    nulls: int
    distinct: int
    decimals: int
    low: Decimal | None
    high: Decimal | None
    mixed: int = 0
    pointed: bool = False


@dataclass(frozen=True)
class Candidate:
    """A column with the role that it is drafted in; ``role`` None leaves it out. ``reason`` goes into a comment."""

    column: Column
    role: Role | None
    reason: str
    integers: bool = False


def describe_columns(staged: Staged, limit: int) -> tuple[Column, ...]:
    """The facts of all columns in one scan. ``limit`` is the largest number of codes in a drafted code list."""
    parts: list[str] = []
    for name in staged.columns:
        c = quoted(name)
        number = rf"regexp_full_match({c}, '-?\d{{1,18}}(\.\d+)?')"
        value = f"try_cast({c} AS DECIMAL(38, 6))"
        parts += [
            f"count({c})",
            f"approx_count_distinct({c})",
            f"count(*) FILTER (WHERE {number})",
            f"count(*) FILTER (WHERE ({c} LIKE '0_%' OR {c} LIKE '-0_%') AND NOT contains({c}, '.'))",
            f"count(*) FILTER (WHERE contains({c}, '.'))",
            f"count(*) FILTER (WHERE {c} LIKE '____-__-__%' AND try_cast({c} AS TIMESTAMP) IS NOT NULL)",
            f"max(length(rtrim(split_part({c}, '.', 2), '0'))) FILTER (WHERE {number})",
            f"min({value}) FILTER (WHERE {number})",
            f"max({value}) FILTER (WHERE {number})",
        ]
    facts = staged.connection.execute(f"SELECT {', '.join(parts)} FROM staged").fetchone()
    assert facts is not None
    names = _variable_names(staged.columns, reserved_words(staged))
    size = len(parts) // len(staged.columns)
    return tuple(
        _column(staged, name, names[name], facts[index * size : (index + 1) * size], limit)
        for index, name in enumerate(staged.columns)
    )


def _column(staged: Staged, name: str, variable: str, facts: tuple[object, ...], limit: int) -> Column:
    values, distinct, numbers, padded, pointed, dates, places = (int(str(f or 0)) for f in facts[:7])
    low, high = (Decimal(str(fact)) if fact is not None else None for fact in facts[7:])
    if distinct <= 2 * limit:
        counted = staged.connection.execute(f"SELECT count(DISTINCT {quoted(name)}) FROM staged").fetchone()
        distinct = int(counted[0]) if counted else 0
    if not values:
        holds = Holds.NOTHING
    elif dates == values:
        holds = Holds.DATES
    elif padded or numbers < values:
        holds = Holds.TEXT
    else:
        holds = Holds.WHOLE_NUMBERS if places == 0 else Holds.DECIMALS
    # Mostly numbers, with more different values than a code list has: the few others are mistakes or marks.
    mixed = values - numbers if not padded and 0.9 * values <= numbers < values and distinct > limit else 0
    return Column(
        name, variable, holds, values, staged.rows - values, distinct, min(places, MAXIMUM_DECIMALS), low, high,
        mixed, pointed > 0,
    )  # fmt: skip


def candidate(column: Column, unit: str, rows: int, limit: int) -> Candidate:
    """The role that a column is drafted in. Roles fail closed: what is not understood can't be queried."""
    name, distinct = column.variable, column.distinct
    numeric = column.holds in (Holds.WHOLE_NUMBERS, Holds.DECIMALS)
    if column.name == unit:
        return Candidate(column, Role.IDENTIFIER, "the unit")
    if column.holds is Holds.NOTHING:
        return Candidate(column, None, "holds no value")
    if numeric and _WEIGHTING.search(name):
        return Candidate(column, Role.WEIGHT, "named as a weight")
    if _IDENTIFYING.search(name) and distinct > limit:
        return Candidate(column, Role.IDENTIFIER, "named as an identifier")
    if column.holds is Holds.WHOLE_NUMBERS and _AGE.search(name) and _is_age(column):
        return Candidate(column, Role.DIMENSION, "ages in years", integers=True)
    if column.holds is Holds.DATES:
        return Candidate(column, Role.DIMENSION, "dates, drafted by month")
    if distinct <= limit and (not numeric or _is_coded(column)):
        return Candidate(column, Role.DIMENSION, f"{distinct:,} different codes")
    if numeric:
        return Candidate(column, Role.MEASURE, column.holds.value)
    share = "almost every row has its own" if distinct > 0.9 * rows else f"more than {limit} different"
    return Candidate(column, Role.IDENTIFIER, f"{share}: not usable until it is coded")


def _is_age(column: Column) -> bool:
    assert column.low is not None
    assert column.high is not None
    return column.low >= 0 and 20 < column.high <= 130


def _is_coded(column: Column) -> bool:
    if column.holds is Holds.DECIMALS:
        return False
    return column.distinct <= MAXIMUM_NUMERIC_CODES or bool(_CODED.search(column.variable))


def free_name(text: str, reserved: frozenset[str]) -> str:
    """A text as a name that needs quotes neither in SQL nor in YAML.

    >>> free_name("Order", frozenset({"order"}))
    'order_column'
    """
    name = snake(text)
    return f"{name}_column" if name in reserved else name


def reserved_words(staged: Staged) -> frozenset[str]:
    """Words that SQL keeps for itself, and those that YAML reads as something else than text."""
    found = staged.connection.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    ).fetchall()
    return frozenset(str(word).lower() for (word,) in found) | _YAML_WORDS


def _variable_names(columns: Iterable[str], reserved: frozenset[str]) -> dict[str, str]:
    """A name for each column; columns that would share one are numbered."""
    names: dict[str, str] = {}
    taken = {RECORD_KEY_COLUMN}
    for column in columns:
        name = base = free_name(column, reserved)
        number = 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        names[column] = name
        taken.add(name)
    return names
