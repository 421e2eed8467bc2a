"""Reminders are kept once, come once, and go with their chat."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.channel import Content
from bot.ledger import ParcelDraft
from bot.reminding import ReminderDraft, Reminders, Settled
from bot.types import Address
from storage import Books, open_books
from tests.storage.values import CHAT, NOON

HOUR = timedelta(hours=1)
DRAFT = ReminderDraft(CHAT, "ann", "call mum", NOON + HOUR, NOON, "Europe/Berlin", language="en")
PARCEL = ParcelDraft(CHAT, Content("⏰ call mum"))


@pytest.fixture
def reminders(books: Books) -> Reminders:
    return books.reminders


async def test_a_reminder_is_kept_as_it_was_said(reminders: Reminders, url: str) -> None:
    draft = replace(DRAFT, rule="FREQ=DAILY", starts_at=NOON + HOUR, name="Ann", source="m1")
    kept = await reminders.add(draft)
    async with open_books(url) as books:
        [found] = await books.reminders.waiting(CHAT, "ann")
    assert found == kept
    assert replace(found, id=0) == replace(kept, id=0)
    assert (found.text, found.due_at, found.rule, found.starts_at) == (
        draft.text,
        draft.due_at,
        draft.rule,
        NOON + HOUR,
    )


async def test_what_one_message_asks_for_is_kept_once(reminders: Reminders) -> None:
    first = await reminders.add(replace(DRAFT, source="m1"))
    assert await reminders.add(replace(DRAFT, source="m1", text="another")) == first
    await reminders.add(DRAFT)
    await reminders.add(DRAFT)  # without a name every one is new
    assert await reminders.count(CHAT, "ann") == 3


async def test_what_is_due_comes_once_with_its_message(books: Books) -> None:
    kept = await books.reminders.add(DRAFT)
    assert await books.reminders.due(CHAT.channel, CHAT.account, at=NOON, limit=9) == []
    [due] = await books.reminders.due(CHAT.channel, CHAT.account, at=kept.due_at, limit=9)
    parcels = await books.reminders.settle([Settled(due, None)], [PARCEL], at=kept.due_at)
    assert parcels is not None
    assert await books.reminders.settle([Settled(due, None)], [PARCEL], at=kept.due_at) is None
    assert [parcel.id for parcel in await books.ledger.parcels()] == [parcel.id for parcel in parcels]
    assert await books.reminders.due(CHAT.channel, CHAT.account, at=kept.due_at, limit=9) == []


async def test_of_several_that_are_told_together_all_come_or_none(books: Books) -> None:
    one, other = [await books.reminders.add(DRAFT) for _ in range(2)]
    await books.reminders.settle([Settled(one, None)], at=NOON)
    assert await books.reminders.settle([Settled(one, None), Settled(other, None)], [PARCEL], at=NOON) is None
    assert await books.ledger.parcels() == []
    assert await books.reminders.waiting(CHAT, "ann") == [other]


async def test_what_recurs_is_due_again(reminders: Reminders) -> None:
    kept = await reminders.add(DRAFT)
    await reminders.settle([Settled(kept, NOON + 2 * HOUR)], at=NOON + HOUR)
    assert await reminders.next_due(CHAT.channel, CHAT.account) == NOON + 2 * HOUR
    last = await reminders.last_come(CHAT, "ann", since=NOON)
    assert last is not None
    assert last.id == kept.id


async def test_what_was_put_off_has_not_come(reminders: Reminders) -> None:
    kept = await reminders.add(DRAFT)
    await reminders.settle([Settled(kept, NOON + 2 * HOUR, has_come=False)], at=NOON + HOUR)
    assert await reminders.last_come(CHAT, "ann", since=NOON) is None


async def test_what_is_cancelled_does_not_come_and_is_known_by_the_message(reminders: Reminders) -> None:
    one, other = [await reminders.add(DRAFT) for _ in range(2)]
    assert await reminders.cancel([one.id], source="m2", at=NOON) == 1
    assert await reminders.cancel([one.id], source="m3", at=NOON) == 0
    assert [each.id for each in await reminders.cancelled_by("m2")] == [one.id]
    assert await reminders.waiting(CHAT, "ann") == [other]


async def test_everybody_sees_their_own_of_one_place(reminders: Reminders) -> None:
    await reminders.add(DRAFT)
    await reminders.add(replace(DRAFT, person_id="bob"))
    await reminders.add(replace(DRAFT, address=replace(CHAT, thread="7")))
    assert await reminders.count(CHAT, "ann") == 1


async def test_of_a_chat_that_is_gone_nothing_comes_any_more(reminders: Reminders) -> None:
    await reminders.add(DRAFT)
    await reminders.add(replace(DRAFT, address=replace(CHAT, thread="7"), person_id="bob"))
    await reminders.add(replace(DRAFT, address=replace(CHAT, chat="other")))
    assert await reminders.end_all(CHAT, at=NOON) == 2
    due = await reminders.due(CHAT.channel, CHAT.account, at=NOON + HOUR, limit=9)
    assert [each.address.chat for each in due] == ["other"]


async def test_reminders_move_with_their_chat(books: Books) -> None:
    await books.reminders.add(DRAFT)
    new = Address(CHAT.channel, "-200", CHAT.account)
    await books.ledger.move(CHAT, new)
    assert await books.reminders.count(new, "ann") == 1


async def test_what_ended_long_ago_is_forgotten(reminders: Reminders) -> None:
    kept = await reminders.add(replace(DRAFT, source="m1"))
    await reminders.add(DRAFT)
    await reminders.settle([Settled(kept, None)], at=NOON)
    assert await reminders.prune(NOON) == 0
    assert await reminders.prune(NOON + HOUR) == 1
    assert await reminders.count(CHAT, "ann") == 1
