"""Where conversations are kept.

Importing this costs nothing; opening a store imports SQLAlchemy, in a thread beside the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.protocols import Store

if TYPE_CHECKING:
    from storage.engine import Database

BUSY_TIMEOUT_SECONDS = 10.0


@asynccontextmanager
async def open_store(url: str, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> AsyncIterator[Store]:
    """Open the database, made or migrated first where needed, and close it at the end.

    Args:
        url: a SQLAlchemy URL, such as `sqlite:////home/ann/parley.db`.
        busy_timeout_seconds: how long a transaction waits for another program's lock on a SQLite database.

    Raises:
        StorageError: the database cannot be used; it is left as it was.
    """
    database = await asyncio.to_thread(_connect, url, busy_timeout_seconds)
    try:
        await database.prepare()
        from storage.store import SqlStore

        yield SqlStore(database)
    finally:
        await database.close()


def _connect(url: str, busy_timeout_seconds: float) -> Database:
    from storage.engine import Database, make_engine
    from storage.location import locate

    location = locate(url)
    return Database(location, make_engine(location, busy_timeout_seconds=busy_timeout_seconds))
