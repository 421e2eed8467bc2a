"""What people are to be reminded of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    texts = ("channel", "account", "chat", "thread", "person_id", "name", "language", "text", "zone", "rule")
    op.create_table(
        "reminders",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in texts),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("came_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String()),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ended_by", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_reminders"),
        sa.UniqueConstraint("source", name="uq_reminders_source"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reminders_channel_account_due_at", "reminders", ["channel", "account", "due_at"])
    op.create_index(
        "ix_reminders_channel_account_chat_person_id", "reminders", ["channel", "account", "chat", "person_id"]
    )
    op.create_index("ix_reminders_ended_by", "reminders", ["ended_by"])
