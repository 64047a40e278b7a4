"""Forms whose answer below the line would differ from what the SQL says: each is refused, none is answered wrongly."""

from __future__ import annotations

import pytest

from policies.compiler import compile_query
from policies.refusals import Code, RefusalError
from tests.support.labour import LabourMarket, labour_market
from tests.support.null_profile import NULL_PROFILE

QUERIES = [
    # A second equality beside the key of a join is a condition, not a key.
    ("select count(*) from learners l, people p where l.person_id = p.person_id and l.home = p.area",
     Code.PREDICATE_NOT_BOX),
    ("select count(*) from learners l join people p on l.person_id = p.person_id and l.home = p.work_area",
     Code.PREDICATE_NOT_BOX),
    ("select count(*) from learners l join people p using (person_id, hours)", Code.JOIN_NOT_DECLARED),
    ("select count(*) from geography g semi join people p on p.area = g.local_authority", Code.JOIN_NOT_DECLARED),
    # Conditions in ON are held against the code list like any other.
    ("select count(*) from people p join employers e on p.employer_id = e.employer_id and e.size_band = 'Smal'",
     Code.UNKNOWN_CODE),
    ("select count(*) from people where (region, sex) in (('Nort', 'F'))", Code.UNKNOWN_CODE),
    # One person more than the women.
    ("select count(distinct case when sex = 'F' then person_id else 'x' end) from people", Code.UNKNOWN_FUNCTION),
    # Per unit: what repeats, drops or picks units.
    ("select sum(pay) from (select person_id, sum(pay) pay from people group by person_id limit 10)",
     Code.UNSUPPORTED_SYNTAX),
    ("select sum(n) from (select person_id, count(*) n from people group by person_id, rollup(region))",
     Code.UNSUPPORTED_SYNTAX),
    ("select count(*) from (select distinct region from people group by person_id, region)",
     Code.UNSUPPORTED_SYNTAX),
    # UNION ALL that is joined or looked up in.
    ("select count(*) from learners join (select * from people where sex = 'F' union all"
     " select * from people where age > 30 and sex = 'M') p using (person_id)", Code.UNION_NOT_DISJOINT),
    ("select count(*) from people where person_id in (select person_id from (select * from learners"
     " where level = 'L2' union all select * from learners where level = 'L3'))", Code.UNION_NOT_DISJOINT),
    ("select count(*) from (select sex from people p where region = 'E12N' union all select sex from people p"
     " left join employers e using (employer_id) where region = 'E12S' and e.size_band is null union all"
     " select sex from people p join employers e using (employer_id) where region = 'W92' and e.size_band = 'S')",
     Code.UNION_NOT_DISJOINT),
    # An aggregate without groups has a row whatever it counts, and LIMIT 0 has none.
    ("select count(*) from people p where exists (select count(*) from learners l where l.person_id = p.person_id)",
     Code.UNSUPPORTED_SYNTAX),
    ("select count(*) from people p where exists (select 1 from learners l where l.person_id = p.person_id limit 0)",
     Code.UNSUPPORTED_SYNTAX),
    # IN over keys that may be null is null, so NOT IN drops those without a key.
    ("select count(*) from people where employer_id not in (select employer_id from employers)",
     Code.UNSUPPORTED_SYNTAX),
    ("select count(*) from people where coalesce(employer_id in (select employer_id from employers), true)",
     Code.UNSUPPORTED_SYNTAX),
    # Groups of types that cells do not carry.
    ("select [area] a, count(*) from people group by 1", Code.UNSUPPORTED_SYNTAX),
    ("select area::blob a, count(*) from people group by 1", Code.UNSUPPORTED_SYNTAX),
    # Casts that would round each row.
    ("select sum(pay::decimal(9, 0)) from people", Code.MEASURE_EXPRESSION),
    ("select sum((pay * 0.5)::decimal(9, 2)) from people", Code.MEASURE_EXPRESSION),
    # What multiplies rows has not one value for each code.
    ("select unnest([age, age + 1, age + 2]) u, count(*) from people group by 1", Code.UNSUPPORTED_SYNTAX),
    # The wall clock and the engine, which DuckDB's parse takes for columns.
    ("select count(*) from people where age > hour(current_time)", Code.UNKNOWN_FUNCTION),
    ("select count(*) from people where region <> current_user", Code.UNKNOWN_FUNCTION),
    ("select session_user, count(*) from people", Code.UNKNOWN_FUNCTION),
]  # fmt: skip


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> LabourMarket:
    return labour_market(tmp_path_factory.mktemp("labour"), NULL_PROFILE, people=50)


@pytest.mark.parametrize(("sql", "code"), QUERIES, ids=[sql for sql, _ in QUERIES])
def test_is_refused(market: LabourMarket, sql: str, code: Code) -> None:
    with pytest.raises(RefusalError) as caught:
        compile_query(sql, market.context())
    assert caught.value.refusals[0].code is code
    assert caught.value.refusals[0].remedy
