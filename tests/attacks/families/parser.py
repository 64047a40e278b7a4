"""Confusion: names that shadow, quotes, comments, letters that look alike, other dialects, several statements."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.framework import Attack, Inference, Rule
from tests.attacks.rules import ran, rows
from tests.support.neighbours import AGE, AREA

P, X = Inference.PRESENCE, Inference.ACCESS
HER = f"{AREA} AND age = {AGE}"


def confused(name: str, sql: str, code: Code, decide: Rule = rows) -> Attack:
    return Attack(name, P, (sql,), decide, refused=code)


ATTACKS = [
    confused(
        "a CTE that is called as the table",
        f"WITH people AS (SELECT * FROM people) SELECT pay FROM people WHERE {HER}",
        Code.ROW_LEVEL,
    ),
    confused(
        "a CTE that shadows a code list",
        f"WITH geography AS (SELECT * FROM people WHERE {HER}) SELECT * FROM geography",
        Code.ROW_LEVEL,
    ),
    confused(
        "a CTE that shadows the cells",
        f"WITH cells_0 AS (SELECT pay FROM people WHERE {HER}) SELECT * FROM cells_0",
        Code.ROW_LEVEL,
    ),
    confused(
        "a code list that hides rows",
        f"SELECT COUNT(*) FROM (WITH geography AS (SELECT sex FROM people WHERE {HER}) SELECT * FROM geography UNION ALL SELECT 'x') q WHERE sex <> 'x'",
        Code.ROW_LEVEL,
        lambda a: a[0].number == 1,
    ),
    confused(
        "a nested CTE of the same name",
        f"WITH a AS (WITH a AS (SELECT pay FROM people WHERE {HER}) SELECT * FROM a) SELECT * FROM a",
        Code.ROW_LEVEL,
    ),
    confused(
        "a column called as an aggregate", f'SELECT pay AS "count(*)" FROM people WHERE {HER}', Code.ROW_LEVEL
    ),
    confused("a name in quotes", f'SELECT "pay" FROM "people" WHERE {HER}', Code.ROW_LEVEL),
    confused("a table in capitals", f"SELECT PAY FROM PEOPLE WHERE {HER}", Code.ROW_LEVEL),
    confused(
        "a comment that closes early",
        f"SELECT /* */ pay /* COUNT(*) */ FROM people WHERE {HER}",
        Code.ROW_LEVEL,
    ),
    confused(
        "a comment within a comment",
        f"SELECT /* a /* COUNT(*) */ b */ pay FROM people WHERE {HER}",
        Code.ROW_LEVEL,
    ),
    confused(
        "a comment at the end of a line", f"SELECT pay --COUNT(*)\nFROM people WHERE {HER}", Code.ROW_LEVEL
    ),
    confused(
        "two statements",
        f"SELECT COUNT(*) FROM people; SELECT pay FROM people WHERE {HER}",
        Code.NOT_ONE_SELECT,
    ),
    confused(
        "a statement behind a comment",
        f"SELECT COUNT(*) FROM people --\n; SELECT pay FROM people WHERE {HER}",
        Code.NOT_ONE_SELECT,
    ),
    confused(
        "text between dollars",
        f"SELECT pay FROM people WHERE {HER} AND $$;$$ = $x$;$x$",
        Code.UNSUPPORTED_SYNTAX,
    ),
    confused(
        "an escape in a text",
        f"SELECT pay FROM people WHERE {HER} AND E'\\'' = ''''",
        Code.UNSUPPORTED_SYNTAX,
    ),
    confused(
        "a text that hides a quote",
        f"SELECT pay FROM people WHERE {HER} AND '\\' <> '; SELECT 1 --'",
        Code.ROW_LEVEL,
    ),
    confused(
        "a quoted name that is no name",
        f'SELECT "pay""" FROM (SELECT pay AS "pay""" FROM people WHERE {HER}) q',
        Code.ROW_LEVEL,
    ),
    confused("FROM before SELECT", f"FROM people SELECT pay WHERE {HER}", Code.ROW_LEVEL),
    confused("an alias before its expression", f"SELECT p: pay FROM people WHERE {HER}", Code.ROW_LEVEL),
    confused(
        "a method in place of a function",
        f"SELECT pay.abs() FROM people WHERE {HER}",
        Code.UNSUPPORTED_SYNTAX,
    ),
    confused(
        "a lambda", f"SELECT list_transform([1], lambda x: pay) FROM people WHERE {HER}", Code.ROW_LEVEL
    ),
    confused("a comprehension", f"SELECT [pay FOR x IN [1]] FROM people WHERE {HER}", Code.ROW_LEVEL),
    confused("a star in a struct", f"SELECT struct_pack(a := pay) FROM people WHERE {HER}", Code.ROW_LEVEL),
    confused(
        "a parenthesis around a table", f"SELECT pay FROM (people) WHERE {HER}", Code.UNSUPPORTED_SYNTAX
    ),
    confused(
        "a join in parentheses",
        f"SELECT pay FROM (people p CROSS JOIN (SELECT 1 AS one) q) WHERE {HER}",
        Code.UNSUPPORTED_SYNTAX,
    ),
    confused(
        "a positional join",
        f"SELECT pay FROM people POSITIONAL JOIN range(5000) r WHERE {HER}",
        Code.UNSUPPORTED_SYNTAX,
    ),
    confused(
        "a semi join",
        f"SELECT pay FROM people SEMI JOIN geography g ON g.local_authority = area WHERE {HER}",
        Code.JOIN_NOT_DECLARED,
    ),
    confused(
        "a recursive CTE",
        f"WITH RECURSIVE r AS (SELECT pay, 1 AS n FROM people WHERE {HER} UNION ALL SELECT pay, n + 1 FROM r WHERE n < 3) SELECT * FROM r",
        Code.UNSUPPORTED_SYNTAX,
    ),
    confused(
        "VALUES with a subquery",
        f"SELECT * FROM (VALUES ((SELECT pay FROM people WHERE {HER}))) v(x) WHERE x IS NOT NULL",
        Code.ROW_LEVEL,
    ),
    confused(
        "a letter of another alphabet",
        f"SELECT pay FROM people WHERE {HER} AND '\u0430' <> 'a'",
        Code.ROW_LEVEL,
    ),
    confused(
        "an invisible character", f"SELECT pay FROM people WHERE {HER} AND '\u200b' <> ''", Code.SQL_SYNTAX
    ),
    confused(
        "text that runs backwards", f"SELECT pay FROM people WHERE {HER} AND '\u202e' <> ''", Code.SQL_SYNTAX
    ),
    confused("a space that is none", f"SELECT\u00a0pay FROM people WHERE {HER}", Code.SQL_SYNTAX),
    confused(
        "a name of the service's own",
        f"SELECT pay AS n FROM (SELECT pay, pay AS __fed_status_n FROM people WHERE {HER}) q",
        Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a status made up",
        X,
        ('SELECT COUNT(*) AS n, 0 AS "__fed_status_n" FROM people',),
        ran,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
    Attack(
        "a question mark",
        X,
        ("SELECT COUNT(*) FROM people WHERE area <> $1",),
        lambda a: True,
        refused=Code.PARAMETER_INVALID,
    ),
    Attack(
        "an undeclared parameter",
        X,
        ("SELECT COUNT(*) FROM people WHERE area <> $area",),
        lambda a: True,
        refused=Code.PARAMETER_MISSING,
    ),
]
