"""Conditions of an approval, on their way from the node that approves to whoever asked at another one.

A custodian's words travel whole, or not at all: the digest binds them to the request at that node, and what is accepted
is the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from catalogue.models import Name
from federation.client.digest import canonical_json

MOST = 50
"""Conditions of one request: an approval has one at most, and so many persons decide at most."""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Part):
    """What a body asks to be accepted, in its custodian's words."""

    body: Name
    text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class Conditions(_Part):
    """All conditions of a request that await acceptance, and the digest by which they are accepted."""

    conditions: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=MOST)]
    digest: Digest

    @classmethod
    def of(cls, request: str, conditions: Iterable[Condition]) -> Conditions:
        """Those of the request that its node knows as ``request``."""
        found = tuple(conditions)
        return cls(conditions=found, digest=_digest(request, found))

    @classmethod
    def read(cls, request: str, given: object) -> Conditions:
        """What another node sent as the conditions of its ``request``.

        Raises:
            ValueError: it is something else, or its digest is not that of these words.
        """
        try:
            found = cls.model_validate(given)
        except ValidationError:
            raise ValueError("these are no conditions") from None
        if found.digest != _digest(request, found.conditions):
            raise ValueError("the digest is that of other conditions")
        return found


def _digest(request: str, conditions: tuple[Condition, ...]) -> str:
    content = {"request": request, "conditions": [each.model_dump() for each in conditions]}
    return f"sha256:{hashlib.sha256(canonical_json(content)).hexdigest()}"
