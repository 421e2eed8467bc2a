"""What was settled for places, as it is read, kept and changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot import places
from bot.places import Places, Setting
from bot.protocols import Store
from bot.types import Address, Message, Person
from storage import open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'parley.db'}") as opened:
        yield opened


def said(chat: str = "7", thread: str = "", server: str = "s") -> Message:
    return Message(Address("test", chat, "bot", thread), Person("1"), "hi", NOON, is_private=False, server=server)


async def test_a_thread_has_the_settings_of_its_chat(store: Store) -> None:
    found = Places(store)
    await found.settle(said(thread="9"), Setting.PERSONA, "tutor")
    assert (await found.of(said())).get(Setting.PERSONA) == "tutor"
    assert (await found.of(said("8"))).get(Setting.PERSONA) == ""


async def test_a_server_is_none_of_its_chats_even_if_they_have_one_number(store: Store) -> None:
    found = Places(store)
    await found.settle(said("5", server="5"), Setting.LISTEN, "on", for_server=True)
    assert (await found.of(said("5", server="6"))).listens is False
    assert (await found.of(said("6", server="5"))).listens is True


async def test_what_was_changed_while_it_was_read_is_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found, read = Places(store), store.settings

    async def slowly(scope: str) -> dict[str, str]:
        before = await read(scope)
        monkeypatch.undo()
        await found.settle(said(), Setting.PERSONA, "tutor")
        return before

    monkeypatch.setattr(store, "settings", slowly)
    assert (await found.of(said())).get(Setting.PERSONA) == ""
    assert (await found.of(said())).get(Setting.PERSONA) == "tutor"


async def test_no_more_places_are_kept_in_mind_than_is_allowed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "REMEMBERED_PLACES", 3)
    found = Places(store)
    await found.settle(said("1"), Setting.PERSONA, "tutor")
    for number in range(10):
        await found.of(said(str(number)))
    kept: dict[Any, Any] = found._known
    assert len(kept) == 3
    assert (await found.of(said("1"))).get(Setting.PERSONA) == "tutor"
