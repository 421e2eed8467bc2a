"""What people see of what is sent, and what the core is told where it fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from adapters.telegram.adapter import TelegramAdapter
from bot import plugins
from bot.channel import Adapter, CommandInfo, Content, Receipt, Span, UpdateKind
from bot.errors import (
    AccountRefused,
    ChannelError,
    Gone,
    Moved,
    OutcomeUnknown,
    PluginError,
    RateLimited,
    Rejected,
    Unreachable,
)
from bot.types import Address, Attachment
from tests.adapters.telegram.scripted import ScriptedIntake, adapter_for, running
from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_faults import Drop, Fail, Fault, Flood, Refuse, Truncate
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

HELLO = Content("Hello")


@pytest.fixture
async def adapter(server: BotApiServer) -> AsyncIterator[TelegramAdapter]:
    async with adapter_for(server) as adapter:
        yield adapter


@pytest.fixture
def chat(server: BotApiServer, ann: Person) -> Chat:
    """Ann's private chat with the bot."""
    return server.chat_private(ann)


def at(chat: Chat, *, topic: int | None = None) -> Address:
    return Address("telegram", str(chat.id), "7000001", str(topic) if topic else "")


# -- messages -----------------------------------------------------------------------------------------------


async def test_formatting_covers_the_words_it_is_meant_for(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat
) -> None:
    parts = [
        ("bold", "bold", ""),
        ("italic", "italic", ""),
        ("strikethrough", "strikethrough", ""),
        ("code", "code", ""),
        ("pre", "pre", "python"),
        ("link", "text_link", "https://example.org/"),
        ("quote", "blockquote", ""),
        ("spoiler", "spoiler", ""),
    ]
    text, spans = "👋🏽 𝔘 ", []
    for kind, _, value in parts:
        spans.append(Span(kind, len(text), len(text) + len(kind), value))
        text += f"{kind} 🎉 "
    receipt = await adapter.send(at(chat), Content(text.strip(), tuple(spans)))
    (shown,) = server.screen(chat)
    assert receipt == Receipt(at(chat), str(shown.message_id))
    assert shown.text == text.strip()
    assert [(mark.type, mark.text) for mark in shown.entities] == [(type, kind) for kind, type, _ in parts]
    assert (shown.entities[4].language, shown.entities[5].url) == ("python", "https://example.org/")
    assert server.statistics().parse_modes == 0


async def test_a_link_that_would_run_something_is_only_text(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat
) -> None:
    await adapter.send(at(chat), Content("click", (Span("link", 0, 5, "javascript:alert(1)"),)))
    assert server.screen(chat)[0].entities == ()


async def test_an_answer_names_its_question_as_long_as_that_is_there(
    server: BotApiServer, adapter: TelegramAdapter, ann: Person, chat: Chat
) -> None:
    question = ann.says(chat, "How are you?")
    await adapter.send(at(chat), Content("Fine", reply_to=str(question.message_id)))
    ann.deletes(chat, question)
    await adapter.send(at(chat), Content("Really", reply_to=str(question.message_id)))
    assert [(shown.text, shown.reply_to) for shown in server.screen(chat)] == [
        ("Fine", question.message_id),
        ("Really", None),
    ]


async def test_a_thread_is_answered_in_its_topic(server: BotApiServer, adapter: TelegramAdapter, ann: Person) -> None:
    forum = server.chat_group("Forum", ann, forum=True)
    topic = ann.opens_topic(forum, "Plans")
    await adapter.typing(at(forum, topic=topic))
    assert server.screen.typing(forum, topic=topic) == "typing"
    await adapter.send(at(forum, topic=topic), HELLO)
    assert server.screen.from_bots(forum, topic=topic) == ["Hello"]


@pytest.mark.parametrize(("word", "rows"), [("Yes", [3, 1]), ("A rather long answer", [2, 2])])
async def test_choices_are_buttons_in_rows(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat, word: str, rows: list[int]
) -> None:
    choices = tuple((f"{word} {number}", f"choice:{number}") for number in range(4))
    await adapter.send(at(chat), Content("Well?", choices=choices))
    buttons = server.screen(chat)[0].buttons
    assert [len(row) for row in buttons] == rows
    assert [(button.text, button.data) for row in buttons for button in row] == list(choices)


