"""Writes that wait together are stored together, and still succeed, fail and end each for itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from bot.errors import StorageError
from storage.engine import Database, make_engine
from storage.grouping import LARGEST_GROUP
from storage.location import locate
from tests.storage.values import execute, url_of


@pytest.fixture
async def database(file: Path, engine: Engine) -> AsyncIterator[Database]:
    """An open database."""
    opened = Database(locate(url_of(file)), engine)
    await opened.prepare()
    yield opened
    await opened.close()


@pytest.fixture
def commits(engine: Engine, database: Database) -> list[Connection]:
    """Grows by one with each commit."""
    seen: list[Connection] = []
    event.listen(engine, "commit", seen.append)
    return seen


def storing(key: str) -> Callable[[Connection], str]:
    """A write that keeps a setting."""

    def store(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO settings VALUES ('test', ?, '')", (key,))
        return key

    return store


def failing(sql: str = "INSERT INTO nowhere VALUES (1)") -> Callable[[Connection], str]:
    """A write that keeps a setting and then fails."""

    def fail(connection: Connection) -> str:
        storing("failing")(connection)
        connection.exec_driver_sql(sql)
        return "not reached"

    return fail


async def write_together(
    database: Database, *works: Callable[[Connection], str], cancelled: int | None = None
) -> list[str | BaseException]:
    """Hold the writer until all the writes wait for it; what each ends with."""
    held, is_open = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        held.set()
        assert is_open.wait(timeout=10)

    holding = asyncio.create_task(database.write(hold))
    await asyncio.to_thread(held.wait)
    tasks = [asyncio.create_task(database.write(work)) for work in works]
    await asyncio.sleep(0)
    if cancelled is not None:
        tasks[cancelled].cancel()
        await asyncio.wait([tasks[cancelled]])
    is_open.set()
    await holding
    return await asyncio.gather(*tasks, return_exceptions=True)


def kept(file: Path) -> list[object]:
    """The settings that were stored, in the order in which that happened."""
    return [key for (key,) in execute(file, "SELECT key FROM settings ORDER BY rowid")]


async def test_writes_that_wait_together_are_committed_together(
    file: Path, database: Database, commits: list[Connection]
) -> None:
    assert await write_together(database, *map(storing, "abc")) == ["a", "b", "c"]
    assert kept(file) == ["a", "b", "c"]
    # one is of what held the writer
    assert len(commits) == 2


async def test_a_group_is_bounded_and_the_order_is_kept(
    file: Path, database: Database, commits: list[Connection]
) -> None:
    wanted = [str(number) for number in range(2 * LARGEST_GROUP + 1)]
    assert await write_together(database, *map(storing, wanted)) == wanted
    assert kept(file) == wanted
    assert len(commits) == 1 + 3


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_write_that_fails_is_undone_alone(file: Path, database: Database, place: int) -> None:
    works = [storing("a"), storing("b")]
    works.insert(place, failing())
    ends = await write_together(database, *works)
    error = ends.pop(place)
    assert isinstance(error, StorageError)
    assert ends == ["a", "b"] == kept(file)


async def test_what_a_write_raises_itself_reaches_its_caller_alone(file: Path, database: Database) -> None:
    def refuse(connection: Connection) -> str:
        storing("refused")(connection)
        raise KeyError("refused")

    first, second, third = await write_together(database, storing("a"), refuse, storing("b"))
    assert (first, repr(second), third) == ("a", "KeyError('refused')", "b")
    assert kept(file) == ["a", "b"]


async def test_a_commit_that_fails_is_told_to_everybody_and_nothing_is_stored(file: Path, database: Database) -> None:
    def store_what_cannot_be_committed(connection: Connection) -> str:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql("INSERT INTO feedback VALUES (99, 'ann', 1, '2026-03-04')")
        return "not yet wrong"

    ends = await write_together(database, storing("a"), store_what_cannot_be_committed, storing("b"))
    assert [type(end) for end in ends] == [StorageError] * 3
    assert kept(file) == []
    assert await write_together(database, storing("c")) == ["c"]


async def test_where_the_database_gives_up_the_whole_transaction_everybody_hears_why(
    file: Path, database: Database
) -> None:
    giving_up = failing("INSERT OR ROLLBACK INTO settings VALUES ('test', 'failing', '')")
    ends = await write_together(database, storing("a"), giving_up, storing("b"))
    assert [type(end) for end in ends] == [StorageError] * 3
    assert "UNIQUE" in str(ends[0])
    assert kept(file) == []
    assert await write_together(database, storing("c")) == ["c"]


async def test_a_database_that_is_locked_is_told_to_everybody(file: Path, database: Database, engine: Engine) -> None:
    blocker = make_engine(locate(url_of(file)))
    impatient = Database(locate(url_of(file)), make_engine(locate(url_of(file)), busy_timeout_seconds=0.01))
    with blocker.begin() as connection:
        connection.exec_driver_sql("INSERT INTO settings VALUES ('test', 'blocker', '')")
        ends = await asyncio.gather(*(impatient.write(storing(key)) for key in "ab"), return_exceptions=True)
        assert [isinstance(end, StorageError) and end.key for end in ends] == ["storage.locked"] * 2
    assert await impatient.write(storing("c")) == "c"
    await impatient.close()
    blocker.dispose()


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_write_that_nobody_awaits_any_more_takes_nobody_with_it(
    file: Path, database: Database, place: int
) -> None:
    ends = await write_together(database, *map(storing, "abc"), cancelled=place)
    assert isinstance(ends.pop(place), asyncio.CancelledError)
    assert ends == ["abc"[number] for number in range(3) if number != place] == kept(file)


async def test_a_write_that_has_begun_ends_even_if_nobody_awaits_it(file: Path, database: Database) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def store(connection: Connection) -> str:
        begun.set()
        assert may_end.wait(timeout=10)
        return storing("a")(connection)

    task = asyncio.create_task(database.write(store))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    may_end.set()
    assert await database.write(storing("b")) == "b"
    assert kept(file) == ["a", "b"]


async def test_nobody_hears_of_success_before_the_commit(database: Database, engine: Engine) -> None:
    loop = asyncio.get_running_loop()
    heard: list[str] = []
    heard_at_commits: list[int] = []

    def note(connection: Connection) -> None:
        # whoever could go on by now, has
        for _ in range(3):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(timeout=10)
        heard_at_commits.append(len(heard))

    event.listen(engine, "commit", note)

    async def write(key: str) -> None:
        heard.append(await database.write(storing(key)))

    await asyncio.gather(*(write(str(number)) for number in range(20)))
    assert len(heard) == 20
    # the first went alone, if it was quicker than the others came, and all others together
    assert heard_at_commits in ([0], [0, 1])


async def test_writes_that_wait_when_the_database_is_closed_are_stored(file: Path, engine: Engine) -> None:
    database = Database(locate(url_of(file)), engine)
    await database.prepare()
    writing = [asyncio.create_task(database.write(storing(key))) for key in "abc"]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writing) == ["a", "b", "c"] == kept(file)


async def test_a_read_that_fails_does_so_alone(database: Database) -> None:
    def count(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM settings").scalar_one())

    def fail(connection: Connection) -> int:
        return int(connection.exec_driver_sql("SELECT count(*) FROM nowhere").scalar_one())

    reads = (database.read(work) for work in (count, fail, count))
    first, second, third = await asyncio.gather(*reads, return_exceptions=True)
    assert (first, type(second), third) == (0, StorageError, 0)


async def test_reads_beside_writes_see_what_was_stored_before_they_were_asked_for(database: Database) -> None:
    def keys(connection: Connection) -> set[str]:
        return set(connection.exec_driver_sql("SELECT key FROM settings").scalars())

    async def store_and_look(key: str) -> bool:
        await database.write(storing(key))
        return key in await database.read(keys)

    assert all(await asyncio.gather(*(store_and_look(str(number)) for number in range(200))))
