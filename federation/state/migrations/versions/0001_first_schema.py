"""The first schema: requests, decisions, runs, releases, ledger, audit trail, idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from federation.audit.events import GENESIS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("audit_events", "decisions", "ledger", "releases")


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def upgrade() -> None:
    _create_tables()
    op.execute(f"insert into audit_head (id, sequence, hash) values (1, 0, '{GENESIS}')")
    if op.get_bind().dialect.name == "sqlite":
        _forbid_changes_sqlite()
    else:
        _forbid_changes_postgresql()


def _forbid_changes_sqlite() -> None:
    for table in APPEND_ONLY:
        for verb in ("update", "delete"):
            op.execute(
                f"create trigger {table}_no_{verb} before {verb} on {table} "
                f"begin select raise(abort, '{table} is append-only'); end"
            )
    op.execute(
        "create trigger audit_head_no_delete before delete on audit_head "
        "begin select raise(abort, 'audit_head is never deleted'); end"
    )


def _forbid_changes_postgresql() -> None:
    op.execute(
        "create function federation_append_only() returns trigger language plpgsql as "
        "$$ begin raise exception '% is append-only', tg_table_name; end $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger {table}_append_only before update or delete or truncate on {table} "
            "for each statement execute function federation_append_only()"
        )
    op.execute(
        "create trigger audit_head_stays before delete or truncate on audit_head "
        "for each statement execute function federation_append_only()"
    )


def _create_tables() -> None:
    op.create_table(
        "audit_events",
        sa.Column("sequence", BIG_INT, autoincrement=False, nullable=False),
        sa.Column("time", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_events_hash")),
    )
    op.create_index(op.f("ix_audit_events_subject"), "audit_events", ["subject"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", BIG_INT, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=71), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("response", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "requests",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("requester", sa.String(length=255), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("parameter_domain", sa.JSON(), nullable=False),
        sa.Column("plan_digest", sa.String(length=71), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column(
            "state",
            _choice("request_state", "submitted", "approved", "refused", "revoked", "expired", "superseded"),
            nullable=False,
        ),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_requester_created_at", "requests", ["requester", "created_at"], unique=False)
    op.create_index("ix_requests_state_created_at", "requests", ["state", "created_at"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("custodian", sa.String(length=64), nullable=False),
        sa.Column("outcome", _choice("outcome", "approve", "refuse", "revoke"), nullable=False),
        sa.Column("kind", _choice("kind", "person", "standing_rule"), nullable=False),
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
    op.create_table(
        "request_datasets",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("custodian", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_datasets_request_id")),
        sa.PrimaryKeyConstraint("request_id", "dataset", name=op.f("pk_request_datasets")),
    )
    op.create_index(op.f("ix_request_datasets_custodian"), "request_datasets", ["custodian"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("requested_by", sa.String(length=255), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column(
            "state",
            _choice("run_state", "queued", "running", "done", "failed", "cancelled", "void"),
            nullable=False,
        ),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=255), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("progress between 0 and 100", name=op.f("ck_runs_progress_percent")),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_runs_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_request_id"), "runs", ["request_id"], unique=False)
    op.create_index("ix_runs_state_created_at", "runs", ["state", "created_at"], unique=False)
    op.create_table(
        "releases",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("run_id", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("answer_key", sa.String(length=71), nullable=False),
        sa.Column("table_digest", sa.String(length=71), nullable=False),
        sa.Column("file_digest", sa.String(length=71), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("snapshots", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_releases_request_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_releases_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        sa.UniqueConstraint("run_id", name=op.f("uq_releases_run_id")),
    )
    op.create_index(
        "ix_releases_request_id_answer_key", "releases", ["request_id", "answer_key"], unique=False
    )
    op.create_table(
        "ledger",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("reference_period", sa.String(length=255), nullable=False),
        sa.Column("atoms", sa.JSON(), nullable=False),
        sa.Column("box", sa.JSON(), nullable=False),
        sa.Column("dimensions", sa.JSON(), nullable=False),
        sa.Column("snapshot", sa.String(length=255), nullable=False),
        sa.Column("key_epoch", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("partition", sa.String(length=71), nullable=False),
        sa.Column("partition_charge", sa.Integer(), nullable=False),
        sa.Column("cells_digest", sa.String(length=71), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_ledger_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint("release_id", "ordinal", name=op.f("uq_ledger_release_id_ordinal")),
    )
    op.create_index(
        "ix_ledger_series_reference_period", "ledger", ["series", "reference_period"], unique=False
    )
