"""What was said is found, by those who may know of it, as it stands now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bot.errors import StorageError
from bot.memory import recall as recall_module
from bot.memory.index import WIDTH, Floats, Unread
from bot.memory.indexing import Indexer
from bot.memory.recall import Hit, Recall
from bot.types import Address, Conversation, Person, Role, Turn, TurnDraft
from storage import Books, open_books

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TOPICS = ("dog puppy pet leash", "rain storm weather umbrella", "bread flour oven bake", "chess queen rook board")


class TopicEmbedder:
    """Texts about one topic mean the same; everything else means something of its own."""

    def __init__(self, name: str = "topics/1") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str]) -> Floats:
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Floats:
        vector = np.random.default_rng(len(text)).standard_normal(WIDTH).astype(np.float32) * 0.3
        for number, topic in enumerate(TOPICS):
            if set(topic.split()) & set(text.lower().strip("?.").split()):
                vector += np.random.default_rng(1000 + number).standard_normal(WIDTH).astype(np.float32) * 3
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


class Talk:
    """People and the assistant talking, and what is found of it."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.embedder = TopicEmbedder()
        self.recall = Recall(books.index, self.embedder)
        self.conversation: Conversation | None = None

    async def begin(self, chat: str = "here") -> Conversation:
        self.conversation = await self.books.store.create_conversation(Address("test", chat), at=NOW)
        return self.conversation

    async def say(self, text: str, speaker: str = "", *, at: datetime = NOW, role: Role = Role.USER) -> Turn:
        conversation = self.conversation or await self.begin()
        author = Person(speaker, speaker) if speaker else None
        draft = TurnDraft(conversation.id, role, text, at, author=author, speaker=speaker)
        return await self.books.store.append_turn(draft)

    async def embed(self) -> None:
        indexer = Indexer(self.books.index, self.embedder)
        while await indexer.read() or await indexer.embed():
            pass

    async def hits(self, text: str, *, audience: Sequence[int] = (), asker: str = "", limit: int = 10) -> list[Hit]:
        assert self.conversation
        return await self.recall.search(
            text, audience=audience or [self.conversation.id], now=NOW, asker=asker, limit=limit
        )

    async def found(self, text: str, *, audience: Sequence[int] = (), asker: str = "") -> list[str]:
        return [hit.turn.text for hit in await self.hits(text, audience=audience, asker=asker)]


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    """A conversation in a database of its own."""
    async with open_books(f"sqlite:///{(tmp_path / 'parley.db').as_posix()}") as books:
        yield Talk(books)


# -- what is found ------------------------------------------------------------------------------------------


async def test_what_was_said_just_now_is_found_by_its_words_before_it_is_embedded(talk: Talk) -> None:
    await talk.say("My passport number is in the blue drawer")
    await talk.say("Nice day today")
    assert (await talk.found("where is the passport?"))[0] == "My passport number is in the blue drawer"
    assert talk.embedder.embedded == ["where is the passport?"]


async def test_what_means_the_same_is_found_without_a_common_word(talk: Talk) -> None:
    for text in ("we got a puppy", "flour is sold out", "a storm is coming"):
        await talk.say(text)
    await talk.embed()
    assert (await talk.found("do you have a pet"))[0] == "we got a puppy"


async def test_an_answer_is_found_by_the_words_of_its_question(talk: Talk) -> None:
    await talk.say("What did you plant in the garden, Ann?", "Bob")
    await talk.say("Tomatoes and some basil this time", "Ann")
    assert await talk.found("What did Ann plant in the garden?") == [
        "Tomatoes and some basil this time",
        "What did you plant in the garden, Ann?",
    ]


async def test_of_two_people_the_one_who_is_asked_about_comes_first(talk: Talk) -> None:
    await talk.say("I collect old stamps", "Ann")
    await talk.say("I collect old coins", "Bob")
    assert (await talk.found("what does bob collect?"))[0] == "I collect old coins"
    assert (await talk.found("What are Ann's things that she collects?"))[0] == "I collect old stamps"


async def test_who_asks_about_themselves_gets_their_own_words_first(talk: Talk) -> None:
    await talk.say("My favourite colour is green", "Ann")
    await talk.say("My favourite colour is mauve", "Bob")
    assert (await talk.found("what is my favourite colour?", asker="Bob"))[0] == "My favourite colour is mauve"
    await talk.say("Blue suits many as a favourite colour", role=Role.ASSISTANT)
    assert (await talk.found("what did you say of a favourite colour"))[0].startswith("Blue")


