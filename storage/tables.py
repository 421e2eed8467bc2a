"""The tables, as SQLAlchemy Core knows them; the same on every database, and without a word of how they are used.

Migrations make them; a test proves that both agree.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Fixed names, so that a later migration can name what it changes."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC and given back in UTC, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC.

        Raises:
            ValueError: the datetime is naive, so that it names no instant.
        """
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a naive datetime names no instant")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Text(TypeDecorator[str]):
    """Any str. Half of a surrogate pair, which no encoding can hold, becomes U+FFFD; so does NUL in PostgreSQL."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """The text, with what cannot be encoded replaced."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            value = value.replace("\x00", "\ufffd")
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


metadata = MetaData(naming_convention=NAMING)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("persona", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # the tables refer to each other, so these three are added when both are there
    Column("head_id", Integer, ForeignKey("turns.id", use_alter=True)),
    Column("window_start_id", Integer, ForeignKey("turns.id", use_alter=True)),
    # the turn of another conversation that this one goes on from
    Column("origin_id", Integer, ForeignKey("turns.id", use_alter=True)),
    Index(None, "channel", "account", "chat", "thread", "updated_at"),
    # an id is never given twice, so that nothing kept elsewhere under the id of something deleted comes back
    sqlite_autoincrement=True,
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation_id", Integer, ForeignKey("conversations.id"), nullable=False),
    Column("parent_id", Integer, ForeignKey("turns.id"), index=True),
    Column("role", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String, nullable=False),
    # all three are null where nobody is the author
    Column("author_id", Text),
    Column("author_name", Text),
    Column("author_language", Text),
    # null where prompts do not name the author
    Column("speaker", Text),
    Column("platform_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("generator", Text, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("queue_seconds", Float, nullable=False),
    Column("first_seconds", Float, nullable=False),
    Column("total_seconds", Float, nullable=False),
    Column("evidence", JSON, nullable=False),
    Index(None, "conversation_id", "platform_id"),
    Index(None, "platform_id"),
    sqlite_autoincrement=True,
)

settings = Table(
    "settings",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("thread", Text, nullable=False),
    # null where there is none, so that it equals no other
    Column("update_id", Text),
    Column("key", Text),
    Column("kind", String, nullable=False),
    # null once it is dealt with
    Column("payload", JSON(none_as_null=True)),
    Column("at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("finished_at", Instant),
    UniqueConstraint("channel", "account", "update_id"),
    UniqueConstraint("channel", "account", "key"),
    Index(None, "state", "finished_at"),
    sqlite_autoincrement=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("thread", Text, nullable=False),
    # null once it is delivered
    Column("content", JSON(none_as_null=True)),
    Column("method", String, nullable=False),
    Column("target", Text, nullable=False),
    # no foreign keys: what it showed and what it answered may be forgotten before it
    Column("turn_id", Integer, index=True),
    Column("arrival_id", Integer),
    Column("state", String, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("is_repeat", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("reason", Text, nullable=False),
    Index(None, "state", "sent_at"),
    Index(None, "channel", "account", "chat", "receipt"),
    sqlite_autoincrement=True,
)

# Turns that the index has not read since they came or changed; filled by triggers, so that no way around them is left.
unindexed = Table(
    "unindexed",
    metadata,
    Column("stamp", Integer, primary_key=True),
    Column("turn_id", Integer, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

turn_index = Table(
    "turn_index",
    metadata,
    # grows with every change, so that whoever keeps entries in memory reads the new ones alone
    Column("stamp", Integer, primary_key=True),
    Column("turn_id", Integer, nullable=False, unique=True),
    Column("conversation_id", Integer, nullable=False),
    Column("previous_id", Integer, nullable=False),
    Column("said_minute", Integer, nullable=False),
    Column("speaker", Text, nullable=False),
    Column("marks", Integer, nullable=False),
    Column("length", Integer, nullable=False),
    # empty until it is embedded
    Column("model", String, nullable=False, index=True),
    Column("signs", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# Turns whose terms are out of the index, but may still stand in the file.
untidied = Table(
    "untidied",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("turn_id", Integer, nullable=False),
    sqlite_autoincrement=True,
)

turn_vectors = Table(
    "turn_vectors",
    metadata,
    Column("turn_id", Integer, primary_key=True, autoincrement=False),
    Column("vectors", LargeBinary, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("turn_id", Integer, ForeignKey("turns.id"), primary_key=True),
    Column("person", Text, primary_key=True),
    Column("value", Integer, nullable=False),
    Column("at", Instant, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("person_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("standing", String, nullable=False),
    Column("at", Instant, nullable=False),
)

pairing_codes = Table(
    "pairing_codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("language", Text),
    UniqueConstraint("channel", "account", "person_id"),
)

reminders = Table(
    "reminders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("starts_at", Instant),
    # null once it does not come any more
    Column("due_at", Instant),
    Column("came_at", Instant),
    Column("created_at", Instant, nullable=False),
    # null where no message names it, so that it equals no other
    Column("source", Text),
    Column("ended_at", Instant),
    Column("ended_by", Text, index=True),
    UniqueConstraint("source"),
    Index(None, "channel", "account", "due_at"),
    Index(None, "channel", "account", "chat", "person_id"),
    sqlite_autoincrement=True,
)
