"""What waits for a database at the same time is done together: one transaction, and one flush for all that is written.

A write that fails is undone alone: then all in its transaction are done again, each in a savepoint of its own. So what
writes may be called twice, and must not do anything but write. Knows nothing of what is done.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
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

    What nobody awaits any more is left out if it has not begun. The loop forms the groups, once everybody who could go
    on by then has asked: thread and loop share one interpreter, and each hand-over between them costs more than a
    statement.
    """

    def __init__(self, executor: Executor, threads: int, run: Callable[[Sequence[Work]], list[_Outcome]]) -> None:
        """`run` does a group as one transaction; what it raises, everybody in the group gets."""
        self._executor = executor
        self._idle_threads = threads
        self._run = run
        self._waiting: deque[_Order] = deque()
        self._under_way: set[asyncio.Future[Any]] = set()

    async def do(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once its group has ended."""
        loop = asyncio.get_running_loop()
        order = _Order(work, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._start, loop)
        self._waiting.append(order)
        result: T = await order.done
        return result

    async def settle(self) -> None:
        """Return when nothing waits or runs any more."""
        while self._waiting or self._under_way:
            await asyncio.sleep(0)  # what waits may have begun by then
            if self._under_way:
                await asyncio.wait(self._under_way)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._idle_threads:
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_GROUP))]
            if group := [order for order in taken if not order.done.cancelled()]:
                self._idle_threads -= 1
                doing = asyncio.wrap_future(
                    self._executor.submit(self._run, [order.work for order in group]), loop=loop
                )
                self._under_way.add(doing)
                doing.add_done_callback(partial(self._end, group, loop))

    def _end(
        self, group: Sequence[_Order], loop: asyncio.AbstractEventLoop, doing: asyncio.Future[list[_Outcome]]
    ) -> None:
        self._under_way.discard(doing)
        self._idle_threads += 1
        error = doing.exception()
        outcomes = [_Outcome(error=error)] * len(group) if error else doing.result()
        for order, outcome in zip(group, outcomes, strict=True):
            outcome.tell(order.done)
        if self._waiting:
            loop.call_soon(self._start, loop)


class GroupRead:
    """Reads in the threads of `executor`; those that wait together see one state of the database."""

    def __init__(self, engine: Engine, executor: Executor, threads: int, location: Location) -> None:
        self._engine = engine
        self._location = location
        self._queue = _Queue(executor, threads, self._transact)
        self.settle = self._queue.settle

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
        self._queue = _Queue(executor, 1, self._transact)
        self.settle = self._queue.settle

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once that is stored.

        Raises:
            StorageError: the database cannot be used; nothing of it is stored.
        """
        return await self._queue.do(work)

    def _transact(self, works: Sequence[Work]) -> list[_Outcome]:
        is_at_work = False
        try:
            with explained(self._location), self._engine.begin() as connection:
                is_at_work = True
                outcomes = [_Outcome(work(connection)) for work in works]
                is_at_work = False
            return outcomes
        except BaseException:
            if len(works) == 1 or not is_at_work:
                raise
        return self._transact_apart(works)

    def _transact_apart(self, works: Sequence[Work]) -> list[_Outcome]:
        """Do everything again, each in a savepoint: few writes fail, and savepoints cost more than many a write."""
        with explained(self._location), self._engine.begin() as connection:
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
