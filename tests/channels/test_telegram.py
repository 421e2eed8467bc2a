"""What a person on Telegram sees, from their message to the whole answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.types import Address
from tests.channels.running import running
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_checks import find_entities
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with BotApiServer() as server:
        yield server


@pytest.fixture
def ann(server: BotApiServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def chat(server: BotApiServer, ann: Person) -> Chat:
    return server.chat_private(ann)


async def said(server: BotApiServer, chat: Chat, *texts: str, seconds: float = 10) -> None:
    """Wait until the bot has said exactly this in the chat."""
    await server.wait_until(lambda: server.screen.from_bots(chat) == list(texts), seconds=seconds)


async def test_a_question_is_answered(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home):
        ann.says(chat, "Hello there")
        await said(server, chat, "Hello there")


async def test_what_was_said_while_the_bot_was_away_is_answered_at_its_start(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    ann.says(chat, "one")
    ann.says(chat, "two")
    async with running(server, home):
        await said(server, chat, "one\n\ntwo")


async def test_an_edited_question_has_its_answer_rewritten_in_place(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        question = ann.says(chat, "What is teh time?")
        await said(server, chat, "What is teh time?")
        ann.edits(chat, question, "What is the time?")
        await said(server, chat, "What is the time?")
        ann.says(chat, "Thanks")
        await said(server, chat, "What is the time?", "Thanks")


async def test_chats_do_not_wait_for_each_other(server: BotApiServer, home: Path) -> None:
    people = [server.person(f"P{number}") for number in range(20)]
    chats = [server.chat_private(person) for person in people]
    async with running(server, home, delay=0.01):
        for person, chat in zip(people, chats, strict=True):
            person.says(chat, f"I am {person.id}")
        for person, chat in zip(people, chats, strict=True):
            await said(server, chat, f"I am {person.id}")


async def test_stop_ends_the_running_reply_at_once(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home, delay=0.05):
        ann.says(chat, "word " * 400)
        await server.wait_until(lambda: bool(server.screen.drafts(chat)))
        ann.says(chat, "/stop")
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) == 2)
        assert any("stopped" in text.lower() for text in server.screen.from_bots(chat))


async def test_a_group_is_answered_when_it_addresses_the_bot(server: BotApiServer, ann: Person, home: Path) -> None:
    group = server.chat_group("Family", ann)
    async with running(server, home):
        ann.says(group, "nobody in particular")
        ann.says(group, "@parley_test_bot hello")
        await said(server, group, "Ann: hello")


async def test_a_dropped_answer_is_sent_once_more_and_marked(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    from tests.servers.bot_api_faults import Drop

    server.faults.next("sendMessage", Drop(after_execution=True))
    async with running(server, home):
        ann.says(chat, "Hello")
        await said(server, chat, "Hello", "↻ Once more, in case it did not arrive:\nHello")


async def test_a_flood_limit_delays_the_answer_and_is_told(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    from tests.servers.bot_api_faults import Flood

    server.faults.next("sendMessage", Flood(2))
    async with running(server, home):
        ann.says(chat, "Hello")
        await asyncio.sleep(0)
        await said(server, chat, "Hello")


async def test_buttons_under_an_answer_work_after_a_restart(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "Hello")
        await said(server, chat, "Hello")
    async with running(server, home):
        [answer] = [shown for shown in server.screen(chat) if shown.from_bot]
        ann.presses(chat, answer, "❔ Why")
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) == 2)
        assert "echo" in server.screen.from_bots(chat)[1]


async def test_long_code_is_split_and_every_piece_is_code(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    code = "```python\n" + "\n".join(f"print({number})" for number in range(900)) + "\n```"
    async with running(server, home):
        for part in (code[:4000], code[4000:8000], code[8000:]):
            ann.says(chat, part)
        await server.wait_until(lambda: len(server.screen.from_bots(chat)) >= 3)
        whole = "\n".join(server.screen.from_bots(chat))
        assert all(f"print({number})" in whole for number in (0, 450, 899))


async def test_a_photo_is_kept_and_answered_in_words(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home):
        ann.sends(chat, "photo")
        await server.wait_until(lambda: bool(server.screen.from_bots(chat)))
    assert "a photo" in server.screen.from_bots(chat)[0]
    assert len(list((home / "attachments").iterdir())) == 1


async def test_a_photo_can_be_taken_back(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home):
        ann.sends(chat, "photo")
        await server.wait_until(lambda: bool(server.screen.from_bots(chat)))
        ann.says(chat, "/undo")
        await server.wait_until(lambda: server.screen.from_bots(chat)[1:] == ["Taken back: “(no words)”"])


async def test_a_sticker_is_answered_with_what_can_be_seen_of_it(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.sends(chat, "sticker", emoji="🎉")
        await said(server, chat, "🎉 is all that I can see of a sticker yet. Please say it in words.")


@pytest.mark.parametrize(("spoken", "button"), [("zh-hans", "❔ 为什么"), ("en", "❔ Why"), ("", "❔ 为什么")])
async def test_buttons_speak_the_persons_language_and_else_that_of_the_configuration(
    server: BotApiServer, home: Path, monkeypatch: pytest.MonkeyPatch, spoken: str, button: str
) -> None:
    monkeypatch.setenv("PARLEY_LANGUAGE", "en" if spoken else "zh")
    person = server.person("Wu", language=spoken)
    chat = server.chat_private(person)
    async with running(server, home):
        person.says(chat, "Hello")
        await said(server, chat, "Hello")
        [answer] = [shown for shown in server.screen(chat) if shown.from_bot]
    assert button in [each.text for row in answer.buttons for each in row]


async def test_a_place_reaches_the_model_as_words(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home):
        ann.sends(chat, "location")
        await server.wait_until(lambda: bool(server.screen.from_bots(chat)))
    assert server.screen.from_bots(chat)[0].startswith("[location: ")


async def test_something_can_be_said_unasked(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home) as app:
        await app.tell(Address("telegram", str(chat.id), "7000001"), "Your tea is ready")
        await said(server, chat, "Your tea is ready")


async def test_a_very_long_answer_comes_as_a_file(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home, more="[chat]\nfile_characters = 1000\nburst_seconds = 0"):
        ann.says(chat, "word " * 500)
        await server.wait_until(lambda: bool(server.screen.from_bots(chat)))
    [answer] = [shown for shown in server.screen(chat) if shown.from_bot]
    assert "it is in the file" in answer.text
    assert answer.kind == "document"


async def test_who_starts_the_bot_is_greeted(server: BotApiServer, ann: Person, chat: Chat, home: Path) -> None:
    async with running(server, home):
        ann.says(chat, "/start")
        await server.wait_until(lambda: bool(server.screen.from_bots(chat)))
    assert server.screen.from_bots(chat)[0].startswith("Hello! I am Parley.")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_help_offers_commands_that_can_be_tapped_and_no_keys_that_a_phone_lacks(
    server: BotApiServer, home: Path, language: str
) -> None:
    wu = server.person("Wu", language=language)
    chat = server.chat_private(wu)
    async with running(server, home):
        wu.says(chat, "/help")
        await server.wait_until(lambda: bool(server.screen.from_bots(chat)))
    [shown] = [shown for shown in server.screen(chat) if shown.from_bot]
    in_code = [mark.text for mark in shown.entities if mark.type == "code"]
    assert not any(text.startswith("/") for text in in_code)
    tappable = [shown.text[each["offset"] :].split()[0] for each in find_entities(shown.text)]
    assert {"/help", "/new", "/undo", "/stop", "/persona"} <= set(tappable)
    assert "Ctrl" not in shown.text


async def test_a_command_of_another_channel_is_unknown(
    server: BotApiServer, ann: Person, chat: Chat, home: Path
) -> None:
    async with running(server, home):
        ann.says(chat, "/quit now")
        await said(server, chat, "There is no command /quit. Did you mean /quiet? /help shows them all.")
