"""Remembers which data was held against the catalogue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verified_data",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("snapshot", sa.String(length=255), nullable=False),
        sa.Column("catalogue_digest", sa.String(length=71), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "snapshot", "catalogue_digest", name=op.f("pk_verified_data")),
    )
