"""Who is answered on Telegram, who is told a code, and who is asked to slow down."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.app import open_app
from bot.channel import Update, UpdateKind
from bot.cli import main
from bot.config import load
from bot.types import Address, Message
from bot.types import Person as Speaker
from tests.channels.fast import FastTime
from tests.channels.running import running, write_configuration
from tests.channels.seeing import answers, said
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

PAIRED = "You have been let in. Just write what you want to say; /help shows what else there is."


@pytest.fixture
def pairing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__MODE", "pairing")


def code_in(text: str) -> str:
    """The code that somebody was told."""
    [code] = re.findall(r"^(?:parley pair )?([A-Z2-9]{8})$", text, re.MULTILINE)
    return str(code)


@pytest.mark.usefixtures("pairing")
async def test_a_stranger_is_told_a_code_and_answered_once_it_is_confirmed_in_the_terminal(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:

    async with running(server, home):
        ann.says(chat, "Hello")
        [told] = await answers(server, chat, 1)
        assert await asyncio.to_thread(main, ["pair", code_in(told.text)]) == 0
        ann.says(chat, "Me again")
        await server.wait_until(lambda: server.screen.from_bots(chat)[-1] == "Me again")


@pytest.mark.usefixtures("pairing")
async def test_an_owner_lets_somebody_in_from_the_chat_and_they_are_told(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__OWNERS", f'["telegram:{ann.id}"]')
    bob = server.person("Bob")
    other = server.chat_private(bob)
    async with running(server, home):
        bob.says(other, "Hello")
        [told] = await answers(server, other, 1)
        ann.says(chat, f"/pair {code_in(told.text)}")
        await said(server, chat, f"Bob (telegram:{bob.id}) is let in, and is answered from now on.")
        await server.wait_until(lambda: server.screen.from_bots(other)[1:] == [PAIRED])
        bob.says(other, "Thanks")
        await server.wait_until(lambda: server.screen.from_bots(other)[2:] == ["Thanks"])


@pytest.mark.usefixtures("pairing")
async def test_a_strangers_message_that_an_earlier_run_left_over_is_no_way_in(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    address = Address("telegram", str(chat.id), "7000001")
    message = Message(address, Speaker(str(ann.id), "Ann", "en"), "Let me in", datetime.now(UTC), "77")
    async with open_app(load(write_configuration(server, home))) as app:
        await app.ledger.accept([Update(UpdateKind.MESSAGE, message, id="1")], at=message.at)
    async with running(server, home):
        [told] = await answers(server, chat, 1)
    assert code_in(told.text)


@pytest.mark.usefixtures("pairing")
async def test_a_stranger_who_presses_a_button_is_turned_away(
    server: BotApiServer, ann: Person, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = server.person("Bob")
    group = server.chat_group("Family", ann, bob)
    monkeypatch.setenv("PARLEY_ACCESS__ALLOWED", f'["telegram:{ann.id}"]')
    async with running(server, home):
        ann.says(group, "@parley_test_bot Hello")
        [answer] = await answers(server, group, 1)
        bob.presses(group, answer, "🔄 Again")
        await server.wait_until(lambda: bool(server.screen.history(group, "toast")))
    assert [toast.text for toast in server.screen.history(group, "toast")] == [
        "You are not on the list of those whom I answer here."
    ]
    assert server.screen.from_bots(group) == ["Ann: Hello"]


async def test_what_is_said_to_others_in_a_group_is_left_alone(server: BotApiServer, home: Path) -> None:
    server.bot(server.token).reads_all = True
    ann = server.person("Ann")
    group = server.chat_group("Family", ann)
    async with running(server, home) as app:
        ann.says(group, "Nobody in particular")
        ann.sends(group, "photo")
        ann.edits(group, ann.says(group, "Tea?"), "Coffee?")
        ann.says(group, "@parley_test_bot Hello")
        await said(server, group, "Ann: Hello")
        assert await app.ledger.arrivals() == []
    assert server.screen.history(group, "typing") == []


async def test_bots_are_never_answered(server: BotApiServer, ann: Person, home: Path) -> None:
    group = server.chat_group("Family", ann)
    robot = server.person("Robot")
    robot.account.is_bot = True
    async with running(server, home):
        robot.says(group, "@parley_test_bot Hello")
        ann.says(group, "@parley_test_bot Hello, too")
        await said(server, group, "Ann: Hello, too")


async def test_whoever_writes_too_much_is_told_once_and_then_left_alone(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__MESSAGES_PER_MINUTE", "2")
    bob = server.person("Bob")
    other = server.chat_private(bob)
    async with running(server, home):
        for text in ("one", "two", "three", "four", "five"):
            ann.says(chat, text)
        bob.says(other, "And me?")
        await said(server, other, "And me?")
        shown = await answers(server, chat, 2)
    assert any("more than 2 messages in a minute" in each.text for each in shown)
    words = " ".join(each.text for each in shown)
    assert "one" in words and "two" in words and "three" not in words and len(shown) <= 3


async def test_a_message_that_is_too_long_is_declined_with_the_limit(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__LONGEST_MESSAGE", "20")
    async with running(server, home):
        ann.says(chat, "x" * 21)
        await said(
            server,
            chat,
            "That message has 21 characters, and I read 20 at most. Please shorten it, or send it in parts.",
        )
        ann.says(chat, "x" * 20)
        await server.wait_until(lambda: server.screen.from_bots(chat)[1:] == ["x" * 20])


async def test_a_message_that_was_too_long_is_answered_once_it_is_edited_into_shape(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__LONGEST_MESSAGE", "20")
    async with running(server, home):
        message = ann.says(chat, "x" * 21)
        [declined] = await answers(server, chat, 1)
        ann.edits(chat, message, "short enough")
        await said(server, chat, declined.text, "short enough")
        ann.edits(chat, message, "shorter")
        await said(server, chat, declined.text, "shorter")


async def test_a_message_that_came_too_fast_is_answered_once_it_is_edited_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ACCESS__MESSAGES_PER_MINUTE", "1")
    fast = FastTime(UTC, speed=60)
    async with BotApiServer(clock=fast.seconds) as server, running(server, home, clock=fast, sleep=fast.sleep):
        ann = server.person("Ann")
        chat = server.chat_private(ann)
        ann.says(chat, "one")
        await said(server, chat, "one")
        message = ann.says(chat, "tow")
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) == 2)
        await fast.sleep(61)
        ann.edits(chat, message, "two")
        await server.wait_until(lambda: server.screen.from_bots(chat)[2:] == ["two"])
