"""Every function of the pinned engine is on one of the two reviewed lists, and only once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

import policies.presentation.functions as functions
from policies.presentation.functions import AGGREGATES, ALLOWED, DENIED, SCALARS


@pytest.fixture(scope="module")
def engine_functions() -> dict[tuple[str, str], set[str | None]]:
    with duckdb.connect() as engine:
        found = engine.execute(
            "SELECT function_name, function_type, list(DISTINCT stability) FROM duckdb_functions() GROUP BY ALL"
        ).fetchall()
    return {(name, kind): set(stabilities) for name, kind, stabilities in found}


def test_an_upgrade_adds_no_function_silently(
    engine_functions: dict[tuple[str, str], set[str | None]],
) -> None:
    assert engine_functions.keys() - ALLOWED - DENIED.keys() == set()


def test_the_lists_name_only_functions_that_exist(
    engine_functions: dict[tuple[str, str], set[str | None]],
) -> None:
    assert (ALLOWED | DENIED.keys()) - engine_functions.keys() == set()


def test_no_function_is_on_both_lists() -> None:
    assert ALLOWED & DENIED.keys() == set()


def test_every_denied_function_has_a_reason() -> None:
    assert all(len(reason) > 10 for reason in DENIED.values())


def test_what_is_allowed_is_consistent(engine_functions: dict[tuple[str, str], set[str | None]]) -> None:
    """Macros and table functions declare nothing; they were read one by one."""
    declared = {
        (name, kind): engine_functions[name, kind] for name, kind in ALLOWED if kind not in ("macro", "table")
    }
    assert {key: value for key, value in declared.items() if value != {"CONSISTENT"}} == {}


def test_only_three_table_functions_are_allowed() -> None:
    assert {name for name, kind in ALLOWED if kind in ("table", "table_macro", "pragma")} == {
        "generate_series",
        "range",
        "unnest",
    }


def test_the_lists_are_sorted() -> None:
    for name in ("allowed_functions.txt", "denied_functions.txt"):
        lines = Path(functions.__file__).with_name(name).read_text(encoding="utf-8").splitlines()
        keys = [tuple(line.split(" ")[:2]) for line in lines]
        assert keys == sorted(keys), name


def test_allowed_macros_expand_to_allowed_functions() -> None:
    """A macro is judged by its own name, so what it expands to is held against the list here."""
    macros = sorted(name for name, kind in ALLOWED if kind == "macro")
    # These call, by a name in a string, an aggregate that is itself allowed.
    by_name = {"list_aggr"}
    with duckdb.connect() as engine:
        for name in macros:
            definitions = engine.execute(
                "SELECT DISTINCT macro_definition FROM duckdb_functions()"
                " WHERE function_name = ? AND function_type = 'macro'",
                [name],
            ).fetchall()
            for (definition,) in definitions:
                row = engine.execute(
                    "SELECT json_serialize_sql(?::VARCHAR)", [f"SELECT {definition}"]
                ).fetchone()
                assert row is not None
                called = set(_called(row[0]))
                assert called <= SCALARS | AGGREGATES | by_name | {"error"}, (name, called)


def _called(serialised: str) -> list[str]:
    import re

    return [name.lower() for name in re.findall(r'"function_name":"([^"]+)"', serialised)]
