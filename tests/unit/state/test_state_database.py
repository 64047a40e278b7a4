"""Engine, migrations, the rule that every change is recorded, and one node per directory."""

from __future__ import annotations

import ast
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from federation.audit.events import AuditAction
from federation.state import (
    asking,
    comments,
    conditions,
    deciding,
    joint,
    messages,
    notices,
    recalls,
    releases,
    requests,
    runs,
    verified,
)
from federation.state.database import Database
from federation.state.errors import NodeAlreadyRunning, SchemaUnknown, StateConflict, StateUnavailable
from federation.state.lock import NodeLock
from federation.state.schema import METADATA
from tests.support.state import NOW, cell_query, claim, event, new_release, queued, submitted
from tests.support.upgrades import goes_up_down_and_up

REPOSITORY = Path(__file__).parents[3]
REPOSITORIES = (
    asking,
    deciding,
    requests,
    runs,
    releases,
    recalls,
    comments,
    conditions,
    notices,
    messages,
    joint,
    verified,
)
UNRECORDED = {
    "renew_lease": "prolongs a claim that is recorded; neither state nor result changes",
    "claim": "makes an e-mail wait for its next attempt; what it tells of is recorded",
    "done": "an e-mail is not sent again; what it tells of is recorded",
    "tell": "puts a notice of what is recorded in the outbox, in the same transaction",
    "claim_telling": "makes a recall wait for its next attempt; that it was recalled is recorded",
    "told": "another node is not told again; what it was told is recorded",
    "see": "for polls, which ask for nothing; a message is recorded and then seen",
}


def test_models_and_migrations_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    with database.write() as session:
        request_id = submitted(session).id
    database.migrate()
    with database.read() as session:
        assert requests.get_request(session, request_id).id == request_id


def test_what_was_there_before_is_kept_and_stays_append_only(tmp_path: Path) -> None:
    goes_up_down_and_up(f"sqlite:///{tmp_path}/old.sqlite")


def test_a_database_from_the_future_is_refused(database: Database) -> None:
    with database.write() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(SchemaUnknown):
        database.migrate()


def test_sqlite_is_set_up_for_safety(database: Database) -> None:
    with database.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"pragma {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}


def test_the_database_is_its_owners_alone(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        submitted(session)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("state.sqlite", "state.sqlite-wal", "state.sqlite-shm"), 0o600)


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnavailable):
        Database.open(tmp_path / "file" / "state.sqlite")


def test_tables_are_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in METADATA.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect)).startswith("\nCREATE TABLE")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_text("this is not a database, and long enough for the engine to look at its header" * 20)
    with pytest.raises(StateUnavailable, match="SQLITE_NOTADB"):
        Database.open(path)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from decisions",
        "update decisions set plan_digest = 'other'",
        "delete from ledger",
        "update ledger set recipient = 'other'",
        "delete from releases",
        "update releases set statement = 'other'",
    ],
)
def test_what_was_decided_and_released_cannot_be_changed(database: Database, statement: str) -> None:
    release = new_release()
    with database.write() as session:
        lease = claim(session, queued(session))
        happening = event(AuditAction.RELEASE_ISSUED, release.id)
        releases.finish_run(session, lease, release, [cell_query()], NOW, happening)
    with pytest.raises(StateConflict), database.write() as session:
        session.execute(text(statement))


def test_errors_of_the_engine_hold_no_values(database: Database) -> None:
    with pytest.raises(StateConflict) as raised, database.write() as session:
        session.execute(text("insert into request_datasets values ('secret-value', 'x', 'y', 1, 1)"))
    assert "secret-value" not in str(raised.value)
    assert raised.value.__cause__ is None


def mutates(function: ast.FunctionDef) -> bool:
    """Whether a function writes: by the session's or a statement's name for it."""
    writing = {
        "add",
        "add_all",
        "update",
        "insert",
        "delete",
        "see",
        "take",
        "take_step",
        "_add",
        "_approve",
        "_must_step",
        "_voids",
    }
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {
        f.attr if isinstance(f, ast.Attribute) else f.id
        for f in called
        if isinstance(f, ast.Attribute | ast.Name)
    }
    return bool(names & writing)


def test_no_change_of_state_without_an_audit_event_in_its_signature() -> None:
    found = []
    for module in REPOSITORIES:
        tree = ast.parse(Path(str(module.__file__)).read_text())
        for function in tree.body:
            if (
                not isinstance(function, ast.FunctionDef)
                or function.name.startswith("_")
                or not mutates(function)
            ):
                continue
            found.append(function.name)
            if function.name in UNRECORDED:
                continue
            arguments = {argument.arg: argument.annotation for argument in function.args.args}
            assert ast.unparse(arguments["event"] or ast.Constant(None)) == "AuditEvent", function.name
            first = function.body[1] if isinstance(function.body[0], ast.Expr) else function.body[0]
            recorded = "record(session, event," in ast.unparse(first)
            guard = isinstance(first, ast.If)  # a check of arguments may come before
            assert recorded or (guard and "record(session, event," in ast.unparse(function)), function.name
    assert set(UNRECORDED) < set(found)
    assert len(found) >= 30


def test_a_state_directory_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateUnavailable, match=r"cannot be written .*: make it writable, or name another"):
        NodeLock(tmp_path / "state").acquire()


HOLD = """
import sys
from pathlib import Path
from federation.state.lock import NodeLock
NodeLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_node_on_the_same_state_is_refused_until_the_first_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(NodeAlreadyRunning, match=str(first.pid)):
            NodeLock(tmp_path).acquire()
        first.kill()
        first.wait()
    with NodeLock(tmp_path), pytest.raises(NodeAlreadyRunning):
        NodeLock(tmp_path).acquire()
    NodeLock(tmp_path).acquire().release()
