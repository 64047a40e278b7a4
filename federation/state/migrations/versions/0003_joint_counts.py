"""Joint counts: with which nodes a question is counted, and which nodes a snapshot is counted with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("jointly_with", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "joint_rosters",
        sa.Column("snapshot", sa.String(length=255), nullable=False),
        sa.Column("roster", sa.String(length=71), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("snapshot", name=op.f("pk_joint_rosters")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger joint_rosters_no_{verb} before {verb} on joint_rosters "
                "begin select raise(abort, 'joint_rosters is append-only'); end"
            )
    else:
        op.execute(
            "create trigger joint_rosters_append_only before update or delete or truncate on joint_rosters "
            "for each statement execute function federation_append_only()"
        )
