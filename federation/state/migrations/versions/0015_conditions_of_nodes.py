"""Conditions on which other nodes approve their part of a request, and that the requester accepted them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEY = ("request_id", "node", "digest")


def upgrade() -> None:
    op.create_table(
        "node_conditions",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_node_conditions_request_id")),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_node_conditions")),
    )
    op.create_table(
        "node_conditions_accepted",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("accepted_by", sa.String(length=255), nullable=False),
        sa.Column("delegation", sa.JSON(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            list(KEY),
            [f"node_conditions.{name}" for name in KEY],
            name=op.f("fk_node_conditions_accepted_request_id"),
        ),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_node_conditions_accepted")),
    )
    for table in ("node_conditions", "node_conditions_accepted"):
        _forbid_changes(table)


def downgrade() -> None:
    for table in ("node_conditions_accepted", "node_conditions"):
        op.drop_table(table)


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger {table}_no_{verb} before {verb} on {table} "
                f"begin select raise(abort, '{table} is append-only'); end"
            )
    else:
        op.execute(
            f"create trigger {table}_append_only before update or delete or truncate on {table} "
            "for each statement execute function federation_append_only()"
        )
