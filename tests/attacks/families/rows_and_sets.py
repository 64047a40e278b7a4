"""Unit rows: asked for plainly, or through a set operation."""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.framework import Attack, Inference, Rule
from tests.attacks.rules import rows
from tests.support.neighbours import AGE, AREA, BOX

P, X = Inference.PRESENCE, Inference.ACCESS
HER = f"FROM people WHERE {AREA} AND age = {AGE}"


def asked(
    name: str, sql: str, code: Code = Code.ROW_LEVEL, decide: Rule = rows, inference: Inference = P
) -> Attack:
    return Attack(name, inference, (sql,), decide, refused=code)


ROWS = [
    asked("every column", f"SELECT * {HER}"),
    asked("FROM first", f"FROM people WHERE {AREA} AND age = {AGE}"),
    asked("one column", f"SELECT pay {HER}"),
    asked("a constant for each row", f"SELECT 1 {HER}"),
    asked(
        "a column beside an aggregate",
        f"SELECT sex, COUNT(*) {HER} GROUP BY sex, pay",
        Code.PREDICATE_NOT_BOX,
    ),
    asked("a group for each person", f"SELECT person_id, COUNT(*) {HER} GROUP BY person_id"),
    asked(
        "a group for each employer",
        f"SELECT employer_id, COUNT(*) {HER} GROUP BY employer_id",
        Code.COLUMN_USE,
    ),
    asked("a group for each weight", f"SELECT weight, COUNT(*) {HER} GROUP BY weight", Code.COLUMN_USE),
    asked("a group for each pay", f"SELECT pay, COUNT(*) {HER} GROUP BY pay", Code.PREDICATE_NOT_BOX),
    asked("the row as a struct", f"SELECT people {HER}", Code.UNKNOWN_COLUMN),
    asked("the row as text", f"SELECT people::VARCHAR {HER}", Code.UNKNOWN_COLUMN),
    asked("columns by a pattern", f"SELECT COLUMNS('p.*') {HER}", Code.UNSUPPORTED_SYNTAX),
    asked("a star that leaves out", f"SELECT * EXCLUDE (pay) {HER}", Code.UNSUPPORTED_SYNTAX),
    asked("through a subquery", f"SELECT * FROM (SELECT sex, pay {HER}) x"),
    asked("through a CTE", f"WITH x AS (SELECT * {HER}) SELECT * FROM x"),
    asked(
        "through a scalar subquery",
        f"SELECT (SELECT pay {HER}) AS v",
        decide=lambda a: a[0].rows[0][0] is not None,
    ),
    asked(
        "through a subquery of a group",
        f"SELECT COUNT(*), (SELECT pay {HER} LIMIT 1) AS v FROM people",
        decide=lambda a: a[0].rows[0][1] is not None,
    ),
    asked(
        "through a lateral join",
        f"SELECT x.pay FROM (SELECT COUNT(*) FROM people) a, LATERAL (SELECT pay {HER}) x",
    ),
    asked(
        "through a join with groups",
        f"SELECT p.pay FROM people p JOIN (SELECT area, COUNT(*) n FROM people GROUP BY area) q ON p.area = q.area WHERE p.{AREA} AND p.age = {AGE}",
        Code.JOIN_NOT_DECLARED,
    ),
    asked(
        "through EXISTS above",
        f"SELECT EXISTS (SELECT 1 {HER}) AS v",
        decide=lambda a: a[0].rows[0][0] is True,
    ),
    asked(
        "through IN above",
        f"SELECT {AGE} IN (SELECT age FROM people WHERE {AREA}) AS v",
        decide=lambda a: a[0].rows[0][0] is True,
    ),
    asked(
        "through ANY above",
        f"SELECT {AGE} = ANY (SELECT age FROM people WHERE {AREA}) AS v",
        decide=lambda a: a[0].rows[0][0] is True,
    ),
    asked(
        "through ARRAY above",
        f"SELECT len(ARRAY(SELECT age {HER})) > 0 AS v",
        Code.UNSUPPORTED_SYNTAX,
        decide=lambda a: a[0].rows[0][0] is True,
    ),
    asked("a described table", "DESCRIBE people", Code.NOT_ONE_SELECT, rows, X),
    asked("a summarised table", "SUMMARIZE people", Code.NOT_ONE_SELECT, rows, X),
    asked(
        "a pivot of rows",
        f"SELECT * FROM (PIVOT (SELECT age, sex, pay {HER}) ON sex USING max(pay))",
        Code.EXTREMES,
    ),
    asked(
        "an unpivot of rows", f"SELECT * FROM (UNPIVOT (SELECT pay {HER}) ON pay)", Code.UNSUPPORTED_SYNTAX
    ),
]

ALL_BUT = f"FROM people WHERE {BOX} AND age <> {AGE}"
SETS = [
    asked(
        "EXCEPT of rows",
        f"SELECT age FROM people WHERE {BOX} EXCEPT SELECT age {ALL_BUT}",
        Code.UNION_NOT_DISJOINT,
    ),
    asked("INTERSECT of rows", f"SELECT age FROM people WHERE {BOX} INTERSECT SELECT {AGE}", Code.ROW_LEVEL),
    asked(
        "EXCEPT counted",
        f"SELECT COUNT(*) FROM (SELECT person_id FROM people WHERE {BOX} EXCEPT SELECT person_id {ALL_BUT}) x",
        Code.UNION_NOT_DISJOINT,
        lambda a: a[0].number == 1,
    ),
    asked(
        "UNION counted",
        f"SELECT COUNT(*) FROM (SELECT age FROM people WHERE {BOX} UNION SELECT age {ALL_BUT}) x",
        Code.UNION_NOT_DISJOINT,
        lambda a: a[0].number == 26,
    ),
    asked(
        "UNION ALL that overlaps",
        f"SELECT COUNT(*) FROM ({' UNION ALL '.join([f'SELECT sex {HER}'] * 12)}) x",
        Code.UNION_NOT_DISJOINT,
        lambda a: (a[0].number or 0) > 10,
    ),
    asked(
        "UNION ALL of two datasets",
        f"SELECT COUNT(*) FROM (SELECT person_id {HER} UNION ALL SELECT person_id FROM learners WHERE FALSE) x",
        Code.UNION_NOT_DISJOINT,
        lambda a: a[0].number == 1,
    ),
    asked(
        "UNION ALL with a constant",
        f"SELECT * FROM (SELECT pay {HER} UNION ALL SELECT 1) WHERE pay <> 1",
        Code.ROW_LEVEL,
    ),
    asked(
        "EXCEPT ALL of rows",
        f"SELECT age FROM people WHERE {BOX} EXCEPT ALL SELECT age {ALL_BUT}",
        Code.UNION_NOT_DISJOINT,
    ),
    asked(
        "UNION BY NAME",
        f"SELECT pay {HER} UNION ALL BY NAME SELECT 1 AS other {HER}",
        Code.UNION_NOT_DISJOINT,
    ),
]
