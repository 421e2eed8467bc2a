"""Writes that wait for the one writer at the same time are stored together: one transaction, one flush for all.

Each runs in a savepoint of its own, so that one that fails is undone alone. Knows nothing of what is written.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.failures import explained
from storage.location import Location

T = TypeVar("T")

LARGEST_GROUP = 64
"""Bounds how long other programs wait for the lock, and how much is lost where a commit fails."""


@dataclass(frozen=True, slots=True)
class _Write:
    """What one caller wants to be written, and what it waits for."""

    work: Callable[[Connection], Any]
    done: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a write went, inside a transaction that is not committed yet."""

    result: Any = None
    error: BaseException | None = None

    def tell(self, done: Future[Any]) -> None:
        if self.error:
            done.set_exception(self.error)
        else:
            done.set_result(self.result)


class GroupCommit:
    """Writes in the order of its calls, in the one thread of `executor`.

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
        write = _Write(work)
        self._waiting.append(write)
        # one call for each write: those whose write went with an earlier group find nothing, and cost nothing
        self._executor.submit(self._store_group)
        result: T = await asyncio.wrap_future(write.done)
        return result

    def _store_group(self) -> None:
        group = [write for write in self._take() if write.done.set_running_or_notify_cancel()]
        if not group:
            return
        try:
            outcomes = self._transact(group)
        except BaseException as error:  # noqa: BLE001 # each of the callers raises it
            outcomes = [_Outcome(error=error)] * len(group)
        for write, outcome in zip(group, outcomes, strict=True):
            outcome.tell(write.done)

    def _take(self) -> list[_Write]:
        # only this thread takes any, so there are at least as many as are counted
        count = min(len(self._waiting), LARGEST_GROUP)
        return [self._waiting.popleft() for _ in range(count)]

    def _transact(self, group: list[_Write]) -> list[_Outcome]:
        with explained(self._location), self._engine.begin() as connection:
            if len(group) == 1:
                return [_Outcome(group[0].work(connection))]
            return [self._attempt(connection, write.work) for write in group]

    def _attempt(self, connection: Connection, work: Callable[[Connection], Any]) -> _Outcome:
        connection.exec_driver_sql("SAVEPOINT write")
        try:
            with explained(self._location):
                outcome = _Outcome(work(connection))
        except BaseException as error:  # noqa: BLE001 # the caller raises it
            _undo(connection, error)
            outcome = _Outcome(error=error)
        connection.exec_driver_sql("RELEASE write")
        return outcome


def _undo(connection: Connection, error: BaseException) -> None:
    """Go back to the savepoint; where the database has given the whole transaction up, `error` is why."""
    try:
        connection.exec_driver_sql("ROLLBACK TO write")
    except DBAPIError:
        raise error from None
