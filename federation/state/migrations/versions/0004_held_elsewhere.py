"""Data that other nodes hold: decisions that are made there, and which nodes a run that failed was about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KINDS = ("person", "standing_rule", "holder")
COLUMNS = (
    "id, request_id, dataset, custodian, outcome, kind, decided_by, role, reason, plan_digest, "
    "valid_until, decided_at"
)


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    op.add_column("runs", sa.Column("error_about", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_sqlite()
    else:
        op.drop_constraint(op.f("ck_decisions_kind"), "decisions", type_="check")
        listed = ", ".join(f"'{kind}'" for kind in KINDS)
        op.create_check_constraint(op.f("ck_decisions_kind"), "decisions", f"kind IN ({listed})")


def _rebuild_sqlite() -> None:
    """SQLite changes no constraint of a table: the rows move to another, which then takes the name."""
    for verb in ("update", "delete"):
        op.execute(f"drop trigger decisions_no_{verb}")
    op.rename_table("decisions", "decisions_before")
    op.create_table(
        "decisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("custodian", sa.String(length=64), nullable=False),
        sa.Column("outcome", _choice("outcome", "approve", "refuse", "revoke"), nullable=False),
        sa.Column("kind", _choice("kind", *KINDS), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=False),
        sa.Column(
            "role",
            _choice("role", "requester", "custodian", "standing_rule", "node", "clock"),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("plan_digest", sa.String(length=71), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_decisions_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            "request_id", "dataset", "outcome", name=op.f("uq_decisions_request_id_dataset_outcome")
        ),
    )
    op.execute(f"insert into decisions ({COLUMNS}) select {COLUMNS} from decisions_before")
    op.drop_table("decisions_before")
    for verb in ("update", "delete"):
        op.execute(
            f"create trigger decisions_no_{verb} before {verb} on decisions "
            "begin select raise(abort, 'decisions is append-only'); end"
        )
