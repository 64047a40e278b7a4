"""The tables of the audit trail: the events, and in one row apart the head that the last of them must match."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from federation.state.base import Base, BigInt


class AuditRecord(Base):
    """One event as stored: every column is text that is hashed as it stands (``time`` is ISO 8601 in UTC).

    Triggers refuse UPDATE and DELETE; the chain shows what was done around them.
    """

    __tablename__ = "audit_events"

    sequence: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False)
    time: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(255))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255), index=True)
    details: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class AuditHead(Base):
    """How long the chain is and how it ends. There is one row, and every writer takes its lock first."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInt)
    hash: Mapped[str] = mapped_column(String(64))
