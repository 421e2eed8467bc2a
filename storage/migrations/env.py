"""Run by Alembic: migrates over the connection that it is handed, inside the transaction that is open there."""

from __future__ import annotations

from alembic import context

from storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can change a table only by copying it
    render_as_batch=True,
)
context.run_migrations()
