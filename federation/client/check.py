"""What a node says of a query before anybody is asked: an explanation, or every reason against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from federation.client.errors import Fault, QueryRefused


@dataclass(frozen=True)
class Check:
    """The outcome of checking a query. It is true where the query would be accepted."""

    sql: str
    accepted: bool
    question: str
    source_sql: tuple[str, ...]
    presentation_sql: str
    rules: tuple[tuple[str, str], ...]
    refusals: tuple[Fault, ...]
    warnings: tuple[str, ...]
    columns: tuple[str, ...]
    decided_by: Mapping[str, str]
    plan_digest: str | None

    @classmethod
    def read(cls, sql: str, body: Mapping[str, Any]) -> Check:
        explanation = body.get("explanation") or {}
        return cls(
            sql=sql,
            accepted=bool(body["accepted"]),
            question=explanation.get("question", ""),
            source_sql=tuple(explanation.get("source_sql", ())),
            presentation_sql=explanation.get("presentation_sql", ""),
            rules=tuple((rule["rule"], rule["effect"]) for rule in explanation.get("rules", ())),
            refusals=tuple(Fault.read(item) for item in body.get("refusals", ())),
            warnings=tuple(body.get("warnings", ())),
            columns=tuple(body.get("columns", ())),
            decided_by=body.get("decided_by", {}),
            plan_digest=body.get("plan_digest"),
        )

    def __bool__(self) -> bool:
        return self.accepted

    def raise_for_refusal(self) -> Check:
        """This check, or QueryRefused."""
        if not self.accepted:
            raise QueryRefused("the query is refused", faults=self.refusals, sql=self.sql)
        return self

    def __str__(self) -> str:
        if not self.accepted:
            return "\n".join(["Refused.", *(fault.show(self.sql) for fault in self.refusals)])
        parts = [
            ("Question", self.question),
            ("As asked", self.sql.strip()),
            ("At the source", "\n\n".join(self.source_sql)),
            ("Presentation", self.presentation_sql),
            ("Rules", "\n".join(f"{rule}: {effect}" for rule, effect in self.rules)),
            ("Decided by", "\n".join(f"{name}: {who}" for name, who in self.decided_by.items())),
            ("Take care", "\n".join(self.warnings)),
        ]
        return "\n\n".join(f"{title}\n{_indent(text)}" for title, text in parts if text)

    __repr__ = __str__


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
