"""Refusals: typed, stable, made without data, and telling the user what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Stable codes of refusals. Each is documented in docs/refusal-codes.md (a test compares)."""

    SQL_TOO_LARGE = "sql_too_large"
    SQL_SYNTAX = "sql_syntax"
    NOT_ONE_SELECT = "not_one_select"
    UNKNOWN_TABLE = "unknown_table"
    UNKNOWN_COLUMN = "unknown_column"
    AMBIGUOUS_COLUMN = "ambiguous_column"
    UNKNOWN_CODE = "unknown_code"
    UNKNOWN_FUNCTION = "unknown_function"
    UNSUPPORTED_SYNTAX = "unsupported_syntax"
    ROW_LEVEL = "row_level_result"
    COLUMN_USE = "column_use_not_allowed"
    EXTREMES = "extremes_not_allowed"
    MEASURE_EXPRESSION = "measure_expression_not_allowed"
    QUANTILE_NOT_DECLARED = "quantile_not_declared"
    EMPTY_QUESTION = "empty_question"
    PREDICATE_NOT_BOX = "predicate_not_a_box"
    JOIN_NOT_DECLARED = "join_not_declared"
    UNION_NOT_DISJOINT = "union_not_disjoint"
    STAGE_CORRELATED = "stage_correlated"
    STAGE_NOT_SCALAR = "stage_not_scalar"
    TOO_MANY_DIMENSIONS = "too_many_dimensions"
    TOO_MANY_CELLS = "too_many_cells"
    TOO_MANY_PARTITIONS = "too_many_partitions"
    TABLE_NOT_REGISTERED = "table_not_registered"
    MARGIN_WITH_PARTS = "margin_with_parts"
    OUTSIDE_JURISDICTION = "outside_jurisdiction"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_INVALID = "parameter_invalid"
    STATUS_NOT_TRACEABLE = "status_not_traceable"
    NO_AGREEMENT = "no_agreement"
    AGREEMENT_EXPIRED = "agreement_expired"
    PURPOSE_NOT_PERMITTED = "purpose_not_permitted"
    NO_PROFILE = "no_profile"
    HELD_ELSEWHERE = "held_elsewhere"
    NOT_COUNTED_JOINTLY = "not_counted_jointly"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the SQL as typed: 1-based line and column, 0-based character offset."""

    line: int
    column: int
    offset: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a query is not run, decided from its text and from metadata alone.

    ``rule`` says which rule in the user's words, ``remedy`` what to do instead, ``suggestion`` is SQL that the
    compiler has checked and would accept, where one is known. ``parameter`` names the parameter that is at fault.
    """

    code: Code
    message: str
    rule: str
    remedy: str
    position: Position | None = None
    suggestion: str | None = None
    parameter: str | None = None


class RefusalError(Exception):
    """Carries one or more refusals out of a pass."""

    def __init__(self, *refusals: Refusal) -> None:
        if not refusals:
            raise ValueError("a refusal error needs a refusal")
        super().__init__("; ".join(f"{r.code}: {r.message}" for r in refusals))
        self.refusals = refusals
