"""What is remembered of a database is what stands in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from bot.people import Standing
from bot.types import Conversation, Role, Turn
from storage import Books, open_books
from storage.remembering import CAPACITY_BYTES, VALUE_BYTES, Remembered
from tests.storage.values import CHAT, NOON, said


class Source:
    """Says how often it was read, and lets the reading wait."""

    def __init__(self) -> None:
        self.epoch: int | None = 1
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.remembered: Remembered[str, int] = Remembered(lambda: self.epoch)

    async def find(self, key: str = "key") -> int:
        return await self.remembered.find(key, self._read)

    async def _read(self) -> int:
        self.reads += 1
        value = self.reads
        if self.gate:
            await self.gate.wait()
        return value


async def test_what_was_read_is_not_read_again() -> None:
    source = Source()
    assert [await source.find(), await source.find()] == [1, 1]


async def test_what_was_written_is_read_again() -> None:
    source = Source()
    await source.find()
    source.remembered.forget("key")
    assert await source.find() == 2


async def test_when_others_have_written_everything_is_read_again() -> None:
    source = Source()
    await source.find("one")
    await source.find("two")
    source.epoch = 2
    assert [await source.find("one"), await source.find("two")] == [3, 4]


async def test_where_nobody_knows_whether_others_have_written_it_is_read() -> None:
    source = Source()
    await source.find()
    source.epoch = None
    assert (await source.find(), source.remembered.get("key")) == (2, None)
    source.epoch = 1
    assert await source.find() == 1


@pytest.mark.parametrize("change", ["written here", "written by others", "known here"])
async def test_what_changes_while_it_is_read_is_not_remembered_as_it_was(change: str) -> None:
    source = Source()
    source.gate = asyncio.Event()
    reading = asyncio.create_task(source.find())
    await asyncio.sleep(0)
    match change:
        case "written here":
            source.remembered.forget("key")
        case "written by others":
            source.epoch = 2
        case _:
            source.remembered.know("key", 7)
    source.gate.set()
    assert await reading == 1
    assert await source.find() == (7 if change == "known here" else 2)


async def test_a_reading_that_fails_leaves_nothing_behind() -> None:
    source = Source()

    async def fail() -> int:
        raise OSError

    with pytest.raises(OSError):
        await source.remembered.find("key", fail)
    assert await source.find() == 1


def test_it_is_bounded_and_forgets_what_was_not_asked_for_longest() -> None:
    remembered: Remembered[int, str] = Remembered(lambda: 1, more_bytes=len)
    for number in range(3):
        remembered.know(number, "x" * (CAPACITY_BYTES // 3 - VALUE_BYTES))
    assert remembered.get(0)
    remembered.know(3, "x")
    assert [remembered.get(number) is None for number in range(4)] == [False, True, False, False]


# -- in a database ------------------------------------------------------------------------------------------


@pytest.fixture
async def others(url: str, books: Books) -> AsyncIterator[Books]:
    """Another program on the same database."""
    async with open_books(url) as opened:
        yield opened


async def look(books: Books) -> None:
    """Write something, by which it is noticed what others have written."""
    await books.store.set_setting("test", "look", "")


async def test_what_others_write_counts_from_the_next_write_on(books: Books, others: Books) -> None:
    talk = await books.store.create_conversation(CHAT, at=NOON)
    await look(books)
    assert await books.store.setting("scope", "key") is None
    assert await books.roll.standing("telegram", "1", "2") is None
    await others.store.set_setting("scope", "key", "theirs")
    await others.roll.set_standing("telegram", "1", "2", "Ann", Standing.BLOCKED, at=NOON)
    await others.store.append_turn(said(talk, "theirs"))
    await look(books)
    assert await books.store.setting("scope", "key") == "theirs"
    assert await books.roll.standing("telegram", "1", "2") is Standing.BLOCKED
    assert [turn.text for turn in await books.store.path(talk.id)] == ["theirs"]


async def test_what_is_written_here_counts_at_once(books: Books) -> None:
    for standing in (Standing.ALLOWED, Standing.BLOCKED, None):
        await books.roll.set_standing("telegram", "1", "2", "Ann", standing, at=NOON)
        assert await books.roll.standing("telegram", "1", "2") is standing
    for value in ("one", "two", None):
        await books.store.set_setting("scope", "key", value)
        assert await books.store.setting("scope", "key") == value


async def test_a_write_that_nobody_awaits_any_more_counts(books: Books) -> None:
    await books.store.set_setting("scope", "key", "one")
    assert await books.store.setting("scope", "key") == "one"
    writing = asyncio.create_task(books.store.set_setting("scope", "key", "two"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # by now it has begun
    writing.cancel()
    await asyncio.wait([writing])
    async with asyncio.timeout(10):
        while await books.store.setting("scope", "key") != "two":
            await look(books)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_done_to_a_conversation_is_read_as_it_stands(
    books: Books, others: Books, url: str, seed: int
) -> None:
    chance = random.Random(seed)
    talk = await books.store.create_conversation(CHAT, at=NOON)
    turns: list[Turn] = []
    for step in range(80):
        await change(books if chance.random() < 0.9 else others, talk, turns, chance, step)
        await look(books)
        since = chance.choice([None, *(turn.id for turn in turns[-6:])])
        found = await books.store.path(talk.id, since=since), await books.store.conversation(talk.id)
        async with open_books(url) as fresh:
            assert found == (await fresh.store.path(talk.id, since=since), await fresh.store.conversation(talk.id))


async def change(books: Books, talk: Conversation, turns: list[Turn], chance: random.Random, step: int) -> None:
    """Do something to the conversation."""
    store, text, at = books.store, f"said at step {step}", NOON + timedelta(seconds=step)
    questions = [turn for turn in turns if turn.role is Role.USER]
    answers = [turn for turn in turns if turn.role is Role.ASSISTANT]
    some = chance.choice(turns) if turns else None
    whats: list[Callable[[], Awaitable[object]]] = [
        lambda: store.set_head(talk.id, some.id if some else None),
        lambda: store.set_window_start(talk.id, some.id if some else None),
        lambda: store.rename_conversation(talk.id, text),
    ]
    if questions:
        whats.append(lambda: store.revise_turn(chance.choice(questions).id, text=text, at=at))
    if answers:
        whats.append(lambda: store.replace_answer(chance.choice(answers).id, said(talk, text)))
    if questions and chance.random() < 0.3:
        gone = await store.delete_exchange(chance.choice(questions).id)
        turns[:] = [turn for turn in turns if turn.id not in gone]
    elif chance.random() < 0.6:
        turns.append(await store.append_turn(said(talk, text, role=chance.choice([Role.USER, Role.ASSISTANT]))))
    else:
        await chance.choice(whats)()
