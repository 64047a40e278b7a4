"""Exhaustion: depth, length, products and texts of any size, decided before anything is run."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import ran

CODELISTS = ", ".join(f"geography g{i}" for i in range(12))


def heavy(name: str, sql: str, code: Code) -> Attack:
    return Attack(name, Inference.RESOURCE, (sql,), ran, refused=code)


ATTACKS = [
    heavy(
        "deep parentheses",
        f"SELECT COUNT(*) FROM people WHERE {'(' * 60}sex = 'F'{')' * 60}",
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "deep subqueries",
        f"SELECT COUNT(*) FROM {'(SELECT * FROM ' * 40}people{') q' * 40}",
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "deep CASE",
        f"SELECT COUNT({'CASE WHEN TRUE THEN ' * 50}1{' END' * 50}) FROM people",
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "deep functions",
        f"SELECT COUNT(*) FROM people WHERE {'abs(' * 50}age{')' * 50} > 0",
        Code.SQL_TOO_LARGE,
    ),
    heavy("deep lists", f"SELECT COUNT(*), {'[' * 50}1{']' * 50} FROM people", Code.SQL_TOO_LARGE),
    heavy(
        "a long list",
        f"SELECT COUNT(*) FROM people WHERE age IN ({', '.join(map(str, range(20_000)))})",
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "a list of many words",
        f"SELECT COUNT(*) FROM people WHERE age IN ({','.join('1' * 7000)})",
        Code.SQL_TOO_LARGE,
    ),
    heavy("a long sum", f"SELECT COUNT(*) FROM people WHERE age > {'+'.join('1' * 500)}", Code.SQL_TOO_LARGE),
    heavy(
        "a long OR",
        f"SELECT COUNT(*) FROM people WHERE {' OR '.join(f'age = {i}' for i in range(400))}",
        Code.SQL_TOO_LARGE,
    ),
    heavy("many unions", " UNION ALL ".join(["SELECT COUNT(*) FROM people"] * 300), Code.SQL_TOO_LARGE),
    heavy("a long text", f"SELECT COUNT(*) FROM people WHERE sex = '{'x' * 70_000}'", Code.SQL_TOO_LARGE),
    heavy(
        "many joins",
        "SELECT COUNT(*) FROM people p"
        + "".join(f" JOIN geography g{i} ON g{i}.local_authority = p.area" for i in range(250)),
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "a text of any size", "SELECT COUNT(*), repeat('x', 4000000000) FROM people", Code.UNKNOWN_FUNCTION
    ),
    heavy(
        "a text of any size below the line",
        "SELECT COUNT(*) FROM people WHERE repeat('x', 4000000000) <> area",
        Code.UNKNOWN_FUNCTION,
    ),
    heavy(
        "a padded text below the line",
        "SELECT COUNT(*) FROM people WHERE lpad(area, 400000000, 'x') <> 'y'",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "a list of any length below the line",
        "SELECT COUNT(*) FROM people WHERE len(range(1000000000)) > age",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "a constant list of any length",
        "SELECT COUNT(*) FROM people WHERE len(range(1000000000)) > 5",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "a list resized below the line",
        "SELECT COUNT(*) FROM people WHERE len(list_resize([1], 1000000000)) > 5",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "a product of code lists",
        f"SELECT COUNT(*) FROM people WHERE area IN (SELECT g0.local_authority FROM {CODELISTS})",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "numbers in a look-up",
        "SELECT COUNT(*) FROM people WHERE area IN (SELECT local_authority FROM geography, range(10000000000))",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "common tables that double",
        "WITH c0 AS (SELECT COUNT(*) AS n FROM people), "
        + ", ".join(f"c{i + 1} AS (SELECT a.n FROM c{i} a, c{i} b)" for i in range(24))
        + " SELECT n FROM c24",
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "columns that double from table to table",
        "WITH c0 AS (SELECT area AS x FROM people), "
        + ", ".join(f"c{i + 1} AS (SELECT x || x AS x FROM c{i})" for i in range(24))
        + " SELECT x, COUNT(*) FROM c24 GROUP BY x",
        Code.SQL_TOO_LARGE,
    ),
    heavy(
        "a million groups and more",
        "SELECT COUNT(*) FROM people GROUP BY age, area, work_area, hours, occupation",
        Code.TOO_MANY_CELLS,
    ),
    heavy(
        "a cube of everything",
        "SELECT COUNT(*) FROM people GROUP BY CUBE(age, area, work_area, hours, occupation, sex, status)",
        Code.TOO_MANY_PARTITIONS,
    ),
    heavy(
        "cubes multiplied",
        "SELECT COUNT(*) FROM people GROUP BY CUBE(age, sex, status), CUBE(area, occupation, hours), ROLLUP(region, ca)",
        Code.TOO_MANY_PARTITIONS,
    ),
    heavy(
        "a list as long as an age to the fifth",
        "SELECT COUNT(*) FROM people WHERE len(range(age * age * age * age * age)) > 5",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "a text replaced in itself",
        "SELECT COUNT(*) FROM people WHERE replace(replace(replace(area, '0', area || area), '0', area || area), '0', area || area) <> 'x'",
        Code.UNSUPPORTED_SYNTAX,
    ),
    heavy(
        "names that double",
        "SELECT area || area AS a0, "
        + ", ".join(f"a{i} || a{i} AS a{i + 1}" for i in range(24))
        + ", COUNT(*) FROM people GROUP BY ALL",
        Code.SQL_TOO_LARGE,
    ),
]