async def test_a_press_arrives_and_is_acknowledged_once_or_too_late(
    server: BotApiServer, adapter: TelegramAdapter, ann: Person, chat: Chat
) -> None:
    receipt = await adapter.send(at(chat), Content("Well?", choices=(("Yes", "yes"), ("No", "no"))))
    ann.presses(chat, int(receipt.id), "No")
    intake = ScriptedIntake()
    async with running(adapter_for(server), intake):
        await intake.until(lambda: intake.updates)
    (press,) = intake.updates
    assert (press.kind, press.message.id, press.detail) == (UpdateKind.CHOICE, receipt.id, "no")
    assert (press.message.address, press.message.person.name) == (at(chat), "Ann")
    await adapter.acknowledge(press, "Noted")
    await adapter.acknowledge(press, "Noted")
    assert [event.text for event in server.screen.history(chat, "toast")] == ["Noted"]


async def test_an_edit_shows_the_new_text_and_the_same_text_is_no_error(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat
) -> None:
    receipt = await adapter.send(at(chat), Content("Hel", choices=(("Yes", "yes"),)))
    for _ in range(2):
        await adapter.edit(receipt, HELLO)
    (shown,) = server.screen(chat)
    assert (shown.text, shown.buttons) == ("Hello", ())


async def test_a_message_is_deleted_and_doing_so_twice_is_no_error(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat
) -> None:
    receipt = await adapter.send(at(chat), HELLO)
    for _ in range(2):
        await adapter.delete(receipt)
    assert server.screen(chat) == []
    with pytest.raises(Rejected, match="not found"):
        await adapter.edit(receipt, HELLO)


async def test_a_draft_is_shown_until_the_message_comes(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat
) -> None:
    await adapter.preview(at(chat), "17", Content("Hel", (Span("bold", 0, 3),)))
    (draft,) = server.screen.drafts(chat)
    assert (draft.text, draft.draft_id) == ("Hel", 17)
    await adapter.send(at(chat), HELLO)
    assert server.screen.drafts(chat) == []
    assert server.screen.from_bots(chat) == ["Hello"]


async def test_commands_are_announced_in_each_language(server: BotApiServer, adapter: TelegramAdapter) -> None:
    await adapter.announce([CommandInfo("help", {"": "what there is", "zh": "有什么"})])
    announced = {language: rows for (_, language), rows in server.world.bots[server.token].commands.items()}
    assert announced["zh"] == [{"command": "help", "description": "有什么"}]
    assert announced[""] == [{"command": "help", "description": "what there is"}]


# -- files --------------------------------------------------------------------------------------------------


def attachment(server: BotApiServer, content: bytes | None, *, size: int | None = None) -> Attachment:
    file = server.world.store(content, name="notes.txt", mime="text/plain", size=size)
    return Attachment("document", "notes.txt", "text/plain", file.size, file.file_id)


async def read(adapter: TelegramAdapter, attachment: Attachment) -> bytes:
    return b"".join([chunk async for chunk in adapter.fetch(attachment)])


async def test_a_file_is_fetched_whole(server: BotApiServer, adapter: TelegramAdapter) -> None:
    content = bytes(range(256)) * 4000
    assert await read(adapter, attachment(server, content)) == content


async def test_a_file_that_is_too_big_is_refused_in_words(server: BotApiServer, adapter: TelegramAdapter) -> None:
    with pytest.raises(Rejected, match="too large"):
        await read(adapter, attachment(server, None, size=30_000_000))


async def test_a_file_that_is_bigger_than_it_said_is_cut_off(server: BotApiServer) -> None:
    async with adapter_for(server, longest_download_bytes=1000) as adapter:
        with pytest.raises(Rejected, match="too large"):
            await read(adapter, attachment(server, b"x" * 5000, size=900))


async def test_a_download_that_fails_does_not_tell_the_token(server: BotApiServer, adapter: TelegramAdapter) -> None:
    with pytest.raises(Unreachable) as told:
        await read(adapter, attachment(server, None, size=10))
    assert server.token not in str(told.value)


