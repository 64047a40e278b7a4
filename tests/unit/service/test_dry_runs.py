"""Dry runs on a real node: what they show to whom, what they leave behind, and what keeps them from running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pytest
from sqlalchemy import text

from catalogue.fragment import SourceFault
from federation.audit.chain import events, verify_chain
from federation.composition import build_node
from federation.identity.principal import NodeRole, Principal
from federation.service import custody, decisions, dry_runs, requests
from federation.service.decisions import Ruling
from federation.service.dry_run_faults import failed
from federation.service.dry_runs import DryRunView
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.once import Once
from federation.service.questions import Ask, Value
from federation.state.errors import StateError
from federation.state.models import LedgerEntry, Run
from tests.support.node import BOTH_SQL, FILES, PURPOSE, people, write_node
from tests.unit.service.test_offers import OLU, OMA, PAT, RAE, SAM, TOGETHER, VACANCIES, person

AREAS = "SELECT area, count(*) AS people FROM people GROUP BY area"
LOW_PAID = (
    "SELECT sex, count(*) AS n FROM people WHERE pay < 0.66 * (SELECT median(pay) FROM people) GROUP BY sex"
)
ADA = person("ada", "office", NodeRole.AUDITOR)
RULING = Ruling("within the agreement")
JOINED = (
    "SELECT p.sex, v.area, count(*) AS people FROM people AS p JOIN vacancies AS v ON p.person_id = v.post_id "
    "GROUP BY ALL"
)
"""Reads the data of two custodians in one cell query."""
RELATED = """\
  person_id: {role: identifier, title: Person}
relationships: {post: {to: vacancies, from_column: person_id, to_column: post_id}}
"""
POST = "  post_id: {role: identifier, title: Post}\n"
OVER = FILES["rules/regions.yaml"].replace("until: 2090-01-01", "until: 2025-03-01")
"""So that each question waits for somebody."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = {
        "profiles/counts.yaml": FILES["profiles/counts.yaml"] + TOGETHER,
        "datasets/vacancies.yaml": FILES["datasets/vacancies.yaml"].replace("counts", "together") + POST,
        "datasets/people.yaml": FILES["datasets/people.yaml"] + RELATED,
        "rules/regions.yaml": OVER,
    }
    return write_node(tmp_path_factory.mktemp("node"), changes)


@pytest.fixture(scope="module")
def node(directory: Path) -> Iterator[Node]:
    found = build_node(directory, environment={})
    yield found
    with found.database.read() as session:
        assert verify_chain(session).whole
        assert session.query(LedgerEntry).count() == 0
        assert session.query(Run).count() == 0
    found.close()


def asked(node: Node, sql: str, **domains: list[Value]) -> str:
    return requests.submit(node, PAT, Ask(sql, "planning", PURPOSE, domains)).request


def seen(node: Node, principal: Principal, request: str) -> list[DryRunView]:
    return custody.evidence(node, principal, request).dry_runs


def refused(node: Node, principal: Principal, request: str, **values: Value) -> ServiceCode:
    with pytest.raises(ServiceError) as caught:
        dry_runs.start(node, principal, request, values)
    return caught.value.code


def actions(node: Node, request: str) -> list[str]:
    with node.database.read() as session:
        return [event.action for event in events(session) if event.subject == request]


def test_it_says_how_few_people_are_behind_the_cells_and_is_kept_for_who_decides_next(node: Node) -> None:
    true = sorted(each["counts"] for each in pc.value_counts(people()["area"]).to_pylist())
    request = asked(node, AREAS)
    before = requests.get(node, PAT, request)
    made = dry_runs.start(node, OLU, request, {})
    (part,) = made.parts
    assert part.datasets == ["people"]
    assert (part.cells, part.published + part.withheld, part.empty) == (8, 8, 0)
    assert part.contributors is not None
    assert (part.contributors.unit, part.contributors.minimum) == ("people", 10)
    assert (part.contributors.fewest, part.contributors.small) == (true[0], sum(n < 10 for n in true))
    assert part.withheld == 1
    assert [(rule.rule, rule.cells) for rule in part.rules] == [("minimum_frequency", 1)]
    assert (made.plan_digest, made.made_by, made.body) == (before.plan_digest, "olu", "office")
    assert seen(node, OMA, request) == seen(node, OLU, request) == [made]
    assert requests.get(node, PAT, request) == before, "who asked sees nothing of it"
    decisions.approve(node, OMA, request, RULING)
    assert seen(node, OLU, request) == [made], "what was decided by stays to be read"
    assert refused(node, OLU, request) == ServiceCode.WRONG_STATE


