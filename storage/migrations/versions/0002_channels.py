"""What channels need: inbox, outbox, who may speak, and what people think of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ADDRESS = ("channel", "account", "chat", "thread")


def upgrade() -> None:
    """Make the five tables, and find turns by the platform's id."""
    _create_inbox()
    _create_outbox()
    _create_feedback()
    _create_people()
    _create_pairing_codes()
    op.create_index("ix_turns_platform_id", "turns", ["platform_id"])


def _create_inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ADDRESS),
        sa.Column("update_id", sa.String()),
        sa.Column("key", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON()),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("channel", "account", "update_id", name="uq_inbox_channel_account_update_id"),
        sa.UniqueConstraint("channel", "account", "key", name="uq_inbox_channel_account_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_inbox_state_finished_at", "inbox", ["state", "finished_at"])


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ADDRESS),
        sa.Column("content", sa.JSON()),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("turn_id", sa.Integer()),
        sa.Column("arrival_id", sa.Integer()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("receipt", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("is_repeat", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_turn_id", "outbox", ["turn_id"])
    op.create_index("ix_outbox_state_sent_at", "outbox", ["state", "sent_at"])
    op.create_index("ix_outbox_channel_account_chat_receipt", "outbox", ["channel", "account", "chat", "receipt"])


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("turn_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("turn_id", "person", name="pk_feedback"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_feedback_turn_id_turns"),
    )


def _create_people() -> None:
    op.create_table(
        "people",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("channel", "account", "person_id")),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", "account", "person_id", name="pk_people"),
    )


def _create_pairing_codes() -> None:
    op.create_table(
        "pairing_codes",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("code", "channel", "account", "person_id")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("name", "chat")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_pairing_codes"),
        sa.UniqueConstraint("channel", "account", "person_id", name="uq_pairing_codes_channel_account_person_id"),
    )
