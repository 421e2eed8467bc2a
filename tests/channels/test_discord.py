"""A whole conversation on Discord: what people do there, and what they see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.channels.discord_seeing import connected, said
from tests.channels.running import running
from tests.channels.seeing import LONG
from tests.cli.program import parley
from tests.servers.discord_faults import Refuse
from tests.servers.discord_people import Person
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel, Guild


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def ann(server: DiscordServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def direct(server: DiscordServer, ann: Person) -> Channel:
    return server.dm(ann)


@pytest.fixture
def guild(server: DiscordServer, ann: Person) -> Guild:
    return server.guild("Friends", ann)


@pytest.fixture
def general(server: DiscordServer, guild: Guild) -> Channel:
    return server.channel(guild, "general")


# -- messages -----------------------------------------------------------------------------------------------


async def test_a_private_message_is_answered(server: DiscordServer, ann: Person, direct: Channel, home: Path) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(direct, "Hello")
        [answer] = await said(server, direct, "Hello")
    assert [button.label for button in answer.buttons] == ["🔄 Again", "👍", "👎", "❔ Why"]


async def test_in_a_server_a_mention_is_answered_and_all_else_is_not(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(general, "among us")
        question = ann.says(general, f"{server.mention} Hello")
        [answer] = await said(server, general, "Ann: Hello")
        assert answer.reply_to == question.message_id
        ann.says(general, "And now?", reply_to=answer)
        await said(server, general, "Ann: Hello", "Ann: And now?")


async def test_an_edited_question_has_its_answer_rewritten_and_a_deleted_one_taken_away(
    server: DiscordServer, ann: Person, direct: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        question = ann.says(direct, "teh time")
        await said(server, direct, "teh time")
        ann.edits(direct, question, "the time")
        await said(server, direct, "the time")
        ann.deletes(direct, question)
        await said(server, direct)


async def test_a_thread_is_a_conversation_of_its_own(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(general, f"{server.mention} Hello")
        [answer] = await said(server, general, "Ann: Hello")
        thread = ann.opens_thread(general, "More", message=answer)
        ann.says(thread, f"{server.mention} in here")
        await said(server, thread, "Ann: in here")
        await said(server, general, "Ann: Hello")


async def test_nobody_is_pinged_by_what_it_says(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(general, f"{server.mention} @everyone @here <@{ann.id}> `@everyone`")
        [answer] = await said(server, general, "Ann: @\u200beveryone @\u200bhere @Ann `@\u200beveryone`")
    assert not answer.pings


# -- commands and buttons -----------------------------------------------------------------------------------


async def test_a_command_is_answered_where_its_place_is_held(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.uses(general, "model")
        await server.wait_until(lambda: "echo" in "".join(server.screen.from_bots(general, person=ann)))
        [shown] = server.screen(general, person=ann)
    assert shown.kind == "text"


async def test_why_is_answered_to_who_asks_alone(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(general, f"{server.mention} Hello")
        [answer] = await said(server, general, "Ann: Hello")
        ann.clicks(general, answer, "❔ Why")
        await server.wait_until(lambda: len(server.screen.from_bots(general, person=ann)) == 2)
        await server.wait_until(lambda: "echo" in server.screen.from_bots(general, person=ann)[1])
        assert server.screen.from_bots(general) == ["Ann: Hello"]
        ann.clicks(general, answer, "👍")
        await server.wait_until(lambda: len(server.screen.from_bots(general, person=ann)) == 3)
    assert server.screen.history(general, "failed") == []


async def test_a_reply_is_shown_while_it_is_made_and_stopped_by_its_button(
    server: DiscordServer, ann: Person, direct: Channel, home: Path
) -> None:
    async with running(server, home, delay=0.1):
        await connected(server)
        ann.says(direct, LONG)
        await server.wait_until(lambda: any(shown.buttons for shown in server.screen(direct)))
        [preview] = [shown for shown in server.screen(direct) if shown.from_bot]
        ann.clicks(direct, preview, "⏹ Stop")
        await server.wait_until(lambda: "stopped" in server.screen.from_bots(direct)[0])


async def test_a_question_about_a_message_is_answered(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        shown = ann.says(general, "The sky is green.")
        asked = ann.uses_on(general, shown, "Ask about this")
        await server.wait_until(lambda: asked.modal)
        ann.submits(asked, question="Is it?")
        await server.wait_until(lambda: "Is it?" in "".join(server.screen.from_bots(general)))
        assert "The sky is green." in server.screen.from_bots(general)[0]
    assert server.screen.history(general, "failed") == []


# -- what goes wrong ----------------------------------------------------------------------------------------


async def test_two_bots_in_one_channel_answer_people_and_not_each_other(
    server: DiscordServer, ann: Person, guild: Guild, general: Channel, home: Path
) -> None:
    other = server.bot("another-token", "Other")
    server.world.join(guild, other.account)
    table = f'[channels.other]\nadapter = "discord"\ntoken = "another-token"\napi_url = "{server.api_url}"'
    async with running(server, home, more=f"listen = [{general.id}]\n{table}\nlisten = [{general.id}]"):
        await server.wait_until(lambda: server.gateway.connected() == 2)
        expected: list[str] = []
        for text in ("one", "two", "three"):
            ann.says(general, text)
            expected += [f"Ann: {text}"] * 2
            await said(server, general, *expected)
    await said(server, general, *expected)


async def test_who_can_mend_a_missing_permission_is_told(server: DiscordServer, home: Path) -> None:
    owner, ben = server.person("Olga"), server.person("Ben")
    guild = server.guild("Friends", owner, ben)
    general, direct = server.channel(guild, "general"), server.dm(owner)
    async with running(server, home, delay=0.05):
        await connected(server)
        ben.says(general, f"{server.mention} {LONG}")
        await server.wait_until(lambda: server.screen.from_bots(general))
        owner.hides(general, server.bot().account)  # in the middle of the answer
        await server.wait_until(lambda: server.screen.from_bots(direct))
        assert "#general" in server.screen.from_bots(direct)[0]
        ben.says(server.dm(ben), "And here?")
        await said(server, server.dm(ben), "And here?")


async def test_a_channel_that_is_deleted_while_it_answers_holds_up_nobody(
    server: DiscordServer, ann: Person, general: Channel, direct: Channel, home: Path
) -> None:
    async with running(server, home, delay=0.02) as app:
        await connected(server)
        ann.says(general, f"{server.mention} {LONG}")
        await server.wait_until(lambda: server.screen.from_bots(general))
        ann.deletes_channel(general)
        ann.says(direct, "And here?")
        await said(server, direct, "And here?")
        async with asyncio.timeout(10):
            while await app.ledger.parcels():
                await asyncio.sleep(0.02)


async def test_a_command_whose_place_was_lost_is_answered_with_a_message(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        server.faults.next("answer", Refuse(404, 10062, "Unknown interaction"))
        ann.uses(general, "model")
        await server.wait_until(lambda: "echo" in "".join(server.screen.from_bots(general, person=ann)))


async def test_without_message_content_people_are_answered_and_doctor_says_why_not_all(ann: Person, home: Path) -> None:
    async with DiscordServer(granted=0) as server:
        ann = server.person("Ann")
        general, direct = server.channel(server.guild("Friends", ann), "general"), server.dm(ann)
        async with running(server, home):
            await connected(server)
            ann.says(general, f"{server.mention} Hello")
            ann.says(direct, "Hello")
            await said(server, general, "Ann: Hello")
            await said(server, direct, "Hello")
            told = json.loads((await asyncio.to_thread(parley, "doctor", "--json")).stdout)
    found = next(check for check in told["checks"] if check["name"] == "connections")
    assert "Message Content Intent is off" in found["found"]


# -- while it was away --------------------------------------------------------------------------------------


async def test_what_was_said_while_it_was_away_is_answered_in_order(
    server: DiscordServer, ann: Person, direct: Channel, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(direct, "one")
        await said(server, direct, "one")
    ann.says(direct, "two")
    ann.says(general, f"{server.mention} four")
    await asyncio.sleep(0)
    async with running(server, home):
        await said(server, direct, "one", "two")
        await said(server, general, "Ann: four")
        ann.says(direct, "three")
        await said(server, direct, "one", "two", "three")


async def test_the_first_private_words_to_a_bot_that_was_away_are_found_with_the_next_ones(
    server: DiscordServer, ann: Person, direct: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
    ann.says(direct, "one")
    await asyncio.sleep(0)
    async with running(server, home):
        await connected(server)
        ann.says(direct, "two")
        await server.wait_until(lambda: "\n\n".join(server.screen.from_bots(direct)) == "one\n\ntwo")


async def test_an_edit_made_while_it_was_away_is_found(
    server: DiscordServer, ann: Person, direct: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        question = ann.says(direct, "teh time")
        await said(server, direct, "teh time")
    ann.edits(direct, question, "the time")
    await asyncio.sleep(0)
    async with running(server, home):
        await said(server, direct, "the time")


async def test_what_was_said_before_it_was_ever_there_is_left_alone(
    server: DiscordServer, ann: Person, general: Channel, home: Path
) -> None:
    ann.says(general, f"{server.mention} long ago")
    await asyncio.sleep(0)
    for text in ("one", "two"):
        async with running(server, home):
            await connected(server)
            ann.says(general, f"{server.mention} {text}")
            await server.wait_until(lambda: f"Ann: {text}" in server.screen.from_bots(general))  # noqa: B023 # at once
    assert server.screen.from_bots(general) == ["Ann: one", "Ann: two"]
