"""What people say about requests, datasets and releases, and what they are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    kinds = sa.Enum(
        "request", "dataset", "release", name="kind", native_enum=False, create_constraint=True, length=16
    )
    op.create_table(
        "comments",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("kind", kinds, nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    op.create_index("ix_comments_kind_subject", "comments", ["kind", "subject"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("decides", sa.Boolean(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("feed_sha256", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_contacts")),
        sa.UniqueConstraint("feed_sha256", name=op.f("uq_contacts_feed_sha256")),
    )
    op.create_index(op.f("ix_contacts_body"), "contacts", ["body"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=True),
        sa.Column("once", sa.String(length=160), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("mail", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("recipient", "once", name=op.f("uq_notices_recipient_once")),
    )
    op.create_index("ix_notices_mail", "notices", ["mail"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger comments_no_{verb} before {verb} on comments "
                "begin select raise(abort, 'comments is append-only'); end"
            )
    else:
        op.execute(
            "create trigger comments_append_only before update or delete or truncate on comments "
            "for each statement execute function federation_append_only()"
        )
