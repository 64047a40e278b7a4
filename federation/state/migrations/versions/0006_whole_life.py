"""The whole life of a request: drafts, versions, quorums, conditions, limits, and every outcome of a decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATES = (
    "draft",
    "submitted",
    "under_review",
    "returned",
    "approved",
    "active",
    "suspended",
    "refused",
    "withdrawn",
    "lapsed",
    "revoked",
    "expired",
    "exhausted",
    "superseded",
)
OUTCOMES = ("approve", "return", "refuse", "appeal", "accept", "suspend", "resume", "revoke")
KINDS = ("person", "standing_rule", "standard_query", "holder")
ROLES = ("requester", "custodian", "standing_rule", "standard_query", "node", "clock")
CODES = (
    "purpose_not_permitted",
    "disclosure_risk",
    "insufficient_detail",
    "data_unsuitable",
    "authority_missing",
    "other",
)
REQUEST = (
    "id, requester, body, agreement, purpose, sql, question, parameter_domain, jointly_with, plan_digest, versions, "
    "state, revision, created_at"
)
DECISION = (
    "id, request_id, dataset, custodian, outcome, kind, decided_by, role, reason, plan_digest, "
    "valid_until, decided_at"
)
# A step decided at most once on a dataset, so counting on each dataset by itself gives no later step's number.
NUMBERED = f"{DECISION}, 1, row_number() over (partition by request_id, dataset order by id)"
BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _choice(name: str, values: tuple[str, ...], length: int = 16) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=length)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        _rebuild_sqlite()
    else:
        _alter_postgresql()
    op.add_column("request_datasets", sa.Column("quorum", sa.Integer(), nullable=False, server_default="1"))
    op.add_column(
        "request_datasets", sa.Column("organisations", sa.Integer(), nullable=False, server_default="1")
    )
    op.create_table(
        "request_reviewers",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id", "dataset"],
            ["request_datasets.request_id", "request_datasets.dataset"],
            name=op.f("fk_request_reviewers_request_id"),
        ),
        sa.PrimaryKeyConstraint("request_id", "dataset", "body", name=op.f("pk_request_reviewers")),
    )
    op.create_index(op.f("ix_request_reviewers_body"), "request_reviewers", ["body"], unique=False)
    op.execute("insert into request_reviewers select request_id, dataset, custodian from request_datasets")
    op.create_table(
        "request_versions",
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("parameter_domain", sa.JSON(), nullable=False),
        sa.Column("plan_digest", sa.String(length=71), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_request_versions_request_id")),
        sa.PrimaryKeyConstraint("request_id", "version", name=op.f("pk_request_versions")),
    )
    op.execute(
        "insert into request_versions select id, 1, agreement, purpose, sql, question, parameter_domain, plan_digest, "
        "created_at from requests"
    )
    if sqlite:
        _forbid_changes_sqlite("request_versions")
    else:
        op.execute(
            "create trigger request_versions_append_only before update or delete or truncate on request_versions "
            "for each statement execute function federation_append_only()"
        )


def _alter_postgresql() -> None:
    op.add_column("requests", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("requests", sa.Column("supersedes", sa.String(length=40), nullable=True))
    op.create_foreign_key(op.f("fk_requests_supersedes"), "requests", "requests", ["supersedes"], ["id"])
    op.add_column("requests", sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("decisions", sa.Column("code", sa.String(length=32), nullable=True))
    op.add_column("decisions", sa.Column("conditions", sa.Text(), nullable=True))
    op.add_column("decisions", sa.Column("maximum_runs", sa.Integer(), nullable=True))
    op.add_column("decisions", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("decisions", sa.Column("revision", sa.Integer(), nullable=True))
    op.execute("alter table decisions disable trigger user")
    op.execute(
        "update decisions set revision = numbered.n from (select id, row_number() over "
        "(partition by request_id, dataset order by id) as n from decisions) as numbered "
        "where numbered.id = decisions.id"
    )
    op.execute("alter table decisions enable trigger user")
    op.alter_column("decisions", "revision", nullable=False)
    op.drop_constraint(op.f("uq_decisions_request_id_dataset_outcome"), "decisions", type_="unique")
    op.create_unique_constraint(
        op.f("uq_decisions_request_id_revision_dataset"), "decisions", ["request_id", "revision", "dataset"]
    )
    for table, name, column, values in (
        ("requests", "request_state", "state", STATES),
        ("decisions", "outcome", "outcome", OUTCOMES),
        ("decisions", "kind", "kind", KINDS),
        ("decisions", "role", "role", ROLES),
        ("decisions", "code", "code", CODES),
    ):
        if name != "code":
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
        listed = ", ".join(f"'{value}'" for value in values)
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, f"{column} IN ({listed})")


def _rebuild_sqlite() -> None:
    """SQLite changes no constraint of a table: the rows wait in another one while it is made anew.

    What refers to them is looked at when the transaction ends, when they are back.
    """
    op.execute("pragma defer_foreign_keys = on")
    for verb in ("update", "delete"):
        op.execute(f"drop trigger decisions_no_{verb}")
    op.execute(f"create table decisions_before as select {NUMBERED} as revision from decisions")
    op.drop_table("decisions")
    op.execute(f"create table requests_before as select {REQUEST} from requests")
    op.execute("delete from requests")
    op.drop_table("requests")
    _create_requests()
    op.execute(f"insert into requests ({REQUEST}, version) select {REQUEST}, 1 from requests_before")
    op.drop_table("requests_before")
    _create_decisions()
    op.execute(f"insert into decisions ({DECISION}, version, revision) select * from decisions_before")
    op.drop_table("decisions_before")
    _forbid_changes_sqlite("decisions")


def _create_requests() -> None:
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
        sa.Column("jointly_with", sa.JSON(), nullable=False),
        sa.Column("plan_digest", sa.String(length=71), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("state", _choice("request_state", STATES), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("supersedes", sa.String(length=40), nullable=True),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["supersedes"], ["requests.id"], name=op.f("fk_requests_supersedes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
    )
    op.create_index("ix_requests_requester_created_at", "requests", ["requester", "created_at"], unique=False)
    op.create_index("ix_requests_state_created_at", "requests", ["state", "created_at"], unique=False)


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("custodian", sa.String(length=64), nullable=False),
        sa.Column("outcome", _choice("outcome", OUTCOMES), nullable=False),
        sa.Column("kind", _choice("kind", KINDS), nullable=False),
        sa.Column("decided_by", sa.String(length=255), nullable=False),
        sa.Column("role", _choice("role", ROLES), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("code", _choice("code", CODES, 32), nullable=True),
        sa.Column("conditions", sa.Text(), nullable=True),
        sa.Column("maximum_runs", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("plan_digest", sa.String(length=71), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"], name=op.f("fk_decisions_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint(
            "request_id", "revision", "dataset", name=op.f("uq_decisions_request_id_revision_dataset")
        ),
    )


def _forbid_changes_sqlite(table: str) -> None:
    for verb in ("update", "delete"):
        op.execute(
            f"create trigger {table}_no_{verb} before {verb} on {table} "
            f"begin select raise(abort, '{table} is append-only'); end"
        )
