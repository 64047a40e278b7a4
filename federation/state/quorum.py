"""Whose approval a dataset needs: its custodian's, and where the profile asks for more, that of others too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quorum:
    """``persons`` different people of ``organisations`` different bodies, one of them the custodian.

    ``also`` are the bodies that decide beside the custodian.
    """

    custodian: str
    also: frozenset[str] = frozenset()
    persons: int = 1
    organisations: int = 1

    @property
    def bodies(self) -> frozenset[str]:
        """All bodies that decide."""
        return self.also | {self.custodian}

    def reached(self, approvals: Iterable[tuple[str, str]]) -> bool:
        """Whether these approvals, each a body and who decided for it, are enough.

        >>> two = Quorum("office", frozenset({"board"}), persons=2, organisations=2)
        >>> two.reached([("office", "ann"), ("office", "olu")])
        False
        >>> two.reached([("office", "ann"), ("board", "sam")])
        True
        """
        given = {(body, who) for body, who in approvals if body in self.bodies}
        bodies = {body for body, _ in given}
        persons = {who for _, who in given}
        enough = len(persons) >= self.persons and len(bodies) >= self.organisations
        return enough and self.custodian in bodies
