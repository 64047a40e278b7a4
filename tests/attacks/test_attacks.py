"""Every attack of every family: it works where nothing is protected, and gains nothing against the service."""

from __future__ import annotations

import pytest

from policies.compiler import compile_query
from policies.refusals import RefusalError
from tests.attacks.families import (
    averaging,
    differencing,
    errors,
    extremes,
    groups,
    isolating,
    joins,
    null_tricks,
    ordering,
    parser,
    resources,
    rows_and_sets,
    stages,
    system,
)
from tests.attacks.framework import (
    Attack,
    Field,
    answers,
    cases,
    guesses,
    honest_share,
    least_share,
    unprotected,
)

pytestmark = pytest.mark.spread

FAMILIES: dict[str, list[Attack]] = {
    "differencing": differencing.ATTACKS,
    "averaging": averaging.ATTACKS,
    "ordering": ordering.ATTACKS,
    "extremes": extremes.ATTACKS,
    "isolating": isolating.ATTACKS,
    "errors": errors.ATTACKS,
    "rows": rows_and_sets.ROWS,
    "sets": rows_and_sets.SETS,
    "joins": joins.ATTACKS,
    "dominance, groups and margins": groups.ATTACKS,
    "stages and statuses": stages.STAGES,
    "jurisdiction": stages.JURISDICTION,
    "resources": resources.ATTACKS,
    "files and engine": system.FILES,
    "samples": system.SAMPLES,
    "parser": parser.ATTACKS,
    "distinct and null": null_tricks.ATTACKS,
}
ATTACKS = [(family, attack) for family, attacks in FAMILIES.items() for attack in attacks]
REFUSED = [(family, attack) for family, attack in ATTACKS if attack.refused]
ANSWERED = [(family, attack) for family, attack in ATTACKS if not attack.refused]


def test_there_are_many_and_no_two_are_alike() -> None:
    assert len({(attack.profile, attack.sql) for _, attack in ATTACKS}) == len(ATTACKS) >= 100


@pytest.mark.parametrize("attack", cases(ATTACKS))
def test_succeeds_where_nothing_is_protected(attack: Attack, battlefield: Field) -> None:
    no, yes = battlefield.pair(attack)
    assert attack.decide(unprotected(attack, yes)) is True
    if attack.tells_databases_apart:
        assert attack.decide(unprotected(attack, no)) is False


@pytest.mark.parametrize("attack", cases(REFUSED))
def test_is_refused_alike_without_a_look_at_the_data(attack: Attack, battlefield: Field) -> None:
    """The compiler knows the catalogue and no data, so what it refuses it refuses on both databases: by one code."""
    for database in battlefield.pair(attack):
        for sql in attack.sql:
            with pytest.raises(RefusalError) as refused:
                compile_query(sql, database.market.context())
            assert refused.value.refusals[0].code is attack.refused


@pytest.mark.parametrize("attack", cases(ANSWERED, beyond=True))
def test_guesses_no_better_than_from_one_honest_cell(attack: Attack, battlefield: Field) -> None:
    no, yes = battlefield.pair(attack)
    right, of = guesses(attack, no, yes)
    fair = honest_share(attack, no, yes, battlefield.profiles[attack.profile])
    assert least_share(right, of) <= fair, (
        f"{right} of {of} guesses are right; one honest cell gives {fair:.3f}"
    )


@pytest.mark.parametrize("attack", cases([(f, a) for f, a in ANSWERED if not a.ordered]))
def test_rows_are_there_alike_on_both_databases(attack: Attack, battlefield: Field) -> None:
    """Which rows there are follows from code lists: an absent one must not tell that nobody is there."""
    no, yes = battlefield.pair(attack)
    for sql in attack.sql:
        sizes = [len(answer.rows) for answer in answers(sql, no, yes) if not answer.failed]
        assert len(set(sizes)) <= 1
