"""Where conversations are kept, what came in and goes out, and who may speak.

Importing this costs nothing; opening a store imports SQLAlchemy, in a thread beside the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.ledger import Ledger
from bot.memory.index import SearchIndex
from bot.people import Roll
from bot.protocols import Store
from bot.reminding import Reminders

if TYPE_CHECKING:
    from storage.engine import Database

BUSY_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is kept, in one database."""

    store: Store
    ledger: Ledger
    roll: Roll
    reminders: Reminders
    index: SearchIndex


@asynccontextmanager
async def open_books(url: str, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> AsyncIterator[Books]:
    """Open the database as `open_store` does, for all that is kept in it.

    Raises:
        StorageError: the database cannot be used; it is left as it was.
    """
    async with _open(url, busy_timeout_seconds) as database:
        from storage.ledger import SqlLedger
        from storage.reminders import SqlReminders
        from storage.roll import SqlRoll
        from storage.search import SqlSearchIndex
        from storage.store import SqlStore

        yield Books(
            SqlStore(database),
            SqlLedger(database),
            SqlRoll(database),
            SqlReminders(database),
            SqlSearchIndex(database),
        )


@asynccontextmanager
async def open_store(url: str, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> AsyncIterator[Store]:
    """Open the database, made or migrated first where needed, and close it at the end.

    Args:
        url: a SQLAlchemy URL, such as `sqlite:////home/ann/parley.db`.
        busy_timeout_seconds: how long a transaction waits for another program's lock on a SQLite database.

    Raises:
        StorageError: the database cannot be used; it is left as it was.
    """
    async with _open(url, busy_timeout_seconds) as database:
        from storage.store import SqlStore

        yield SqlStore(database)


@asynccontextmanager
async def _open(url: str, busy_timeout_seconds: float) -> AsyncIterator[Database]:
    database = await asyncio.to_thread(_connect, url, busy_timeout_seconds)
    try:
        await database.prepare()
        yield database
    finally:
        await database.close()


def _connect(url: str, busy_timeout_seconds: float) -> Database:
    from storage.engine import Database, make_engine
    from storage.location import locate

    location = locate(url)
    return Database(location, make_engine(location, busy_timeout_seconds=busy_timeout_seconds))
