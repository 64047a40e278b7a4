"""docs/refusal-codes.md has every code and no other, and its examples are refused as it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

import pytest

from catalogue.catalogue import bind_dataset
from catalogue.fragment import SourceFault
from catalogue.models import Mode, Profile, SourceLocation
from federation.api.problems import STATUS
from federation.client.verify import VerificationFault
from federation.identity.principal import AdmissionFault, TokenFault
from federation.runs.outcomes import RunFault
from federation.sandbox.model import Fault as PresentationFault
from federation.state.errors import NodeAlreadyRunning, PrivateFileError, SchemaUnknown
from federation.wire.channel import Unavailability
from federation.wire.envelope import MessageFault
from policies.compiler import compile_query
from policies.context import Context
from policies.protect import ProtectFault
from policies.refusals import Code, RefusalError
from tests.docs.demo import demo_context
from tests.docs.pages import ROOT, code, first_codes, read, rows, section

PAGE = read("refusal-codes.md")
REFUSALS = {code(row[0]): row for row in rows(section(PAGE, "Refusals of a query"))}


def _exact(context: Context) -> Context:
    """The demonstration's survey under a profile that releases exact values, in one registered table."""
    profile = Profile.model_validate(
        {
            "profile": "labour_survey",
            "title": "Exact",
            "version": "1",
            "frequency": {"minimum_frequency": 10},
            "registered_tables": [["age"]],
            "accept_cross_query_risk": "one table",
        }
    )
    return _with_profiles(context, {**context.catalogue.profiles, "labour_survey": profile})


def _with_profiles(context: Context, profiles: dict[str, Profile]) -> Context:
    return replace(context, catalogue=replace(context.catalogue, profiles=profiles))


def _people_elsewhere(context: Context) -> Context:
    """The demonstration's survey at another node."""
    return _people_at(context, SourceLocation(node="elsewhere", location="people"))


def _people_counted_jointly(context: Context) -> Context:
    """The demonstration's survey in a part for each sex, which the nodes count jointly."""
    parts: dict[str, tuple[str | int, ...]] = {"his": ("M",), "hers": ("F",)}
    jointly = SourceLocation(location="people", parts=parts, split="sex", mode=Mode.MASKED_SUMS)
    return _people_at(context, jointly)


def _people_at(context: Context, away: SourceLocation) -> Context:
    document = context.catalogue.datasets["people"].document.model_copy(update={"source": away})
    bound = bind_dataset(document, context.catalogue.codelists)
    datasets = {**context.catalogue.datasets, "people": bound}
    return replace(context, catalogue=replace(context.catalogue, datasets=datasets))


ANY = "SELECT sex, count(*) FROM people GROUP BY sex"
CIRCUMSTANCES: dict[str, tuple[str, Callable[[Context], Context]]] = {
    "sql_too_large": (
        f"SELECT count(*) FROM people WHERE soc IN ({', '.join(str(n) for n in range(20_000))})",
        lambda context: context,
    ),
    "table_not_registered": (ANY, _exact),
    "margin_with_parts": ("SELECT age, count(*) FROM people GROUP BY ROLLUP (age)", _exact),
    "no_agreement": (ANY, lambda context: replace(context, agreement=None)),
    "agreement_expired": (ANY, lambda context: replace(context, today=date(2050, 1, 1))),
    "purpose_not_permitted": (ANY, lambda context: replace(context, purpose="Curiosity")),
    "no_profile": (ANY, lambda context: _with_profiles(context, {})),
    "not_counted_jointly": ("SELECT avg(pay) FROM people", _people_counted_jointly),
    "held_elsewhere": (
        "SELECT count(*) FROM learners AS l JOIN people AS p ON l.learner_id = p.person_id WHERE p.age > 30",
        _people_elsewhere,
    ),
}
"""What the page tells in words: its SQL and the circumstances."""


def test_every_refusal_is_there_and_no_other() -> None:
    assert list(REFUSALS) == list(dict.fromkeys(REFUSALS))
    assert set(REFUSALS) == set(Code)


@pytest.mark.parametrize("name", list(REFUSALS))
def test_the_example_is_refused_with_its_code(name: str) -> None:
    if name in CIRCUMSTANCES:
        sql, change = CIRCUMSTANCES[name]
        context = change(demo_context())
    else:
        sql, context = code(REFUSALS[name][2]), demo_context()
    with pytest.raises(RefusalError) as refused:
        compile_query(sql, context)
    assert str(refused.value.refusals[0].code) == name


@pytest.mark.parametrize("name", list(REFUSALS))
def test_a_refusal_says_what_is_wrong_which_rule_and_what_to_do(name: str) -> None:
    """As a planner reads it: whole sentences, no sign of the machinery."""
    if name in CIRCUMSTANCES:
        sql, change = CIRCUMSTANCES[name]
        context = change(demo_context())
    else:
        sql, context = code(REFUSALS[name][2]), demo_context()
    with pytest.raises(RefusalError) as refused:
        compile_query(sql, context)
    for refusal in refused.value.refusals:
        for text in (refusal.message, refusal.rule, refusal.remedy):
            assert re.fullmatch(r"[A-Z“$].*[.?!]", text, re.DOTALL), text
            assert not re.search(r"sqlglot|Error\b|exp\.|cells_\d|__fed|None\b", text), text
        if refusal.suggestion is not None:
            compile_query(refusal.suggestion, context)


def test_every_problem_is_there_with_its_status() -> None:
    page = section(PAGE, "Problems of the API")
    shown = {code(row[0]): int(row[1]) for row in rows(page) if len(row) == 4}
    assert shown == {str(name): int(status) for name, status in STATUS.items()}


def test_every_code_of_a_fault_in_the_service_is_there() -> None:
    """Faults are made with literal codes at the place; this finds them in the source."""
    shown = {code(row[0]) for row in rows(section(PAGE, "Problems of the API")) if len(row) == 2}
    sources = [*(ROOT / "federation" / "service").glob("*.py"), *(ROOT / "federation" / "api").glob("*.py")]
    literal = set(re.findall(r'Fault\(\s*"(\w+)"', "".join(place.read_text() for place in sources)))
    assert shown - {"invalid_…"} == literal | set(TokenFault) | set(AdmissionFault)


def test_every_end_of_a_run_is_there_and_no_other() -> None:
    page = section(PAGE, "Runs that end without a release")
    shown = {code(row[0]) for row in rows(page) if len(row) == 4}
    assert shown == _values(RunFault, SourceFault, PresentationFault)
    assert {code(row[0]) for row in rows(page) if len(row) == 2} == _values(ProtectFault)


def test_every_fault_of_a_statement_is_there() -> None:
    assert set(first_codes(section(PAGE, "Statements that do not verify"))) == _values(VerificationFault)


def test_every_fault_of_a_message_and_every_reason_of_a_node_is_there() -> None:
    assert first_codes(section(PAGE, "Messages between nodes")) == list(MessageFault)
    assert set(first_codes(section(PAGE, "Nodes that give no answer"))) == _values(Unavailability)


def test_what_keeps_a_node_from_starting_is_there() -> None:
    kinds = (NodeAlreadyRunning, PrivateFileError, SchemaUnknown)
    assert first_codes(section(PAGE, "A node that does not start")) == [kind.code for kind in kinds]


def _values(*enums: Iterable[object]) -> set[str]:
    return {str(member) for enum in enums for member in enum}
