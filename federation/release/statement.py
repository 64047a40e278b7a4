"""The provenance statement: who published, about whom, when, in what context and with what authority.

The vocabulary of the five questions is the project's own; ``federation.release.prov`` maps it to W3C PROV-O.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

import pyarrow as pa
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from federation.client.digest import canonical_json, columns_of, table_digest
from federation.client.verify import STATEMENT_TYPE
from federation.release.keys import SigningKey

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


Moment = Annotated[AwareDatetime, AfterValidator(_whole_seconds)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(Part):
    id: str
    title: str


class Who(Part):
    """The node that signed, and for each dataset its publisher and the custodian who decided."""

    node: str
    publishers: tuple[Organisation, ...]
    custodians: tuple[Organisation, ...]


class Subject(Part):
    """Whom a dataset is about. ``snapshot`` identifies its content, ``key_epoch`` the secrets behind the noise."""

    dataset: str
    title: str
    population: str
    unit: str
    geography: str
    publisher: str
    custodian: str
    series: str
    reference_period: str
    snapshot: str
    key_epoch: Annotated[int, Field(ge=1)]


class When(Part):
    """``snapshots`` are those of ``about_whom``, read before and after the run; ``clock`` is the date bound to
    current_date when the query was approved."""

    run_at: Moment
    released_at: Moment
    reference_periods: tuple[str, ...]
    clock: date | None = None


class Method(Part):
    """A disclosure rule that took part, in words; never by how much a cell missed it."""

    rule: str
    effect: str


class Profile(Part):
    id: str
    version: str
    dataset: str
    p_table_digest: str | None = None


class Context(Part):
    purpose: str
    question: str
    sql: str
    parameters: dict[str, Any]
    methods: tuple[Method, ...]
    profiles: tuple[Profile, ...]
    catalogue_version: str
    notes: tuple[str, ...] = ()


class AgreementRef(Part):
    id: str
    title: str
    version: str
    legal_gateway: str
    start: date
    end: date


class DelegationRef(Part):
    """What let a person act for ``body``, which is not their own: the delegation as the node calls it, the instrument
    that gives it, and its last day (UTC)."""

    delegation: str
    body: str
    instrument: str
    until: date


class DecisionRef(Part):
    """One decision on one dataset. ``decided_by`` is a person, the standing rule that decided, or, for what other nodes
    hold, the names of those, whose own decisions are with their parts. ``role`` is in what capacity a person did."""

    dataset: str
    custodian: str
    kind: Literal["person", "standing_rule", "standard_query", "holder"]
    decided_by: str
    role: Literal["custodian", "reviewer"] | None = None
    delegation: DelegationRef | None = None
    decided_at: Moment
    valid_until: Moment | None = None


class Authority(Part):
    """``delegation`` is what let the requester ask for the recipient, where that is not their own body."""

    request: str
    requester: str
    delegation: DelegationRef | None = None
    recipient: Organisation
    agreement: AgreementRef
    decisions: Annotated[tuple[DecisionRef, ...], Field(min_length=1)]
    plan_digest: Digest


class Column(Part):
    name: str
    type: str


class TableRef(Part):
    """The released table, by the digest of ``federation.client.digest``."""

    digest: Digest
    format: Literal["federation-table/1"] = "federation-table/1"
    rows: Annotated[int, Field(ge=0)]
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, table: pa.Table) -> TableRef:
        """The reference to ``table``.

        Raises:
            DigestError: a column's type cannot be part of a release.
        """
        columns = tuple(Column.model_validate(column) for column in columns_of(table))
        return cls(digest=table_digest(table), rows=table.num_rows, columns=columns)


class PartRef(Part):
    """What another node released for this answer, under which decisions there. Its own statement, by its digest, says
    all else of it."""

    dataset: str
    node: str
    release: str
    statement_digest: Digest
    table_digest: Digest
    snapshot: str
    key_epoch: Annotated[int, Field(ge=1)]
    decisions: Annotated[tuple[DecisionRef, ...], Field(min_length=1)]


class Statement(Part):
    """Everything that a release says about itself. Immutable; signed by ``sign_statement``.

    The format counts what a statement may say. The first knew neither capacities nor delegations: one that was signed
    then is silent about them, which is not the same as that there were none.
    """

    format: Literal["federation-statement/1", "federation-statement/2"] = "federation-statement/2"
    release: str
    run: str
    who: Who
    about_whom: Annotated[tuple[Subject, ...], Field(min_length=1)]
    when: When
    context: Context
    authority: Authority
    parts: tuple[PartRef, ...] = ()
    table: TableRef

    @property
    def bodies(self) -> dict[str, Organisation]:
        """Every body that is named, by its id. One that decided beside a custodian is named by its id alone."""
        authority = self.authority
        titled = (*self.who.publishers, *self.who.custodians, authority.recipient)
        beside = (Organisation(id=each.custodian, title=each.custodian) for each in authority.decisions)
        return {body.id: body for body in (*beside, *titled)}

    @model_validator(mode="after")
    def _of_its_format(self) -> Self:
        if self.format == "federation-statement/1":
            decisions = (*self.authority.decisions, *(each for part in self.parts for each in part.decisions))
            if self.authority.delegation or any(each.role or each.delegation for each in decisions):
                raise ValueError("a statement of the first format names neither capacities nor delegations")
        return self


def sign_statement(statement: Statement, key: SigningKey) -> str:
    """The statement as a JWS in compact serialisation over its canonical JSON, for ``verify_statement``."""
    return key.sign(canonical_json(statement.model_dump(mode="json")), STATEMENT_TYPE)
