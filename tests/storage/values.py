"""Values that the tests of the store share."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.channel import Content, Update, UpdateKind
from bot.ledger import ParcelDraft
from bot.types import Address, Conversation, Message, Person, Role, Turn, TurnDraft
from storage import open_store

HERE = Address("console", "local")
CHAT = Address("telegram", "-100", account="bot")
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def url_of(file: Path) -> str:
    """The URL of a SQLite file, as the configuration writes it."""
    return f"sqlite:///{file.as_posix()}"


def said(conversation: Conversation | int, text: str, *, role: Role = Role.USER, at: datetime = NOON) -> TurnDraft:
    """A draft of a turn."""
    return TurnDraft(conversation if isinstance(conversation, int) else conversation.id, role, text, at)


def texts_of(turns: list[Turn]) -> list[str]:
    """What was said in the turns."""
    return [turn.text for turn in turns]


def fill(file: Path, *texts: str) -> int:
    """Make the database and say `texts` in a new conversation of it; the conversation's id."""

    async def talk() -> int:
        async with open_store(url_of(file)) as store:
            conversation = await store.create_conversation(HERE, at=NOON)
            for text in texts:
                await store.append_turn(said(conversation, text))
            return conversation.id

    return asyncio.run(talk())


def read_texts(file: Path, conversation_id: int = 1) -> list[str]:
    """What was said in a conversation of the database, read through the store."""

    async def read() -> list[str]:
        async with open_store(url_of(file)) as store:
            return texts_of(await store.path(conversation_id))

    return asyncio.run(read())


def execute(file: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run SQL on the file past the store; the rows of the last statement."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        return rows


def digest(file: Path) -> str:
    """The file's SHA-256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def arrived(text: str, number: int, *, address: Address = CHAT, kind: UpdateKind = UpdateKind.MESSAGE) -> Update:
    """What a platform tells: its update `number`, about message `number`."""
    return Update(kind, Message(address, Person("42", "Ann", "en"), text, NOON, id=str(number)), id=f"u{number}")


def parcel(text: str, *, address: Address = CHAT, **values: Any) -> ParcelDraft:
    """A draft of something to be sent."""
    return ParcelDraft(address, Content(text), **values)
