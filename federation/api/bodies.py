"""Request bodies of the API, with the examples that its documentation shows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticKnownError

from federation.api.examples import DIGEST, SQL
from federation.service.decisions import Ruling
from federation.service.questions import Ask
from federation.state.models import RefusalReason

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Digest = Annotated[str, StringConstraints(max_length=71)]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


def _no_truth(value: object) -> object:
    """JSON's true would be read as the number 1."""
    if isinstance(value, bool):
        raise ValueError("true and false are no values")
    return value


Value = Annotated[
    Annotated[str, StringConstraints(max_length=256)] | int | Decimal, BeforeValidator(_no_truth)
]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CheckBody(Body):
    """A query to check."""

    sql: str = Field(description="SQL in DuckDB's dialect, over datasets of the catalogue.", examples=[SQL])
    agreement: Short | None = Field(
        None, description="The agreement to ask under; the body's only one where none is named."
    )
    purpose: Text | None = Field(
        None, description="The purpose, in the words of the agreement. Another one may need a person."
    )
    parameters: dict[ParameterName, Value | Annotated[list[Value], Field(min_length=1, max_length=1000)]] = (
        Field({}, description="For each `$name` in the query its value, or the values that it may take.")
    )

    justification: Text | None = Field(
        None,
        description="What the answer is for, in your own words, for whoever decides. Checking makes no use of it.",
        examples=["To decide in March which construction courses to fund."],
    )

    def ask(self) -> Ask:
        domains = {
            name: tuple(value) if isinstance(value, list) else (value,)
            for name, value in self.parameters.items()
        }
        return Ask(self.sql, self.agreement, self.purpose, domains, justification=self.justification or "")


class RequestBody(CheckBody):
    """A query to have approved."""

    agreement: Short = Field(description="The agreement to ask under.", examples=["skills_planning"])
    purpose: Text = Field(
        description="The purpose, in the words of the agreement. Another one may need a person.",
        examples=["local skills planning"],
    )


class _Draft(Body):
    draft: bool = Field(False, description="Keep it for later: nobody is asked, and it may have mistakes.")


class NewRequestBody(CheckBody, _Draft):
    """A query to have approved, or a draft of one."""

    agreement: Short | None = Field(
        None,
        description="The agreement to ask under. A draft may lack it.",
        examples=["skills_planning"],
        validate_default=True,
    )
    purpose: Text | None = Field(
        None,
        description="The purpose, in the words of the agreement. A draft may lack it.",
        validate_default=True,
    )
    supersedes: Short | None = Field(
        None, description="An approved request of your own whose place this one takes once it is approved."
    )

    @field_validator("agreement", "purpose")
    @classmethod
    def _there_unless_drafted(cls, value: str | None, others: ValidationInfo) -> str | None:
        # ``draft`` is known here: the fields of the last base are read first.
        if value is None and not others.data.get("draft"):
            raise PydanticKnownError("missing")
        return value


class DecisionBody(Body):
    """Why somebody decides so."""

    reason: Text = Field(examples=["within the agreement"])

    def ruling(self) -> Ruling:
        return Ruling(self.reason)


class RefusalBody(DecisionBody):
    code: RefusalReason = Field(RefusalReason.OTHER, description="What kind of reason it is.")

    def ruling(self) -> Ruling:
        return Ruling(self.reason, code=self.code)


class ApprovalBody(DecisionBody):
    """Why a custodian approves, which plan was reviewed, and within which bounds it may be run."""

    plan_digest: Digest = Field(
        description="The `plan_digest` of the request as reviewed; another one is refused.", examples=[DIGEST]
    )
    valid_until: AwareDatetime | None = Field(None, description="When the approval ends; with a zone.")
    conditions: Text | None = Field(
        None, description="What the requester has to accept before anything runs.", examples=[None]
    )
    maximum_runs: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="How many releases it is good for; without it, any number until it ends."
    )

    def ruling(self) -> Ruling:
        until: datetime | None = self.valid_until
        return Ruling(self.reason, self.plan_digest, until, self.conditions, self.maximum_runs)


class AcceptanceBody(Body):
    """Which conditions of another node somebody accepts, as they read them."""

    node: Short = Field(description="The node whose conditions they are.", examples=["england"])
    conditions: Digest = Field(
        description="The `digest` that `node_conditions` has for these very words.", examples=[DIGEST]
    )


class CommentBody(Body):
    """What somebody says. Figures do not belong here: who reads it may not be allowed to see them."""

    text: Text = Field(examples=["Does this include the self-employed?"])


class SubscriptionBody(Body):
    """Where to be told, beside the feed."""

    email: (
        Annotated[str, StringConstraints(max_length=254, pattern=r"^[^\s@<>,;:\"]+@[^\s@<>,;:\"]+$")] | None
    ) = Field(None, description="An address of a domain that the node sends to; none without it.")


class RunBody(Body):
    """Values for the parameters of an approved request."""

    parameters: dict[ParameterName, Value] = Field(
        {}, description="A value from its domain for each parameter; one with a single value needs none."
    )


class ChainBody(Body):
    """An earlier checkpoint of the audit chain, to hold it against."""

    checkpoint: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None


class VerifyBody(Body):
    """A provenance statement to verify, and the digest of the table that came with it."""

    statement: Annotated[str, StringConstraints(min_length=1, max_length=65_536)] = Field(
        description="The statement, a JWS in compact serialisation."
    )
    table_digest: Digest | None = Field(
        None, description="The table's digest, `sha256:` and 64 hexadecimal digits, where one is at hand."
    )
