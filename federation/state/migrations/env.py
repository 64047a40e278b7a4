"""Alembic's environment: runs on the connection that ``Database.migrate`` hands over, within its transaction."""

from __future__ import annotations

from alembic import context

from federation.state.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
