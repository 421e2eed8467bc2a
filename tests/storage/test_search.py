"""The index of turns: what is in it after whatever happens to turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.memory.index import WIDTH, Embedding, Entry, Mark, SearchIndex, Unread
from bot.memory.terms import terms_of
from bot.types import Role, Turn
from storage import Books, open_books
from tests.storage.conftest import SERVER
from tests.storage.values import CHAT, NOON, execute, said, url_of

MODEL = "model/1"


@pytest.fixture
def index(books: Books) -> SearchIndex:
    """The index on a fresh database."""
    return books.index


def entry_of(unread: Unread) -> Entry:
    """What is kept of a turn."""
    turn, terms = unread.turn, terms_of(unread.turn.text)
    return Entry(
        stamp=unread.stamp,
        turn_id=turn.id,
        conversation_id=turn.conversation_id,
        previous_id=turn.parent_id or 0,
        said_at=turn.at,
        speaker=turn.speaker,
        marks=Mark(0),
        length=len(terms),
        terms=" ".join(terms),
    )


def embedding_of(unread: Unread, fill: int = 1) -> Embedding:
    """Vectors that are told apart by one number."""
    return Embedding(unread.stamp, bytes([fill]) * (WIDTH // 4), bytes([fill]) * (2 * WIDTH))


async def read_all(index: SearchIndex) -> list[Unread]:
    """Enter whatever is to be entered; what that was."""
    unread = await index.unread(limit=1000)
    await index.enter([entry_of(each) for each in unread])
    return unread


async def embed_all(index: SearchIndex, model: str = MODEL) -> list[Unread]:
    """Embed whatever is to be embedded; what that was."""
    unread = await index.unembedded(model, limit=1000)
    await index.embed(model, [embedding_of(each) for each in unread])
    return unread


async def found(index: SearchIndex, *terms: str, limit: int = 100) -> list[list[int]]:
    """The ids of the turns that have each term, in order."""
    return [sorted(ids.tolist()) for ids in (await index.postings(terms, limit=limit)).values()]


@pytest.fixture
async def talk(books: Books) -> AsyncIterator[list[Turn]]:
    """A question, its answer, and another question."""
    conversation = await books.store.create_conversation(CHAT, at=NOON)
    yield [
        await books.store.append_turn(said(conversation, "Where do badgers climb?")),
        await books.store.append_turn(said(conversation, "Onto floes.", role=Role.ASSISTANT)),
        await books.store.append_turn(said(conversation, "我喜欢猫", at=NOON + timedelta(minutes=1))),
    ]


async def test_what_was_said_is_to_be_read_newest_first_with_what_was_said_before(
    index: SearchIndex, talk: list[Turn]
) -> None:
    unread = await index.unread(limit=2)
    assert [(each.turn, each.previous) for each in unread] == [(talk[2], "Onto floes."), (talk[1], talk[0].text)]


async def test_what_was_entered_is_found_by_its_terms_and_their_other_forms(
    index: SearchIndex, talk: list[Turn]
) -> None:
    await read_all(index)
    ids = [turn.id for turn in talk]
    assert await found(index, "badger", "climbing", "floe", "猫*", "欢猫", "nothing") == [
        [ids[0]],
        [ids[0]],
        [ids[1]],
        [ids[2]],
        [ids[2]],
        [],
    ]
    assert await index.unread(limit=10) == []
    entries = await index.entries(after=0, limit=10)
    assert sorted((each.turn_id, each.previous_id, each.said_minute, each.signs) for each in entries) == [
        (turn.id, turn.parent_id or 0, int(turn.at.timestamp() // 60), b"") for turn in talk
    ]


async def test_no_more_is_found_than_was_asked_for(index: SearchIndex, books: Books, talk: list[Turn]) -> None:
    for _ in range(5):
        await books.store.append_turn(said(talk[0].conversation_id, "badger"))
    await read_all(index)
    assert [len(ids) for ids in await found(index, "badger", limit=3)] == [3]


async def test_an_edited_turn_is_found_by_what_it_says_now_alone(
    index: SearchIndex, books: Books, talk: list[Turn]
) -> None:
    await read_all(index)
    await embed_all(index)
    await books.store.revise_turn(talk[0].id, text="Where do seals sleep?", at=NOON)
    assert await found(index, "badger") == [[]]
    assert set(await index.vectors([turn.id for turn in talk], model=MODEL)) == {
        talk[2].id
    }  # the answer's told of the question
    await read_all(index)
    assert await found(index, "badger", "seal") == [[], [talk[0].id]]
    assert {each.turn.id for each in await index.unembedded(MODEL, limit=9)} == {talk[0].id, talk[1].id}


async def test_another_answer_is_found_in_the_place_of_the_first(
    index: SearchIndex, books: Books, talk: list[Turn]
) -> None:
    await read_all(index)
    await books.store.replace_answer(talk[1].id, said(talk[1].conversation_id, "Up cliffs.", role=Role.ASSISTANT))
    await read_all(index)
    assert await found(index, "floe", "cliff") == [[], [talk[1].id]]


async def test_a_deleted_exchange_leaves_nothing_behind(index: SearchIndex, books: Books, talk: list[Turn]) -> None:
    await read_all(index)
    await embed_all(index)
    await books.store.delete_exchange(talk[0].id)
    assert await found(index, "badger", "floe") == [[], []]
    assert await index.turns([turn.id for turn in talk]) == {talk[2].id: await books.store.turn(talk[2].id)}
    assert await index.vectors([turn.id for turn in talk], model=MODEL) == {}
    assert [each.turn.id for each in await index.unread(limit=9)] == [talk[2].id]  # what is before it is another now
    await read_all(index)
    assert [each.turn_id for each in await index.entries(after=0, limit=9)] == [talk[2].id]


async def test_what_is_deleted_before_it_is_read_is_not_to_be_read(
    index: SearchIndex, books: Books, talk: list[Turn]
) -> None:
    await books.store.delete_exchange(talk[0].id)
    assert [each.turn.id for each in await index.unread(limit=9)] == [talk[2].id]


async def test_nothing_is_kept_of_a_turn_that_changed_while_it_was_read(
    index: SearchIndex, books: Books, talk: list[Turn]
) -> None:
    unread = await index.unread(limit=9)
    await books.store.revise_turn(talk[0].id, text="Where do seals sleep?", at=NOON)
    await index.enter([entry_of(each) for each in unread])
    assert await found(index, "badger", "猫*") == [[], [talk[2].id]]
    await read_all(index)
    read = await index.unembedded(MODEL, limit=9)
    await books.store.revise_turn(talk[2].id, text="dogs", at=NOON)
    await read_all(index)
    await index.embed(MODEL, [embedding_of(each) for each in read])
    assert set(await index.vectors([turn.id for turn in talk], model=MODEL)) == {talk[0].id, talk[1].id}


async def test_whoever_read_entries_before_gets_what_is_new_alone(index: SearchIndex, talk: list[Turn]) -> None:
    await read_all(index)
    last = (await index.entries(after=0, limit=9))[-1].stamp
    assert await index.entries(after=last, limit=9) == []
    [first, *_] = await index.unembedded(MODEL, limit=9)
    await index.embed(MODEL, [embedding_of(first, 7)])
    [entry] = await index.entries(after=last, limit=9)
    assert (entry.turn_id, entry.model, entry.signs) == (talk[2].id, MODEL, bytes([7]) * (WIDTH // 4))
    assert await index.vectors([talk[2].id], model=MODEL) == {talk[2].id: bytes([7]) * (2 * WIDTH)}


async def test_another_model_embeds_everything_anew(index: SearchIndex, talk: list[Turn]) -> None:
    await read_all(index)
    assert len(await embed_all(index)) == len(talk)
    assert await embed_all(index) == []
    assert [each.turn.id for each in await embed_all(index, "other/2")] == [turn.id for turn in reversed(talk)]
    assert await index.unembedded("other/2", limit=9) == []
    assert await index.vectors([talk[0].id], model=MODEL) == {}


@pytest.mark.parametrize(
    "text", ["🎉 party", 'a "quoted" AND NOT NEAR(x, y) * ^ : -', "x" * 50_000, "猫狗" * 25_000, "\x00", ""]
)
async def test_any_text_can_be_kept_and_found(index: SearchIndex, books: Books, talk: list[Turn], text: str) -> None:
    turn = await books.store.append_turn(said(talk[0].conversation_id, text))
    await read_all(index)
    # words that every text has are left out by PostgreSQL
    assert all(turn.id in ids for ids in await found(index, *(term for term in terms_of(text) if len(term) > 3)))
    assert await index.unread(limit=9) == []


@pytest.mark.skipif(bool(SERVER), reason="a server's files are its own")
async def test_deleted_words_vanish_from_the_file_when_it_is_tidied(file: Path) -> None:
    async with open_books(url_of(file)) as books:
        conversation = await books.store.create_conversation(CHAT, at=NOON)
        secret = await books.store.append_turn(said(conversation, "the password is zyzzyva"))
        await books.store.append_turn(said(conversation, "thank you"))
        await read_all(books.index)
        await books.store.delete_exchange(secret.id)
        while await books.index.tidy():
            pass
    execute(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"zyzzyva" not in file.read_bytes()


@pytest.mark.skipif(bool(SERVER), reason="the older database is a file")
async def test_what_was_said_before_there_was_an_index_is_to_be_read(file: Path) -> None:
    from storage.engine import make_engine
    from storage.location import locate
    from storage.migrations import SHIPPED, Migrations
    from storage.opening import prepare

    location = locate(url_of(file))
    engine = make_engine(location)
    prepare(engine, location, migrations=Migrations("0004", SHIPPED.folders))
    engine.dispose()
    execute(
        file,
        "INSERT INTO conversations (channel, account, chat, thread, name, persona, model, created_at, updated_at)"
        " VALUES ('console', '', 'local', '', '', '', '', '2026-03-04 12:00:00', '2026-03-04 12:00:00')",
        "INSERT INTO turns (conversation_id, role, text, at, state, platform_id, model, generator, prompt_tokens,"
        " cached_tokens, completion_tokens, queue_seconds, first_seconds, total_seconds, evidence)"
        " VALUES (1, 'user', 'badger', '2026-03-04 12:00:00', 'complete', '', '', '', 0, 0, 0, 0, 0, 0, '{}')",
    )
    async with open_books(url_of(file)) as books:
        await read_all(books.index)
        assert await found(books.index, "badger") == [[1]]
