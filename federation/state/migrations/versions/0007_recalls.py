"""Releases that were recalled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recalls",
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recalled_by", sa.String(length=255), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("recalled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_recalls_release_id")),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_recalls")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger recalls_no_{verb} before {verb} on recalls "
                "begin select raise(abort, 'recalls is append-only'); end"
            )
    else:
        op.execute(
            "create trigger recalls_append_only before update or delete or truncate on recalls "
            "for each statement execute function federation_append_only()"
        )