def test_each_sees_the_data_that_is_theirs_to_decide_on(node: Node) -> None:
    request = asked(node, BOTH_SQL)
    first = dry_runs.start(node, SAM, request, {})
    assert ([part.datasets for part in first.parts], first.passed_over) == ([["vacancies"]], 1)
    both = dry_runs.start(node, OLU, request, {})
    assert [part.datasets for part in both.parts] == [["people"], ["vacancies"]], (
        "it decides beside the board"
    )
    assert [[part.datasets for part in each.parts] for each in seen(node, SAM, request)] == [
        [["vacancies"]],
        [["vacancies"]],
    ]
    beside = dry_runs.start(node, RAE, asked(node, VACANCIES), {})
    assert [part.datasets for part in beside.parts] == [["vacancies"]]


def test_a_join_is_looked_at_by_who_decides_on_all_of_it_and_by_nobody_else(node: Node) -> None:
    request = asked(node, JOINED)
    decisions.approve(node, OLU, request, RULING)
    assert not custody.evidence(node, SAM, request).may_dry_run
    with pytest.raises(ServiceError, match=r"others decide on or hold: people \(office\);") as caught:
        dry_runs.start(node, SAM, request, {})
    assert caught.value.code is ServiceCode.DECISION_NOT_ALLOWED, "though the office approved it"
    assert "dry_run.started" not in actions(node, request)
    made = dry_runs.start(node, OMA, request, {})
    assert [part.datasets for part in made.parts] == [["people", "vacancies"]], "it decides beside the board"
    assert made.parts[0].contributors is not None
    assert (seen(node, OLU, request), seen(node, SAM, request)) == ([made], [])


def test_who_does_not_decide_does_not_look(node: Node) -> None:
    request = asked(node, f"{AREAS} LIMIT 5")
    outsider = person("olu", "effshire", NodeRole.CUSTODIAN)
    themselves = Principal("pat", "Pat", "office", frozenset({NodeRole.CUSTODIAN}))
    assert refused(node, PAT, request) == ServiceCode.NOT_PERMITTED
    assert refused(node, ADA, request) == ServiceCode.NOT_PERMITTED
    assert refused(node, SAM, request) == ServiceCode.NOT_FOUND
    assert refused(node, outsider, request) == ServiceCode.NOT_FOUND
    assert refused(node, RAE, request) == ServiceCode.DECISION_NOT_ALLOWED, "a reviewer, before any appeal"
    assert refused(node, themselves, request) == ServiceCode.DECISION_NOT_ALLOWED
    assert "dry_run.started" not in actions(node, request)
    dry_runs.start(node, OLU, request, {})
    assert [seen(node, each, request) for each in (RAE, themselves)] == [[], []]
    assert not custody.evidence(node, RAE, request).may_dry_run
    assert custody.evidence(node, OMA, request).may_dry_run
    (known,) = seen(node, ADA, request)
    assert (known.made_by, known.parts) == ("olu", []), "an auditor sees that it took place"
    with pytest.raises(ServiceError):
        custody.evidence(node, PAT, request)


def test_the_audit_trail_knows_who_looked_before_the_source_does_and_no_number(node: Node) -> None:
    request = asked(node, f"{AREAS} LIMIT 4")
    dry_runs.start(node, OLU, request, {})
    with node.database.read() as session:
        started, done = (
            each for each in events(session) if each.subject == request and each.action.startswith("dry_run")
        )
    assert (started.action, done.action) == ("dry_run.started", "dry_run.done")
    assert started.actor == done.actor == "olu"
    details = json.loads(done.details)
    assert set(details) == {"body", "datasets", "plan_digest", "snapshots"}
    with node.database.write() as session:
        session.execute(
            text(
                "create trigger stop before insert on audit_events when new.action = 'dry_run.started' "
                "begin select raise(abort, 'no room'); end"
            )
        )
    file = node.directory / "data" / "people.parquet"
    away = file.rename(file.with_suffix(".away"))
    try:
        with pytest.raises(StateError):
            dry_runs.start(node, OLU, request, {})
    finally:
        away.rename(file)
        with node.database.write() as session:
            session.execute(text("drop trigger stop"))


