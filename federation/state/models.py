"""The tables of a node's state. Names of datasets, bodies and rules are the catalogue's ids."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from federation.state.base import Base, BigInt, Given
from federation.state.lifecycle import RequestState, Role, RunState
from federation.state.quorum import Quorum

Id = String(40)
Name = String(64)
Subject = String(255)
Digest = String(71)


class Outcome(enum.StrEnum):
    """What was decided on a dataset; ``ACCEPT`` and ``APPEAL`` are the requester's."""

    APPROVE = "approve"
    RETURN = "return"
    REFUSE = "refuse"
    APPEAL = "appeal"
    ACCEPT = "accept"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


class DecisionKind(enum.StrEnum):
    PERSON = "person"
    STANDING_RULE = "standing_rule"
    STANDARD_QUERY = "standard_query"
    HOLDER = "holder"


class SubjectKind(enum.StrEnum):
    """What people talk about."""

    REQUEST = "request"
    DATASET = "dataset"
    RELEASE = "release"


class RefusalReason(enum.StrEnum):
    """Why a custodian refuses, beside the text."""

    PURPOSE_NOT_PERMITTED = "purpose_not_permitted"
    DISCLOSURE_RISK = "disclosure_risk"
    INSUFFICIENT_DETAIL = "insufficient_detail"
    DATA_UNSUITABLE = "data_unsuitable"
    AUTHORITY_MISSING = "authority_missing"
    OTHER = "other"


