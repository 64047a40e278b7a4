"""The tables of people who are signed in, or about to be. What a browser holds is stored as its digest alone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from federation.state.base import Base

Sha256 = String(64)


class WebSession(Base):
    """Somebody who is signed in. ``principal`` is as it was at log-in, under the settings whose digest is ``terms``."""

    __tablename__ = "web_sessions"

    digest: Mapped[str] = mapped_column(Sha256, primary_key=True)
    principal: Mapped[dict[str, Any]]
    terms: Mapped[str] = mapped_column(Sha256)
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)


class PendingLogin(Base):
    """A browser that was sent to the identity provider, until it comes back, once."""

    __tablename__ = "pending_logins"

    digest: Mapped[str] = mapped_column(Sha256, primary_key=True)
    state: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    next_path: Mapped[str] = mapped_column(Text)
    acting_for: Mapped[str | None] = mapped_column(String(64))
    ends_at: Mapped[datetime] = mapped_column(index=True)
