"""What waits for a database at the same time is done together: one transaction, and one flush for all that is written.

Each write runs in a savepoint of its own, so that one that fails is undone alone. Knows nothing of what is done.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine

from storage.failures import explained
from storage.location import Location

T = TypeVar("T")

Work = Callable[[Connection], Any]

LARGEST_GROUP = 64
"""Bounds how long other programs wait for the lock, and how much is lost where a commit fails."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What one caller wants to be done, and what it waits for."""

    work: Work
    done: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a piece of work went, inside a transaction that has not ended yet."""

    result: Any = None
    error: BaseException | None = None

    def tell(self, done: asyncio.Future[Any]) -> None:
        if done.done():  # nobody awaits it any more
            return
        if self.error:
            done.set_exception(self.error)
        else:
            done.set_result(self.result)


class _Queue:
    """Hands what waits to the threads of an executor, as groups, in the order of the calls; all from one event loop.

    What nobody awaits any more is left out if it has not begun.
    """

    def __init__(self, executor: Executor, run: Callable[[Sequence[Work]], list[_Outcome]]) -> None:
        """`run` does a group as one transaction; what it raises, everybody in the group gets."""
        self._executor = executor
        self._run = run
        self._waiting: deque[_Order] = deque()

    async def do(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once its group has ended."""
        loop = asyncio.get_running_loop()
        order = _Order(work, loop.create_future())
        self._waiting.append(order)
        # where others wait before it, the thread that comes for them takes it along, or looks again afterwards
        if len(self._waiting) <= 1:
            self._executor.submit(self._do_all, loop)
        result: T = await order.done
        return result

    def _do_all(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            if group := [order for order in self._take() if not order.done.cancelled()]:
                self._do(group, loop)

    def _take(self) -> list[_Order]:
        taken: list[_Order] = []
        with suppress(IndexError):  # another thread may have come for the rest
            while len(taken) < LARGEST_GROUP:
                taken.append(self._waiting.popleft())
        return taken

    def _do(self, group: Sequence[_Order], loop: asyncio.AbstractEventLoop) -> None:
        try:
            outcomes = self._run([order.work for order in group])
        except BaseException as error:  # noqa: BLE001 # each of the callers raises it
            outcomes = [_Outcome(error=error)] * len(group)
        # waking the loop costs more than telling one more caller
        loop.call_soon_threadsafe(_tell, group, outcomes)


def _tell(group: Sequence[_Order], outcomes: Sequence[_Outcome]) -> None:
    for order, outcome in zip(group, outcomes, strict=True):
        outcome.tell(order.done)


class GroupRead:
    """Reads in the threads of `executor`; those that wait together see one state of the database."""

    def __init__(self, engine: Engine, executor: Executor, location: Location) -> None:
        self._engine = engine
        self._location = location
        self._queue = _Queue(executor, self._transact)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns.

        Raises:
            StorageError: the database cannot be used.
        """
        return await self._queue.do(work)

    def _transact(self, works: Sequence[Work]) -> list[_Outcome]:
        with explained(self._location), self._engine.begin() as connection:
            return [self._attempt(connection, work) for work in works]

    def _attempt(self, connection: Connection, work: Work) -> _Outcome:
        try:
            with explained(self._location):
                return _Outcome(work(connection))
        except BaseException as error:  # noqa: BLE001 # the caller raises it
            return _Outcome(error=error)


class GroupCommit:
    """Writes in the order of its calls, in the one thread of `executor`.

    Nobody is told of success before everything in the transaction is stored. Where the transaction as a whole fails,
    everybody in it gets the error.
    """

    def __init__(self, engine: Engine, executor: Executor, location: Location) -> None:
        self._engine = engine
        self._location = location
        self._queue = _Queue(executor, self._transact)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once that is stored.

        Raises:
            StorageError: the database cannot be used; nothing of it is stored.
        """
        return await self._queue.do(work)

    def _transact(self, works: Sequence[Work]) -> list[_Outcome]:
        with explained(self._location), self._engine.begin() as connection:
            if len(works) == 1:
                return [_Outcome(works[0](connection))]
            driver = cast(sqlite3.Connection, connection.connection.driver_connection)
            return [self._attempt(connection, driver, work) for work in works]

    def _attempt(self, connection: Connection, driver: sqlite3.Connection, work: Work) -> _Outcome:
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
