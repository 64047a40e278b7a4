"""Strategies that write SQL as planners do, over the small labour market: aggregates, groups, boxes, joins, nesting."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

Text = st.SearchStrategy[str]


@dataclass(frozen=True)
class Query:
    """``keys`` are the output columns that say which cell a row is; ``steps`` the tolerance of the other columns
    that are no exact numbers: how far from DuckDB's value rounding or the grid may bring them. ``counts`` are the
    columns that count people."""

    sql: str
    keys: tuple[str, ...]
    steps: dict[str, float]
    counts: frozenset[str]


def _one(*texts: str) -> Text:
    return st.sampled_from(texts)


def _fill(template: str, *parts: Text) -> Text:
    return st.tuples(*parts).map(lambda found: template.format(*found))


_age = st.integers(16, 80).map(str)
_money = st.integers(0, 390).map(lambda n: str(5 * n))
_hours = st.integers(0, 60).map(str)
_comparison = _one("<", "<=", ">", ">=", "=", "<>")

#: Conditions on one dimension each, by dimension.
ATOMIC: dict[str, Text] = {
    "area": st.one_of(
        _fill("region {} '{}'", _one("=", "<>"), _one("E12N", "E12S", "W92")),
        _one(
            "region IN ('E12N', 'W92')",
            "region NOT IN ('E12N')",
            "ca = 'E47A'",
            "ca IS NULL",
            "ca IS NOT NULL",
        ),
        _one(
            "area LIKE 'E06%'",
            "area IN ('E0601', 'E0606', 'W0611')",
            "left(area, 1) = 'W'",
            "area BETWEEN 'E0602' AND 'E0607'",
        ),
    ),
    "sex": _one("sex = 'F'", "sex <> 'F'", "'M' = sex", "sex IN ('F', 'M')", "lower(sex) = 'f'"),
    "age": st.one_of(
        _fill("age {} {}", _comparison, _age),
        _fill("age BETWEEN {} AND {} + 20", _age, _age),
        _fill("NOT age BETWEEN {} AND 60", _age),
        _one("age_band IN ('16-24', '65+')", "age // 10 = 3", "age % 2 = 0", "age IS NOT NULL"),
    ),
    "occupation": _one(
        "occupation LIKE '2%'",
        "occupation IS NULL",
        "occupation IS NOT NULL",
        "substr(occupation, 1, 1) IN ('1', '5')",
        "occupation NOT IN ('11', '12')",
        "coalesce(occupation, 'none') <> '11'",
        "occupation IS DISTINCT FROM '52'",
    ),
    "status": _one("status = 'EMP'", "status IN ('UNE', 'INA')", "NOT status = 'SELF'", "status <> 'INA'"),
    "work_area": _one("work_region = 'E12N'", "work_area IS NULL", "work_area IN ('E0601', 'E0602')"),
    "pay": st.one_of(
        _fill("pay >= {}", _money), _fill("pay < {}", _money), _one("pay IS NULL", "pay IS NOT NULL")
    ),
    "hours": _fill("hours {} {}", _one("<", ">="), _hours),
    "member": _one(
        "person_id IN (SELECT person_id FROM learners WHERE level = 'L3')",
        "person_id NOT IN (SELECT person_id FROM learners)",
        "EXISTS (SELECT 1 FROM learners l WHERE l.person_id = people.person_id AND l.month LIKE '2025%')",
    ),
}


def within(dimension: str) -> Text:
    """A condition on one dimension, of one or two terms."""
    atomic = ATOMIC[dimension]
    if dimension == "member":
        return atomic
    return st.one_of(
        atomic,
        _fill("({} OR {})", atomic, atomic),
        _fill("NOT ({} AND {})", atomic, atomic),
        _fill("({}) IS TRUE", atomic),
    )


@st.composite
def conditions(draw: st.DrawFn, most: int = 3, members: bool = True) -> str:
    """A conjunction over several dimensions, now and then with an OR across two."""
    names = [name for name in ATOMIC if members or name != "member"]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=most, unique=True))
    terms = [draw(within(name)) for name in chosen]
    across = draw(st.integers(0, 9))
    if across == 0:
        terms.append(
            draw(_one("(sex = 'F' OR age > 40)", "(status = 'UNE' OR NOT (sex = 'F' AND age <= 30))"))
        )
    if across == 1:
        terms.append("(sex, status) IN (('F', 'EMP'), ('M', 'UNE'))")
    return " AND ".join(terms)


KEYS = (
    "region", "area", "ca", "sex", "age_band", "status", "occupation", "work_region",
    "substr(occupation, 1, 1)", "left(area, 1)", "floor(age / 10) * 10", "age // 10",
    "CASE WHEN age < 25 THEN 'young' WHEN age < 50 THEN 'middle' ELSE 'old' END",
    "CASE WHEN occupation IS NULL THEN 'none' ELSE 'some' END",
    "coalesce(ca, 'elsewhere')", "(sex = 'F')", "hours // 10 * 10",
)  # fmt: skip

#: Aggregates, and how far from DuckDB's value they may be: means are rounded, quantiles stand on the grid.
PLAIN: tuple[tuple[str, float], ...] = (
    ("count(*)", 0), ("count(pay)", 0), ("count(occupation)", 0), ("count(1)", 0), ("count(DISTINCT person_id)", 0),
    ("sum(pay)", 0.01), ("sum(2 * pay + 10)", 0.02), ("-sum(hours)", 0), ("sum(hours) / 2", 0.01),
    ("sum(pay * 52) / 52", 0.01),
    ("avg(pay)", 0.011), ("avg(hours)", 0.11), ("avg(3 * hours - 1)", 0.31), ("avg(age)", 0.11), ("sum(age)", 0),
    ("sum(pay) / nullif(count(pay), 0)", 0.011), ("stddev_samp(hours)", 0.11), ("var_samp(hours)", 0.3),
    ("quantile_disc(pay, 0.5)", 5.01), ("quantile_disc(hours, 0.25)", 1.01), ("quantile_disc(age, 0.5)", 1.01),
    ("sum(CASE WHEN sex = 'F' THEN 1 ELSE 0 END)", 0), ("count_if(age >= 50)", 0),
    ("avg(CASE WHEN sex = 'F' THEN hours END)", 0.11), ("sum(CASE WHEN status = 'EMP' THEN pay ELSE 0 END)", 0.01),
    ("count(CASE WHEN age < 30 THEN person_id END)", 0), ("avg((sex = 'F')::INT)", 0.0001),
    ("sum(CASE sex WHEN 'F' THEN 1 WHEN 'M' THEN 2 END)", 0), ("sum(weight)", 1.01),
)  # fmt: skip


@st.composite
def aggregates(draw: st.DrawFn) -> tuple[str, float]:
    text, step = draw(st.sampled_from(PLAIN))
    plain = text.endswith(")") and text.count("(") == text.count(")") == 1 and not text.startswith("-")
    if plain and draw(st.integers(0, 3)) == 0:
        return f"{text} FILTER (WHERE {draw(conditions(most=2, members=False))})", step
    return text, step


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, str]:
    """(WITH clause, FROM clause); the source is always called people."""
    inner = draw(conditions(most=2, members=False))
    return draw(
        st.sampled_from(
            [
                ("", "people"),
                ("", "people"),
                ("", f"(SELECT * FROM people WHERE {inner}) AS people"),
                (f"WITH chosen AS (SELECT * FROM people WHERE {inner}) ", "chosen AS people"),
                (
                    "",
                    "(SELECT * FROM people WHERE region = 'E12N' UNION ALL"
                    " SELECT * FROM people WHERE region <> 'E12N' AND age > 20) AS people",
                ),
                (
                    "",
                    "(SELECT p.* FROM people p JOIN employers e USING (employer_id) WHERE e.size_band = 'L') AS people",
                ),
                (
                    "",
                    "(SELECT p.* FROM people p LEFT JOIN employers e ON e.employer_id = p.employer_id) AS people",
                ),
                ("", "(SELECT p.* FROM people p JOIN geography g ON g.local_authority = p.area) AS people"),
            ]
        )
    )


@st.composite
def queries(draw: st.DrawFn, above: bool = True) -> Query:
    """A query over people. Without ``above`` nothing stands over the aggregate that could drop or add rows."""
    with_, source = draw(sources())
    keys = draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True))
    chosen = draw(st.lists(aggregates(), min_size=1, max_size=4))
    items = [f"{key} AS k{i}" for i, key in enumerate(keys)]
    items += [f"{text} AS v{i}" for i, (text, _) in enumerate(chosen)]
    sql = f"{with_}SELECT {', '.join(items)} FROM {source}"
    if draw(st.booleans()):
        sql += f" WHERE {draw(conditions())}"
    names = [f"k{i}" for i in range(len(keys))]
    if keys:
        positions = [str(i + 1) for i in range(len(keys))]
        forms = [", ".join(keys), ", ".join(positions), ", ".join(names), "ALL"]
        if len(keys) > 1:
            listed = ", ".join(f"({key})" for key in keys)  # sqlglot reads no bare comparison in ROLLUP
            forms += [
                f"ROLLUP ({listed})",
                f"CUBE ({listed})",
                f"GROUPING SETS (({', '.join(keys)}), ({keys[0]}), ())",
            ]
        sql += f" GROUP BY {draw(st.sampled_from(forms))}"
    if above:
        if keys and draw(st.integers(0, 3)) == 0:
            sql += f" HAVING count(*) > {draw(st.integers(0, 50))}"
        shape = draw(st.integers(0, 3))
        if shape == 0 and chosen[0][0].startswith("count"):
            sql = f"SELECT *, sum(v0) OVER () AS total FROM ({sql}) AS cells"
        if shape == 1 and keys:
            sql += " ORDER BY 1"
    steps = {f"v{i}": step for i, (_, step) in enumerate(chosen)}
    if " AS total FROM" in sql:
        steps["total"] = 0
    counts = frozenset(f"v{i}" for i, (text, _) in enumerate(chosen) if text.startswith("count"))
    return Query(sql, tuple(names), steps, counts)
