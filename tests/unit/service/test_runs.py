"""Runs on a real node: what keeps them from releasing, and that nothing then is released."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from federation.audit.chain import events, verify_chain
from federation.client import FederationError, NotUsable, RunFailed
from federation.composition import build_node
from federation.identity.principal import NodeRole, Principal
from federation.release.files import ReleaseStore, StorageFull
from federation.runs import workers
from federation.service import decisions, requests, runs
from federation.service.questions import Ask
from federation.state.models import Release
from tests.support.node import (
    CUSTODIAN_SQL,
    FILES,
    PURPOSE,
    STANDING_SQL,
    Running,
    people,
    running,
    write_node,
)
from tests.support.thorough import thorough

PAT = Principal("pat", "Pat", "greater_ay", frozenset({NodeRole.PLANNER}))
OLU = Principal("olu", "Olu", "office", frozenset({NodeRole.CUSTODIAN}))


@contextmanager
def served(directory: Path, **changes: str) -> Iterator[Running]:
    with running(write_node(directory, changes)) as node:
        yield node
        with node.node.database.read() as session:
            assert verify_chain(session).whole


def slow_people(directory: Path) -> str:
    """People in a CSV file that takes the source a second or two to read."""
    pyarrow.csv.write_csv(people(2_000_000), directory / "data" / "people.csv")
    return FILES["datasets/people.yaml"].replace("people.parquet", "people.csv")


def run_fault(node: Running, sql: str = STANDING_SQL) -> str:
    request = node.session("pat").request(sql, purpose=PURPOSE, agreement="planning")
    with pytest.raises(RunFailed) as caught:
        request.wait(progress=False)
    assert releases(node) == 0
    return caught.value.code


def releases(node: Running) -> int:
    with node.node.database.read() as session:
        return session.query(Release).count()


def test_a_source_that_is_gone(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        file = tmp_path / "data" / "people.parquet"
        file.rename(tmp_path / "elsewhere")
        assert run_fault(node) == "source_missing"
        check = node.session("pat").check(STANDING_SQL)
        assert check.accepted, "what a question means does not depend on its source being there"
        file.write_bytes((tmp_path / "elsewhere").read_bytes()[:2000])
        assert run_fault(node) == "source_failed"
        (tmp_path / "elsewhere").rename(file)
        again = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
        assert len(again.fetch()) == 2


def test_a_source_that_lacks_a_column(tmp_path: Path) -> None:
    text = FILES["datasets/people.yaml"].replace("Weekly pay,", "Weekly pay, expression: wages,")
    with served(tmp_path, **{"datasets/people.yaml": text}) as node:
        session = node.session("pat")
        request = session.request("SELECT avg(pay) AS pay FROM people", purpose=PURPOSE, agreement="planning")
        with pytest.raises(RunFailed) as caught:
            request.wait(progress=False)
    assert caught.value.code == "source_schema_differs"


def test_another_catalogue_supersedes_the_approval(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").id
    text = FILES["profiles/counts.yaml"].replace("minimum_frequency: 10", "minimum_frequency: 20")
    with served(tmp_path, **{"profiles/counts.yaml": text}) as node:
        found = node.session("pat").get_request(request)
        with pytest.raises(NotUsable, match="no longer what was approved"):
            found.run()
        assert found.refresh().state == "superseded"


def test_a_queued_run_is_void_under_another_catalogue(tmp_path: Path) -> None:
    node = build_node(write_node(tmp_path), environment={})
    request = requests.submit(node, PAT, Ask(STANDING_SQL, "planning", PURPOSE))
    run = runs.start(node, PAT, request.request, {})
    node.close()
    text = FILES["agreements/planning.yaml"].replace('version: "1"', 'version: "2"')
    with served(tmp_path, **{"agreements/planning.yaml": text}) as found:
        ended = wait_for(lambda: runs.get(found.node, PAT, run.run).error)
        assert ended == "superseded"
        assert requests.get(found.node, PAT, request.request).state == "superseded"
        assert releases(found) == 0


def wait_for(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_an_agreement_that_ends_ends_its_approvals(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        request = requests.submit(node.node, PAT, Ask(STANDING_SQL, "planning", PURPOSE))
        assert request.usable
        assert request.valid_until is not None
        assert request.valid_until.year == 2090
        rule = FILES["rules/regions.yaml"].replace("until: 2090-01-01", "until: 2025-03-01")
    with served(tmp_path, **{"rules/regions.yaml": rule}) as node:
        again = requests.submit(node.node, PAT, Ask(STANDING_SQL, "planning", PURPOSE))
        assert again.state == "submitted", "a rule that is over decides on nothing"


def test_a_run_that_is_cancelled_releases_nothing(tmp_path: Path) -> None:
    write_node(tmp_path)
    with served(tmp_path, **{"datasets/people.yaml": slow_people(tmp_path)}) as node:
        request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").run()
        run = request._run["run"] if request._run else ""
        wait_for(lambda: runs.get(node.node, PAT, run).state == "running")
        request.cancel()
        with pytest.raises(RunFailed) as caught:
            request.wait(progress=False)
        assert caught.value.code == "cancelled"
        assert releases(node) == 0
        with pytest.raises(FederationError, match="ended already"):
            request.cancel()


def test_an_approval_that_is_revoked_while_the_run_goes_on(tmp_path: Path) -> None:
    write_node(tmp_path)
    with served(tmp_path, **{"datasets/people.yaml": slow_people(tmp_path)}) as node:
        request = node.session("pat").request(CUSTODIAN_SQL, purpose=PURPOSE, agreement="planning")
        olu = node.session("olu")
        olu.approve(request.id, reason="fine", plan_digest=request.plan_digest)
        request.run()
        run = request._run["run"] if request._run else ""
        wait_for(lambda: runs.get(node.node, PAT, run).state == "running")
        olu.revoke(request.id, reason="the purpose has changed")
        with pytest.raises(RunFailed) as caught:
            request.wait(progress=False)
        assert caught.value.code == "approval_withdrawn"
        assert releases(node) == 0


def test_while_the_audit_trail_cannot_be_written_nothing_runs(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        database = node.node.database
        request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
        with database.write() as session:
            session.execute(
                text(
                    "CREATE TRIGGER blocked BEFORE INSERT ON audit_events WHEN new.action LIKE 'run.claimed' "
                    "BEGIN SELECT raise(ABORT, 'blocked'); END"
                )
            )
        request.run()
        run = request._run["run"] if request._run else ""
        time.sleep(1.0)
        assert runs.get(node.node, PAT, run).state == "queued"
        with database.write() as session:
            session.execute(text("DROP TRIGGER blocked"))
            session.execute(
                text(
                    "CREATE TRIGGER blocked BEFORE INSERT ON audit_events WHEN new.action = 'fragment.started' "
                    "BEGIN SELECT raise(ABORT, 'blocked'); END"
                )
            )
        wait_for(lambda: runs.get(node.node, PAT, run).state == "running")
        (tmp_path / "data" / "people.parquet").rename(tmp_path / "elsewhere")  # reading it would fail the run
        time.sleep(1.0)
        assert runs.get(node.node, PAT, run).error is None
        (tmp_path / "elsewhere").rename(tmp_path / "data" / "people.parquet")
        with database.write() as session:
            session.execute(text("DROP TRIGGER blocked"))
        assert len(request.fetch()) == 2
        with database.read() as session:
            actions = [event.action for event in events(session, subject=run)]
        assert actions[0] == "run.queued"
        assert actions.count("fragment.started") == 1


def test_a_full_disk_is_waited_for_but_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, tries = ReleaseStore.put_release, []

    def full(store: ReleaseStore, *what: Any) -> Any:
        tries.append(1)
        if len(tries) in (1, 3, 4, 5):
            raise StorageFull("full")
        return put(store, *what)

    monkeypatch.setattr(workers, "ROOM_SECONDS", 0.1)
    with served(tmp_path) as node:
        monkeypatch.setattr(ReleaseStore, "put_release", full)
        request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
        assert len(request.fetch()) == 2
        assert len(tries) == 2
        with pytest.raises(RunFailed) as caught:
            request.run().wait(progress=False)
        assert caught.value.code == "storage_full"
        assert len(tries) == 5
        assert releases(node) == 1


def test_an_approval_that_ends_while_its_run_goes_releases_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ReleaseStore.put_release

    def late(store: ReleaseStore, *what: Any) -> Any:
        stored = put(store, *what)
        time.sleep(3.0)
        return stored

    monkeypatch.setattr(ReleaseStore, "put_release", late)
    with served(tmp_path) as node:
        request = node.session("pat").request(CUSTODIAN_SQL, purpose=PURPOSE, agreement="planning")
        until = datetime.now(UTC) + timedelta(seconds=2)
        ruling = decisions.Ruling("fine", request.plan_digest, until)
        decisions.approve(node.node, OLU, request.id, ruling)
        with pytest.raises(RunFailed) as caught:
            request.wait(progress=False)
        assert caught.value.code == "request_not_usable"
        assert request.runs()[0]["state"] == "void"
        assert releases(node) == 0


def test_ad_hoc_divisions_are_used_up_and_registered_ones_are_not(tmp_path: Path) -> None:
    profile = FILES["profiles/counts.yaml"] + "limits: {maximum_partitions: 4}\n"
    with served(tmp_path, **{"profiles/counts.yaml": profile}) as node:
        pat = node.session("pat")

        def ask(sql: str) -> int:
            return len(pat.request(sql, purpose=PURPOSE, agreement="planning").fetch())

        for area in range(6):
            assert ask(f"SELECT count(*) AS people FROM people WHERE area = 'A{area}'") == 1
        banded = "SELECT count(*) AS people FROM people WHERE area IN ('A0', 'A{}', 'A{}')"
        assert ask(banded.format(1, 4)) == 1
        assert ask(banded.format(1, 5)) == 1
        assert ask(banded.format(5, 1)) == 1, "the same division again costs nothing"
        with pytest.raises(RunFailed) as caught:
            ask(banded.format(2, 5))
        assert caught.value.code == "partitions_exhausted"
        assert "divisions used before" in str(caught.value)
        assert ask("SELECT count(*) AS people FROM people WHERE area = 'A6'") == 1


@thorough
def test_a_source_that_changes_under_a_run_voids_it(tmp_path: Path) -> None:
    write_node(tmp_path)
    with served(tmp_path, **{"datasets/people.yaml": slow_people(tmp_path)}) as node:
        request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
        ended = threading.Event()

        def change() -> None:
            """Again and again: whenever it is read, the source changes meanwhile."""
            with (tmp_path / "data" / "people.csv").open("a") as file:
                while not ended.wait(0.01):
                    file.write("3000000,1,A0,F,30,500.00\n")
                    file.flush()

        changing = threading.Thread(target=change)
        changing.start()
        try:
            with pytest.raises(RunFailed) as caught:
                request.run().wait(progress=False)
        finally:
            ended.set()
            changing.join()
        assert caught.value.code == "source_changed"
        assert request.runs()[0]["state"] == "void"
        assert releases(node) == 0


def test_many_runs_at_once_each_release_once(tmp_path: Path) -> None:
    text = FILES["node.yaml"].replace("run_workers: 1", "run_workers: 3")
    with served(tmp_path, **{"node.yaml": text}) as node:
        pat = node.session("pat")
        requests = [
            pat.request(STANDING_SQL, purpose=PURPOSE, agreement="planning").run().run() for _ in range(5)
        ]
        answers = [request.fetch() for request in requests]
        assert len({str(answer.to_arrow().to_pydict()) for answer in answers}) == 1
        for request in requests:
            wait_for(lambda request=request: {run["state"] for run in request.runs()} == {"done"})
            assert len({run["release"] for run in request.runs()}) == 2
        assert releases(node) == 10


def test_a_released_answer_is_served_from_memory(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        result = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
        for file in (tmp_path / "state" / "releases").rglob("*.parquet"):
            file.unlink()
        assert node.session("pat").release(result.release).to_arrow().equals(result.to_arrow())
        with node.http("olu") as http:
            damaged = http.get(f"/v1/releases/{result.release}", headers={"Accept": "text/csv"})
        assert damaged.json()["code"] == "internal_error"
        assert "missing or damaged" in damaged.json()["detail"]


def test_fetching_is_audited_once_a_reader(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        result = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
        node.session("pat").release(result.release)
        node.session("olu").release(result.release)
        with node.node.database.read() as session:
            found = [
                e.actor for e in events(session, subject=result.release) if e.action == "release.fetched"
            ]
    assert found == ["pat", "olu"]


def doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table])


def fractional_keys(table: pa.Table) -> pa.Table:
    keys = pc.add(table["record_key"].cast(pa.float64()), 0.25)
    return table.set_column(table.schema.get_field_index("record_key"), "record_key", keys)


def pay_as_text(table: pa.Table) -> pa.Table:
    return table.set_column(table.schema.get_field_index("pay"), "pay", pa.array(["much"] * len(table)))


@pytest.mark.parametrize(
    ("change", "code", "finding"),
    [
        (doubled, "source_data_unsound", "person duplicate_unit"),
        (fractional_keys, "source_schema_differs", "record_key wrong_type"),
        (pay_as_text, "source_schema_differs", "pay wrong_type"),
    ],
)
def test_data_that_was_changed_is_held_against_the_catalogue_again(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], code: str, finding: str
) -> None:
    with served(tmp_path) as node:
        request = node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning")
        assert len(request.fetch()) == 2
        request.run().wait(progress=False)
        file = tmp_path / "data" / "people.parquet"
        pq.write_table(change(people()), file)
        with pytest.raises(RunFailed) as caught:
            request.run().wait(progress=False)
        assert caught.value.code == code
        assert "federation check --data" in str(caught.value)
        assert releases(node) == 2
        pq.write_table(people().slice(0, 0), file)
        assert len(request.run().fetch()) == 2, "nobody is there: that is no mistake"
        with node.node.database.read() as session:
            found = list(events(session, subject="people"))
        assert [event.action for event in found] == ["data.verified", "data.rejected", "data.verified"]
        assert json.loads(found[1].details)["findings"] == [finding]


def test_a_restart_does_not_verify_again(tmp_path: Path) -> None:
    with served(tmp_path) as node:
        node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
    with running(tmp_path) as node:
        node.session("pat").request(STANDING_SQL, purpose=PURPOSE, agreement="planning").fetch()
        with node.node.database.read() as session:
            assert [event.action for event in events(session, subject="people")] == ["data.verified"]
