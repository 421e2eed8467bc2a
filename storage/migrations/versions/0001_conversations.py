"""Conversations, their turns, and settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

HEAD_KEYS = (
    ("fk_conversations_head_id_turns", "head_id"),
    ("fk_conversations_window_start_id_turns", "window_start_id"),
)


def upgrade() -> None:
    """Make the three tables."""
    _create_conversations()
    _create_turns()
    op.create_table(
        "settings",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_settings"),
    )
    # SQLite takes a key to a table that is yet to come, and adds none later
    if op.get_bind().dialect.supports_alter:
        for name, column in HEAD_KEYS:
            op.create_foreign_key(name, "conversations", "turns", [column], ["id"])


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("channel", "account", "chat", "thread")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "persona", "model")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("head_id", sa.Integer()),
        sa.Column("window_start_id", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        *(sa.ForeignKeyConstraint([column], ["turns.id"], name=name, use_alter=True) for name, column in HEAD_KEYS),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_conversations_channel_account_chat_thread_updated_at",
        "conversations",
        ["channel", "account", "chat", "thread", "updated_at"],
    )


def _create_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer()),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        *(sa.Column(name, sa.String()) for name in ("author_id", "author_name", "author_language")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("platform_id", "model", "generator")),
        *(sa.Column(f"{name}_tokens", sa.Integer(), nullable=False) for name in ("prompt", "cached", "completion")),
        *(sa.Column(f"{name}_seconds", sa.Float(), nullable=False) for name in ("queue", "first", "total")),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_turns_conversation_id_conversations"
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["turns.id"], name="fk_turns_parent_id_turns"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_turns_parent_id", "turns", ["parent_id"])
    op.create_index("ix_turns_conversation_id_platform_id", "turns", ["conversation_id", "platform_id"])
