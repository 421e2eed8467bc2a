"""What many people share on Discord: threads, settings of places, and summaries of what was said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.channels.discord_seeing import connected, said
from tests.channels.running import running
from tests.servers.discord_people import Person
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel, Guild

QUOTED = "Bob:\n\n> Tea is at five\n\nwhen?"


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer() as server:
        yield server


@pytest.fixture
def ann(server: DiscordServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def bob(server: DiscordServer) -> Person:
    return server.person("Bob")


@pytest.fixture
def guild(server: DiscordServer, ann: Person, bob: Person) -> Guild:
    """Ann's, of which Bob is a member."""
    return server.guild("Friends", ann, bob)


@pytest.fixture
def general(server: DiscordServer, guild: Guild) -> Channel:
    return server.channel(guild, "general")


async def heard(server: DiscordServer, channel: Channel, person: Person, text: str) -> None:
    """Wait until the person sees that said by the bot."""
    try:
        await server.wait_until(lambda: text in "\n".join(server.screen.from_bots(channel, person=person)))
    except TimeoutError:
        raise AssertionError(server.screen.text(channel, person=person)) from None


@pytest.mark.parametrize("origin", ["question", "answer"])
async def test_a_thread_goes_on_from_what_it_grew_from(
    server: DiscordServer, ann: Person, bob: Person, general: Channel, home: Path, origin: str
) -> None:
    async with running(server, home):
        await connected(server)
        question = ann.says(general, f"{server.mention} Who has the key?")
        [answer] = await said(server, general, "Ann: Who has the key?")
        ann.says(general, f"{server.mention} something else")
        await said(server, general, "Ann: Who has the key?", "Ann: something else")
        thread = ann.opens_thread(general, "Key", message=question if origin == "question" else answer)
        bob.says(thread, f"{server.mention} I do")
        await said(server, thread, "Bob: I do" if origin == "answer" else "Ann: Who has the key?\n\nBob: I do")


async def test_what_a_thread_grew_from_is_quoted_where_the_bot_was_not_meant(
    server: DiscordServer, ann: Person, bob: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        remark = ann.says(general, "Tea is at five")
        thread = ann.opens_thread(general, "Tea", message=remark)
        bob.says(thread, f"{server.mention} when?")
        await said(server, thread, QUOTED)
        bob.says(thread, f"{server.mention} and where?")
        await said(server, thread, QUOTED, "Bob: and where?")


async def test_whoever_manages_a_server_settles_what_holds_there_and_nobody_else(
    server: DiscordServer, ann: Person, bob: Person, guild: Guild, general: Channel, home: Path
) -> None:
    other = server.channel(guild, "other")
    async with running(server, home):
        await connected(server)
        bob.uses(general, "settings", text="server persona tutor")
        await heard(server, general, bob, "Only the administrators of this place and my owner can change that.")
        ann.uses(general, "settings", text="server persona tutor")
        await heard(server, general, ann, "`persona`: `tutor` (this server)")
        bob.uses(other, "settings")
        await heard(server, other, bob, "`persona`: `tutor` (this server)")
        assert server.screen.from_bots(general) == server.screen.from_bots(other) == []


async def test_where_the_bot_is_to_listen_nobody_has_to_call_it(
    server: DiscordServer, ann: Person, bob: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        bob.says(general, "unheard")
        ann.uses(general, "settings", text="listen on")
        await heard(server, general, ann, "I answer everything that is said here")
        bob.says(general, "heard")
        await said(server, general, "Bob: heard")


async def test_who_has_a_role_is_answered_and_others_are_told_that_once(
    server: DiscordServer, ann: Person, bob: Person, guild: Guild, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.uses(general, "settings", text="who Gardeners")
        await heard(server, general, ann, "`who`: Gardeners (this chat)")
        bob.says(general, f"{server.mention} hello")
        told = "Here I answer only people with one of these roles: Gardeners."
        await said(server, general, told)
        bob.says(general, f"{server.mention} hello?")
        ann.gives(guild, bob.account, ann.makes_role(guild, "Gardeners"))
        bob.says(general, f"{server.mention} now")
        await said(server, general, told, "Bob: now")


async def test_what_was_said_from_a_message_on_is_summed_up_from_its_menu(
    server: DiscordServer, ann: Person, bob: Person, general: Channel, home: Path
) -> None:
    async with running(server, home):
        await connected(server)
        ann.says(general, "before")
        first = ann.says(general, "Who has the key?")
        bob.says(general, "Carla")
        bob.uses_on(general, first, "Summarise from here")
        await heard(server, general, bob, "Ann: Who has the key?\nBob: Carla")
        assert "before" not in "".join(server.screen.from_bots(general, person=bob))
