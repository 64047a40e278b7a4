"""What all nodes of a masked sum must agree on before any of them gives a number."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from federation.client.digest import canonical_json

MINIMUM_NODES = 3
"""With two, each would learn the other's part from the total."""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RosterEntry(Part):
    """A node that takes part: its signing key by thumbprint, its exchange key as raw X25519 in base64url."""

    node: str
    signing_key: Key
    exchange_key: Key


class Roster(Part):
    """Who takes part, in the order of their names, so that no order of asking makes another roster."""

    entries: Annotated[tuple[RosterEntry, ...], Field(min_length=MINIMUM_NODES)]

    @model_validator(mode="after")
    def _in_order(self) -> Roster:
        names = [entry.node for entry in self.entries]
        if names != sorted(set(names)):
            raise ValueError("a roster names each node once, in the order of their names")
        return self

    @property
    def digest(self) -> str:
        return _digest(self.model_dump(mode="json"))

    def position(self, node: str) -> int | None:
        """The node's place in the roster, None where it has none."""
        return next((i for i, entry in enumerate(self.entries) if entry.node == node), None)


class Terms(Part):
    """What a node says of itself in round A. All but the snapshot must be the same at every node: ``question`` is the
    digest of the canonical cells and the code lists that they are made of, as this node's own compiler reads them;
    ``noise`` shows that the nodes share a noise secret, without showing it; ``minimum_frequency`` and ``rounding`` are
    what the hub applies last."""

    question: Digest
    p_table: Digest | Literal["exact"]
    noise: Digest
    key_epoch: Annotated[int, Field(ge=1)]
    minimum_frequency: Annotated[int, Field(ge=1)]
    profile: Digest
    snapshot: str
    cells: Annotated[int, Field(ge=0)]

    @property
    def common(self) -> dict[str, object]:
        return self.model_dump(mode="json", exclude={"snapshot"})


class Session(Part):
    """One joint count: who, about which cells, on which data."""

    format: Literal["federation-masked/1"] = "federation-masked/1"
    roster: Roster
    terms: tuple[Terms, ...]

    @model_validator(mode="after")
    def _agree(self) -> Session:
        if len(self.terms) != len(self.roster.entries):
            raise ValueError("every node of the roster states its terms")
        return self

    @property
    def dissenters(self) -> tuple[str, ...]:
        """The nodes whose terms are not those of the first."""
        common = self.terms[0].common
        return tuple(
            entry.node
            for entry, terms in zip(self.roster.entries, self.terms, strict=True)
            if terms.common != common
        )

    @property
    def digest(self) -> str:
        return _digest(self.model_dump(mode="json"))

    def binding(self, may: npt.NDArray[np.bool_]) -> bytes:
        """What masks and sealed messages are bound to: the session and the cells that are given."""
        cells = hashlib.sha256(np.packbits(may).tobytes() + str(may.size).encode()).hexdigest()
        return _digest({"session": self.digest, "cells": cells}).encode()


def _digest(value: object) -> str:
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"
