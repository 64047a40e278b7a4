"""Messages of other nodes that were seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "messages_seen",
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "id", name=op.f("pk_messages_seen")),
    )
    op.create_index("ix_messages_seen_keep_until", "messages_seen", ["keep_until"], unique=False)
