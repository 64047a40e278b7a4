"""Plans and profiles that protection refuses to apply: the whole run stops, and says what is wrong without a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from catalogue.models import CellKeys, Dominance, Frequency, Profile, PTableSpec
from policies.methods.ptable import PTable
from policies.plan import CellQuery, GridBlock
from policies.protect import ProtectError, ProtectFault, protect, ptable_of
from policies.protect.grid import arrow_type
from tests.support.cell_queries import NOISE, axis, count_people, pay_of_people, with_guard
from tests.support.naive_source import run

PROFILE = Profile(profile="p", title="P", version="1", frequency=Frequency(minimum_frequency=10))
KEYED = PROFILE.model_copy(update={"cell_keys": CellKeys(counts=PTableSpec(maximum_noise=2, variance=1.05))})


def fault(query: CellQuery, profile: Profile = PROFILE, ptable: PTable | None = None) -> ProtectFault:
    guards = [run(guard.fragment, []) for guard in query.guards]
    with pytest.raises(ProtectError) as caught:
        protect(query, run(query.fragment, []), guards, profile, NOISE, ptable)
    return caught.value.fault


def other_grid(query: CellQuery) -> CellQuery:
    return replace(query, blocks=(GridBlock((axis("area", [["E1"]]),)),))


def unknown_statistic(query: CellQuery) -> CellQuery:
    return replace(query, atoms=tuple(replace(atom, statistic="t9") for atom in query.atoms))


def statistic_of_another_kind(query: CellQuery) -> CellQuery:
    return replace(query, atoms=tuple(replace(atom, statistic="t0") for atom in query.atoms))


def too_few_decimals(query: CellQuery) -> CellQuery:
    return replace(query, atoms=(replace(query.atoms[1], decimals=1),))


def no_quantile(query: CellQuery) -> CellQuery:
    return replace(query, atoms=(replace(query.atoms[4], quantile=None),))


def guard_without_statistics(query: CellQuery) -> CellQuery:
    guarded = with_guard(query, "area", [[axis("area")]], [()])
    (guard,) = guarded.guards
    return replace(guarded, guards=(replace(guard, fragment=replace(guard.fragment, statistics=())),))


def guard_with_other_parents(query: CellQuery) -> CellQuery:
    return with_guard(query, "area", [[axis("area", [["E1", "E2"]])]], [(0, 0, 1, 1)])


@pytest.mark.parametrize(
    "broken",
    [
        other_grid,
        unknown_statistic,
        statistic_of_another_kind,
        too_few_decimals,
        no_quantile,
        guard_without_statistics,
        guard_with_other_parents,
    ],
)
def test_a_broken_plan(broken: Callable[[CellQuery], CellQuery]) -> None:
    assert fault(broken(pay_of_people([axis("area")]))) is ProtectFault.PLAN


def test_guards_must_have_been_run() -> None:
    query = with_guard(count_people([axis("area")]), "area", [[axis("area")]], [()])
    with pytest.raises(ProtectError, match="guard"):
        protect(query, run(query.fragment, []), [], PROFILE, NOISE, None)


def test_a_dominance_rule_needs_as_many_contributions_as_it_looks_at() -> None:
    strict = PROFILE.model_copy(update={"dominance": Dominance(p_percent=Decimal(10), coalition=2)})
    assert fault(pay_of_people([axis("area")], top=2), strict) is ProtectFault.PLAN


def test_half_a_dominance_rule_is_none() -> None:
    half = PROFILE.model_copy(update={"dominance": Dominance(dominance_n=1)})
    assert fault(pay_of_people([axis("area")]), half) is ProtectFault.PROFILE


def test_cell_keys_and_p_table_go_together() -> None:
    query = count_people([axis("area")])
    assert fault(query, KEYED, None) is ProtectFault.PROFILE
    assert fault(query, PROFILE, ptable_of(KEYED)) is ProtectFault.PROFILE


def test_a_p_table_must_not_people_empty_cells() -> None:
    table = PTable.from_rows({0: {0: 0.5, 1: 0.5}})
    assert fault(count_people([axis("area")]), KEYED, table) is ProtectFault.PROFILE


def test_cell_keys_without_parameters_have_no_p_table() -> None:
    with pytest.raises(ProtectError, match="maximum_noise"):
        ptable_of(PROFILE.model_copy(update={"cell_keys": CellKeys(counts=PTableSpec())}))


def test_key_columns_carry_known_types_only() -> None:
    with pytest.raises(ProtectError):
        arrow_type("STRUCT(a INTEGER)")
