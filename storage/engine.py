"""Runs transactions: an engine of SQLAlchemy, and the threads in which it works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import NoSuchModuleError

from bot.errors import StorageError
from storage import BUSY_TIMEOUT_SECONDS, sqlite
from storage.failures import explained
from storage.grouping import GroupCommit, GroupRead
from storage.location import Location
from storage.opening import prepare

T = TypeVar("T")

READERS = 3
WRITERS = 3
"""Where the database can do with more than one."""


def make_engine(location: Location, *, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> Engine:
    """An engine for the database; nothing is opened yet.

    Args:
        location: where the database is.
        busy_timeout_seconds: how long a transaction waits for another program's lock on a SQLite database.

    Raises:
        StorageError: there is no driver for such a database.
    """
    is_sqlite = location.url.get_backend_name() == "sqlite"
    try:
        # a failed statement is logged without the texts that it was to store
        engine = create_engine(
            location.url,
            hide_parameters=True,
            connect_args={"timeout": busy_timeout_seconds} if is_sqlite else {},
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StorageError("storage.no_driver", driver=location.url.drivername) from error
    if is_sqlite:
        sqlite.configure(engine)
    return engine


class Database:
    """One database, open for reading and writing.

    A transaction runs as one piece in one thread: it never waits for the event loop while it holds a lock, and never
    holds up the loop. SQLite has one writer at a time, so writers queue for one thread, in order, instead of polling
    for the lock. What waits together is read or stored together. A transaction that has begun is ended even if nobody
    awaits it any more.
    """

    def __init__(self, location: Location, engine: Engine) -> None:
        self.location = location
        self._engine = engine
        self._writing_engine = engine.execution_options(**sqlite.WRITE_OPTIONS)
        has_one_writer = engine.dialect.name == "sqlite"
        self._writers = ThreadPoolExecutor(1 if has_one_writer else WRITERS, "parley-store-write")
        # a database in memory belongs to the one thread that made it
        readers = 1 if location.is_in_memory else READERS
        self._readers = self._writers if location.is_in_memory else ThreadPoolExecutor(readers, "parley-store-read")
        self._writes = GroupCommit(self._writing_engine, self._writers, location) if has_one_writer else None
        self._reads = GroupRead(engine, self._readers, readers, location) if has_one_writer else None

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, from one transaction that sees one state of the database.

        Raises:
            StorageError: the database cannot be used.
        """
        if self._reads:
            return await self._reads.read(work)
        return await self._transact(self._readers, self._engine, work)

    async def write(self, work: Callable[[Connection], T], *, then: Callable[[T], None] = lambda _: None) -> T:
        """What `work` returns; everything it did is stored when this returns, or else nothing is.

        Args:
            work: must do nothing but write, since it may be called again.
            then: told the result before anybody else is, also if nobody awaits it any more: to keep up what is
                remembered. Not called where there are no epochs.

        Raises:
            StorageError: the database cannot be used.
        """
        if self._writes:
            return await self._writes.write(work, then)
        return await self._transact(self._writers, self._writing_engine, work)

    def epoch(self) -> int | None:
        """A number that changes when others have written to the database; None where that is not known just now.

        What is read within one epoch and not written here holds to its end.
        """
        return self._writes.epoch() if self._writes else None

    def distrust(self, _: object = None) -> None:
        """Begin another epoch: more was written than could be told."""
        if self._writes:
            self._writes.distrust()

    async def prepare(self) -> str | None:
        """Create or migrate the database where needed, as `opening.prepare` does; the revision that was found.

        Raises:
            StorageError: the database cannot be used.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writers, prepare, self._engine, self.location)

    async def close(self) -> None:
        """Wait for the transactions that were asked for, and close every connection."""
        if self._reads and self._writes:
            await self._reads.settle()
            await self._writes.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._readers is not self._writers:
            self._readers.shutdown()
        disposed = self._writers.submit(self._engine.dispose)
        self._writers.shutdown()
        disposed.result()

    async def _transact(self, executor: Executor, engine: Engine, work: Callable[[Connection], T]) -> T:
        def transact() -> T:
            with explained(self.location), engine.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(executor, transact)
