"""A snapshot is counted jointly with one roster, and the record of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from federation.audit.chain import events, verify_chain
from federation.audit.events import AuditAction
from federation.state.database import Database
from federation.state.errors import RosterTaken, StateError
from tests.support.state import joint_given
from tests.unit.state.test_state_processes import race


def test_one_snapshot_has_one_roster(database: Database) -> None:
    for action in (AuditAction.JOINT_KEYS_GIVEN, AuditAction.JOINT_VALUES_GIVEN):
        with database.write() as session:
            joint_given(session, "snapshot", "all", action)
    with pytest.raises(RosterTaken) as taken, database.write() as session:
        joint_given(session, "snapshot", "all but one")
    assert taken.value.code == "joint_roster_taken"
    with database.write() as session:
        joint_given(session, "another snapshot", "all but one")


def test_what_is_refused_leaves_no_trace_and_what_is_given_does(database: Database) -> None:
    with database.write() as session:
        joint_given(session, "snapshot", "all")
    with pytest.raises(RosterTaken), database.write() as session:
        joint_given(session, "snapshot", "others")
    with database.read() as session:
        assert [event.action for event in events(session)] == [AuditAction.JOINT_KEYS_GIVEN]
        assert verify_chain(session).whole


def test_an_event_of_another_act_is_a_mistake(database: Database) -> None:
    with pytest.raises(ValueError, match="does not record"), database.write() as session:
        joint_given(session, "snapshot", "all", AuditAction.JOINT_KEYS_GIVEN, AuditAction.JOINT_VALUES_GIVEN)


@pytest.mark.parametrize("statement", ["update joint_rosters set roster = 'x'", "delete from joint_rosters"])
def test_a_roster_stays(database: Database, statement: str) -> None:
    with database.write() as session:
        joint_given(session, "snapshot", "all")
    with pytest.raises((StateError, DBAPIError)), database.write() as session:
        session.execute(text(statement))
    with pytest.raises(RosterTaken), database.write() as session:
        joint_given(session, "snapshot", "others")


@pytest.mark.slow
def test_of_two_processes_with_two_rosters_one_is_heard(database: Database, tmp_path: Path) -> None:
    snapshots = [f"snapshot {n}" for n in range(10)]
    heard = race(*(("join", str(tmp_path), roster, *snapshots) for roster in ("one", "other")))
    won = [{line for line in lines if line} for lines in heard]
    assert not won[0] & won[1]
    assert won[0] | won[1] == {f"{n}" for n in range(10)}
    with database.read() as session:
        assert verify_chain(session).whole
