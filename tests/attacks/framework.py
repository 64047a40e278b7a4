"""What an attack is, and how it is held against the service.

An attack is data: SQL, and a rule that turns the answers into a guess. It must succeed where nothing is protected, so
that it is an attack at all. Against the service it is either refused, by the same code on both of two neighbouring
databases and without a look at either; or it is answered, and over many draws of the custodian's secrets its guesses
are no better than those from one honest cell about the same people.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from _pytest.mark.structures import ParameterSet
from scipy.stats import beta

from catalogue.models import Profile
from policies.protect import ptable_of
from policies.refusals import Code
from tests.support.neighbours import Database, Draw, Variant

DRAWS = 200
CONFIDENCE = 0.95


class Inference(StrEnum):
    """What the attacker wants to learn, and so in what the two databases differ."""

    PRESENCE = "presence"  # is the target in the data?
    ATTRIBUTE = "attribute"  # is the target unemployed, not employed?
    VALUE = "value"  # is the target's pay 1,815, not 615?
    FIRM = "firm"  # is the one large employer's turnover 90,000, not 60,000?
    GROUP = "group"  # is everybody in the group self-employed, not employed?
    ACCESS = "access"  # is what is asked for given at all?
    RESOURCE = "resource"  # is it run at all?


PAIRS: dict[Inference, tuple[Variant, Variant]] = {
    Inference.PRESENCE: (Variant(present=False), Variant()),
    Inference.ATTRIBUTE: (Variant(), Variant(status="UNE")),
    Inference.VALUE: (Variant(), Variant(pay="1815.00")),
    Inference.FIRM: (Variant(), Variant(turnover=90_000)),
    Inference.GROUP: (Variant(), Variant(group_status="SELF")),
    Inference.ACCESS: (Variant(present=False), Variant()),
    Inference.RESOURCE: (Variant(present=False), Variant()),
}
"""In the second of each pair the answer to the question is yes."""


@dataclass(frozen=True)
class Answer:
    """The rows of a result as anybody sees them; ``rows`` are empty where the query failed while it ran."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    failed: bool = False

    @classmethod
    def of(cls, table: pa.Table) -> Answer:
        shown = [i for i, name in enumerate(table.column_names) if not name.startswith("__fed_")]
        lists = [table.column(i).to_pylist() for i in shown]
        return cls(tuple(table.column_names[i] for i in shown), tuple(zip(*lists, strict=True)))

    @property
    def number(self) -> float | None:
        """The one number of the answer, None where it is hidden or not there."""
        return self.at(0, 0)

    def at(self, row: int, column: int) -> float | None:
        value = self.rows[row][column] if row < len(self.rows) else None
        return None if value is None else float(str(value))


FAILED = Answer((), (), failed=True)

Rule = Callable[[Sequence[Answer]], bool]
"""The decision: True for the second of the two databases. What is hidden gives no reason to say so."""


@dataclass(frozen=True)
class Attack:
    """``honest`` is one plain count of people that has the same contributors: what the best guess from it attains is
    what the attack may attain. ``ordered`` says that protected numbers decide which rows come, and in what order.
    ``beyond`` says why nothing but a record of all releases can stop it."""

    name: str
    inference: Inference
    sql: tuple[str, ...]
    decide: Rule
    refused: Code | None = None
    honest: str = ""
    profile: str = "cell_key_standard"
    jurisdiction: bool = False
    ordered: bool = False
    beyond: str | None = None

    @property
    def tells_databases_apart(self) -> bool:
        return self.inference not in (Inference.ACCESS, Inference.RESOURCE)


class Field:
    """The databases that attacks are held against, made when first asked for."""

    def __init__(self, folder: Path, profiles: dict[str, Profile]) -> None:
        self._folder = folder
        self.profiles = profiles
        self._database = cache(self._made)

    def pair(self, attack: Attack) -> tuple[Database, Database]:
        no, yes = PAIRS[attack.inference]
        where = attack.profile, attack.jurisdiction
        return self._database(no, *where), self._database(yes, *where)

    def _made(self, variant: Variant, profile: str, jurisdiction: bool) -> Database:
        folder = self._folder / str(self._database.cache_info().currsize)
        folder.mkdir()
        return Database(folder, self.profiles[profile], variant, jurisdiction=jurisdiction)


