"""Writes that wait for the one writer at the same time are stored together: one transaction, one flush for all.

Each runs in a savepoint of its own, so that one that fails is undone alone. Knows nothing of what is written.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine

from storage.failures import explained
from storage.location import Location

T = TypeVar("T")

LARGEST_GROUP = 64
"""Bounds how long other programs wait for the lock, and how much is lost where a commit fails."""


@dataclass(frozen=True, slots=True)
class _Write:
    """What one caller wants to be written, and what it waits for."""

    work: Callable[[Connection], Any]
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a write went, inside a transaction that is not committed yet."""

    result: Any = None
    error: BaseException | None = None

    def tell(self, done: asyncio.Future[Any]) -> None:
        if done.done():  # nobody awaits it any more
            return
        if self.error:
            done.set_exception(self.error)
        else:
            done.set_result(self.result)


class GroupCommit:
    """Writes in the order of its calls, which come from one event loop, in the one thread of `executor`.

    Nobody is told of success before everything in the transaction is stored. Where the transaction as a whole fails,
    everybody in it gets the error. A write that nobody awaits any more is left out if it has not begun.
    """

    def __init__(self, engine: Engine, executor: Executor, location: Location) -> None:
        self._engine = engine
        self._executor = executor
        self._location = location
        self._waiting: deque[_Write] = deque()

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once that is stored.

        Raises:
            StorageError: the database cannot be used; nothing of it is stored.
        """
        loop = asyncio.get_running_loop()
        write = _Write(work, loop.create_future())
        self._waiting.append(write)
        # where others wait before it, the thread that comes for them looks again when it has stored them
        if len(self._waiting) <= 1:
            self._executor.submit(self._store_all, loop)
        result: T = await write.done
        return result

    def _store_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            if group := [write for write in self._take() if not write.done.cancelled()]:
                self._store(group, loop)

    def _store(self, group: list[_Write], loop: asyncio.AbstractEventLoop) -> None:
        try:
            outcomes = self._transact(group)
        except BaseException as error:  # noqa: BLE001 # each of the callers raises it
            outcomes = [_Outcome(error=error)] * len(group)
        # waking the loop costs more than telling one more caller
        loop.call_soon_threadsafe(_tell, group, outcomes)

    def _take(self) -> list[_Write]:
        # only this thread takes any, so there are at least as many as are counted
        count = min(len(self._waiting), LARGEST_GROUP)
        return [self._waiting.popleft() for _ in range(count)]

    def _transact(self, group: list[_Write]) -> list[_Outcome]:
        with explained(self._location), self._engine.begin() as connection:
            if len(group) == 1:
                return [_Outcome(group[0].work(connection))]
            driver = cast(sqlite3.Connection, connection.connection.driver_connection)
            return [self._attempt(connection, driver, write.work) for write in group]

    def _attempt(
        self, connection: Connection, driver: sqlite3.Connection, work: Callable[[Connection], Any]
    ) -> _Outcome:
        # straight to the driver, since a savepoint through the toolkit takes longer than many a write
        driver.execute("SAVEPOINT write")
        try:
            with explained(self._location):
                outcome = _Outcome(work(connection))
        except BaseException as error:  # noqa: BLE001 # the caller raises it
            _undo(driver, error)
            outcome = _Outcome(error=error)
        driver.execute("RELEASE write")
        return outcome


def _undo(driver: sqlite3.Connection, error: BaseException) -> None:
    """Go back to the savepoint; where the database has given the whole transaction up, `error` is why."""
    try:
        driver.execute("ROLLBACK TO write")
    except sqlite3.Error:
        raise error from None


def _tell(group: Sequence[_Write], outcomes: Sequence[_Outcome]) -> None:
    for write, outcome in zip(group, outcomes, strict=True):
        outcome.tell(write.done)
