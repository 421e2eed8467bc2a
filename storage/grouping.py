"""What waits for a database at the same time is done together: one transaction, and one flush for all that is written.

A write that fails is undone alone: then all in its transaction are done again, each in a savepoint of its own. So what
writes may be called twice, and must not do anything but write. Knows nothing of what is done.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine

from storage.failures import explained
from storage.location import Location

T = TypeVar("T")

Work = Callable[[Connection], Any]

LARGEST_GROUP = 64
"""Bounds how long other programs wait for the lock, and how much is lost where a commit fails."""
TRUST_SECONDS = 0.2
"""After a look at whether others have written."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What one caller wants to be done, and what it waits for."""

    work: Work
    done: asyncio.Future[Any]
    then: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a piece of work went, inside a transaction that has not ended yet."""

    result: Any = None
    error: BaseException | None = None

    def tell(self, order: _Order) -> None:
        if not self.error:
            order.then(self.result)
        if order.done.done():  # nobody awaits it any more
            return
        if self.error:
            order.done.set_exception(self.error)
        else:
            order.done.set_result(self.result)


def _nothing(_: object) -> None:
    return None


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

    async def do(self, work: Callable[[Connection], T], then: Callable[[T], None] = _nothing) -> T:
        """What `work` returns, once its group has ended; `then` is told it first, also if nobody awaits it any more."""
        loop = asyncio.get_running_loop()
        order = _Order(work, loop.create_future(), then)
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
            outcome.tell(order)
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
    """Writes in the order of its calls, in the one thread of `executor`, on a connection of its own.

    Nobody is told of success before everything in the transaction is stored. Where the transaction as a whole fails,
    everybody in it gets the error. Each transaction begins with a look at whether others have written since the last.
    """

    def __init__(self, engine: Engine, executor: Executor, location: Location) -> None:
        self._engine = engine
        self._executor = executor
        self._location = location
        self._queue = _Queue(executor, 1, self._transact)
        self._connection: Connection | None = None
        self._version: int | None = None
        self._epochs = count(1)
        self._epoch = 0
        self._looked_at = -TRUST_SECONDS

    async def write(self, work: Callable[[Connection], T], then: Callable[[T], None] = _nothing) -> T:
        """What `work` returns, once that is stored; `then` is told it first, also if nobody awaits it any more.

        Raises:
            StorageError: the database cannot be used; nothing of it is stored.
        """
        return await self._queue.do(work, then)

    def epoch(self) -> int | None:
        """A number that changes when others have written; None where nobody has looked for a while."""
        return self._epoch if time.monotonic() - self._looked_at < TRUST_SECONDS else None

    def distrust(self) -> None:
        """Begin another epoch."""
        self._epoch = next(self._epochs)

    async def close(self) -> None:
        """Wait for what was asked for, and let go of the connection."""
        await self._queue.settle()
        await asyncio.get_running_loop().run_in_executor(self._executor, self._disconnect)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._connection is None:
            self._connection, self._version = self._engine.connect(), None
        try:
            with self._connection.begin():
                self._look(_driver_of(self._connection))
                yield self._connection
        except BaseException:
            # in what state it is, is not worth finding out
            self._disconnect()
            raise

    def _look(self, driver: sqlite3.Connection) -> None:
        """What others write changes this number (https://sqlite.org/pragma.html#pragma_data_version)."""
        (version,) = driver.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self.distrust()
        self._looked_at = time.monotonic()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(self, works: Sequence[Work]) -> list[_Outcome]:
        is_at_work = False
        try:
            with explained(self._location), self._transaction() as connection:
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
        with explained(self._location), self._transaction() as connection:
            driver = _driver_of(connection)
            return [self._attempt(connection, driver, work) for work in works]

    def _attempt(self, connection: Connection, driver: sqlite3.Connection, work: Work) -> _Outcome:
        driver.execute("SAVEPOINT write")
        try:
            with explained(self._location):
                outcome = _Outcome(work(connection))
        except BaseException as error:  # noqa: BLE001 # the caller raises it
            _undo(driver, error)
            outcome = _Outcome(error=error)
        driver.execute("RELEASE write")
        return outcome


def _driver_of(connection: Connection) -> sqlite3.Connection:
    """For what takes longer through the toolkit than it takes."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _undo(driver: sqlite3.Connection, error: BaseException) -> None:
    """Go back to the savepoint; where the database has given the whole transaction up, `error` is why."""
    try:
        driver.execute("ROLLBACK TO write")
    except sqlite3.Error:
        raise error from None
