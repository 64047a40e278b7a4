"""What an answer is for, in the words of whoever asks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("requests", "request_versions"):
        op.add_column(table, sa.Column("justification", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    for table in ("requests", "request_versions"):
        op.drop_column(table, "justification")