# Without protection -----------------------------------------------------------------------------------------------


def unprotected(attack: Attack, database: Database) -> list[Answer]:
    """What DuckDB itself answers on the unit rows. What would exhaust a machine is only parsed."""
    if attack.inference is Inference.RESOURCE:
        return [_parsed(sql) for sql in attack.sql]
    if attack.inference is Inference.ACCESS:
        return [_try(database.original, sql) for sql in attack.sql]
    return [_try(lambda each: database.rows.sql(each).to_arrow_table(), sql) for sql in attack.sql]


def _parsed(sql: str) -> Answer:
    """Whether DuckDB takes the text for a statement; what it would do with it is not tried."""
    return Answer((), ()) if len(duckdb.extract_statements(sql)) == 1 else FAILED


def _try(ask: Callable[[str], pa.Table], sql: str) -> Answer:
    try:
        return Answer.of(ask(sql))
    except duckdb.Error:
        return FAILED


# Against the service ----------------------------------------------------------------------------------------------


def guesses(attack: Attack, no: Database, yes: Database) -> tuple[int, int]:
    """How many guesses were right of how many: one database a draw, by the toss of a coin."""
    coin = random.Random(attack.name)
    right = 0
    for number in range(DRAWS):
        truth = coin.random() < 0.5
        draw = Draw.number(number)
        database = yes if truth else no
        answers = [_try(partial(database.under, draw), sql) for sql in attack.sql]
        right += attack.decide(answers) is truth
    return right, DRAWS


def answers(sql: str, *databases: Database) -> list[Answer]:
    """What each of several databases answers under one draw of the secrets."""
    draw = Draw.number(0)
    return [_try(partial(database.under, draw), sql) for database in databases]


def least_share(right: int, of: int) -> float:
    """The lower end of the one-sided exact binomial interval (Clopper and Pearson 1934) of a share."""
    return float(beta.ppf(1 - CONFIDENCE, right, of - right + 1)) if right else 0.0


def honest_share(attack: Attack, no: Database, yes: Database, profile: Profile) -> float:
    """How often the best guess from the one honest count is right: by the p-table, half of one plus the distance in
    variation of what is shown on one database and on the other. Without a count to tell them apart, one half."""
    if not attack.honest:
        return 0.5
    shown = [_distribution(int(_number(database, attack.honest)), profile) for database in (no, yes)]
    return 0.5 + 0.25 * sum(
        abs(shown[0].get(n, 0) - shown[1].get(n, 0)) for n in shown[0].keys() | shown[1].keys()
    )


def _number(database: Database, sql: str) -> float:
    number = Answer.of(database.original(sql)).number
    assert number is not None
    return number


def _distribution(count: int, profile: Profile) -> dict[int | None, float]:
    """How probable each count is to be shown; None for hidden."""
    table = ptable_of(profile)
    if table is None:
        shown = {count: 1.0}
    else:
        u = (np.arange(100_000) + 0.5) / 100_000
        noisy = count + table.noise(np.full(u.shape, count), u)
        values, times = np.unique(noisy, return_counts=True)
        shown = dict(zip(values.tolist(), (times / u.size).tolist(), strict=True))
    result: dict[int | None, float] = {}
    for value, share in shown.items():
        key = value if value >= profile.frequency.minimum_frequency else None
        result[key] = result.get(key, 0.0) + share
    return result


def cases(attacks: Sequence[tuple[str, Attack]], *, beyond: bool = False) -> list[ParameterSet]:
    """Parameters of a test, named by family and attack. With ``beyond`` those that only a record of releases can stop
    are expected to get through: the day that they don't, the test says so."""
    return [
        pytest.param(attack, id=f"{family}: {attack.name}", marks=_expected(attack) if beyond else ())
        for family, attack in attacks
    ]


def _expected(attack: Attack) -> tuple[pytest.MarkDecorator, ...]:
    if attack.beyond is None:
        return ()
    return (pytest.mark.xfail(strict=True, reason=attack.beyond, raises=AssertionError),)
