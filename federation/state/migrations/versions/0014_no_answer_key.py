"""Releases without the key of their answer, which nothing read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_releases_request_id_answer_key", "releases")
    # In place, on SQLite too: batch mode makes the table anew, without the triggers that keep it append-only.
    op.drop_column("releases", "answer_key")
    op.create_index(op.f("ix_releases_request_id"), "releases", ["request_id"], unique=False)


def downgrade() -> None:
    """What made up the keys is not all kept: releases from before have none."""
    op.drop_index(op.f("ix_releases_request_id"), "releases")
    op.add_column(
        "releases", sa.Column("answer_key", sa.String(length=71), server_default="", nullable=False)
    )
    op.create_index(
        "ix_releases_request_id_answer_key", "releases", ["request_id", "answer_key"], unique=False
    )