def _choice(kind: type[enum.StrEnum], name: str, length: int = 16) -> Enum:
    """Stored as the member's value, with a CHECK that refuses any other."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


class Request(Base):
    """A question that somebody asks to have approved, as it stands.

    Each step of its life makes ``revision`` one more. Each submission is a ``version``, of which ``RequestVersion``
    keeps the text; a draft has version 0 and was never compiled. ``created_at`` is when it was submitted last (a draft:
    saved first), and the day that its query knows as today. ``lapses_at`` ends it in states that lapse.
    ``supersedes`` names the approved request of the same person whose place it takes when it is approved itself.
    ``justification`` is what the answer is for in the requester's words, empty where they gave none.
    ``jointly_with`` names the nodes with which it is counted jointly; none for an answer of this node's own.
    ``delegation`` is what let the requester act for ``body`` when it was submitted last; None: it is their own.
    """

    __tablename__ = "requests"
    __table_args__ = (
        Index("ix_requests_requester_created_at", "requester", "created_at"),
        Index("ix_requests_state_created_at", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    requester: Mapped[str] = mapped_column(Subject)
    body: Mapped[str] = mapped_column(Name)
    agreement: Mapped[str] = mapped_column(Name)
    purpose: Mapped[str] = mapped_column(Text)
    justification: Mapped[str] = mapped_column(Text, default="", server_default="")
    sql: Mapped[str] = mapped_column(Text)
    question: Mapped[str] = mapped_column(Text)
    parameter_domain: Mapped[dict[str, Any]]
    jointly_with: Mapped[list[Any]] = mapped_column(default=list)
    plan_digest: Mapped[str] = mapped_column(Digest)
    versions: Mapped[dict[str, Any]]
    state: Mapped[RequestState] = mapped_column(_choice(RequestState, "request_state"))
    revision: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)
    supersedes: Mapped[str | None] = mapped_column(ForeignKey("requests.id"))
    lapses_at: Mapped[datetime | None]
    delegation: Mapped[dict[str, Any] | None] = mapped_column(Given)
    created_at: Mapped[datetime]
    datasets: Mapped[list[RequestDataset]] = relationship(
        lazy="selectin", order_by="RequestDataset.dataset", cascade="all, delete-orphan"
    )

    @property
    def custodians(self) -> dict[str, str]:
        """The custodian body of each dataset that the request touches."""
        return {row.dataset: row.custodian for row in self.datasets}

    @property
    def quorums(self) -> dict[str, Quorum]:
        """Whose approval each dataset needs."""
        return {row.dataset: row.needed for row in self.datasets}

    @property
    def reviewers(self) -> frozenset[str]:
        """The bodies that decide on any of it."""
        return frozenset(body for quorum in self.quorums.values() for body in quorum.bodies)


class RequestDataset(Base):
    """A dataset that a request touches, with the bodies that decide on it: ``quorum`` persons of ``organisations``
    bodies among ``reviewers``, of which the custodian is one and always decides."""

    __tablename__ = "request_datasets"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    dataset: Mapped[str] = mapped_column(Name, primary_key=True)
    custodian: Mapped[str] = mapped_column(Name, index=True)
    quorum: Mapped[int] = mapped_column(default=1)
    organisations: Mapped[int] = mapped_column(default=1)
    reviewers: Mapped[list[RequestReviewer]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    @property
    def needed(self) -> Quorum:
        also = frozenset(row.body for row in self.reviewers) - {self.custodian}
        return Quorum(self.custodian, also, self.quorum, self.organisations)


class RequestReviewer(Base):
    """A body that decides on a dataset of a request, its custodian among them."""

    __tablename__ = "request_reviewers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "dataset"], ["request_datasets.request_id", "request_datasets.dataset"]
        ),
    )

    request_id: Mapped[str] = mapped_column(Id, primary_key=True)
    dataset: Mapped[str] = mapped_column(Name, primary_key=True)
    body: Mapped[str] = mapped_column(Name, primary_key=True, index=True)


class RequestVersion(Base):
    """A request as it was submitted, the first time or again after it was returned. Append-only."""

    __tablename__ = "request_versions"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agreement: Mapped[str] = mapped_column(Name)
    purpose: Mapped[str] = mapped_column(Text)
    justification: Mapped[str] = mapped_column(Text, default="", server_default="")
    sql: Mapped[str] = mapped_column(Text)
    question: Mapped[str] = mapped_column(Text)
    parameter_domain: Mapped[dict[str, Any]]
    plan_digest: Mapped[str] = mapped_column(Digest)
    submitted_at: Mapped[datetime]


class Decision(Base):
    """One decision on one dataset of a request. Append-only. It binds the plan digest that was reviewed.

    It was made for the body ``custodian``, on the ``version`` that was submitted last, in the step that made the
    request's revision ``revision``: so none is there twice. ``code`` says why it was refused, ``conditions`` what the
    requester has to accept, ``maximum_runs`` how many releases an approval is good for, ``delegation`` what let a
    person decide for a body that is not their own.
    """

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("request_id", "revision", "dataset"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"))
    dataset: Mapped[str] = mapped_column(Name)
    custodian: Mapped[str] = mapped_column(Name)
    outcome: Mapped[Outcome] = mapped_column(_choice(Outcome, "outcome"))
    kind: Mapped[DecisionKind] = mapped_column(_choice(DecisionKind, "kind"))
    decided_by: Mapped[str] = mapped_column(Subject)
    role: Mapped[Role] = mapped_column(_choice(Role, "role"))
    delegation: Mapped[dict[str, Any] | None] = mapped_column(Given)
    reason: Mapped[str] = mapped_column(Text)
    code: Mapped[RefusalReason | None] = mapped_column(_choice(RefusalReason, "code", 32))
    conditions: Mapped[str | None] = mapped_column(Text)
    maximum_runs: Mapped[int | None]
    version: Mapped[int]
    revision: Mapped[int]
    plan_digest: Mapped[str] = mapped_column(Digest)
    valid_until: Mapped[datetime | None]
    decided_at: Mapped[datetime]


class NodeConditions(Base):
    """Conditions on which another node approved its part of a request, as that node signed them. Append-only.

    ``reference`` is the request there. ``digest`` binds it and the very words; ``conditions`` are those words, each
    with the body whose they are.
    """

    __tablename__ = "node_conditions"

    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    node: Mapped[str] = mapped_column(Name, primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    reference: Mapped[str] = mapped_column(Name)
    conditions: Mapped[list[Any]]
    learned_at: Mapped[datetime]


class NodeConditionsAccepted(Base):
    """The requester accepted conditions of another node; the node is told with the next question. Append-only.

    ``delegation`` is what let them act for the request's body, where it is not their own.
    """

    __tablename__ = "node_conditions_accepted"
    __table_args__ = (
        ForeignKeyConstraint(
            ["request_id", "node", "digest"],
            ["node_conditions.request_id", "node_conditions.node", "node_conditions.digest"],
        ),
    )

    request_id: Mapped[str] = mapped_column(Id, primary_key=True)
    node: Mapped[str] = mapped_column(Name, primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    accepted_by: Mapped[str] = mapped_column(Subject)
    delegation: Mapped[dict[str, Any] | None] = mapped_column(Given)
    accepted_at: Mapped[datetime]


class Run(Base):
    """One execution of an approved request with values for its parameters.

    ``progress`` is a percentage. A run is held by ``lease_owner`` until ``lease_until``; ``attempt`` counts claims,
    so that the claim before a requeue can change nothing any more. ``error_about`` names the nodes that an error is
    about, each with its reason.
    """

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("progress between 0 and 100", name="progress_percent"),
        Index("ix_runs_state_created_at", "state", "created_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), index=True)
    requested_by: Mapped[str] = mapped_column(Subject)
    parameters: Mapped[dict[str, Any]]
    state: Mapped[RunState] = mapped_column(_choice(RunState, "run_state"))
    progress: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(Subject)
    lease_until: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    error_code: Mapped[str | None] = mapped_column(Name)
    error_about: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Release(Base):
    """What crossed the disclosure line: immutable, one per run. ``path`` is relative to the release store."""

    __tablename__ = "releases"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), unique=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), index=True)
    table_digest: Mapped[str] = mapped_column(Digest)
    file_digest: Mapped[str] = mapped_column(Digest)
    path: Mapped[str] = mapped_column(String(255))
    statement: Mapped[str] = mapped_column(Text)
    snapshots: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Recall(Base):
    """A release that its custodian took back as wrong: what stays in its place. Append-only."""

    __tablename__ = "recalls"

    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    recalled_by: Mapped[str] = mapped_column(Subject)
    body: Mapped[str] = mapped_column(Name)
    recalled_at: Mapped[datetime]


class ReleasePart(Base):
    """``part``, a release of another node, went into a release of this one. Append-only."""

    __tablename__ = "release_parts"
    __table_args__ = (Index("ix_release_parts_node_part", "node", "part"),)

    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    node: Mapped[str] = mapped_column(Name, primary_key=True)
    part: Mapped[str] = mapped_column(Id, primary_key=True)


class PartRecall(Base):
    """Another node recalled a release that it had given this one. Append-only.

    It stands here whether anything rests on it or not: a run that is still going may be about to.
    """

    __tablename__ = "part_recalls"

    node: Mapped[str] = mapped_column(Name, primary_key=True)
    part: Mapped[str] = mapped_column(Id, primary_key=True)
    body: Mapped[str] = mapped_column(Name)
    reason: Mapped[str] = mapped_column(Text)
    recalled_at: Mapped[datetime]
    learned_at: Mapped[datetime]


class RecallToTell(Base):
    """Another node was given a release that was recalled since, and is to be told. ``due`` is when; None: it knows."""

    __tablename__ = "recalls_to_tell"

    release_id: Mapped[str] = mapped_column(ForeignKey("recalls.release_id"), primary_key=True)
    node: Mapped[str] = mapped_column(Name, primary_key=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime | None] = mapped_column(index=True)


class LedgerEntry(Base):
    """One cell query of a release: what of which population became known to whom. Append-only.

    ``partition`` is the digest of what is charged (equal questions are one partition), ``cells_digest`` addresses
    the custodian-side file with the cells. ``atoms``, ``box`` and ``dimensions`` are canonical JSON.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        UniqueConstraint("release_id", "ordinal"),
        Index("ix_ledger_series_reference_period", "series", "reference_period"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"))
    ordinal: Mapped[int]
    dataset: Mapped[str] = mapped_column(Name)
    series: Mapped[str] = mapped_column(Name)
    reference_period: Mapped[str] = mapped_column(String(255))
    atoms: Mapped[list[Any]]
    box: Mapped[dict[str, Any]]
    dimensions: Mapped[list[Any]]
    snapshot: Mapped[str] = mapped_column(String(255))
    key_epoch: Mapped[int]
    recipient: Mapped[str] = mapped_column(Name)
    partition: Mapped[str] = mapped_column(Digest)
    partition_charge: Mapped[int]
    cells_digest: Mapped[str] = mapped_column(Digest)
    created_at: Mapped[datetime]


class DryRun(Base):
    """What somebody who decides saw of a request's plan on the data, before deciding. Append-only.

    ``parts`` has the evidence of each cell query that was looked at, with its datasets and snapshot; ``passed_over``
    counts those that were not, since others decide on them. It is no release, and nothing of it is the requester's.
    """

    __tablename__ = "dry_runs"

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id"), index=True)
    version: Mapped[int]
    plan_digest: Mapped[str] = mapped_column(Digest)
    parameters: Mapped[dict[str, Any]]
    parts: Mapped[list[Any]]
    passed_over: Mapped[int]
    made_by: Mapped[str] = mapped_column(Subject)
    body: Mapped[str] = mapped_column(Name)
    made_at: Mapped[datetime]


class JointRoster(Base):
    """The nodes with which this one counts jointly what a snapshot holds: once and for all. Append-only."""

    __tablename__ = "joint_rosters"

    snapshot: Mapped[str] = mapped_column(String(255), primary_key=True)
    roster: Mapped[str] = mapped_column(Digest)
    created_at: Mapped[datetime]


class VerifiedData(Base):
    """Data that was held against the catalogue and found sound, so that a restart does not look at it again.

    ``catalogue_digest`` is of the documents and code lists that it was held against.
    """

    __tablename__ = "verified_data"

    dataset: Mapped[str] = mapped_column(Name, primary_key=True)
    snapshot: Mapped[str] = mapped_column(String(255), primary_key=True)
    catalogue_digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    verified_at: Mapped[datetime]


class Comment(Base):
    """What somebody said about a request, a dataset or a release. Append-only."""

    __tablename__ = "comments"
    __table_args__ = (Index("ix_comments_kind_subject", "kind", "subject"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    kind: Mapped[SubjectKind] = mapped_column(_choice(SubjectKind, "kind"))
    subject: Mapped[str] = mapped_column(Name)
    author: Mapped[str] = mapped_column(Subject)
    body: Mapped[str] = mapped_column(Name)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Contact(Base):
    """Somebody who wants to be told of what concerns them and their body: in a feed and, with an address, by e-mail."""

    __tablename__ = "contacts"

    subject: Mapped[str] = mapped_column(Subject, primary_key=True)
    body: Mapped[str] = mapped_column(Name, index=True)
    decides: Mapped[bool]
    email: Mapped[str | None] = mapped_column(String(254))
    feed_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    updated_at: Mapped[datetime]


class Notice(Base):
    """One thing that one person is told: in their feed at once, and by e-mail when the outbox gets to it.

    ``once`` tells it from all others to the same person, so that nothing is told twice. It holds no text that
    anybody wrote and no data value. ``mail`` is when it is next due by e-mail; None: it is not, or no more.
    """

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("recipient", "once"), Index("ix_notices_mail", "mail"))

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    recipient: Mapped[str] = mapped_column(Subject)
    kind: Mapped[str] = mapped_column(String(32))
    about: Mapped[str] = mapped_column(Name)
    day: Mapped[str | None] = mapped_column(String(10))
    once: Mapped[str] = mapped_column(String(160))
    attempts: Mapped[int] = mapped_column(default=0)
    mail: Mapped[datetime | None]
    created_at: Mapped[datetime]


class IdempotencyKey(Base):
    """The answer that was given to a POST with an Idempotency-Key, for the same subject and the same request."""

    __tablename__ = "idempotency_keys"

    subject: Mapped[str] = mapped_column(Subject, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_digest: Mapped[str] = mapped_column(Digest)
    status: Mapped[int]
    response: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(index=True)


class SeenMessage(Base):
    """A message of another node that was accepted, kept until it could not be accepted again anyway."""

    __tablename__ = "messages_seen"

    issuer: Mapped[str] = mapped_column(Name, primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    keep_until: Mapped[datetime] = mapped_column(index=True)
