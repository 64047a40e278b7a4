"""HAVING, ORDER BY, LIMIT and windows: do they see true values, or what is shown?"""

from __future__ import annotations

from policies.refusals import Code
from tests.attacks.families.differencing import HONEST
from tests.attacks.framework import Attack, Inference
from tests.attacks.rules import at, first_is, more_than, rows
from tests.support.neighbours import AGE, BOX

P, A, V, G = Inference.PRESENCE, Inference.ATTRIBUTE, Inference.VALUE, Inference.GROUP
BASE = f"FROM people WHERE {BOX}"


def counts(name: str, sql: str, decide: object = rows, **more: object) -> Attack:
    return Attack(name, P, (sql,), decide, **{"honest": HONEST, "ordered": True, **more})  # type: ignore[arg-type]


ATTACKS = [
    counts("HAVING on the true count", f"SELECT 1 AS x {BASE} GROUP BY area HAVING COUNT(*) >= 32"),
    counts("HAVING on a true single", f"SELECT age {BASE} GROUP BY age HAVING COUNT(*) = 1 AND age = {AGE}"),
    counts(
        "HAVING that there is anybody", f"SELECT age {BASE} GROUP BY age HAVING COUNT(*) > 0 AND age = {AGE}"
    ),
    counts(
        "HAVING on her group being hidden",
        f"SELECT age {BASE} GROUP BY age HAVING COUNT(*) IS NOT NULL AND age = {AGE}",
    ),
    counts("HAVING over a modulus", f"SELECT area {BASE} GROUP BY area HAVING COUNT(*) % 32 = 0"),
    counts(
        "ORDER BY true counts",
        f"SELECT s FROM (SELECT sex AS s, COUNT(*) - CASE sex WHEN 'F' THEN 17.5 ELSE 14 END AS n {BASE} GROUP BY sex) ORDER BY n DESC",
        first_is("F"),
    ),
    counts(
        "LIMIT by true counts",
        f"SELECT CASE WHEN COUNT(*) > 31 THEN 'F' END AS s {BASE} LIMIT 1",
        first_is("F"),
    ),
    counts(
        "QUALIFY by rank",
        f"SELECT sex, COUNT(*) {BASE} GROUP BY sex QUALIFY RANK() OVER (ORDER BY COUNT(*) - CASE sex WHEN 'F' THEN 17.5 ELSE 14 END DESC) = 1",
        first_is("F"),
    ),
    counts(
        "a running total past her age",
        f"SELECT n FROM (SELECT age, SUM(COUNT(*)) OVER (ORDER BY age) AS n {BASE} GROUP BY age) WHERE age = {AGE}",
        at(0, 0, lambda n: n > 17),
    ),
    counts(
        "the number of groups that there are",
        f"SELECT COUNT(*) FROM (SELECT age {BASE} GROUP BY age)",
        more_than(25),
    ),
    counts(
        "the number of groups that are shown",
        f"SELECT COUNT(*) FROM (SELECT age {BASE} GROUP BY age HAVING COUNT(*) >= 1)",
        more_than(25),
    ),
    counts(
        "an absent row in a join",
        f"SELECT a.age FROM (SELECT age, COUNT(*) n {BASE} GROUP BY age) a JOIN (SELECT age, COUNT(*) m FROM people WHERE area = 'E0601' GROUP BY age) b USING (age) WHERE a.n > 0 AND age = {AGE}",
    ),
    counts(
        "an outer join's nulls",
        f"SELECT b.age FROM (SELECT age, COUNT(*) m FROM people GROUP BY age) b JOIN (SELECT age, COUNT(*) AS n {BASE} GROUP BY age) a USING (age) WHERE age = {AGE} AND n IS NOT NULL",
    ),
    counts(
        "ordering by what is hidden",
        f"SELECT age {BASE} GROUP BY age HAVING age IN (50, {AGE}) ORDER BY COUNT(*) DESC NULLS LAST, age LIMIT 1",
        first_is(AGE),
    ),
    counts(
        "ARG_MAX over groups",
        f"SELECT arg_max(age, n) FROM (SELECT age, COALESCE(COUNT(*), 0) AS n {BASE} AND age IN (50, {AGE}) GROUP BY age)",
        first_is(AGE),
    ),
    Attack(
        "the pay that leads",
        V,
        (
            f"SELECT s FROM (SELECT sex AS s, SUM(pay) AS n {BASE} AND age BETWEEN 50 AND 51 GROUP BY sex) WHERE n > 1000",
        ),
        rows,
        ordered=True,
    ),
    Attack(
        "rows ordered by pay",
        V,
        (f"SELECT age {BASE} ORDER BY pay DESC NULLS LAST LIMIT 1",),
        first_is(AGE),
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "OFFSET to one row",
        V,
        (f"SELECT pay {BASE} AND pay > 1500 LIMIT 1 OFFSET 0",),
        rows,
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "LIMIT inside a subquery",
        V,
        (f"SELECT AVG(pay) FROM (SELECT pay {BASE} ORDER BY pay DESC NULLS LAST LIMIT 1) t",),
        more_than(1500),
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "QUALIFY over rows",
        V,
        (
            f"SELECT AVG(pay) FROM (SELECT pay {BASE} QUALIFY ROW_NUMBER() OVER (ORDER BY pay DESC NULLS LAST) = 1) t",
        ),
        more_than(1500),
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "a rank over rows",
        V,
        (
            f"SELECT COUNT(*) FROM (SELECT age, RANK() OVER (ORDER BY pay DESC NULLS LAST) AS r {BASE}) t WHERE r = 1 AND age = {AGE}",
        ),
        at(0, 0, lambda n: n == 1),
        refused=Code.ROW_LEVEL,
    ),
    Attack(
        "FETCH FIRST",
        V,
        (f"SELECT pay {BASE} AND pay > 1500 FETCH FIRST 1 ROWS ONLY",),
        rows,
        refused=Code.UNSUPPORTED_SYNTAX,
    ),
]
