"""The outbox: what is to be sent is there until it arrived, and what a message shows is known afterwards."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from bot.channel import Content, Span
from bot.ledger import Ledger, Method, Parcel, ParcelDraft, ParcelState
from bot.protocols import Store
from storage import Books
from tests.storage.values import CHAT, NOON, arrived, parcel, said

LATER = NOON + timedelta(days=1)


async def send(ledger: Ledger, *drafts: ParcelDraft, receipts: str = "") -> list[Parcel]:
    """Post and deliver, under the receipts given as words; changes need none."""
    parcels = await ledger.post(drafts, at=NOON)
    given = iter(receipts.split())
    for each in parcels:
        await ledger.attempt(each.id)
        await ledger.delivered(each.id, each.target or next(given), at=NOON)
    return parcels


async def shown(ledger: Ledger, turn_id: int) -> list[str]:
    return [each.receipt for each in await ledger.shown(turn_id)]


async def test_a_parcel_comes_back_with_everything_it_was_given(ledger: Ledger) -> None:
    draft = ParcelDraft(
        replace(CHAT, thread="7"),
        Content("hi", (Span("bold", 0, 2),), (("Why", "why"),), "6"),
        method=Method.EDIT,
        target="m1",
        turn_id=3,
        arrival_id=4,
        is_repeat=True,
    )
    [posted] = await ledger.post([draft], at=NOON)
    given = {field.name: getattr(draft, field.name) for field in fields(draft)}
    assert posted == Parcel(**given, id=posted.id, created_at=NOON)
    assert await ledger.parcels() == [posted]


async def test_a_parcel_waits_is_tried_and_is_gone_once_it_arrived(ledger: Ledger) -> None:
    [posted] = await ledger.post([parcel("a")], at=NOON)
    await ledger.attempt(posted.id)
    assert await ledger.parcels() == [replace(posted, state=ParcelState.SENDING, attempts=1)]
    await ledger.postpone(posted.id)
    assert await ledger.parcels() == [replace(posted, attempts=1)]
    await ledger.attempt(posted.id)
    await ledger.delivered(posted.id, "m1", at=NOON)
    assert await ledger.parcels() == []


async def test_a_parcel_that_is_tried_at_once_is_kept_as_being_tried(ledger: Ledger) -> None:
    [posted] = await ledger.post([replace(parcel("a"), state=ParcelState.SENDING)], at=NOON)
    assert (posted.state, posted.attempts) == (ParcelState.SENDING, 1)
    assert await ledger.parcels() == [posted]


async def test_what_may_have_arrived_once_is_marked_from_then_on(ledger: Ledger) -> None:
    [posted] = await ledger.post([parcel("a")], at=NOON)
    await ledger.postpone(posted.id, is_repeat=True)
    await ledger.postpone(posted.id)
    assert [each.is_repeat for each in await ledger.parcels()] == [True]


async def test_a_message_that_was_sent_to_hold_the_place_is_edited(ledger: Ledger) -> None:
    [posted] = await ledger.post([parcel("a", turn_id=1)], at=NOON)
    await ledger.attempt(posted.id)
    await ledger.aim(posted.id, "m9")
    [aimed] = await ledger.parcels()
    assert (aimed.method, aimed.target, aimed.content) == (Method.EDIT, "m9", posted.content)
    await ledger.delivered(posted.id, "m9", at=NOON)
    assert await shown(ledger, 1) == ["m9"]


async def test_a_preview_stays_one_whatever_comes_of_it(ledger: Ledger) -> None:
    [arrival] = await ledger.accept([arrived("a", 1)], at=NOON)
    [preview] = await ledger.post([parcel("", arrival_id=arrival.id, state=ParcelState.PREVIEW)], at=NOON)
    await ledger.attempt(preview.id)
    assert await ledger.previews([arrival.id]) == [replace(preview, attempts=1)]
    await ledger.postpone(preview.id)
    assert await ledger.previews([arrival.id]) == [preview]
    await ledger.delivered(preview.id, "m1", at=NOON)
    assert await ledger.previews([arrival.id]) == [replace(preview, receipt="m1")]
    assert await ledger.parcels() == []


@pytest.mark.parametrize("method", [Method.EDIT, Method.DELETE])
async def test_a_preview_is_forgotten_once_it_became_the_reply_or_was_taken_away(
    ledger: Ledger, method: Method
) -> None:
    [arrival] = await ledger.accept([arrived("a", 1)], at=NOON)
    [preview] = await ledger.post([parcel("…", arrival_id=arrival.id, state=ParcelState.PREVIEW)], at=NOON)
    await ledger.delivered(preview.id, "m1", at=NOON)
    [change] = await ledger.finish([arrival.id], [parcel("a", method=method, target="m1", turn_id=5)], at=NOON)
    assert [each.id for each in await ledger.previews([arrival.id])] == [preview.id]
    await ledger.delivered(change.id, "m1", at=NOON)
    assert await ledger.previews([arrival.id]) == []
    assert await shown(ledger, 5) == (["m1"] if method is Method.EDIT else [])


async def test_what_was_set_aside_is_kept_with_its_reason_and_can_be_revived(ledger: Ledger) -> None:
    first, second, third = await ledger.post([parcel("a"), parcel("b"), parcel("c")], at=NOON)
    await ledger.attempt(first.id)
    await ledger.set_aside(first.id, "blocked")
    await ledger.set_aside(second.id, "too long")
    assert [(each.id, each.reason) for each in await ledger.dead()] == [(second.id, "too long"), (first.id, "blocked")]
    assert [each.id for each in await ledger.dead(limit=1)] == [second.id]
    assert await ledger.parcels() == [third]
    await ledger.revive(first.id)
    assert await ledger.parcels() == [first, third]


async def test_setting_aside_all_of_a_place_leaves_other_places(ledger: Ledger) -> None:
    elsewhere = parcel("c", address=replace(CHAT, chat="9"))
    one, two, other = await ledger.post([parcel("a"), parcel("b"), elsewhere], at=NOON)
    await ledger.attempt(one.id)
    assert await ledger.set_aside_all(CHAT, "gone") == 1
    assert [each.id for each in await ledger.parcels()] == [one.id, other.id]
    assert [each.id for each in await ledger.dead()] == [two.id]


async def test_what_arrived_is_not_tried_again(ledger: Ledger) -> None:
    [sent] = await send(ledger, parcel("a"), receipts="m1")
    await ledger.attempt(sent.id)
    await ledger.postpone(sent.id)
    await ledger.set_aside(sent.id, "late")
    await ledger.revive(sent.id)
    assert await ledger.parcels() == await ledger.dead() == []


async def test_changing_a_parcel_that_is_not_there_does_nothing(ledger: Ledger) -> None:
    await ledger.attempt(9)
    await ledger.delivered(9, "m1", at=NOON)
    await ledger.revive(9)
    assert await ledger.parcels() == []


# -- what is shown ------------------------------------------------------------------------------------------


async def test_the_messages_that_show_a_turn_are_known_in_order(ledger: Ledger) -> None:
    await send(ledger, parcel("a", turn_id=1), parcel("b", turn_id=1), parcel("c", turn_id=2), receipts="m1 m2 m3")
    await ledger.post([parcel("d", turn_id=1)], at=NOON)
    assert await shown(ledger, 1) == ["m1", "m2"]
    assert [await ledger.turn_shown(CHAT, receipt) for receipt in ("m1", "m2", "m3", "m4")] == [1, 1, 2, None]


async def test_a_message_edited_within_its_turn_is_named_once_and_keeps_its_place(ledger: Ledger) -> None:
    await send(ledger, parcel("a", turn_id=1), parcel("b", turn_id=1), receipts="m1 m2")
    edit = parcel("A", turn_id=1, method=Method.EDIT, target="m1")
    await send(ledger, edit, edit)
    assert await shown(ledger, 1) == ["m1", "m2"]


async def test_a_message_edited_to_show_another_turn_shows_that_one(ledger: Ledger) -> None:
    await send(ledger, parcel("a", turn_id=1), parcel("b", turn_id=1), receipts="m1 m2")
    await send(ledger, parcel("A", turn_id=2, method=Method.EDIT, target="m1"))
    assert await shown(ledger, 1) == ["m2"]
    assert await shown(ledger, 2) == ["m1"]
    assert await ledger.turn_shown(CHAT, "m1") == 2
    await send(ledger, parcel("a", turn_id=1, method=Method.EDIT, target="m1"))
    assert await ledger.turn_shown(CHAT, "m1") == 1


async def test_an_edit_that_shows_no_turn_changes_none(ledger: Ledger) -> None:
    await send(
        ledger, parcel("a", turn_id=1), parcel("without buttons", method=Method.EDIT, target="m1"), receipts="m1"
    )
    assert await shown(ledger, 1) == ["m1"]


async def test_a_message_that_was_deleted_shows_nothing(ledger: Ledger) -> None:
    await send(ledger, parcel("a", turn_id=1), parcel("b", turn_id=1), receipts="m1 m2")
    [removal] = await ledger.post([parcel("", turn_id=1, method=Method.DELETE, target="m1")], at=NOON)
    assert await shown(ledger, 1) == ["m1", "m2"]
    await ledger.delivered(removal.id, "m1", at=NOON)
    assert await shown(ledger, 1) == ["m2"]
    assert await ledger.turn_shown(CHAT, "m1") is None


async def test_a_message_sent_where_the_old_one_could_not_be_edited_takes_its_place(ledger: Ledger) -> None:
    await send(ledger, parcel("a", turn_id=1), receipts="m1")
    [edit] = await ledger.post([parcel("A", turn_id=1, method=Method.EDIT, target="m1")], at=NOON)
    await ledger.delivered(edit.id, "m5", at=NOON)
    assert await shown(ledger, 1) == ["m5"]
    assert await ledger.turn_shown(CHAT, "m1") is None


async def test_what_a_message_shows_is_known_without_its_thread_but_not_in_other_chats(ledger: Ledger) -> None:
    await send(ledger, parcel("a", turn_id=1, address=replace(CHAT, thread="7")), receipts="m1")
    assert await ledger.turn_shown(CHAT, "m1") == 1
    others = (replace(CHAT, chat="9"), replace(CHAT, account="b"), replace(CHAT, channel="discord"))
    assert [await ledger.turn_shown(other, "m1") for other in others] == [None, None, None]


# -- pruning and moving -------------------------------------------------------------------------------------


async def test_pruning_keeps_what_shows_a_turn_and_what_is_not_settled(books: Books) -> None:
    ledger, store = books.ledger, books.store
    turn = await store.append_turn(said(await store.create_conversation(CHAT, at=NOON), "a"))
    await send(ledger, parcel("a", turn_id=turn.id), parcel("b"), parcel("c", turn_id=999), receipts="m1 m2 m3")
    waiting, dead = await ledger.post([parcel("d"), parcel("e")], at=NOON)
    await ledger.set_aside(dead.id, "blocked")
    assert await ledger.prune(NOON) == 0
    assert await ledger.prune(LATER) == 2
    assert await shown(ledger, turn.id) == ["m1"]
    assert await ledger.parcels() == [waiting]
    assert [each.id for each in await ledger.dead()] == [dead.id]


async def test_pruning_forgets_previews_that_were_never_ended(ledger: Ledger) -> None:
    waiting, ended = await ledger.accept([arrived("a", 1), arrived("b", 2)], at=NOON)
    drafts = [parcel("…", arrival_id=each.id, state=ParcelState.PREVIEW) for each in (waiting, ended)]
    kept, left = await ledger.post(drafts, at=NOON)
    await ledger.delivered(left.id, "m1", at=NOON)
    await ledger.finish([ended.id], [parcel("A", method=Method.EDIT, target="m1")], at=LATER)
    assert await ledger.prune(LATER) == 1
    assert await ledger.previews([waiting.id, ended.id]) == [kept]


async def test_everything_of_a_chat_moves_with_it(books: Books) -> None:
    ledger, store = books.ledger, books.store
    new, thread = replace(CHAT, chat="-1001"), replace(CHAT, thread="7")
    conversation = await store.create_conversation(CHAT, at=NOON)
    await send(ledger, parcel("a", turn_id=1), receipts="m1")
    [waiting] = await ledger.post([parcel("b", address=thread)], at=NOON)
    await store.set_setting(CHAT.key, "conversation", str(conversation.id))
    await store.set_setting(thread.key, "language", "zh")
    await store.set_setting(thread.key, "voice", "old")
    await store.set_setting(replace(new, thread="7").key, "voice", "new")
    await store.set_setting(replace(CHAT, chat="-1002").key, "language", "en")
    await ledger.move(CHAT, new)
    assert await store.conversations(new) == [replace(conversation, address=new)]
    assert await ledger.parcels() == [replace(waiting, address=replace(new, thread="7"))]
    assert await ledger.turn_shown(new, "m1") == 1
    await _check_settings(store)


async def _check_settings(store: Store) -> None:
    new, thread = replace(CHAT, chat="-1001"), replace(CHAT, thread="7")
    assert await store.setting(new.key, "conversation") == "1"
    assert await store.setting(replace(new, thread="7").key, "language") == "zh"
    assert await store.setting(replace(new, thread="7").key, "voice") == "new"
    assert await store.setting(thread.key, "voice") is None
    assert await store.setting(CHAT.key, "conversation") is None
    assert await store.setting(replace(CHAT, chat="-1002").key, "language") == "en"
