"""What platforms with menus offer: places held for answers, messages known by a key, and somebody who can be told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.errors import NotPermitted, Unreachable
from bot.heard import OVERLAP
from bot.ledger import ParcelState
from bot.types import Address, Person
from tests.channels.memory import CAPABILITIES, MemoryAdapter, lost, talking

KEYS = replace(CAPABILITIES, key_seconds=120.0)
GROUP = "#garden"


# -- places that are held -----------------------------------------------------------------------------------


async def test_a_command_of_a_menu_is_answered_where_its_place_is_held(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        handle = adapter.hold(GROUP)
        await exchange.accept([adapter.said("/model", chat=GROUP, placeholder=handle)])
        await adapter.until("echo", GROUP)
    assert list(adapter.screen) == [handle]


async def test_a_question_of_a_menu_is_answered_there_and_remembered(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        handle = adapter.hold(GROUP)
        await exchange.accept([adapter.said("What grows here?", chat=GROUP, placeholder=handle)])
        shown = await adapter.until("What grows here?", GROUP)
        assert shown is adapter.screen[handle]
        assert [data.partition(":")[0] for _, data in shown.buttons] == ["retry", "up", "down", "why"]


async def test_every_part_of_an_answer_is_for_the_one_whose_place_was_held(home: Path) -> None:
    adapter = MemoryAdapter(replace(CAPABILITIES, longest=200))
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("/help", chat=GROUP, placeholder=adapter.hold(GROUP))])
        await adapter.until("/why", GROUP)
    assert len(adapter.screen) > 1
    assert all(shown.is_for_one for shown in adapter.screen.values())


async def test_an_answer_whose_place_is_gone_comes_as_a_message(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        handle = adapter.hold(GROUP)
        del adapter.screen[handle]
        await exchange.accept([adapter.said("/model", chat=GROUP, placeholder=handle)])
        await adapter.until("echo", GROUP)


async def test_a_place_is_not_held_for_somebody_who_gets_no_answer(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home, blocked="memory:ann") as (exchange, app):
        await exchange.accept([adapter.said("/model", chat=GROUP, placeholder=adapter.hold(GROUP))])
        async with asyncio.timeout(10):
            while adapter.screen or await app.ledger.arrivals():
                await asyncio.sleep(0.01)


async def test_why_an_answer_is_so_is_shown_to_who_asks_alone(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("Hello", chat=GROUP)])
        answer = await adapter.until("Hello", GROUP)
        [message_id] = adapter.screen
        why = next(data for _, data in answer.buttons if data.startswith("why"))
        await exchange.accept([adapter.pressed(message_id, why)])
        told = await adapter.until("echo", GROUP)
    assert told.is_for_one
    assert len(adapter.screen) == 2


async def test_menus_know_which_answers_are_for_one_alone(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("Hello")])
        await adapter.until("Hello")
    commands = {command.name: command for command in adapter.announced}
    assert commands["why"].is_discreet and not commands["new"].is_discreet
    assert commands["model"].argument == "[NAME]"
    assert commands["new"].summaries["zh"] != commands["new"].summaries["en"] == commands["new"].summaries[""]


# -- keys ---------------------------------------------------------------------------------------------------


async def test_what_has_arrived_unknown_to_us_is_found_by_its_key(home: Path) -> None:
    adapter = MemoryAdapter(KEYS, failures=[lost(after=True)])
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("Hello")])
        await adapter.until("Hello")
    assert adapter.texts() == ["Hello"]


async def test_what_was_lost_on_its_way_comes_once_and_unmarked(home: Path) -> None:
    adapter = MemoryAdapter(KEYS, failures=[lost(after=False), lost(after=True)])
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("Hello")])
        await adapter.until("Hello")
    assert adapter.texts() == ["Hello"]


async def test_where_keys_are_not_known_a_repeat_is_marked(home: Path) -> None:
    adapter = MemoryAdapter(failures=[lost(after=True)])
    async with talking(adapter, home) as (exchange, _):
        await exchange.accept([adapter.said("Hello")])
        await adapter.until("\nHello")
    first, second = adapter.texts()
    assert first == "Hello"
    assert second.startswith("↻ Once more")


# -- permissions --------------------------------------------------------------------------------------------


async def test_who_can_grant_a_missing_permission_is_told_once(home: Path) -> None:
    missing = NotPermitted("missing permissions", permission="send_messages", place=GROUP)
    adapter = MemoryAdapter(keepers={GROUP: Address("memory", "owner", "1")})
    adapter.failures = [(missing, False), (Unreachable("later"), False)]
    async with talking(adapter, home) as (exchange, app):
        await exchange.accept([adapter.said("Hello", chat=GROUP)])
        told = await adapter.until("send_messages", "owner")
        assert GROUP in told.text
        adapter.failures = [(missing, False)]
        await exchange.accept([adapter.said("Are you there?", chat=GROUP)])
        await exchange.accept([adapter.said("And here?")])
        await adapter.until("And here?")
        dead = await app.ledger.dead()
        assert len(dead) == 2
        assert {parcel.state for parcel in dead} == {ParcelState.DEAD}
    assert len(adapter.texts("owner")) == 1
    assert adapter.texts(GROUP) == []


# -- what an adapter may ask --------------------------------------------------------------------------------


async def test_an_adapter_learns_from_when_to_read_and_who_talked_in_private(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        assert await exchange.since() is None
    async with talking(adapter, home) as (exchange, _):
        began = await exchange.since()
        assert began is not None  # though nobody has said anything
        first, second = adapter.said("Hello"), adapter.said("Hi", chat="ben", person=Person("ben", "Ben"))
        last = adapter.said("Hello all", chat=GROUP)
        await exchange.accept([first, second, last])
        assert await exchange.since() == began
        later = replace(last.message, id="later", at=last.message.at + timedelta(hours=1))
        await exchange.accept([replace(last, message=later)])
        assert await exchange.since() == later.at - OVERLAP
        assert [place.chat for place in await exchange.private_chats()] == ["ben", "ann"]


async def test_reading_that_was_broken_off_begins_where_it_began(home: Path) -> None:
    adapter = MemoryAdapter()
    async with talking(adapter, home) as (exchange, _):
        begun = adapter.said("Hello").message.at - timedelta(hours=5)
        await exchange.note_reading(begun)
        await exchange.accept([adapter.said("Hello")])
    async with talking(adapter, home) as (exchange, _):
        assert await exchange.since() == begun
        await exchange.note_reading(None)
        assert await exchange.since() != begun