# -- failures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Drop(), OutcomeUnknown),
        (Drop(after_execution=True), OutcomeUnknown),
        (Truncate(), OutcomeUnknown),
        (Fail(500), OutcomeUnknown),
        (Fail(502), OutcomeUnknown),
        (Flood(7), RateLimited),
        (Refuse(429, "Too Many Requests"), RateLimited),
        (Refuse(403, "Forbidden: bot was blocked by the user"), Gone),
        (Refuse(400, "Bad Request: chat not found"), Gone),
        (Refuse(400, "Bad Request: message is too long"), Rejected),
        (Refuse(401, "Unauthorized"), AccountRefused),
    ],
)
async def test_a_failure_is_told_as_what_it_is(
    server: BotApiServer, adapter: TelegramAdapter, chat: Chat, fault: Fault, error: type[ChannelError]
) -> None:
    server.faults.next("sendMessage", fault)
    with pytest.raises(ChannelError) as told:
        await adapter.send(at(chat), HELLO)
    assert type(told.value) is error


async def test_the_page_of_a_proxy_is_not_quoted(server: BotApiServer, adapter: TelegramAdapter, chat: Chat) -> None:
    server.faults.next("sendMessage", Fail(502))
    with pytest.raises(OutcomeUnknown) as told:
        await adapter.send(at(chat), HELLO)
    assert told.value.reason == "Bad Gateway (502)"


async def test_a_flood_names_the_time_to_wait(server: BotApiServer, adapter: TelegramAdapter, chat: Chat) -> None:
    server.faults.next("sendMessage", Flood(7))
    with pytest.raises(RateLimited) as told:
        await adapter.send(at(chat), HELLO)
    assert told.value.retry_after == 7.0


async def test_a_person_who_blocked_the_bot_is_gone(
    server: BotApiServer, adapter: TelegramAdapter, ann: Person, chat: Chat
) -> None:
    ann.blocks(chat)
    with pytest.raises(Gone):
        await adapter.send(at(chat), HELLO)


async def test_a_group_that_moved_names_its_new_place(
    server: BotApiServer, adapter: TelegramAdapter, ann: Person
) -> None:
    group = server.chat_group("Old", ann, kind="group")
    new = ann.upgrades(group)
    with pytest.raises(Moved) as told:
        await adapter.send(at(group), HELLO)
    assert told.value.chat == str(new.id)


async def test_where_no_connection_comes_about_nothing_arrived(ann: Person, server: BotApiServer) -> None:
    chat = server.chat_private(ann)
    async with adapter_for(server) as adapter:
        await server.__aexit__()
        with pytest.raises(Unreachable) as told:
            await adapter.send(at(chat), HELLO)
        await server.__aenter__()
    assert type(told.value) is Unreachable


async def test_half_a_character_is_rejected_and_not_tried_for_ever(adapter: TelegramAdapter, chat: Chat) -> None:
    with pytest.raises(Rejected):
        await adapter.send(at(chat), Content("\ud83d"))


# -- set-up -------------------------------------------------------------------------------------------------


def test_a_group_is_not_private(server: BotApiServer, ann: Person) -> None:
    adapter: Adapter = adapter_for(server)
    assert adapter.is_private(at(server.chat_private(ann)))
    assert not adapter.is_private(at(server.chat_group("Friends", ann)))


def test_a_wrong_key_is_refused_without_showing_the_token() -> None:
    with pytest.raises(ValidationError) as told:
        TelegramAdapter.Config.model_validate(
            {"token": "1:secret", "tokken": "2:secret", "webhook_url": "ftp://x", "names": [""]}
        )
    assert "secret" not in str(told.value)
    assert told.value.error_count() == 3


def test_a_missing_library_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("adapters.telegram.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "telegram", None)
    with pytest.raises(PluginError, match=r'\.venv/bin/pip install -e "\.\[telegram\]"'):
        plugins.load("adapters", "telegram")


def test_importing_the_package_imports_no_library() -> None:
    code = "import sys, adapters.telegram; print({'telegram', 'aiohttp', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
