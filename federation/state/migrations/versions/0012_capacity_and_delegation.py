"""In what capacity, and by which delegation, people ask and decide."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OUTCOMES = ("approve", "return", "refuse", "appeal", "accept", "suspend", "resume", "revoke")
KINDS = ("person", "standing_rule", "standard_query", "holder")
ROLES_BEFORE = ("requester", "custodian", "standing_rule", "standard_query", "node", "clock")
ROLES = (*ROLES_BEFORE, "reviewer")
CODES = (
    "purpose_not_permitted",
    "disclosure_risk",
    "insufficient_detail",
    "data_unsuitable",
    "authority_missing",
    "other",
)
DECISION = (
    "id, request_id, dataset, custodian, outcome, kind, decided_by, role, reason, code, conditions, maximum_runs, "
    "version, revision, plan_digest, valid_until, decided_at"
)
BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _choice(name: str, values: tuple[str, ...], length: int = 16) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=length)


def upgrade() -> None:
    op.add_column("requests", _delegation())
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_sqlite(ROLES, DECISION, _delegation())
        return
    op.add_column("decisions", _delegation())
    _choose_postgresql(ROLES)


def downgrade() -> None:
    """What reviewers decided was their body's decision, and is a custodian's to the version before."""
    op.drop_column("requests", "delegation")
    if op.get_bind().dialect.name == "sqlite":
        before = DECISION.replace("role", "case role when 'reviewer' then 'custodian' else role end as role")
        _rebuild_sqlite(ROLES_BEFORE, before)
        return
    op.execute("alter table decisions disable trigger user")
    op.execute("update decisions set role = 'custodian' where role = 'reviewer'")
    op.execute("alter table decisions enable trigger user")
    op.drop_column("decisions", "delegation")
    _choose_postgresql(ROLES_BEFORE)


def _delegation() -> sa.Column[Any]:
    return sa.Column("delegation", sa.JSON(), nullable=True)


def _choose_postgresql(roles: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_decisions_role"), "decisions", type_="check")
    listed = ", ".join(f"'{role}'" for role in roles)
    op.create_check_constraint(op.f("ck_decisions_role"), "decisions", f"role IN ({listed})")


def _rebuild_sqlite(roles: tuple[str, ...], selected: str, *added: sa.Column[Any]) -> None:
    """SQLite changes no constraint of a table: the rows wait in another one while it is made anew."""
    for verb in ("update", "delete"):
        op.execute(f"drop trigger decisions_no_{verb}")
    op.execute(f"create table decisions_before as select {selected} from decisions")
    op.drop_table("decisions")
    op.create_table(
        "decisions",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("custodian", sa.String(length=64), nullable=False),
        sa.Column("outcome", _choice("outcome", OUTCOMES), nullable=False),
        sa.Column("kind", _choice("kind", KINDS), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=False),
        sa.Column("role", _choice("role", roles), nullable=False),
        *added,
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("code", _choice("code", CODES, 32), nullable=True),
        sa.Column("conditions", sa.Text(), nullable=True),
        sa.Column("maximum_runs", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("plan_digest", sa.String(length=71), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_decisions_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            "request_id", "revision", "dataset", name=op.f("uq_decisions_request_id_revision_dataset")
        ),
    )
    op.execute(f"insert into decisions ({DECISION}) select {DECISION} from decisions_before")
    op.drop_table("decisions_before")
    for verb in ("update", "delete"):
        op.execute(
            f"create trigger decisions_no_{verb} before {verb} on decisions "
            "begin select raise(abort, 'decisions is append-only'); end"
        )
