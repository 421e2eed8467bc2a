"""What groups need: who speaks in a turn, and where a conversation goes on from."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns; what was said before has no speaker, and no conversation grew from another."""
    op.execute("ALTER TABLE turns ADD COLUMN speaker VARCHAR")
    # in SQL, since the toolkit adds the key apart, which SQLite cannot
    op.execute(
        "ALTER TABLE conversations ADD COLUMN origin_id INTEGER"
        " CONSTRAINT fk_conversations_origin_id_turns REFERENCES turns (id)"
    )