@pytest.mark.parametrize(
    ("question", "day"),
    [
        ("What did I say in May?", "2025-05-20"),
        ("what did I say in may 2024", "2024-05-02"),
        ("What did I say yesterday?", "2026-03-03"),
        ("what did I tell you last week", "2026-02-25"),
        ("What was on 5 July 2024?", "2024-07-05"),
        ("我去年五月说了什么", "2025-05-20"),
        ("我昨天说了什么", "2026-03-03"),
    ],
)
async def test_a_dated_question_finds_what_was_said_then(talk: Talk, question: str, day: str) -> None:
    for each in ("2024-05-02", "2024-07-05", "2025-05-20", "2026-02-25", "2026-03-03", "2026-03-04"):
        await talk.say(f"a thing of {each}", at=datetime.fromisoformat(each).replace(hour=9, tzinfo=UTC))
    assert f"a thing of {day}" in (await talk.found(question))[:2]


async def test_results_come_with_what_was_said_around_them(talk: Talk) -> None:
    turns = [await talk.say(text) for text in ("one", "two", "the passport", "four", "five")]
    hit = (await talk.hits("passport"))[0]
    assert (hit.before, hit.turn, hit.after) == ((turns[1],), turns[2], (turns[3],))


async def test_no_more_comes_than_was_asked_for_and_nothing_where_nothing_fits(talk: Talk) -> None:
    for number in range(5):
        await talk.say(f"passport {number}")
    assert len(await talk.hits("passport", limit=3)) == 3
    assert await talk.hits("submarine") == []
    assert await talk.hits("") == []


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("我养了一只猫，名字叫小花", "你还记得我的猫吗"),
        ("我养了一只猫", "猫"),
        ("ฉันชอบแมว", "แมว"),
        ("私は東京に住んでいます", "東京"),
        ("Ich wohne in der Bäckerstraße", "backerstrasse BÄCKERSTRASSE Bäckerstraße"),
        ("the party was 🎉", "🎉"),
        ('he said "AND OR NOT" to me', '"AND" OR (NOT NEAR/2 he said:* ^"'),
        ("it costs 3.50 at O'Brien's", "O'Brien's"),
        ("x" * 49_900 + " needle in there", "needle"),
        ("needle", "needle " * 10_000),
    ],
    ids=[
        "chinese",
        "one sign",
        "thai",
        "japanese",
        "german",
        "emoji",
        "operators",
        "quotes",
        "long text",
        "long question",
    ],
)
async def test_any_text_is_found_by_any_question(talk: Talk, said: str, question: str) -> None:
    await talk.say("something else altogether")
    await talk.say(said)
    assert (await talk.found(question))[:1] == [said]


# -- what is not found --------------------------------------------------------------------------------------


async def test_nothing_is_found_of_conversations_that_the_reader_may_not_know(talk: Talk) -> None:
    private = await talk.begin("private")
    await talk.say("The surprise party is on Friday")
    group = await talk.begin("group")
    await talk.say("Is there a party?")
    await talk.embed()
    assert await talk.found("party on friday", audience=[group.id]) == ["Is there a party?"]
    assert len(await talk.found("party on friday", audience=[group.id, private.id])) == 2
    assert await talk.found("party", audience=[999]) == []


async def test_neighbours_of_other_conversations_do_not_come_along(talk: Talk) -> None:
    private = await talk.begin("private")
    secret = await talk.say("the secret")
    talk.conversation = await talk.books.store.branch_off(secret.id, Address("test", "thread"), at=NOW)
    await talk.say("the passport")
    [hit] = await talk.hits("passport")
    assert hit.before == ()
    assert talk.conversation
    [hit] = await talk.hits("passport", audience=[private.id, talk.conversation.id])
    assert hit.before == (secret,)


async def test_what_the_prompt_has_anyway_is_no_result(talk: Talk) -> None:
    old, new = await talk.say("my passport is blue"), await talk.say("where is my passport?")
    assert talk.conversation
    hits = await talk.recall.search("passport", audience=[talk.conversation.id], now=NOW, besides=[new.id])
    assert [hit.turn for hit in hits] == [old]


