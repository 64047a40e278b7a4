"""Signed checkpoints of the audit chain, kept elsewhere: by the custodian, an auditor, another node.

Whoever can write the database can cut the chain and rewrite its head; they cannot make it end, or pass through,
where a checkpoint that others hold says it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from federation.audit.chain import ChainLink
from federation.client.digest import canonical_json
from federation.client.verify import VerificationError, VerificationFault, verify_jws
from federation.release.keys import SigningKey

CHECKPOINT_TYPE = "federation-checkpoint+jws"


class Checkpoint(BaseModel):
    """Where the chain of ``node`` ended at ``time``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["federation-checkpoint/1"] = "federation-checkpoint/1"
    node: str
    sequence: int = Field(ge=0)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    time: AwareDatetime

    @property
    def link(self) -> ChainLink:
        """What ``verify_chain`` compares the chain with."""
        return ChainLink(self.sequence, self.hash)


def sign_checkpoint(node: str, link: ChainLink, now: datetime, key: SigningKey) -> str:
    """The head of a node's chain as a JWS. The caller records it (``AuditAction.CHECKPOINT_SIGNED``)."""
    checkpoint = Checkpoint(node=node, sequence=link.sequence, hash=link.hash, time=now.astimezone(UTC))
    return key.sign(canonical_json(checkpoint.model_dump(mode="json")), CHECKPOINT_TYPE)


def verify_checkpoint(token: str, public_jwks: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint that a node signed.

    Raises:
        VerificationError: it is not a checkpoint signed by one of the keys while that was in use.
    """
    payload, _ = verify_jws(token, public_jwks, CHECKPOINT_TYPE, ("time",))
    try:
        return Checkpoint.model_validate(payload)
    except ValidationError:
        raise VerificationError(VerificationFault.MALFORMED) from None
