"""The functions that may run above the line, as data: one reviewed list for the pinned version of DuckDB.

``allowed_functions.txt`` and ``denied_functions.txt`` hold ``name kind [reason]``, a line each, where the kind is
``function_type`` of ``duckdb_functions()``. Between them they name every function that the engine has, so that an
upgrade adds none silently. Allowed are those that DuckDB declares consistent, less those denied with a reason.
"""

from __future__ import annotations

from importlib.resources import files


def _lines(name: str) -> list[str]:
    return files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()


#: (name, kind) of every function that may run.
ALLOWED: frozenset[tuple[str, str]] = frozenset(
    (name, kind) for name, kind in (line.rsplit(" ", 1) for line in _lines("allowed_functions.txt"))
)
#: (name, kind) of every function that may not, with the reason.
DENIED: dict[tuple[str, str], str] = {
    (name, kind): reason
    for name, kind, reason in (line.split(" ", 2) for line in _lines("denied_functions.txt"))
}

#: Macros that expand to aggregates.
_MACRO_AGGREGATES = {
    "geomean",
    "geometric_mean",
    "json_group_array",
    "json_group_object",
    "wavg",
    "weighted_avg",
}

AGGREGATES: frozenset[str] = frozenset(n for n, kind in ALLOWED if kind == "aggregate") | _MACRO_AGGREGATES
SCALARS: frozenset[str] = frozenset(n.lower() for n, kind in ALLOWED if kind != "table")
TABLE_FUNCTIONS: frozenset[str] = frozenset(n for n, kind in ALLOWED if kind == "table")


def denial(name: str) -> str | None:
    """Why ``name`` is on the reviewed list of functions that may not run; None if it isn't there."""
    return next(
        (reason for (function, _), reason in DENIED.items() if function.lower() == name.lower()), None
    )
