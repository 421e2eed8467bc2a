"""Several bots in one process: each is itself, and what is wrong with one is nothing to the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import open_app
from bot.config import load
from bot.types import Address
from tests.channels.running import running, write_configuration
from tests.channels.seeing import said
from tests.channels.test_crash import asked, begin
from tests.cli.program import parley
from tests.servers.bot_api import TOKEN, BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat

OTHER = "7000002:parley-other-token"
SECOND = '[channels.work]\nadapter = "telegram"\ntoken = "{token}"\nbase_url = "{base_url}"'


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with BotApiServer(tokens={TOKEN: "parley_test_bot", OTHER: "parley_work_bot"}) as server:
        yield server


@pytest.fixture
def work(server: BotApiServer, ann: Person) -> Chat:
    """Ann's private chat with the second bot."""
    return server.chat_private(ann, bot=server.bot(OTHER))


def second(server: BotApiServer, token: str = OTHER) -> str:
    """The second bot's table."""
    return SECOND.format(token=token, base_url=server.base_url)


async def test_whoever_talks_to_two_bots_has_two_conversations(
    server: BotApiServer, ann: Person, chat: Chat, work: Chat, home: Path
) -> None:
    async with running(server, home, more=second(server)) as app:
        ann.says(chat, "at home")
        ann.says(work, "at work")
        await said(server, chat, "at home")
        await said(server, work, "at work")
        ann.says(work, "/undo")
        await said(server, work, "at work", "Taken back: “at work”")
        kept = {}
        for channel, account in (("telegram", "7000001"), ("work", "7000002")):
            [conversation] = await app.store.conversations(Address(channel, str(ann.id), account), limit=9)
            kept[channel] = [turn.text for turn in await app.store.path(conversation.id)]
    assert kept == {"telegram": ["at home", "at home"], "work": []}


async def test_in_a_group_of_both_each_answers_what_is_meant_for_it(
    server: BotApiServer, ann: Person, home: Path
) -> None:
    group = server.chat_group("Family", ann, bots=(server.bot(TOKEN), server.bot(OTHER)))
    async with running(server, home, more=second(server)):
        ann.says(group, "@parley_work_bot only you")
        await said(server, group, "Ann: only you")
        ann.says(group, "@parley_test_bot and you")
        await said(server, group, "Ann: only you", "Ann: and you")
    assert [shown.author_id for shown in server.screen(group) if shown.from_bot] == [7000002, 7000001]


async def test_a_token_that_is_refused_does_not_stop_the_other_bot(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(server, home, more=second(server, "7000003:mistyped-secret")):
        ann.says(chat, "Are you there?")
        await said(server, chat, "Are you there?")
        async with asyncio.timeout(10):
            while "work: stopped: Telegram does not accept the bot's token" not in caplog.text:
                await asyncio.sleep(0.01)
        ann.says(chat, "And now?")
        await said(server, chat, "Are you there?", "And now?")
    assert "mistyped-secret" not in caplog.text


async def test_a_bot_that_another_channel_is_already_is_left_to_that(
    server: BotApiServer, ann: Person, chat: Chat, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(server, home, more=second(server, TOKEN)):
        ann.says(chat, "Once?")
        await said(server, chat, "Once?")
        async with asyncio.timeout(10):
            while "This is the same account as" not in caplog.text:
                await asyncio.sleep(0.01)
        ann.says(chat, "Only once?")
        await said(server, chat, "Once?", "Only once?")


async def connections(server: BotApiServer, home: Path, token: str) -> dict[str, str]:
    """What `parley doctor` says of the accounts, with this one for the second bot."""
    write_configuration(server, home, more=second(server, token))
    told = json.loads((await asyncio.to_thread(parley, "doctor", "--json")).stdout)
    return next(check for check in told["checks"] if check["name"] == "connections")


async def test_doctor_names_each_bot(server: BotApiServer, home: Path) -> None:
    found = await connections(server, home, OTHER)
    assert "telegram: connected, as account 7000001." in found["found"]
    assert "work: connected, as account 7000002." in found["found"]


async def test_doctor_tells_which_bot_is_refused(server: BotApiServer, home: Path) -> None:
    found = await connections(server, home, "7000003:mistyped-secret")
    assert "telegram: connected, as account 7000001." in found["found"]
    assert "work: not connected. Telegram does not accept the bot's token" in found["found"]
    assert found["status"] == "broken" and "mistyped-secret" not in str(found)


async def test_doctor_notices_that_two_channels_are_one_bot(server: BotApiServer, home: Path) -> None:
    found = await connections(server, home, TOKEN)
    assert "work: not connected. This is the same account as telegram" in found["found"]
    assert found["status"] == "broken"


def test_a_channel_that_names_no_adapter_is_told_how_to(home: Path) -> None:
    ran = parley("run", variables={"PARLEY_CHANNELS__WORK__TOKEN": OTHER})
    assert 'put `adapter = "…"` into [channels.work]' in ran.stderr.decode() and ran.returncode == 1


async def test_what_may_have_ended_the_program_is_tried_by_one_bot_after_the_other(
    server: BotApiServer, chat: Chat, work: Chat, home: Path
) -> None:
    at_home = asked(chat.id, "one two")
    message = at_home.message
    at_work = replace(
        at_home, message=replace(message, address=replace(message.address, channel="work", account="7000002"))
    )
    async with open_app(load(write_configuration(server, home))) as app:
        await begin(app, at_home, at_work, starts=2)
    async with running(server, home, delay=1.0, more=second(server)) as app:
        await server.wait_until(lambda: server.screen.history(chat, "typing") or server.screen.history(work, "typing"))
        assert sorted(arrival.attempts for arrival in await app.ledger.arrivals()) == [2, 3]
        await said(server, chat, "one two")
        await said(server, work, "one two")