async def test_an_edited_turn_is_found_as_it_stands_now_alone(talk: Talk) -> None:
    turn = await talk.say("I adopted a puppy")
    await talk.embed()
    assert await talk.found("puppy") == ["I adopted a puppy"]
    await talk.books.store.revise_turn(turn.id, text="I bake bread", at=NOW)
    assert await talk.found("puppy") == []
    assert await talk.found("bread") == ["I bake bread"]
    await talk.embed()
    assert await talk.found("pet on a leash") == []
    assert await talk.found("oven") == ["I bake bread"]


async def test_a_deleted_turn_is_never_found_again_nor_by_what_knew_it(talk: Talk) -> None:
    turn = await talk.say("I adopted a puppy")
    await talk.embed()
    assert await talk.found("puppy") == ["I adopted a puppy"]
    other = Recall(talk.books.index, talk.embedder)
    await other.catch_up()
    await talk.books.store.delete_exchange(turn.id)
    assert await talk.found("puppy") == []
    assert await other.search("puppy", audience=[1], now=NOW) == []


# -- many turns, models, failures ---------------------------------------------------------------------------


async def test_among_many_turns_those_with_rare_terms_and_near_meaning_are_found(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall_module, "FEW", 10)
    monkeypatch.setattr(recall_module, "COMMON_TURNS", 20)
    monkeypatch.setattr(recall_module, "MOST_BY_TERMS", 5)
    monkeypatch.setattr(recall_module, "MOST_BY_MEANING", 5)
    for number in range(60):
        await talk.say(f"the usual report number {number}")
        if number == 30:
            await talk.say("the usual report about zebras")
            await talk.say("we got a puppy", at=NOW - timedelta(days=300))
    await talk.embed()
    assert (await talk.found("usual report zebras"))[0] == "the usual report about zebras"
    assert (await talk.found("usual report zebras"))[0] == "the usual report about zebras"  # what is common is known
    assert (await talk.found("a pet"))[0] == "we got a puppy"
    assert "the usual report" in (await talk.found("usual report"))[0]
    assert "we got a puppy" in await talk.found("what was in May 2025?")


async def test_another_model_embeds_anew_and_search_works_meanwhile(talk: Talk) -> None:
    await talk.say("we got a puppy")
    await talk.embed()
    talk.embedder = TopicEmbedder("topics/2")
    talk.recall = Recall(talk.books.index, talk.embedder)
    assert await talk.found("leash") == []
    assert await talk.found("puppy") == ["we got a puppy"]
    await talk.embed()
    assert await talk.found("leash") == ["we got a puppy"]
    assert talk.embedder.embedded.count("we got a puppy") == 2  # by itself, and after nothing


async def test_without_a_model_words_are_enough(talk: Talk) -> None:
    await talk.say("we got a puppy")
    recall = Recall(talk.books.index)
    [hit] = await recall.search("puppy", audience=[1], now=NOW)
    assert hit.turn.text == "we got a puppy"


async def test_questions_at_once_are_answered_as_one_by_one(talk: Talk) -> None:
    for text in ("we got a puppy", "flour is sold out", "a storm is coming"):
        await talk.say(text)
    found = await asyncio.gather(*(talk.found(word) for word in ("puppy", "flour", "storm") * 5))
    assert [texts[0] for texts in found] == ["we got a puppy", "flour is sold out", "a storm is coming"] * 5


class FailingIndex:
    """Fails once, then has nothing to read."""

    def __init__(self) -> None:
        self.asked = 0

    async def unread(self, *, limit: int) -> list[Unread]:
        self.asked += 1
        if self.asked == 1:
            raise StorageError("storage.bad_url")
        return []

    async def tidy(self) -> bool:
        return False


async def test_indexing_goes_on_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    index, pauses = FailingIndex(), 0

    async def pause(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Indexer(index).keep_up(pause)  # type: ignore[arg-type] # only what is asked for is there
    assert index.asked == 2
    assert "not indexed for now" in caplog.text


async def test_what_is_said_is_read_and_embedded_beside_everything_else(talk: Talk) -> None:
    await talk.say("we got a puppy")
    idle = asyncio.Event()

    async def pause(seconds: float) -> None:
        if seconds:
            idle.set()
            await asyncio.Event().wait()

    keeping = asyncio.create_task(Indexer(talk.books.index, talk.embedder).keep_up(pause))
    await asyncio.wait_for(idle.wait(), 30)
    keeping.cancel()
    assert await talk.found("pet") == ["we got a puppy"]
