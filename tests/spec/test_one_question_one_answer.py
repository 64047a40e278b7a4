"""One question has one answer: however it is worded, whoever asks, on whatever day, the digits are the same.

Noise follows the set of people and the measure. Each pair below asks the same of the same people.
"""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from tests.support.answer import Answerer
from tests.support.labour import labour_market
from tests.support.profiles import standard_profile

SAME = [
    ("select count(*) from people where age > 30", "select count(*) from people where age >= 31"),
    ("select count(*) from people where age > 30", "select count(*) from people where not (age <= 30)"),
    ("select count(*) from people where age > 30", "select count(*) from people where age > 30 and age > 30"),
    ("select count(*) from people where age > 30", "select count(*) from people where age > 30 and 1 = 1"),
    ("select count(*) from people where age > 30", "select count(*) from people where age between 31 and 200"),
    ("select count(*) from people where age > 30", "select count(*) from people where age + 1 > 31"),
    ("select count(*) from people where age > 30", "select count(*) filter (where age > 30) from people"),
    ("select count(*) from people where age > 30", "select sum(case when age > 30 then 1 else 0 end) from people"),
    ("select count(*) from people where age > 30", "select count(case when age > 30 then 1 end) from people"),
    ("select count(*) from people where age > 30", "select count_if(age > 30) from people"),
    ("select count(*) from people where age > 30", "select count(distinct person_id) from people where age > 30"),
    ("select count(*) from people", "select count(*) from (select * from people) t"),
    ("select count(*) from people", "with people as (select * from people) select count(*) from people"),
    (
        "select count(*) from people where sex = 'F' and region = 'E12N'",
        "select count(*) from people where region = 'North' and sex = 'Female'",
    ),
    (
        "select count(*) from people where region = 'E12N'",
        "select count(*) from people where area in ('E0601', 'E0602', 'E0603', 'E0604', 'E0605')",
    ),
    (
        "select count(*) from people where occupation like '2%'",
        "select count(*) from people where substring(occupation, 1, 1) = '2'",
    ),
    (
        "select count(*) from people where occupation like '2%'",
        "select count(*) from people where left(occupation, 1) in ('2')",
    ),
    (
        "select count(*) from people where occupation = 21",
        "select count(*) from people where occupation = '21'",
    ),
    ("select count(*) from people where age = '40'", "select count(*) from people where age = 40"),
    (
        "select count(*) from people where sex = 'F' or sex = 'M'",
        "select count(*) from people",
    ),
    ("select sum(pay) from people", "select sum(pay * 52) / 52 from people"),
    ("select sum(pay) from people", "select avg(pay) * count(pay) from people"),
    ("select sum(pay) from people", "select -sum(-pay) from people"),
    ("select sum(pay) from people", "select sum(2 * pay) - sum(pay) from people"),
    ("select avg(pay) from people", "select avg(pay + 100) - 100 from people"),
    ("select avg(pay) from people", "select sum(pay) / count(pay) from people"),
    ("select median(pay) from people", "select quantile_cont(pay, 0.5) from people"),
    ("select median(pay) from people", "select median(pay * 2) / 2 from people"),
    ("select median(pay) from people", "select percentile_cont(0.5) within group (order by pay) from people"),
    ("select quantile_cont(pay, 0.1) from people", "select -quantile_cont(-pay, 0.9) from people"),
    (
        "select count(*) from people where region = 'E12N'",
        "select n from (select region, count(*) n from people group by region) where region = 'E12N'",
    ),
    (
        "select count(*) from people where sex = 'F'",
        "select n from (select sex, count(*) n from people group by rollup(sex)) where sex = 'F'",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Answerer:
    return Answerer(labour_market(tmp_path_factory.mktemp("labour"), standard_profile()))


def _number(table: pa.Table) -> float:
    assert table.num_rows == 1
    value = table.column(0)[0].as_py()
    assert value is not None
    return float(value)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_question_has_the_same_answer(answerer: Answerer, one: str, other: str) -> None:
    assert _number(answerer.answer(one)) == pytest.approx(_number(answerer.answer(other)), rel=1e-12)


def test_another_day_and_another_alias_change_nothing(answerer: Answerer) -> None:
    sql = "select region, count(*) from people group by region"
    other = "select p.region as area_of_home, count(1) as how_many from people p group by 1"
    first = answerer.answer(sql)
    second = answerer.answer(other, today=date(2026, 9, 1))
    assert dict(zip(*(first.column(i).to_pylist() for i in (0, 1)), strict=True)) == dict(
        zip(*(second.column(i).to_pylist() for i in (0, 1)), strict=True)
    )


def test_the_order_of_conditions_and_cells_in_a_cube_change_nothing(answerer: Answerer) -> None:
    cube = answerer.answer("select region, sex, count(*) n from people group by cube(region, sex)")
    cells = {(r["region"], r["sex"]): r["n"] for r in cube.to_pylist()}
    plain = answerer.answer("select sex, region, count(*) n from people group by sex, region")
    for row in plain.to_pylist():
        assert cells[row["region"], row["sex"]] == row["n"]


def test_another_secret_gives_other_noise(answerer: Answerer) -> None:
    sql = "select area, sex, count(*) n from people group by all"
    other = Answerer(answerer.market, secret=bytes(32))
    assert answerer.answer(sql).column("n").to_pylist() != other.answer(sql).column("n").to_pylist()
