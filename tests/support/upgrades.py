"""A database of an earlier version with a row in every table, on its way to this version, back, and here again."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Integer,
    MetaData,
    create_engine,
    select,
    text,
)

from federation.state import requests
from federation.state.database import MIGRATIONS, Database
from federation.state.errors import StateError
from federation.state.schema import METADATA
from tests.support.state import NOW

FIRST = "0009"
_SAID = json.dumps({"parts": [{"node": "wales", "release": "rel_w"}] * 2}).encode()
_STATEMENT = f"e30.{base64.urlsafe_b64encode(_SAID).rstrip(b'=').decode()}.e30"
_IDS = {"requests": "req_1", "runs": "run_1", "releases": "rel_1"}
_TEXTS = {
    "request_id": "req_1",
    "supersedes": "req_1",
    "run_id": "run_1",
    "release_id": "rel_1",
    "statement": _STATEMENT,
    "outcome": "approve",
    "role": "custodian",
    "code": "other",
}
_CHOSEN = {
    ("requests", "state"): "approved",
    ("decisions", "kind"): "person",
    ("runs", "state"): "done",
    ("comments", "kind"): "request",
}
_DROPPED = {("releases", "answer_key")}
_LATER = (
    "insert into decisions (id, request_id, dataset, custodian, outcome, kind, decided_by, role, delegation, reason, "
    "version, revision, plan_digest, decided_at) values (2, 'req_1', 'text', 'text', 'refuse', 'person', 'olu', "
    "'reviewer', '{\"body\": \"ons\"}', 'r', 1, 2, 'd', :now)",
    "insert into dry_runs (id, request_id, version, plan_digest, parameters, parts, passed_over, made_by, body, "
    "made_at) values (1, 'req_1', 1, 'd', '{}', '[]', 0, 'ann', 'dfe', :now)",
    "insert into part_recalls values ('wales', 'rel_w', 'wg', 'wrong', :now, :now)",
    "insert into recalls_to_tell values ('rel_1', 'wales', 0, null)",
    "insert into node_conditions values ('req_1', 'wales', 'd', 'req_w', '[]', :now)",
    "insert into node_conditions_accepted values ('req_1', 'wales', 'd', 'ann', null, :now)",
)
_FORBIDDEN = (
    "delete from decisions",
    "update decisions set role = 'reviewer'",
    "delete from releases",
    "update releases set path = 'other'",
    "delete from release_parts",
    "update release_parts set part = 'rel_x'",
    "update request_versions set justification = 'other'",
)


def goes_up_down_and_up(url: str) -> None:
    """Hold that from ``FIRST`` to this version nothing is lost, that the schema is what the models say, and that what
    is undone is as it was."""
    before = MetaData()
    with create_engine(url).begin() as connection:
        command.upgrade(_config(connection), FIRST)
        before.reflect(connection)
        for table in before.sorted_tables:
            if connection.execute(select(table)).first() is None:
                connection.execute(table.insert(), {column.name: _some(column) for column in table.columns})
        there = _rows(connection, before)
    assert all(len(rows) == 1 for rows in there.values())
    database = Database.open(url)
    try:
        _is_as_the_models_say(database, before, there)
        with database.write() as session:
            for statement in _LATER:
                session.execute(text(statement), {"now": NOW})
        with database.engine.begin() as connection:
            command.downgrade(_config(connection), FIRST)
            assert compare_metadata(MigrationContext.configure(connection), before) == []
            found = _rows(connection, before)
            decisions = found.pop("decisions")
            assert found == {name: rows for name, rows in there.items() if name != "decisions"}
            assert decisions[:1] == there["decisions"]
            assert [row.role for row in decisions] == ["custodian", "custodian"]
        database.migrate()
        _is_as_the_models_say(database, before, found)
    finally:
        database.close()


def _is_as_the_models_say(database: Database, before: MetaData, there: dict[str, list[Any]]) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        found = _rows(connection, before)
        assert {name: found[name] for name in there} == there
        parts = connection.execute(text("select release_id, node, part from release_parts")).all()
        assert [tuple(part) for part in parts] == [("rel_1", "wales", "rel_w")]
    with database.read() as session:
        request = requests.get_request(session, "req_1")
        assert (request.justification, request.delegation, request.created_at) == ("", None, NOW)
        assert requests.decisions(session, "req_1")[0].delegation is None
    for change in _FORBIDDEN:
        with pytest.raises(StateError), database.write() as session:
            session.execute(text(change))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _some(column: Column[Any]) -> object:
    """A value that the column takes, and that what refers to it knows."""
    table, name = column.table.name, column.name
    if (table, name) in _CHOSEN:
        return _CHOSEN[table, name]
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, Integer):
        return 1
    if isinstance(column.type, DateTime):
        return NOW
    if isinstance(column.type, JSON):
        return {"key": "value"}
    return _IDS.get(table, "text") if name == "id" else _TEXTS.get(name, "text")


def _rows(connection: Connection, tables: MetaData) -> dict[str, list[Any]]:
    """What stands in each table, of the columns that are there from first to last."""
    return {
        table.name: list(
            connection.execute(
                select(*(each for each in table.columns if (table.name, each.name) not in _DROPPED)).order_by(
                    *table.primary_key.columns
                )
            )
        )
        for table in tables.sorted_tables
        if table.name != "alembic_version"
    }
