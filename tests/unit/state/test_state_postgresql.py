"""The same state on PostgreSQL, where writers are concurrent: what SQLite serialises, conditions and locks must."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from federation.audit.chain import head, verify_chain
from federation.audit.events import AuditAction
from federation.state import releases, requests, runs
from federation.state.database import Database
from federation.state.errors import (
    LeaseLost,
    PartitionsExhausted,
    RosterTaken,
    StateConflict,
    StateError,
    StateUnavailable,
    TransitionNotAllowed,
)
from federation.state.lifecycle import RequestState, RunState
from federation.state.schema import METADATA
from tests.support import postgresql
from tests.support.state import (
    NOW,
    approve,
    cell_query,
    claim,
    event,
    joint_given,
    new_release,
    queued,
    submitted,
)
from tests.support.upgrades import goes_up_down_and_up

pytest.importorskip("psycopg")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with postgresql.server() as url:
        database = Database.open(url)
        yield database
        database.close()


def at_once(act, count: int = 4) -> list[object]:  # type: ignore[no-untyped-def]
    """Results of ``act`` called by several threads together; an exception is a result."""
    barrier, results = threading.Barrier(count), []

    def call() -> None:
        barrier.wait()
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(type(error))

    threads = [threading.Thread(target=call) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_models_and_migrations_agree(server: Database) -> None:
    with server.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_what_was_there_before_is_kept_and_stays_append_only(server: Database) -> None:
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("create database old"))
    url = server.engine.url.set(database="old")
    goes_up_down_and_up(url.render_as_string(hide_password=False))


def test_of_several_approvers_one_wins(server: Database) -> None:
    with server.write() as session:
        request_id = submitted(session).id

    def decide() -> str:
        with server.write() as session:
            return str(approve(session, request_id).state)

    assert Counter(at_once(decide)) == {RequestState.APPROVED: 1, TransitionNotAllowed: 3}
    with server.read() as session:
        assert len(requests.decisions(session, request_id)) == 1
        assert verify_chain(session).whole


def test_of_several_claimers_one_wins_and_the_run_releases_once(server: Database) -> None:
    with server.write() as session:
        run_id = queued(session)

    def take() -> str:
        with server.write() as session:
            claim(session, run_id)
            return "won"

    assert Counter(at_once(take)) == {"won": 1, LeaseLost: 3}
    with server.read() as session:
        lease = runs.Lease(run_id, "worker-1", runs.get_run(session, run_id).attempt)

    def finish() -> str:
        release = new_release()
        happening = event(AuditAction.RELEASE_ISSUED, release.id)
        with server.write() as session:
            return releases.finish_run(session, lease, release, [cell_query()], NOW, happening).id

    results = at_once(finish)
    (release_id,) = (result for result in results if isinstance(result, str))
    with server.read() as session:
        release = releases.release_of_run(session, run_id)
        assert release is not None
        assert release.id == release_id
        assert release.created_at == NOW
        assert runs.get_run(session, run_id).state is RunState.DONE
        assert len(list(releases.ledger(session, "learners", "2025"))) == 1
        assert verify_chain(session).whole


def test_concurrent_releases_do_not_exceed_the_cap_together(server: Database) -> None:
    with server.write() as session:
        leases = [claim(session, queued(session)) for _ in range(4)]
    waiting = iter(enumerate(leases))

    def finish() -> str:
        number, lease = next(waiting)
        cell = cell_query(series="capped", partition=f"sha256:{number}", maximum_partitions=2)
        release = new_release()
        happening = event(AuditAction.RELEASE_ISSUED, release.id)
        with server.write() as session:
            releases.finish_run(session, lease, release, [cell], NOW, happening)
        return "released"

    assert Counter(at_once(finish)) == {"released": 2, PartitionsExhausted: 2}


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_events set actor = 'eve'",
        "delete from releases",
        "truncate audit_events",
        "delete from audit_head",
    ],
)
def test_triggers_refuse_changes(server: Database, statement: str) -> None:
    with server.write() as session:
        submitted(session)
        length = head(session).sequence
    with pytest.raises((StateConflict, StateUnavailable)), server.write() as session:
        session.execute(text(statement))
    with server.read() as session:
        assert head(session).sequence == length
        assert verify_chain(session).whole


def test_of_several_rosters_one_is_heard_and_stays(server: Database) -> None:
    rosters = iter(["a", "b", "c", "d"])

    def give() -> str:
        roster = next(rosters)
        with server.write() as session:
            joint_given(session, "contested", roster)
        return roster

    results = at_once(give)
    assert results.count(RosterTaken) == 3
    (first,) = [result for result in results if isinstance(result, str)]
    with server.write() as session:
        joint_given(session, "contested", first)
    for statement in (
        "update joint_rosters set roster = 'x'",
        "delete from joint_rosters",
        "truncate joint_rosters",
    ):
        with pytest.raises((StateError, DBAPIError)), server.write() as session:
            session.execute(text(statement))
    with server.read() as session:
        assert verify_chain(session).whole
