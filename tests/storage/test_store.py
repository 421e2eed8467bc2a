"""The contract of `Store`: what is put in comes out, turns form a tree, nothing is destroyed."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError

from bot.errors import StorageError
from bot.protocols import Store
from bot.types import Address, Person, Role, Timings, Turn, TurnDraft, TurnState, Usage
from storage import open_store
from tests.storage.values import HERE, NOON, said, texts_of

TOKYO = timezone(timedelta(hours=9))


async def test_a_new_conversation_comes_back_as_it_was_made(store: Store) -> None:
    address = Address("telegram", "-100", account="bot", thread="7")
    made = await store.create_conversation(address, at=NOON, name="trip", persona="tutor", model="big")
    assert await store.conversation(made.id) == made
    assert (made.address, made.name, made.persona, made.model) == (address, "trip", "tutor", "big")
    assert (made.created_at, made.updated_at, made.head_id, made.window_start_id) == (NOON, NOON, None, None)


async def test_an_unknown_conversation_or_turn_is_none(store: Store) -> None:
    assert await store.conversation(1) is None
    assert await store.turn(1) is None
    assert await store.path(1) == []
    assert await store.count_turns(1) == 0
    assert await store.find_conversation(HERE, "trip") is None


async def test_a_turn_comes_back_with_everything_it_was_given(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    draft = TurnDraft(
        conversation.id,
        Role.ASSISTANT,
        "Tōkyō 🗼 is fine",
        datetime(2026, 3, 4, 21, 0, 0, 123456, TOKYO),
        state=TurnState.STOPPED,
        author=Person("42", "Ann", "en-GB"),
        platform_id="m1",
        model="small",
        generator="echo",
        usage=Usage(10, 4, 7),
        timings=Timings(0.25, 0.5, 1.75),
        evidence={"sources": ["a", {"b": None}], "score": 0.1},
    )
    turn = await store.append_turn(draft)
    assert turn == Turn(**{field.name: getattr(draft, field.name) for field in fields(draft)}, id=turn.id)
    assert await store.turn(turn.id) == turn
    assert await store.path(conversation.id) == [turn]


async def test_a_sign_that_a_database_cannot_hold_is_replaced(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    turn = await store.append_turn(said(conversation, "a\x00b"))
    assert turn.text in ("a\x00b", "a\ufffdb")
    assert await store.turn(turn.id) == turn


async def test_times_come_back_aware_and_in_utc(store: Store) -> None:
    at = datetime(2026, 10, 25, 2, 30, tzinfo=TOKYO)
    conversation = await store.create_conversation(HERE, at=at)
    assert conversation.created_at == at
    assert conversation.created_at.tzinfo is UTC


async def test_a_naive_time_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="naive"):
        await store.create_conversation(HERE, at=datetime(2026, 3, 4))


async def test_an_author_without_a_name_is_still_an_author(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    turn = await store.append_turn(TurnDraft(conversation.id, Role.USER, "hi", NOON, author=Person("")))
    assert turn.author == Person("")


async def test_half_of_a_surrogate_pair_is_stored_as_a_replacement_character(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    turn = await store.append_turn(said(conversation, "broken \ud83d, whole \U0001f600"))
    assert turn.text == "broken \N{REPLACEMENT CHARACTER}, whole \U0001f600"
    assert await store.turn(turn.id) == turn


async def test_turns_follow_each_other(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    turns = [await store.append_turn(said(conversation, text)) for text in ("a", "b", "c")]
    assert [turn.parent_id for turn in turns] == [None, turns[0].id, turns[1].id]
    assert await store.path(conversation.id) == turns
    assert await store.count_turns(conversation.id) == 3


async def test_an_appended_turn_is_the_head_and_dates_the_conversation(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    later = NOON + timedelta(hours=1)
    turn = await store.append_turn(said(conversation, "a", at=later))
    found = await store.conversation(conversation.id)
    assert found
    assert (found.head_id, found.updated_at, found.created_at) == (turn.id, later, NOON)


async def test_undo_goes_back_and_destroys_nothing(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    first = await store.append_turn(said(conversation, "a"))
    second = await store.append_turn(said(conversation, "b"))
    await store.set_head(conversation.id, second.parent_id)
    assert await store.path(conversation.id) == [first]
    assert await store.turn(second.id) == second
    await store.set_head(conversation.id, second.id)
    assert await store.path(conversation.id) == [first, second]


async def test_retry_makes_a_branch_beside_the_old_answer(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    question = await store.append_turn(said(conversation, "why?"))
    old = await store.append_turn(said(conversation, "because", role=Role.ASSISTANT))
    await store.set_head(conversation.id, question.id)
    new = await store.append_turn(said(conversation, "who knows", role=Role.ASSISTANT))
    assert (old.parent_id, new.parent_id) == (question.id, question.id)
    assert await store.path(conversation.id) == [question, new]
    assert await store.count_turns(conversation.id) == 2
    assert await store.turn(old.id) == old


async def test_a_head_before_the_first_turn_begins_anew(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    old = await store.append_turn(said(conversation, "a"))
    await store.set_head(conversation.id, None)
    assert await store.path(conversation.id) == []
    new = await store.append_turn(said(conversation, "b"))
    assert new.parent_id is None
    assert await store.turn(old.id) == old


async def test_a_path_since_a_turn_begins_with_it(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    turns = [await store.append_turn(said(conversation, text)) for text in "abcd"]
    assert await store.path(conversation.id, since=turns[2].id) == turns[2:]
    assert await store.path(conversation.id, since=turns[3].id) == turns[3:]


async def test_a_path_since_a_turn_of_another_branch_is_whole(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    first = await store.append_turn(said(conversation, "a"))
    other = await store.append_turn(said(conversation, "b"))
    await store.set_head(conversation.id, first.id)
    last = await store.append_turn(said(conversation, "c"))
    assert await store.path(conversation.id, since=other.id) == [first, last]


async def test_a_long_path_is_whole_and_in_order(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    wanted = [str(number) for number in range(300)]
    for text in wanted:
        await store.append_turn(said(conversation, text))
    assert texts_of(await store.path(conversation.id)) == wanted


async def test_turns_appended_at_once_form_one_path(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    wanted = {str(number) for number in range(50)}
    await asyncio.gather(*(store.append_turn(said(conversation, text)) for text in wanted))
    path = texts_of(await store.path(conversation.id))
    assert len(path) == 50
    assert set(path) == wanted


async def test_conversations_do_not_see_each_other(store: Store) -> None:
    ours = await store.create_conversation(HERE, at=NOON)
    theirs = await store.create_conversation(HERE, at=NOON)
    turn = await store.append_turn(said(theirs, "a"))
    assert await store.path(ours.id) == []
    for move in (store.set_head, store.set_window_start):
        with pytest.raises(StorageError) as caught:
            await move(ours.id, turn.id)
        assert caught.value.key == "storage.no_turn"


async def test_what_is_set_of_a_conversation_is_kept(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    turn = await store.append_turn(said(conversation, "a"))
    await store.rename_conversation(conversation.id, "trip")
    await store.set_persona(conversation.id, "tutor")
    await store.set_model(conversation.id, "big")
    await store.set_window_start(conversation.id, turn.id)
    found = await store.conversation(conversation.id)
    assert found
    assert (found.name, found.persona, found.model, found.window_start_id) == ("trip", "tutor", "big", turn.id)
    await store.set_window_start(conversation.id, None)
    found = await store.conversation(conversation.id)
    assert found
    assert found.window_start_id is None


async def test_changing_a_conversation_that_is_not_there_is_an_error(store: Store) -> None:
    changes = (
        store.rename_conversation(9, "trip"),
        store.set_persona(9, "tutor"),
        store.set_model(9, "big"),
        store.set_head(9, None),
        store.set_window_start(9, None),
        store.append_turn(said(9, "a")),
    )
    for change in changes:
        with pytest.raises(StorageError) as caught:
            await change
        assert caught.value.key == "storage.no_conversation"
    assert await store.turn(1) is None


async def test_conversations_are_listed_last_used_first(store: Store) -> None:
    first, second, third = [
        await store.create_conversation(HERE, at=NOON + timedelta(minutes=minutes)) for minutes in range(3)
    ]
    await store.append_turn(said(first, "a", at=NOON + timedelta(hours=1)))
    assert [found.id for found in await store.conversations(HERE)] == [first.id, third.id, second.id]
    assert [found.id for found in await store.conversations(HERE, limit=1)] == [first.id]


async def test_every_part_of_an_address_counts(store: Store) -> None:
    address = Address("telegram", "1", account="a", thread="t")
    await store.create_conversation(address, at=NOON, name="trip")
    others = (
        Address("discord", "1", account="a", thread="t"),
        Address("telegram", "2", account="a", thread="t"),
        Address("telegram", "1", account="b", thread="t"),
        Address("telegram", "1", account="a"),
    )
    for other in others:
        assert await store.conversations(other) == []
        assert await store.find_conversation(other, "trip") is None
    assert len(await store.conversations(address)) == 1


async def test_of_two_conversations_with_one_name_the_newer_is_found(store: Store) -> None:
    await store.create_conversation(HERE, at=NOON, name="trip")
    newer = await store.create_conversation(HERE, at=NOON, name="trip")
    assert await store.find_conversation(HERE, "trip") == newer


async def test_a_setting_is_kept_changed_and_removed(store: Store) -> None:
    assert await store.setting("person/1", "language") is None
    await store.set_setting("person/1", "language", "zh")
    await store.set_setting("person/2", "language", "en")
    await store.set_setting("person/1", "language", "")
    assert await store.setting("person/1", "language") == ""
    await store.set_setting("person/1", "language", None)
    assert await store.setting("person/1", "language") is None
    assert await store.setting("person/2", "language") == "en"


async def test_a_turn_that_nobody_awaits_any_more_is_whole_or_not_there(store: Store) -> None:
    conversation = await store.create_conversation(HERE, at=NOON)
    for number in range(20):
        task = asyncio.create_task(store.append_turn(said(conversation, str(number))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    path = await store.path(conversation.id)
    last = await store.append_turn(said(conversation, "last"))
    settled = await store.path(conversation.id)
    assert settled[: len(path)] == path
    assert settled[-1] == last


async def test_a_database_in_memory_works_alike() -> None:
    async with open_store("sqlite:///:memory:") as store:
        conversation = await store.create_conversation(HERE, at=NOON)
        turns = await asyncio.gather(*(store.append_turn(said(conversation, text)) for text in "ab"))
        assert await store.path(conversation.id) == turns
