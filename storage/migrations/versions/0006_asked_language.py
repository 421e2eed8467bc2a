"""The language in which somebody asked to be let in, so that they are told so in it."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; of requests that were made before, the language is not known."""
    op.execute("ALTER TABLE pairing_codes ADD COLUMN language VARCHAR")
