"""`/pair` and `/people` in a chat, through the engine's own recognizer of commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from bot.clock import Clock
from bot.people import CODE_VALID_SECONDS, Roll, Standing
from bot.protocols import DialogueState
from bot.skills.context import SkillContext
from bot.skills.people import PeopleSkill
from bot.texts import Texts
from bot.types import Act, Address, Conversation, Finished, Message, Person, TextDelta
from bot.understanding.commands import CommandRecognizer
from tests.fake_roll import FakeRoll

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = Address("telegram", "1", "mybot")
COMMANDS = {command.name: command for command in PeopleSkill.commands}


@dataclass
class Chat:
    """Somebody who writes commands to the skill."""

    roll: Roll | None = field(default_factory=FakeRoll)
    is_owner: bool = True
    is_private: bool = True
    tell: Callable[[Address, str], Awaitable[None]] | None = None
    skill: PeopleSkill = field(default_factory=PeopleSkill)

    async def say(self, text: str) -> tuple[str, Act]:
        """What is answered, and what was done."""
        message = Message(HERE, Person("1", "Olga"), text, NOON, is_private=self.is_private)
        conversation = Conversation(1, HERE, NOON, NOON)
        understanding = await CommandRecognizer().recognize(message, DialogueState(conversation, COMMANDS))
        assert understanding is not None
        nothing = cast(Any, None)
        context = SkillContext(
            message=message,
            conversation=conversation,
            understanding=understanding,
            texts=Texts("en"),
            clock=Clock.at(NOON, UTC),
            store=nothing,
            models=nothing,
            personas=nothing,
            settings=nothing,
            commands=COMMANDS,
            answer=nothing,
            stop=nothing,
        )
        context = replace(context, roll=self.roll, is_owner=self.is_owner, code_valid_seconds=CODE_VALID_SECONDS)
        context = replace(context, tell=self.tell)
        async with aclosing(self.skill.respond(context)) as reply:
            events = [event async for event in reply]
        end = events[-1]
        assert isinstance(end, Finished)
        assert end.act is not None
        return "".join(event.text for event in events if isinstance(event, TextDelta)), end.act


async def waiting(name: str = "Ann") -> FakeRoll:
    """A roll on which somebody waits with the code ABCD2345."""
    roll = FakeRoll()
    await roll.open_code("ABCD2345", "telegram", "mybot", "7", name, "7", at=NOON)
    return roll


@pytest.mark.parametrize("typed", ["ABCD2345", "abcd-2345"])
async def test_an_owner_lets_somebody_in_and_the_act_says_what_they_are_told(typed: str) -> None:
    roll = await waiting()
    told, act = await Chat(roll).say(f"/pair {typed}")
    assert "Ann (telegram:7) is let in" in told
    assert await roll.standing("telegram", "mybot", "7") is Standing.ALLOWED
    assert act.name == "people.admit"
    assert act.slots["chat"] == "7"
    assert "You have been let in" in str(act.slots["text"])


async def test_whoever_was_let_in_is_told_where_there_is_a_way() -> None:
    sent: list[tuple[Address, str]] = []

    async def tell(address: Address, text: str) -> None:
        sent.append((address, text))

    await Chat(await waiting(), tell=tell).say("/pair ABCD2345")
    [(address, text)] = sent
    assert address == Address("telegram", "7", "mybot")
    assert "You have been let in" in text


async def test_whoever_was_let_in_is_told_in_what_they_speak() -> None:
    roll = FakeRoll()
    await roll.open_code("ABCD2345", "telegram", "mybot", "7", "Ann", "7", at=NOON, language="zh")
    _, act = await Chat(roll).say("/pair ABCD2345")
    assert act.slots["text"] == Texts("zh").get("access.paired")


async def test_people_are_not_changed_in_a_chat_and_that_is_said() -> None:
    told, act = await Chat(await waiting()).say("/people remove telegram:7")
    assert "in the terminal" in told
    assert act == Act("reject", {"reason": "only_listed"})


async def test_a_code_is_good_once() -> None:
    there = Chat(await waiting())
    await there.say("/pair ABCD2345")
    told, act = await there.say("/pair ABCD2345")
    assert "used already, or older than 60 minutes" in told
    assert act == Act("reject", {"reason": "code_wrong"})


async def test_somebody_who_was_blocked_since_stays_so() -> None:
    roll = await waiting()
    await roll.set_standing("telegram", "mybot", "7", "Ann", Standing.BLOCKED, at=NOON)
    told, act = await Chat(roll).say("/pair ABCD2345")
    assert "parley people allow telegram:7" in told
    assert act == Act("reject", {"reason": "blocked"})
    assert await roll.standing("telegram", "mybot", "7") is Standing.BLOCKED


@pytest.mark.parametrize("command", ["/pair ABCD2345", "/pair", "/people"])
async def test_only_owners_may_and_others_hear_how_to_become_one(command: str) -> None:
    roll = await waiting()
    told, act = await Chat(roll, is_owner=False).say(command)
    assert "Only an owner" in told
    assert "parley people owner telegram:1" in told
    assert "Ann" not in told
    assert act == Act("reject", {"reason": "only_owners"})
    assert roll.members == {}


async def test_an_owner_sees_who_waits() -> None:
    told, act = await Chat(await waiting()).say("/pair")
    assert "ABCD2345 · Ann (telegram:7), since 12:00" in told
    assert act == Act("people.requests", {"count": 1})
    told, _ = await Chat().say("/pair")
    assert told == "Nobody is waiting to be let in."


async def test_an_owner_sees_who_is_known() -> None:
    roll = FakeRoll()
    await roll.set_standing("telegram", "mybot", "1", "Olga", Standing.OWNER, at=NOON)
    await roll.set_standing("telegram", "mybot", "7", "", Standing.BLOCKED, at=NOON)
    told, act = await Chat(roll).say("/people")
    assert "- owner: Olga (telegram:1), since 2026-03-01" in told
    assert "- blocked: somebody without a name (telegram:7)" in told
    assert act == Act("people.list", {"count": 2})
    told, _ = await Chat().say("/people")
    assert told == "Nobody is on the roll yet."


@pytest.mark.parametrize("command", ["/pair", "/people"])
async def test_in_a_group_nobody_is_named(command: str) -> None:
    told, _ = await Chat(await waiting(), is_private=False).say(command)
    assert "only in private" in told
    assert "Ann" not in told


async def test_in_a_group_a_code_is_taken() -> None:
    told, _ = await Chat(await waiting(), is_private=False).say("/pair ABCD2345")
    assert "is let in" in told


async def test_a_name_is_neither_markup_nor_able_to_steer_what_shows_it() -> None:
    told, _ = await Chat(await waiting("[**A**](http://x)\x1b[2J\u202e\n@all")).say("/pair")
    assert r"\[\*\*A\*\*\](http://x)\[2J@all" in told
    assert "\x1b" not in told
    assert "\u202e" not in told


async def test_where_nobody_has_to_be_let_in_that_is_said() -> None:
    told, _ = await Chat(None).say("/people")
    assert told == "Nobody has to be let in here."
