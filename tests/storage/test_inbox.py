"""The inbox: accepted twice is kept once, nothing is lost, and what was dealt with is forgotten."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.channel import UpdateKind
from bot.errors import StorageError
from bot.ledger import GivenUp, Ledger, Method, ParcelState
from bot.types import Address
from storage import open_books
from tests.storage.values import CHAT, NOON, arrived, execute, parcel, url_of

LATER = NOON + timedelta(days=1)


async def test_what_was_accepted_waits_in_order_until_it_is_dealt_with(ledger: Ledger) -> None:
    updates = [arrived("a", 1), arrived("b", 2)]
    first, second = await ledger.accept(updates, at=LATER)
    assert [first.update, second.update] == updates
    assert (first.received_at, first.attempts) == (LATER, 0)
    assert await ledger.arrivals() == [first, second]
    await ledger.finish([first.id], at=LATER)
    assert await ledger.arrivals() == [second]


async def test_an_update_that_comes_twice_is_kept_once(ledger: Ledger) -> None:
    once = arrived("a", 1)
    same_id = replace(arrived("b", 2), id=once.id)
    same_message = replace(once, id="another")
    [kept] = await ledger.accept([once, once, same_id, same_message], at=NOON)
    assert await ledger.accept([once, same_message], at=NOON) == []
    await ledger.finish([kept.id], at=NOON)
    assert await ledger.accept([once, same_message], at=NOON) == []
    assert await ledger.arrivals() == []


async def test_accounts_and_channels_number_their_updates_for_themselves(ledger: Ledger) -> None:
    others = [CHAT, replace(CHAT, account="other"), replace(CHAT, channel="discord")]
    assert len(await ledger.accept([arrived("a", 1, address=address) for address in others], at=NOON)) == 3


async def test_what_nothing_names_is_kept_each_time(ledger: Ledger) -> None:
    pressed = replace(arrived("", 1, kind=UpdateKind.CHOICE), id="")
    assert len(await ledger.accept([pressed, pressed], at=NOON)) == 2


async def test_one_update_accepted_by_many_at_once_is_kept_once(ledger: Ledger) -> None:
    kept = await asyncio.gather(*(ledger.accept([arrived("a", 1), arrived("b", 2)], at=NOON) for _ in range(20)))
    assert sum(map(len, kept)) == 2
    assert len(await ledger.arrivals()) == 2


async def test_attempts_to_deal_with_an_arrival_are_counted(ledger: Ledger) -> None:
    first, _ = await ledger.accept([arrived("a", 1), arrived("b", 2)], at=NOON)
    await ledger.begin([first.id])
    await ledger.begin([first.id])
    await ledger.begin([])
    assert [arrival.attempts for arrival in await ledger.arrivals()] == [2, 0]


async def test_an_arrival_is_behind_us_exactly_when_its_answer_is_in_the_outbox(ledger: Ledger) -> None:
    [arrival] = await ledger.accept([arrived("a", 1)], at=NOON)
    parcels = await ledger.finish([arrival.id], [parcel("b", arrival_id=arrival.id)], at=LATER)
    assert await ledger.arrivals() == []
    assert await ledger.parcels() == parcels
    assert [(each.content.text, each.created_at) for each in parcels] == [("b", LATER)]


async def test_an_answer_that_cannot_be_stored_leaves_the_arrival_waiting(ledger: Ledger) -> None:
    [arrival] = await ledger.accept([arrived("a", 1)], at=NOON)
    with pytest.raises((OverflowError, StorageError)):
        await ledger.finish([arrival.id], [parcel("a"), parcel("b", turn_id=2**70)], at=NOON)
    assert await ledger.arrivals() == [arrival]
    assert await ledger.parcels() == []


async def test_finishing_forgets_previews_that_nothing_replaces(ledger: Ledger) -> None:
    [arrival, other] = await ledger.accept([arrived("a", 1), arrived("b", 2)], at=NOON)
    drafts = [
        *(parcel("…", arrival_id=arrival.id, state=ParcelState.PREVIEW) for _ in range(3)),
        parcel("…", arrival_id=other.id, state=ParcelState.PREVIEW),
    ]
    kept, removed, unsent, others = await ledger.post(drafts, at=NOON)
    for number, preview in enumerate((kept, removed)):
        await ledger.delivered(preview.id, f"m{number}", at=NOON)
    assert [each.id for each in await ledger.previews([arrival.id])] == [kept.id, removed.id, unsent.id]
    await ledger.finish([arrival.id], [parcel("whole", method=Method.EDIT, target="m0")], at=NOON)
    assert [each.id for each in await ledger.previews([arrival.id, other.id])] == [kept.id, others.id]


async def test_what_an_arrival_said_is_nowhere_in_the_file_once_it_was_answered(file: Path) -> None:
    async with open_books(url_of(file)) as books:
        [arrival] = await books.ledger.accept([arrived("unmistakable question", 1)], at=NOON)
        [sent] = await books.ledger.finish([arrival.id], [parcel("unmistakable answer")], at=NOON)
        await books.ledger.delivered(sent.id, "m1", at=NOON)
    content = file.read_bytes()
    assert b"unmistakable" not in content
    assert execute(file, "SELECT state, payload FROM inbox") == [("done", None)]
    assert execute(file, "SELECT state, content FROM outbox") == [("sent", None)]


async def test_an_arrival_that_cannot_be_read_is_logged_and_holds_nobody_up(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_books(url_of(file)) as books:
        await books.ledger.accept([arrived("private", 1), arrived("b", 2)], at=NOON)
        execute(file, "UPDATE inbox SET payload = json_set(payload, '$.kind', 'telepathy') WHERE id = 1")
        with caplog.at_level(logging.ERROR):
            assert [arrival.update.message.text for arrival in await books.ledger.arrivals()] == ["b"]
    assert "Arrival 1 cannot be read" in caplog.text
    assert "private" not in caplog.text
    assert execute(file, "SELECT count(*) FROM inbox WHERE state = 'waiting'") == [(2,)]


async def test_an_attempt_that_ended_nothing_is_taken_back(ledger: Ledger) -> None:
    [arrival] = await ledger.accept([arrived("a", 1)], at=NOON)
    await ledger.begin([arrival.id])
    await ledger.begin([arrival.id])
    await ledger.take_back([arrival.id])
    assert [each.attempts for each in await ledger.arrivals()] == [1]


async def test_what_was_given_up_is_told_until_it_is_pruned(ledger: Ledger) -> None:
    first, second = await ledger.accept([arrived("a", 1), arrived("b", 2)], at=NOON)
    await ledger.begin([first.id])
    await ledger.finish([first.id], [parcel("Sorry")], at=NOON, are_given_up=True)
    await ledger.finish([second.id], at=NOON)
    assert await ledger.arrivals() == []
    assert await ledger.given_up() == [GivenUp(CHAT, first.update.key, 1, NOON)]
    assert [sent.content.text for sent in await ledger.parcels()] == ["Sorry"]
    await ledger.prune(LATER)
    assert await ledger.given_up() == []


async def test_pruning_forgets_what_was_dealt_with_before_then(ledger: Ledger) -> None:
    old, new, waiting = await ledger.accept([arrived("a", 1), arrived("b", 2), arrived("c", 3)], at=NOON)
    await ledger.finish([old.id], at=NOON)
    await ledger.finish([new.id], at=LATER)
    assert await ledger.prune(LATER) == 1
    assert await ledger.arrivals() == [waiting]
    again = await ledger.accept([arrived("a", 1), arrived("b", 2)], at=LATER)
    assert [arrival.update.message.text for arrival in again] == ["a"]
    assert again[0].id > waiting.id


async def test_an_arrival_moves_with_its_chat(ledger: Ledger) -> None:
    new = replace(CHAT, chat="-1001")
    thread = replace(CHAT, thread="7")
    elsewhere = Address("telegram", "-10", account="bot")
    updates = [arrived("a", 1), arrived("b", 2, address=thread), arrived("c", 3, address=elsewhere)]
    await ledger.accept(updates, at=NOON)
    await ledger.move(CHAT, new)
    places = [arrival.update.message.address for arrival in await ledger.arrivals()]
    assert places == [new, replace(new, thread="7"), elsewhere]
