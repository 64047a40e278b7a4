"""Which releases of other nodes went into which of this one, and recalls on their way from node to node."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    parts = op.create_table(
        "release_parts",
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_release_parts_release_id")),
        sa.PrimaryKeyConstraint("release_id", "node", "part", name=op.f("pk_release_parts")),
    )
    op.create_index("ix_release_parts_node_part", "release_parts", ["node", "part"], unique=False)
    for rows in _parts_so_far():
        op.bulk_insert(parts, rows)
    op.create_table(
        "part_recalls",
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=40), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recalled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("node", "part", name=op.f("pk_part_recalls")),
    )
    op.create_table(
        "recalls_to_tell",
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["release_id"], ["recalls.release_id"], name=op.f("fk_recalls_to_tell_release_id")
        ),
        sa.PrimaryKeyConstraint("release_id", "node", name=op.f("pk_recalls_to_tell")),
    )
    op.create_index(op.f("ix_recalls_to_tell_due"), "recalls_to_tell", ["due"], unique=False)
    for table in ("release_parts", "part_recalls"):
        _forbid_changes(table)


def downgrade() -> None:
    for table in ("recalls_to_tell", "part_recalls", "release_parts"):
        op.drop_table(table)


def _parts_so_far() -> Iterator[list[dict[str, str]]]:
    """What the signed statements of the releases that there are name as their parts."""
    for release, statement in op.get_bind().execute(sa.text("select id, statement from releases")).all():
        content = statement.split(".")[1]
        payload = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
        named = {(part["node"], part["release"]) for part in payload.get("parts", ())}
        if named:
            yield [{"release_id": release, "node": node, "part": part} for node, part in sorted(named)]


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