def test_a_source_that_is_away_is_told_with_its_code_and_recorded(node: Node) -> None:
    request = asked(node, f"{AREAS} LIMIT 3")
    file = node.directory / "data" / "people.parquet"
    away = file.rename(file.with_suffix(".away"))
    try:
        with pytest.raises(ServiceError) as caught:
            dry_runs.start(node, OLU, request, {})
    finally:
        away.rename(file)
    assert caught.value.code == ServiceCode.DRY_RUN_FAILED
    (fault,) = caught.value.faults
    assert (fault.code, fault.message) == ("source_missing", "the source has no such table or file")
    assert fault.remedy.startswith("have it put back"), (
        "it is told the custodian, so not to tell the custodian"
    )
    assert actions(node, request)[-2:] == ["dry_run.started", "dry_run.failed"]
    assert seen(node, OLU, request) == []


def test_a_source_that_takes_longer_than_a_run_may_is_told_so(node: Node) -> None:
    limits = node.settings.limits.model_copy(update={"run_seconds": 0.0})
    hasty = replace(node, settings=node.settings.model_copy(update={"limits": limits}))
    with pytest.raises(ServiceError) as caught:
        dry_runs.start(hasty, OLU, asked(node, f"{AREAS} LIMIT 6"), {})
    assert [fault.code for fault in caught.value.faults] == ["source_timeout"]


@pytest.mark.parametrize("fault", sorted(set(SourceFault) - {SourceFault.CANCELLED}))
def test_whatever_a_source_does_the_custodian_is_told_what_to_do_and_not_to_tell_the_custodian(
    fault: SourceFault,
) -> None:
    (told,) = failed(str(fault)).faults
    assert told.remedy
    assert "unforeseen" not in told.message
    assert "custodian" not in told.message + told.remedy


def test_a_threshold_is_looked_at_too(node: Node) -> None:
    made = dry_runs.start(node, OLU, asked(node, LOW_PAID), {})
    assert [part.cells for part in made.parts] == [1, 2]
    assert all(part.contributors is not None for part in made.parts)


def test_a_value_is_given_for_each_parameter(node: Node) -> None:
    sql = "SELECT sex, count(*) AS people FROM people WHERE age >= $age GROUP BY sex"
    request = asked(node, sql, age=[16, 80])
    assert refused(node, OLU, request) == ServiceCode.INVALID_REQUEST
    assert refused(node, OLU, request, age=20) == ServiceCode.INVALID_REQUEST
    old = dry_runs.start(node, OLU, request, {"age": 80}).parts[0].contributors
    everybody = dry_runs.start(node, OLU, request, {"age": 16}).parts[0].contributors
    assert old is not None
    assert everybody is not None
    assert (old.fewest or 0) < (everybody.fewest or 0)
    assert [each.parameters for each in seen(node, OLU, request)] == [{"age": 16}, {"age": 80}]


def test_the_same_key_looks_once_and_as_many_at_a_time_as_runs(node: Node) -> None:
    request = asked(node, f"{AREAS} LIMIT 2")
    once = Once("olu", "a key", "sha256:1")
    assert dry_runs.start(node, OLU, request, {}, once) == dry_runs.start(node, OLU, request, {}, once)
    assert len(seen(node, OLU, request)) == 1
    with node.dry_runs:
        assert refused(node, OLU, request) == ServiceCode.TOO_MANY_REQUESTS
    assert dry_runs.start(node, OLU, request, {}).parts


def test_what_was_seen_cannot_be_changed(node: Node) -> None:
    dry_runs.start(node, OLU, asked(node, f"{AREAS} LIMIT 1"), {})
    for statement in ("update dry_runs set made_by = 'other'", "delete from dry_runs"):
        with pytest.raises(StateError), node.database.write() as session:
            session.execute(text(statement))


def test_nobody_looks_past_a_threshold_of_others_data_or_at_another_plan_than_was_submitted(
    tmp_path: Path,
) -> None:
    node = build_node(write_node(tmp_path, {"rules/regions.yaml": OVER}), environment={})
    request = asked(node, AREAS)
    over = asked(node, "SELECT count(*) AS n FROM people WHERE pay > (SELECT count(*) FROM vacancies)")
    assert refused(node, OLU, over) == ServiceCode.DECISION_NOT_ALLOWED
    assert actions(node, over)[-2:] == ["dry_run.started", "dry_run.failed"]
    node.close()
    stricter = FILES["profiles/counts.yaml"].replace("minimum_frequency: 10", "minimum_frequency: 20")
    changes = {"rules/regions.yaml": OVER, "profiles/counts.yaml": stricter}
    node = build_node(write_node(tmp_path, changes), environment={})
    assert refused(node, OLU, request) == ServiceCode.PLAN_CHANGED
    node.close()
