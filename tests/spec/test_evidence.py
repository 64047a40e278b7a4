"""What whoever decides is told of a request's cells: how few are behind them, and which rules withhold how many."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from catalogue.models import ClassDisclosure, Dominance, Frequency, Profile
from policies.plan import CellQuery
from policies.protect import CellEvidence, Contributing, Rule, evidence_withheld, examine, protect, ptable_of
from tests.spec.test_protect_counts import HIDING, KEYED, people
from tests.spec.test_protect_magnitudes import AREAS, earners
from tests.support.cell_queries import NOISE, axis, box, count_people, pay_of_people, with_guard
from tests.support.naive_source import Row, run


def look(query: CellQuery, rows: list[Row], profile: Profile) -> CellEvidence:
    """The evidence, after a check that the cells beside it are those that a run would give."""
    raw, guards = run(query.fragment, rows), [run(guard.fragment, rows) for guard in query.guards]
    cells, evidence = examine(query, raw, guards, profile, NOISE, ptable_of(profile))
    assert cells == protect(query, raw, guards, profile, NOISE, ptable_of(profile))
    return evidence


def test_how_many_are_withheld_and_how_few_are_behind_them() -> None:
    rows = people(E1F=40, E2F=10, E3F=9)
    assert look(count_people([axis("area")]), rows, HIDING) == CellEvidence(
        cells=4,
        partly=0,
        withheld=2,
        empty=1,
        contributors=Contributing(minimum=10, fewest=9, fewest_published=10, small=1),
        second_units=None,
        rules={Rule.MINIMUM_FREQUENCY: 2, Rule.ZERO: 1},
    )


def test_numbers_are_true_where_the_rules_judge_noisy_ones() -> None:
    """Near the minimum the noise decides; the evidence says how many people there really are."""
    evidence = look(count_people([axis("area")]), people(E1F=9, E2F=10, E3F=11, W1F=12), KEYED)
    assert evidence.contributors is not None
    assert (evidence.contributors.fewest, evidence.contributors.small) == (9, 1)
    assert evidence.empty == 0


def test_where_there_is_nobody_there_are_no_fewest() -> None:
    evidence = look(count_people([axis("area")]), [], HIDING)
    assert (evidence.withheld, evidence.empty) == (4, 4)
    assert evidence.contributors == Contributing(minimum=10, fewest=None, fewest_published=None, small=0)


def test_what_is_impossible_is_withheld_by_no_rule() -> None:
    women_by_sex = count_people([axis("sex")], within=box(sex=["F"]))
    evidence = look(women_by_sex, people(E1F=12, E1M=11), HIDING)
    assert (evidence.withheld, evidence.rules) == (0, {})


def test_second_units_have_a_minimum_of_their_own() -> None:
    frequency = Frequency(minimum_frequency=10, minimum_second_units=2)
    profile = HIDING.model_copy(update={"frequency": frequency})
    rows = people(E1F=40) + [{**row, "employer": "one"} for row in people(E2F=40)]
    evidence = look(count_people([AREAS], second_unit="employer"), rows, profile)
    assert evidence.rules == {Rule.SECOND_UNITS: 1}
    assert evidence.second_units == Contributing(minimum=2, fewest=1, fewest_published=2, small=1)


def test_a_row_of_one_class_and_a_small_complement_are_told_apart() -> None:
    alike = HIDING.model_copy(update={"class_disclosure": ClassDisclosure(dimensions=("sex",))})
    rows = people(E1F=40, E2F=40, E2M=40)
    by_sex = count_people([AREAS, axis("sex")])
    assert look(by_sex, rows, alike).rules[Rule.CLASS_DISCLOSURE] == 2
    most = count_people([axis("area", [["E1", "E2"]])])
    guarded = with_guard(most, "area", [[axis("area", [["E1", "E2", "E3"]])]], [(0,)])
    assert look(guarded, [*rows, *people(E3F=3)], HIDING).rules == {Rule.COMPLEMENT: 1}


def test_a_cell_can_be_published_in_part() -> None:
    """Forty earners of whom one has nearly all: the count could be shown, the sum not. No pay is in the evidence."""
    dominance = Dominance(dominance_n=1, dominance_k_percent=Decimal(50))
    profile = HIDING.model_copy(update={"dominance": dominance})
    rows = earners("E1", *[10] * 39, 987654) + earners("E2", *[500] * 44)
    evidence = look(pay_of_people([AREAS]), rows, profile)
    assert (evidence.cells, evidence.partly, evidence.withheld) == (2, 1, 0)
    assert evidence.rules == {Rule.DOMINANCE: 1}
    assert evidence.contributors == Contributing(minimum=10, fewest=40, fewest_published=40, small=0)
    assert "987654" not in repr(evidence)


def test_a_percentile_needs_enough_on_both_sides() -> None:
    evidence = look(pay_of_people([AREAS]), earners("E1", *[500] * 40) + earners("E2", *[500] * 15), HIDING)
    assert evidence.rules == {Rule.QUANTILE_SIDES: 1}


def test_what_rests_on_a_withheld_figure_was_not_looked_at() -> None:
    query = replace(count_people([axis("area")]), withheld=True)
    assert evidence_withheld(query) == CellEvidence(4, 0, 4, 0, None, None, {Rule.HIDDEN_THRESHOLD: 4})
