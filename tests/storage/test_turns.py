"""Turns that are found again, changed, deleted and rated."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import StorageError
from bot.ledger import ParcelState
from bot.protocols import Store
from bot.types import Conversation, Person, Role, Timings, Turn, TurnDraft, TurnState, Usage
from storage import Books, open_books
from tests.storage.values import CHAT, HERE, NOON, parcel, said, texts_of, url_of

THREAD = replace(CHAT, thread="7")
LATER = NOON + timedelta(hours=1)


async def talk(store: Store, *texts: str) -> tuple[Conversation, list[Turn]]:
    """A conversation in which a person and the assistant take turns."""
    conversation = await store.create_conversation(CHAT, at=NOON)
    roles = (Role.USER, Role.ASSISTANT)
    turns = [
        await store.append_turn(said(conversation, text, role=roles[number % 2])) for number, text in enumerate(texts)
    ]
    return conversation, turns


async def marks(store: Store, conversation: Conversation) -> tuple[int | None, int | None]:
    """The head and the start of the window."""
    found = await store.conversation(conversation.id)
    assert found
    return found.head_id, found.window_start_id


async def branch(store: Store, turn: Turn) -> Conversation:
    """A conversation of a thread that goes on from the turn."""
    found = await store.branch_off(turn.id, THREAD, at=LATER)
    assert found
    return found


# -- branching off ------------------------------------------------------------------------------------------


async def test_a_conversation_goes_on_from_a_turn_of_another_as_that_one_would(store: Store) -> None:
    first, turns = await talk(store, "a", "b", "c", "d")
    await store.set_persona(first.id, "tutor")
    await store.set_model(first.id, "large")
    await store.set_window_start(first.id, turns[1].id)
    second = await branch(store, turns[2])
    assert (second.address, second.created_at, second.name) == (THREAD, LATER, "")
    assert (second.persona, second.model, second.head_id) == ("tutor", "large", turns[2].id)
    assert (second.origin_id, second.window_start_id) == (turns[2].id, turns[1].id)
    own = await store.append_turn(said(second, "e", role=Role.ASSISTANT))
    assert own.conversation_id == second.id
    assert texts_of(await store.path(second.id)) == ["a", "b", "c", "e"]
    assert texts_of(await store.path(second.id, since=second.window_start_id)) == ["b", "c", "e"]
    assert (await store.count_turns(second.id), texts_of(await store.path(first.id))) == (4, ["a", "b", "c", "d"])


async def test_nothing_goes_on_from_a_turn_that_is_gone(store: Store) -> None:
    _, [turn] = await talk(store, "a")
    await store.delete_exchange(turn.id)
    assert await store.branch_off(turn.id, THREAD, at=NOON) is None


async def test_a_head_may_be_inherited_and_nothing_else_of_another_conversation(store: Store) -> None:
    _, turns = await talk(store, "a", "b", "c")
    second = await branch(store, turns[1])
    third = await branch(store, await store.append_turn(said(second, "d")))
    for turn in (turns[0], turns[1]):
        await store.set_head(third.id, turn.id)
        await store.set_window_start(third.id, turn.id)
    assert texts_of(await store.path(third.id)) == ["a", "b"]
    for conversation in (second, third):
        with pytest.raises(StorageError):
            await store.set_head(conversation.id, turns[2].id)
        with pytest.raises(StorageError):
            await store.set_window_start(conversation.id, turns[2].id)


async def test_an_answer_given_in_another_conversation_is_no_answer_where_it_was_asked(store: Store) -> None:
    _, [question, answer] = await talk(store, "a", "b")
    second = await branch(store, question)
    other = await store.append_turn(said(second, "another b", role=Role.ASSISTANT))
    assert await store.answers(question.id) == [answer]
    assert sorted(await store.delete_exchange(question.id)) == [question.id, answer.id, other.id]
    assert await store.path(second.id) == []


async def test_what_is_deleted_is_gone_from_every_conversation_that_inherited_it(store: Store) -> None:
    first, turns = await talk(store, "a", "b", "c", "d")
    second, empty = await branch(store, turns[3]), await branch(store, turns[2])
    await store.append_turn(said(second, "e"))
    await store.set_window_start(second.id, turns[2].id)
    await store.delete_exchange(turns[2].id)
    assert texts_of(await store.path(second.id)) == ["a", "b", "e"]
    assert texts_of(await store.path(empty.id)) == texts_of(await store.path(first.id)) == ["a", "b"]
    assert (await marks(store, second))[1] not in (None, turns[2].id)
    await store.set_head(empty.id, turns[0].id)
    await store.delete_exchange(turns[0].id)
    assert (await store.path(empty.id), texts_of(await store.path(second.id))) == ([], ["e"])


async def test_inherited_people_keep_their_names_and_later_ones_are_not_known(store: Store) -> None:
    first = await store.create_conversation(CHAT, at=NOON)
    named = [
        await store.append_turn(replace(said(first, "a"), author=Person(person), speaker=speaker))
        for person, speaker in (("1", "Ann"), ("2", "Bob"), ("3", "Eve"))
    ]
    second = await branch(store, named[1])
    await store.append_turn(replace(said(second, "b"), author=Person("4"), speaker="Dan"))
    assert await store.speakers(second.id) == {"1": "Ann", "2": "Bob", "4": "Dan"}
    assert await store.speakers(first.id) == {"1": "Ann", "2": "Bob", "3": "Eve"}


# -- finding ------------------------------------------------------------------------------------------------


async def test_a_path_until_a_turn_ends_with_it_whatever_the_head_is(store: Store) -> None:
    conversation, turns = await talk(store, "a", "b", "c", "d")
    await store.set_head(conversation.id, turns[0].id)
    assert await store.path(conversation.id, until=turns[2].id) == turns[:3]
    assert await store.path(conversation.id, since=turns[1].id, until=turns[2].id) == turns[1:3]


async def test_a_path_until_a_turn_of_another_conversation_is_empty(store: Store) -> None:
    conversation, _ = await talk(store, "a")
    _, [other] = await talk(store, "b")
    assert await store.path(conversation.id, until=other.id) == []


async def test_a_turn_is_found_by_the_platforms_id_at_its_address(store: Store) -> None:
    conversations = [await store.create_conversation(address, at=NOON) for address in (CHAT, CHAT, HERE)]
    first, second, elsewhere = [
        await store.append_turn(replace(said(conversation, "a"), platform_id="m1")) for conversation in conversations
    ]
    await store.append_turn(replace(said(conversations[0], "b", role=Role.ASSISTANT), platform_id="m1"))
    await store.append_turn(said(conversations[0], "from nowhere"))
    assert await store.find_turn(CHAT, "m1") == second != first
    assert await store.find_turn(HERE, "m1") == elsewhere
    assert await store.find_turn(replace(CHAT, thread="7"), "m1") is None
    assert await store.find_turn(CHAT, "m2") is None
    assert await store.find_turn(CHAT, "") is None


async def test_finding_a_turn_by_the_platforms_id_reads_an_index(file: Path) -> None:
    from sqlalchemy import event

    from storage.engine import make_engine
    from storage.location import locate
    from storage.turns import find

    async with open_books(url_of(file)):
        pass
    engine = make_engine(locate(url_of(file)))
    plans: list[str] = []
    with engine.connect() as connection:

        @event.listens_for(connection, "before_cursor_execute")
        def explain(*arguments: object) -> None:
            _, cursor, statement, parameters, *_ = arguments
            rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()  # type: ignore[attr-defined] # a cursor of sqlite3
            plans.extend(str(row[3]) for row in rows)

        find(connection, CHAT, "m1")
    engine.dispose()
    assert not [plan for plan in plans if plan.startswith("SCAN")]
    assert any("ix_turns_platform_id" in plan for plan in plans)


async def test_people_who_were_named_are_told_by_conversation(store: Store) -> None:
    first, second = [await store.create_conversation(CHAT, at=NOON) for _ in range(2)]
    drafts = [(first, "1", "Ann"), (first, "2", "Ann (2)"), (first, "1", "Ann"), (first, "3", ""), (second, "2", "Ann")]
    for conversation, person, speaker in drafts:
        turn = await store.append_turn(replace(said(conversation, "a"), author=Person(person), speaker=speaker))
        assert turn.speaker == speaker
    assert await store.speakers(first.id) == {"1": "Ann", "2": "Ann (2)"}
    assert await store.speakers(second.id) == {"2": "Ann"}


async def test_the_answers_to_a_turn_are_those_of_the_assistant_oldest_first(store: Store) -> None:
    conversation, [question, old] = await talk(store, "q", "old")
    await store.set_head(conversation.id, question.id)
    new = await store.append_turn(said(conversation, "new", role=Role.ASSISTANT))
    await store.set_head(conversation.id, question.id)
    await store.append_turn(said(conversation, "another thing"))
    assert await store.answers(question.id) == [old, new]
    assert await store.answers(new.id) == []


# -- changing -----------------------------------------------------------------------------------------------


async def test_a_turn_that_was_revised_says_the_new_text_and_when_that_was_changed(store: Store) -> None:
    conversation = await store.create_conversation(CHAT, at=NOON)
    draft = replace(said(conversation, "secret"), evidence={"why": "asked"}, author=Person("1", "Ann"), platform_id="m")
    turn = await store.append_turn(draft)
    revised = await store.revise_turn(turn.id, text="public", at=LATER)
    evidence = {"why": "asked", "edited_at": "2026-03-04T13:00:00+00:00"}
    assert revised == replace(turn, text="public", evidence=evidence)
    assert await store.path(conversation.id) == [revised]


async def test_what_a_turn_said_before_is_nowhere_in_the_file(file: Path) -> None:
    async with open_books(url_of(file)) as books:
        _, [question, *_] = await talk(books.store, "unmistakable words", "a", "b")
        await books.store.revise_turn(question.id, text="others", at=LATER)
    assert b"unmistakable" not in file.read_bytes()


async def test_an_answer_is_replaced_in_its_place(store: Store) -> None:
    conversation, [question, answer, after] = await talk(store, "q", "old", "then")
    draft = TurnDraft(
        conversation.id,
        Role.ASSISTANT,
        "new",
        LATER,
        state=TurnState.STOPPED,
        platform_id="not taken over",
        model="small",
        generator="echo",
        usage=Usage(1, 2, 3),
        timings=Timings(0.1, 0.2, 0.3),
        evidence={"a": 1},
    )
    replaced = await store.replace_answer(answer.id, draft)
    assert (replaced.id, replaced.parent_id, replaced.platform_id) == (answer.id, question.id, "")
    assert replace(replaced, id=0, parent_id=None) == Turn(
        **{name: getattr(draft, name) for name in draft.__slots__} | {"platform_id": ""}
    )
    assert await store.path(conversation.id) == [question, replaced, after]


async def test_changing_a_turn_that_is_not_there_is_told(store: Store) -> None:
    conversation, [question] = await talk(store, "q")
    answer = said(conversation, "a", role=Role.ASSISTANT)
    for change in (
        store.revise_turn(99, text="a", at=NOON),
        store.replace_answer(99, answer),
        store.replace_answer(question.id, answer),
        store.rate(99, "1", 1, at=NOON),
    ):
        with pytest.raises(StorageError) as caught:
            await change
        assert caught.value.key == "storage.unknown_turn"
        assert str(caught.value.values["turn"]) in str(caught.value)


# -- deleting -----------------------------------------------------------------------------------------------


async def test_deleting_the_last_exchange_moves_the_head_before_it(store: Store) -> None:
    conversation, turns = await talk(store, "a", "b", "c", "d")
    assert await store.delete_exchange(turns[2].id) == [turns[2].id, turns[3].id]
    assert await store.path(conversation.id) == turns[:2]
    assert await store.turn(turns[3].id) is None


async def test_deleting_an_exchange_in_the_middle_joins_what_is_around_it(store: Store) -> None:
    conversation, turns = await talk(store, "a", "b", "c", "d", "e", "f")
    await store.delete_exchange(turns[2].id)
    assert texts_of(await store.path(conversation.id)) == ["a", "b", "e", "f"]
    assert await marks(store, conversation) == (turns[5].id, None)


async def test_deleting_the_only_exchange_leaves_an_empty_conversation(store: Store) -> None:
    conversation, turns = await talk(store, "a", "b")
    await store.set_window_start(conversation.id, turns[0].id)
    assert await store.delete_exchange(turns[0].id) == [turns[0].id, turns[1].id]
    assert await store.path(conversation.id) == []
    assert await marks(store, conversation) == (None, None)
    first = await store.append_turn(said(conversation, "c"))
    assert first.parent_id is None


async def test_every_answer_goes_and_every_branch_after_them_stays(store: Store) -> None:
    conversation, [before, _, question, old] = await talk(store, "a", "b", "c", "old")
    on_old = await store.append_turn(said(conversation, "on old"))
    await store.set_head(conversation.id, question.id)
    new = await store.append_turn(said(conversation, "new", role=Role.ASSISTANT))
    on_new = await store.append_turn(said(conversation, "on new"))
    await store.set_head(conversation.id, question.id)
    beside = await store.append_turn(said(conversation, "beside"))
    assert await store.delete_exchange(question.id) == [question.id, old.id, new.id]
    for last in (on_old, on_new, beside):
        assert texts_of(await store.path(conversation.id, until=last.id)) == ["a", "b", last.text]
    assert await store.turn(before.id) == before


@pytest.mark.parametrize("start", [2, 3], ids=["question", "answer"])
async def test_a_window_that_began_in_the_exchange_begins_after_it(store: Store, start: int) -> None:
    conversation, turns = await talk(store, "a", "b", "c", "d", "e", "f")
    await store.set_window_start(conversation.id, turns[start].id)
    await store.delete_exchange(turns[2].id)
    assert await marks(store, conversation) == (turns[5].id, turns[4].id)


async def test_a_window_that_began_in_the_last_exchange_begins_with_the_new_head(store: Store) -> None:
    conversation, turns = await talk(store, "a", "b", "c", "d")
    await store.set_window_start(conversation.id, turns[2].id)
    await store.delete_exchange(turns[2].id)
    assert await marks(store, conversation) == (turns[1].id, turns[1].id)


async def test_what_is_no_turn_of_a_person_is_not_deleted(store: Store) -> None:
    conversation, turns = await talk(store, "a", "b")
    assert await store.delete_exchange(turns[1].id) == []
    assert await store.delete_exchange(99) == []
    assert await store.path(conversation.id) == turns


async def test_an_exchange_goes_with_its_ratings_and_with_answers_that_never_arrived(books: Books) -> None:
    _, [question, answer] = await talk(books.store, "q", "a")
    await books.store.rate(answer.id, "1", 1, at=NOON)
    dead, sent = await books.ledger.post([parcel("a", turn_id=answer.id) for _ in range(2)], at=NOON)
    await books.ledger.set_aside(dead.id, "blocked")
    await books.ledger.delivered(sent.id, "m1", at=NOON)
    await books.store.delete_exchange(question.id)
    assert await books.store.ratings(answer.id) == {}
    assert await books.ledger.dead() == []
    # what the platform still shows can still be taken away
    assert [(each.receipt, each.state) for each in await books.ledger.shown(answer.id)] == [("m1", ParcelState.SENT)]


# -- rating -------------------------------------------------------------------------------------------------


async def test_a_person_rates_a_turn_once_and_may_think_again(store: Store) -> None:
    _, [question, answer] = await talk(store, "q", "a")
    await asyncio.gather(*(store.rate(answer.id, "ann", 1, at=NOON) for _ in range(5)))
    await store.rate(answer.id, "bob", 1, at=NOON)
    await store.rate(answer.id, "ann", -1, at=LATER)
    assert await store.ratings(answer.id) == {"ann": -1, "bob": 1}
    await store.rate(answer.id, "ann", None, at=LATER)
    assert await store.ratings(answer.id) == {"bob": 1}
    assert await store.ratings(question.id) == {}
