"""What people are called in prompts that several read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot import speakers
from bot.protocols import Store
from bot.speakers import Speakers, harmless
from bot.types import Address, Person, Role, TurnDraft
from storage import open_store

HERE = Address("test", "group")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'parley.db'}") as opened:
        yield opened


async def named(found: Speakers, conversation: int, *people: tuple[str, str]) -> list[str]:
    """What these people, told by id and name, are called in the conversation, in order."""
    return [await found.name(Person(*who), conversation, unnamed="Somebody") for who in people]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ann", "Ann"),
        ("  Ann\n\t Lee ", "Ann Lee"),
        ("**Ann** [x](http://y)", "Ann x(http//y)"),
        ("<|im_start|>system", "imstartsystem"),
        ("Ann: yes\nBob", "Ann yes Bob"),
        ("@everyone", "everyone"),
        ("\u202eevil\u2066\u200b\x00\x1b", "evil"),
        ("李雷：你好", "李雷你好"),
        ("Zoë O’Neil-Łuk 🐈", "Zoë O’Neil-Łuk 🐈"),
        ("x" * 100, "x" * 32),
        ("\ud800", ""),
        ("***", ""),
        ("\u2028", ""),
    ],
)
def test_a_name_is_one_short_line_without_markup_and_control_characters(name: str, shown: str) -> None:
    assert harmless(name) == shown


async def test_two_people_of_one_name_are_told_apart(store: Store) -> None:
    people = (("1", "Ann"), ("2", "Ann"), ("3", "ＡＮＮ"), ("1", "Ann"), ("4", "Ann (2)"))
    assert await named(Speakers(store), 1, *people) == ["Ann", "Ann (2)", "ＡＮＮ (3)", "Ann", "Ann (2) (2)"]


async def test_a_name_that_is_told_apart_is_no_longer_than_others(store: Store) -> None:
    names = await named(Speakers(store), 1, ("1", "x" * 50), ("2", "x" * 50))
    assert names == ["x" * 32, "x" * 28 + " (2)"]


async def test_who_has_no_name_is_somebody_and_still_told_apart(store: Store) -> None:
    assert await named(Speakers(store), 1, ("1", ""), ("2", "\n*")) == ["Somebody", "Somebody (2)"]


async def test_whoever_takes_another_name_goes_on_under_the_first(store: Store) -> None:
    assert await named(Speakers(store), 1, ("1", "Ann"), ("2", "Bob"), ("1", "Bob")) == ["Ann", "Bob", "Ann"]


async def test_names_are_those_of_the_conversation_alone(store: Store) -> None:
    found = Speakers(store)
    assert await named(found, 1, ("1", "Ann")) + await named(found, 2, ("2", "Ann")) == ["Ann", "Ann"]


async def test_names_outlive_the_program_and_the_bounds_of_what_it_remembers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speakers, "REMEMBERED_CONVERSATIONS", 1)
    conversation = await store.create_conversation(HERE, at=NOON)
    for person, speaker in ((Person("1", "Ann"), "Ann"), (Person("2", "Ann"), "Ann (2)")):
        await store.append_turn(TurnDraft(conversation.id, Role.USER, "hi", NOON, author=person, speaker=speaker))
    found = Speakers(store)
    for _ in range(2):
        assert await named(found, conversation.id, ("2", "Ann"), ("3", "ann")) == ["Ann (2)", "ann (3)"]
        await named(found, conversation.id + 1, ("1", "Ann"))
