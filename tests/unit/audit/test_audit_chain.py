"""The chain finds whatever was done to it, and holds no data values."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from federation.audit.chain import (
    ChainError,
    ChainFaultKind,
    ChainLink,
    append,
    events,
    head,
    verify_chain,
    verify_events,
)
from federation.audit.events import AuditAction, AuditDetailError, AuditEvent, Detail, event_hash, text_digest
from federation.audit.export import ExportUnreadable, line_of, read_lines
from federation.state.database import Database
from federation.state.errors import StateConflict
from tests.support.state import NOW
from tests.support.thorough import share

LENGTH = 6


def write(database: Database, length: int = LENGTH) -> ChainLink:
    with database.write() as session:
        for number in range(length):
            details = {Detail.BODY: "gmca", Detail.ATTEMPT: number, Detail.DATASETS: ("learners", "pay")}
            append(session, AuditEvent("ann", AuditAction.RUN_QUEUED, f"run_{number}", NOW, details))
        return head(session)


def unprotected(session: Session) -> None:
    """What somebody with the file can do: take the triggers away."""
    for name in session.scalars(text("select name from sqlite_master where type = 'trigger'")).all():
        session.execute(text(f"drop trigger {name}"))


def fault(database: Database, *statements: str, checkpoint: ChainLink | None = None) -> ChainFaultKind | None:
    with database.write() as session:
        unprotected(session)
        for statement in statements:
            session.execute(text(statement))
    with database.read() as session:
        report = verify_chain(session, checkpoint)
    return report.fault.kind if report.fault else None


def test_an_untouched_chain_is_whole(database: Database) -> None:
    end = write(database)
    with database.read() as session:
        report = verify_chain(session, end)
        assert report.whole
        assert report.reached == end == ChainLink(LENGTH, end.hash)


def test_an_empty_chain_is_whole(database: Database) -> None:
    with database.read() as session:
        assert verify_chain(session).whole


@pytest.mark.parametrize("column", ["actor", "action", "subject", "details", "time"])
def test_an_edited_field_is_found(database: Database, column: str) -> None:
    write(database)
    value = "2026-01-05 09:00:01.000000" if column == "time" else "'changed'".strip("'")
    assert (
        fault(database, f"update audit_events set {column} = '{value}' where sequence = 3")
        is ChainFaultKind.CHANGED
    )


def test_a_removed_event_is_found(database: Database) -> None:
    write(database)
    assert fault(database, "delete from audit_events where sequence = 3") is ChainFaultKind.MISSING


def test_a_removed_event_with_the_rest_renumbered_is_found(database: Database) -> None:
    write(database)
    renumber = "update audit_events set sequence = sequence - 1 where sequence > 3"
    assert fault(database, "delete from audit_events where sequence = 3", renumber) is ChainFaultKind.CHANGED


def test_swapped_events_are_found(database: Database) -> None:
    write(database)
    moves = [
        f"update audit_events set sequence = {to} where sequence = {at}"
        for at, to in ((2, 99), (4, 2), (99, 4))
    ]
    assert fault(database, *moves) is ChainFaultKind.CHANGED


def test_a_cut_off_end_is_found_by_the_head(database: Database) -> None:
    write(database)
    assert fault(database, "delete from audit_events where sequence > 4") is ChainFaultKind.HEAD_DIFFERS


def test_a_cut_off_end_with_the_head_rewritten_is_found_by_a_checkpoint(database: Database) -> None:
    end = write(database)
    cut = (
        "delete from audit_events where sequence > 4",
        "update audit_head set sequence = 4, hash = (select hash from audit_events where sequence = 4)",
    )
    assert fault(database, *cut) is None
    with database.read() as session:
        report = verify_chain(session, end)
    assert report.fault is not None
    assert report.fault.kind is ChainFaultKind.CHECKPOINT_DIFFERS


def test_a_chain_rewritten_from_one_event_on_is_found_by_a_checkpoint(database: Database) -> None:
    end = write(database)
    with database.write() as session:
        unprotected(session)
        rows = list(events(session, after=LENGTH - 1))
        (last,) = rows
        forged = event_hash(
            sequence=last.sequence,
            time=last.time,
            actor="eve",
            action=last.action,
            subject=last.subject,
            details=last.details,
            previous=last.previous,
        )
        session.execute(
            text("update audit_events set actor = 'eve', hash = :hash where sequence = :n"),
            {"hash": forged, "n": LENGTH},
        )
        session.execute(text("update audit_head set hash = :hash"), {"hash": forged})
    with database.read() as session:
        assert verify_chain(session).whole
        report = verify_chain(session, end)
    assert report.fault is not None
    assert report.fault.kind is ChainFaultKind.CHECKPOINT_DIFFERS


@settings(max_examples=share(40), deadline=None)
@given(st.data())
def test_whatever_is_changed_in_whichever_event_is_found(data: st.DataObject) -> None:
    columns = ("actor", "action", "subject", "details", "previous", "hash", "time", "sequence")
    column = data.draw(st.sampled_from(columns))
    at = data.draw(st.integers(1, LENGTH))
    with TemporaryDirectory() as directory:
        database = Database.open(Path(directory) / "state.sqlite")
        write(database)
        with database.read() as session:
            before = session.execute(
                text(f"select {column} from audit_events where sequence = {at}")
            ).scalar_one()
        value: object
        if column == "sequence":
            value = data.draw(st.integers(LENGTH + 1, 1_000))
        else:
            value = data.draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=64))
        with database.write() as session:
            unprotected(session)
            session.execute(
                text(f"update audit_events set {column} = :v where sequence = :n"), {"v": value, "n": at}
            )
        with database.read() as session:
            assert verify_chain(session).whole == (value == before)
        database.close()


def exported(database: Database) -> list[bytes]:
    with database.read() as session:
        return [line_of(record) for record in events(session)]


def test_an_export_is_verified_without_the_database(database: Database) -> None:
    end = write(database)
    lines = exported(database)
    report = verify_events(read_lines(lines), end)
    assert (report.whole, report.reached) == (True, end)
    assert json.loads(lines[2])["subject"] == "run_2"
    cut = verify_events(read_lines(lines[:4]), end)
    assert cut.fault is not None
    assert cut.fault.kind is ChainFaultKind.CHECKPOINT_DIFFERS


@settings(max_examples=share(40), deadline=None)
@given(at=st.integers(0, LENGTH - 1), how=st.sampled_from(["edit", "remove", "swap", "repeat"]))
def test_an_export_that_was_tampered_with_is_found(at: int, how: str) -> None:
    with TemporaryDirectory() as directory:
        database = Database.open(Path(directory) / "state.sqlite")
        end = write(database)
        lines = exported(database)
        database.close()
    other = (at + 1) % LENGTH
    match how:
        case "edit":
            lines[at] = lines[at].replace(b'"ann"', b'"eve"')
        case "remove":
            del lines[at]
        case "swap":
            lines[at], lines[other] = lines[other], lines[at]
        case "repeat":
            lines.insert(at, lines[at])
    assert not verify_events(read_lines(lines), end).whole


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"sequence": "1"}', b"\xff", b"null", b'"text"', b"1e999"]
)
def test_what_is_no_export_is_said_with_its_line(line: bytes) -> None:
    with pytest.raises(ExportUnreadable, match="line 1 "):
        list(read_lines([line]))


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_events set actor = 'eve'",
        "delete from audit_events",
        "insert or replace into audit_events select * from audit_events where sequence = 1",
        "delete from audit_head",
    ],
)
def test_triggers_refuse_changes(database: Database, statement: str) -> None:
    write(database)
    with pytest.raises(StateConflict), database.write() as session:
        session.execute(text(statement))
    with database.read() as session:
        assert verify_chain(session).whole


def test_a_transaction_that_fails_leaves_no_event(database: Database) -> None:
    def act() -> None:
        with database.write() as session:
            append(session, AuditEvent("ann", AuditAction.NODE_STARTED, "node", NOW))
            raise RuntimeError("the act failed")

    with pytest.raises(RuntimeError):
        act()
    with database.read() as session:
        assert head(session).sequence == 0


def test_without_a_head_nothing_is_recorded(database: Database) -> None:
    with database.write() as session:
        unprotected(session)
        session.execute(text("delete from audit_head"))
    with database.read() as session, pytest.raises(ChainError):
        head(session)
    with pytest.raises(ChainError), database.write() as session:
        append(session, AuditEvent("ann", AuditAction.NODE_STARTED, "node", NOW))


@pytest.mark.parametrize(
    "details", [{"pay": 1}, {Detail.CODE: 512.5}, {Detail.CODE: "x" * 300}, {Detail.CODE: ([],)}]
)
def test_what_could_be_a_data_value_is_refused(details: dict[Detail, str]) -> None:
    with pytest.raises(AuditDetailError) as raised:
        AuditEvent("ann", AuditAction.RUN_FAILED, "run_1", NOW, details)
    assert "512" not in str(raised.value)
    assert "xxx" not in str(raised.value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        AuditEvent("ann", AuditAction.NODE_STARTED, "node", datetime(2026, 1, 5))


def test_free_text_is_bound_not_shown() -> None:
    assert text_digest("because") == text_digest("because") != text_digest("because.")
    assert len(text_digest("x" * 10_000)) == 71
