"""What a CELLS message and its answer hold, and the reading of each: nothing of it is believed for being there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

import pyarrow as pa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from catalogue.models import Name, Text
from federation.holders.protocol import Asker
from federation.identity.principal import Delegation
from federation.wire.conditions import Digest
from federation.wire.tables import TableError, decode_table

Subject = Annotated[str, StringConstraints(min_length=1, max_length=180)]


MOST_ACCEPTED = 500
"""Requests of one node that one request at a hub can have led to: as many as it has cell queries."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Approval(Part):
    """A decision that the asking node rests on. It binds nobody else: every node decides on its own data."""

    dataset: Name
    custodian: Name
    kind: Text
    decided_by: Subject
    decided_at: AwareDatetime
    valid_until: AwareDatetime | None


class Delegated(Part):
    """What lets a requester act for a body not their own, at the asking node: the hub's word, like who asks."""

    delegation: Name
    instrument: Text
    until: date

    @classmethod
    def of(cls, given: Delegation) -> Delegated:
        return cls(delegation=given.delegation, instrument=given.instrument, until=given.until)

    @property
    def given(self) -> Delegation:
        return Delegation(self.delegation, self.instrument, self.until)


class Accepted(Part):
    """That the requester accepts the conditions with this digest, on which the node that is asked approved its
    ``request``. It counts for that node's own requester and these very words, and for nothing else."""

    request: Annotated[str, StringConstraints(pattern=r"^req_[0-9a-f]{1,36}$")]
    conditions: Digest


class CellsQuestion(Part):
    """One aggregate, as SQL, and on whose behalf it is asked under which terms.

    ``question`` is the digest of what the asking node understands by the SQL (``CellQuestion.digest``),
    ``justification`` what the answer is for in the requester's words, for whoever decides. Members that
    are new in a version are left out where they say nothing, so that a node of an earlier one reads the rest.
    """

    body: Name
    requester: Subject
    purpose: Text
    agreement: Name
    sql: Text
    question: Digest
    plan_digest_at_hub: Digest
    hub_request: Text
    approvals: tuple[Approval, ...]
    delegation: Annotated[Delegated | None, Field(exclude_if=lambda value: value is None)] = None
    justification: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=4000),
        Field(exclude_if=lambda value: not value),
    ] = ""
    accepted: Annotated[
        tuple[Accepted, ...], Field(max_length=MOST_ACCEPTED, exclude_if=lambda value: not value)
    ] = ()

    @classmethod
    def of(cls, asker: Asker, node: str, sql: str, question: str) -> CellsQuestion:
        """What ``node`` is asked."""
        return cls(
            body=asker.body,
            requester=asker.requester,
            purpose=asker.purpose,
            agreement=asker.agreement,
            sql=sql,
            question=question,
            plan_digest_at_hub=asker.plan_digest,
            hub_request=asker.request,
            approvals=tuple(
                Approval(
                    dataset=each.dataset,
                    custodian=each.custodian,
                    kind=each.kind,
                    decided_by=each.decided_by,
                    decided_at=each.decided_at,
                    valid_until=each.valid_until,
                )
                for each in asker.approvals
            ),
            delegation=None if asker.delegation is None else Delegated.of(asker.delegation),
            justification=asker.justification,
            accepted=tuple(
                Accepted(request=each.request, conditions=each.conditions)
                for each in asker.agreed.get(node, ())
            ),
        )


class JointQuestion(CellsQuestion):
    """A question that is counted jointly by the nodes of ``roster``. Round B adds what every node answered in round A
    and, for the first node's values, the sealed keys of all."""

    roster: dict[str, Any]
    answers: tuple[str, ...] = ()
    sealed: tuple[str, ...] = ()


class PublicNoise(Part):
    """What a profile lets anybody know of how far a count may be from the true one: at most ``maximum_error`` with
    noise and rounding together; ``variance`` is that of the p-table, None where it is not of one number."""

    maximum_error: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    variance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class CellsAnswer(Part):
    """A release: its table, its signed statement, whether rows without a published figure were left out, and what
    is public of its noise."""

    release: Text
    table: str
    statement: str
    sparse: bool
    noise: PublicNoise

    def decoded(self) -> pa.Table:
        """The table. Raises MessageUnreadable."""
        try:
            return decode_table(self.table)
        except TableError:
            raise MessageUnreadable("the table") from None


class MessageUnreadable(ValueError):
    """The body of a message is not what its kind says."""

    code = "message_unreadable"


def read_question(body: Mapping[str, Any]) -> CellsQuestion:
    """Raises MessageUnreadable."""
    try:
        return CellsQuestion.model_validate(dict(body))
    except ValidationError:
        raise MessageUnreadable("the question") from None


def read_joint(body: Mapping[str, Any]) -> JointQuestion:
    """Raises MessageUnreadable."""
    try:
        return JointQuestion.model_validate(dict(body))
    except ValidationError:
        raise MessageUnreadable("the question") from None


def read_answer(body: Mapping[str, Any]) -> CellsAnswer:
    """Raises MessageUnreadable."""
    try:
        return CellsAnswer.model_validate(dict(body))
    except ValidationError:
        raise MessageUnreadable("the answer") from None
