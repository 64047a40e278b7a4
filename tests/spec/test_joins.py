"""A join obeys the strictest parent, and never makes a number about one unit out of rows about another."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from catalogue.catalogue import bind_dataset
from catalogue.strictest import profile_for, strictest
from policies.compiler import compile_query
from policies.refusals import Code, RefusalError
from tests.support.answer import Answerer
from tests.support.labour import CODELISTS, LabourMarket, labour_market
from tests.support.profiles import pack, standard_profile

BY_SIZE = "select e.size_band, count(*) n from people p join employers e using (employer_id) group by 1"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> LabourMarket:
    """People under the standard profile; employers under one that publishes nothing below two hundred."""
    found = labour_market(tmp_path_factory.mktemp("labour"), standard_profile())
    strict = standard_profile(profile="strict", frequency={"minimum_frequency": 200})
    document = found.catalogue.datasets["employers"].document.model_copy(update={"profile": "strict"})
    datasets = {**found.catalogue.datasets, "employers": bind_dataset(document, CODELISTS)}
    profiles = {**found.catalogue.profiles, "strict": strict}
    return replace(found, catalogue=replace(found.catalogue, datasets=datasets, profiles=profiles))


def test_a_joined_dataset_brings_its_own_minimum(market: LabourMarket) -> None:
    answerer = Answerer(market)
    joined = answerer.answer(BY_SIZE).to_pylist()
    truth = {row["size_band"]: row["n"] for row in answerer.original(BY_SIZE).to_pylist()}
    assert all(row["n"] is None or row["n"] >= 200 for row in joined)
    assert any(count < 195 for count in truth.values())
    alone = answerer.answer("select work_region, count(*) n from people group by 1").to_pylist()
    assert any(row["n"] is not None and row["n"] < 200 for row in alone)


def test_a_profile_of_the_joined_dataset_is_part_of_what_is_approved(market: LabourMarket) -> None:
    before = compile_query(BY_SIZE, market.context()).digest
    profiles = {**market.catalogue.profiles, "strict": standard_profile(profile="strict", title="Changed")}
    changed = replace(market.catalogue, profiles=profiles)
    assert compile_query(BY_SIZE, market.context(catalogue=changed)).digest != before


@pytest.mark.parametrize("aggregate", ["avg(e.turnover)", "sum(e.turnover)", "median(e.turnover)"])
def test_a_number_of_the_employer_is_not_aggregated_over_its_people(
    market: LabourMarket, aggregate: str
) -> None:
    sql = f"select p.region, {aggregate} from people p join employers e using (employer_id) group by 1"
    with pytest.raises(RefusalError) as refused:
        compile_query(sql, market.context())
    assert refused.value.refusals[0].code is Code.COLUMN_USE


def test_a_number_of_the_same_person_is(market: LabourMarket) -> None:
    compile_query(
        "select l.level, avg(p.pay) from learners l join people p using (person_id) group by 1",
        market.context(),
    )


def test_the_strictest_of_two_profiles_has_the_rules_of_both() -> None:
    one = standard_profile()
    other = pack("bres_like")
    both = strictest(one, other)
    assert both.frequency.minimum_frequency == max(
        one.frequency.minimum_frequency, other.frequency.minimum_frequency
    )
    assert both.cell_keys == one.cell_keys
    assert both.dominance.p_percent == max(Decimal(10), other.dominance.p_percent or Decimal(0))
    assert both.rounding.size_bands == other.rounding.size_bands
    assert not both.frequency.publish_zeros


def test_without_a_profile_on_either_side_there_is_none(market: LabourMarket) -> None:
    profiles = {name: profile for name, profile in market.catalogue.profiles.items() if name != "strict"}
    catalogue = replace(market.catalogue, profiles=profiles)
    assert profile_for(catalogue, ["people", "employers"]) is None
    with pytest.raises(RefusalError) as refused:
        compile_query(BY_SIZE, market.context(catalogue=catalogue))
    assert refused.value.refusals[0].code is Code.NO_PROFILE
