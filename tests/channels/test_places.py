"""What is settled for a place, by whom, and what becomes of it; through the exchange, on a platform in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from bot.channel import Update, UpdateKind
from bot.exchange import Exchange
from bot.types import Person
from tests.channels.memory import MemoryAdapter, talking

GARDEN, KITCHEN = "#garden", "#kitchen"
ANN, BOB = Person("ann", "Ann"), Person("bob", "Bob")
ONLY_ADMINS = "Only the administrators of this place and my owner can change that. /settings shows what holds."
ECHO = "Bob: hello"


@dataclass
class Town:
    """A server with chats. Ann is an admin of it, Bob is not."""

    adapter: MemoryAdapter
    exchange: Exchange
    app: App

    def said(self, text: str, person: Person, chat: str, **values: Any) -> Update:
        """A message, before it has arrived."""
        update = self.adapter.said(text, chat=chat, person=person)
        in_group = {"server": "town", "is_from_admin": person == ANN} if chat.startswith("#") else {}
        return replace(update, message=replace(update.message, **{**in_group, **values}))

    async def asked(self, text: str, person: Person = BOB, chat: str = GARDEN, **values: Any) -> str:
        """What is said there next, after a message."""
        before = len(self.adapter.texts(chat))
        await self.exchange.accept([self.said(text, person, chat, **values)])
        async with asyncio.timeout(10):
            while len(self.adapter.texts(chat)) <= before:
                await asyncio.sleep(0.01)
        return self.adapter.texts(chat)[before]

    async def settle(self, words: str, chat: str = GARDEN, **values: Any) -> str:
        """What is answered to an admin who changes something."""
        return await self.asked(f"/settings {words}", ANN, chat, **values)


@asynccontextmanager
async def town_at(home: Path, adapter: MemoryAdapter | None = None) -> AsyncIterator[Town]:
    adapter = adapter or MemoryAdapter()
    async with talking(adapter, home) as (exchange, app):
        yield Town(adapter, exchange, app)


@pytest.fixture
async def town(home: Path) -> AsyncIterator[Town]:
    async with town_at(home) as opened:
        yield opened


# -- what holds, and who may change it ----------------------------------------------------------------------


async def test_settings_shows_what_holds_and_where_that_comes_from(town: Town) -> None:
    await town.settle("server persona tutor")
    await town.settle("language zh", KITCHEN)
    await town.settle("language en", KITCHEN)
    await town.asked("/model echo", chat=KITCHEN)
    assert (await town.asked("/settings", chat=KITCHEN)).splitlines()[:7] == [
        "What holds here:",
        "",
        "• persona: tutor (this server)",
        "• model: echo (this conversation)",
        "• language: en (this chat)",
        "• listen: I answer when I am addressed (configuration)",
        "• who: everyone whom my owner lets in (configuration)",
    ]


@pytest.mark.parametrize("words", ["persona tutor", "server who admins", "listen on", "persona default"])
async def test_who_is_no_admin_is_told_who_may_change_something(town: Town, words: str) -> None:
    assert await town.asked(f"/settings {words}") == ONLY_ADMINS
    assert "(this" not in await town.asked("/settings")


async def test_an_owner_may_change_it_anywhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__OWNERS", '["memory:bob"]')
    async with town_at(home) as town:
        assert "persona: tutor (this chat)" in await town.asked("/settings persona tutor")


async def test_in_private_everybody_changes_it_for_themselves(town: Town) -> None:
    assert "persona: tutor (this chat)" in await town.asked("/settings persona tutor", chat="bob")
    assert "who" not in await town.asked("/settings", chat="bob")
    assert "parley (configuration)" in await town.asked("/settings", ANN, "ann")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("colour red", "There is no such setting as “colour”. These are there: persona, model, language, listen, who."),
        ("persona nobody", "There is no persona nobody. These are there: parley, translator, tutor."),
        ("model gpt", "You can choose among these: echo"),
        ("language tlh", "It can be one of these: en, zh."),
        ("listen loudly", "It can be one of these: on, off."),
        ("who ,,", "It can be one of these: everyone, admins; or names of roles, separated by commas."),
        ("persona", "• persona: parley (configuration)\n\nIt can be one of these: parley, translator, tutor."),
    ],
)
async def test_what_cannot_be_chosen_is_told_with_what_can(town: Town, words: str, told: str) -> None:
    assert (await town.settle(words)).startswith(told)
    assert "(this" not in await town.asked("/settings")


async def test_a_place_without_a_server_has_no_settings_of_one(town: Town) -> None:
    told = "This chat belongs to no server. Leave out server."
    assert await town.settle("server persona tutor", server="") == told
    assert await town.asked("/settings server persona tutor", chat="bob") == told
    assert await town.asked("/settings listen on", chat="bob") == "listen is for groups."


async def test_the_chats_own_wins_over_the_servers_until_it_is_taken_back(town: Town) -> None:
    await town.settle("server persona tutor")
    assert "translator (this chat)" in await town.settle("persona translator")
    assert "translator (this chat)" in await town.settle("server persona parley")
    assert "parley (this server)" in await town.settle("persona default")
    assert "parley (configuration)" in await town.settle("server persona default")


async def test_what_is_settled_outlives_the_program(home: Path) -> None:
    adapter = MemoryAdapter()
    async with town_at(home, adapter) as town:
        await town.settle("server persona tutor")
    async with town_at(home, adapter) as town:
        assert "tutor (this server)" in await town.asked("/settings")


# -- what becomes of it -------------------------------------------------------------------------------------


async def test_a_place_has_its_persona_and_a_conversation_may_have_another(town: Town) -> None:
    await town.settle("persona tutor")
    assert await town.asked("hello") == ECHO
    assert "the persona tutor" in await town.asked("/why")
    await town.asked("/persona translator")
    await town.asked("hello")
    assert "the persona translator" in await town.asked("/why")


async def test_a_place_has_its_model(town: Town) -> None:
    await town.settle("model echo")
    assert "model: echo (this chat)" in await town.asked("/settings")
    assert "echo" in await town.asked("/model")


async def test_a_place_has_its_language_whatever_people_speak(town: Town) -> None:
    await town.settle("language zh")
    told = await town.asked("/help", Person("eve", "Eve", "en"))
    assert told.startswith("想说什么直接写就行")
    assert (await town.asked("/help", Person("eve", "Eve", "zh"), KITCHEN)).startswith("想说什么")
    assert (await town.asked("/help", Person("eve", "Eve", "en"), KITCHEN)).startswith("Just write")


async def test_what_the_exchange_says_itself_is_in_the_language_of_the_place(town: Town) -> None:
    await town.settle("language zh")
    await town.settle("who admins")
    assert await town.asked("hello", Person("eve", "Eve", "en")) == "在这里，我只回答管理员。"


async def test_what_is_said_to_nobody_is_answered_only_where_the_assistant_listens(town: Town) -> None:
    await town.exchange.accept([town.said("not to you", BOB, GARDEN, is_addressed=False)])
    assert await town.app.ledger.arrivals() == []
    await town.settle("listen on")
    assert await town.asked("hello", is_addressed=False) == ECHO
    await town.settle("server listen on")
    assert await town.asked("hello", chat=KITCHEN, is_addressed=False) == ECHO
    await town.settle("listen off", KITCHEN)
    await town.exchange.accept([town.said("not to you", BOB, KITCHEN, is_addressed=False)])
    assert await town.asked("hello", chat=KITCHEN) == ECHO
    assert not any("not to you" in shown.text for shown in town.adapter.screen.values())


async def test_where_only_admins_are_answered_others_are_told_so_once_in_a_while(town: Town) -> None:
    await town.settle("who admins")
    assert await town.asked("hello") == "Here I answer only the administrators."
    await town.exchange.accept([town.said("hello?", BOB, GARDEN)])
    assert await town.asked("hello", ANN) == "Ann: hello"
    assert await town.asked("hello", chat=KITCHEN) == ECHO
    assert await town.asked("hello", Person("eve", "Eve")) == "Here I answer only the administrators."


async def test_who_has_one_of_the_roles_is_answered(town: Town) -> None:
    await town.settle("server who Gardeners, Cooks")
    assert await town.asked("hello", roles=("members", "gardeners")) == ECHO
    assert await town.asked("hello", ANN) == "Ann: hello"
    told = "Here I answer only people with one of these roles: Gardeners, Cooks."
    assert await town.asked("hello", Person("eve", "Eve"), roles=("members",)) == told


async def test_who_is_not_meant_is_not_told_so_where_the_assistant_only_listens(town: Town) -> None:
    await town.settle("listen on")
    await town.settle("who admins")
    await town.exchange.accept([town.said("hello", BOB, GARDEN, is_addressed=False)])
    assert await town.asked("hello", ANN) == "Ann: hello"


async def test_everyone_lets_nobody_in_whom_the_configuration_does_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__MODE", "pairing")
    monkeypatch.setenv("PARLEY_ACCESS__ALLOWED", '["memory:ann"]')
    async with town_at(home) as town:
        await town.settle("who everyone")
        await town.exchange.accept([town.said("hello", BOB, GARDEN)])
        assert await town.asked("hello", ANN) == "Ann: hello"


async def test_settings_move_along_with_the_chat(town: Town) -> None:
    await town.settle("listen on")
    moved = town.said("", BOB, GARDEN)
    await town.exchange.accept([replace(moved, kind=UpdateKind.MOVED, id="moved", detail="#meadow")])
    async with asyncio.timeout(10):
        while await town.app.ledger.arrivals():
            await asyncio.sleep(0.01)
    assert await town.asked("hello", chat="#meadow", is_addressed=False) == ECHO


async def test_a_place_is_looked_up_once_and_anew_after_a_change(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read = type(town.app.store).settings

    async def counted(self: Any, scope: str) -> dict[str, str]:
        asked.append(scope)
        found: dict[str, str] = await read(self, scope)
        return found

    monkeypatch.setattr(type(town.app.store), "settings", counted)
    for _ in range(3):
        await town.asked("hello")
    assert sorted(asked) == ["memory/1/#garden/", "memory/1/town"]
    await town.settle("persona tutor")
    await town.asked("hello")
    assert len(asked) == 4
