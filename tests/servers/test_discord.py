"""The Discord server as the real discord.py meets it: what people see, what bots hear, what is refused."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import discord
import pytest

from tests.servers.discord_client import Listener, listening
from tests.servers.discord_people import Person, Upload
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_things import Channel, Guild


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    async with DiscordServer(limits=None) as running:
        yield running


@pytest.fixture
def ann(server: DiscordServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def guild(server: DiscordServer, ann: Person) -> Guild:
    return server.guild("Friends", ann)


@pytest.fixture
def general(server: DiscordServer, guild: Guild) -> Channel:
    return server.channel(guild, "general")


@pytest.fixture
async def client(server: DiscordServer, general: Channel) -> AsyncIterator[Listener]:
    async with listening(server) as running:
        yield running


def place(client: discord.Client, channel: Channel) -> discord.TextChannel:
    """A channel, as the client knows it."""
    found = client.get_channel(channel.id)
    assert isinstance(found, discord.TextChannel)
    return found


async def hears(server: DiscordServer, client: Listener, count: int = 1) -> list[discord.Message]:
    """The messages that the client has heard, once there are so many."""
    while len(client.messages) < count:
        await client.wait_for("message", timeout=10)
    return client.messages


# -- who is there -------------------------------------------------------------------------------------------


async def test_a_bot_logs_in_and_finds_its_guilds(
    server: DiscordServer, client: Listener, ann: Person, guild: Guild
) -> None:
    assert client.user is not None
    assert (client.user.id, client.user.name, client.user.bot) == (server.bot().id, "Parley", True)
    assert [(each.id, each.name, each.member_count) for each in client.guilds] == [(guild.id, "Friends", 2)]
    assert [each.name for each in client.guilds[0].text_channels] == ["general"]
    member = client.guilds[0].get_member(ann.id)
    assert member is not None and member.display_name == "Ann"


async def test_a_wrong_token_is_refused(server: DiscordServer) -> None:
    with pytest.raises(discord.LoginFailure):
        async with listening(server, token="wrong"):
            pass


# -- messages -----------------------------------------------------------------------------------------------


async def test_what_people_say_reaches_the_bot(
    server: DiscordServer, client: Listener, ann: Person, general: Channel
) -> None:
    ann.says(general, f"{server.mention} hello")
    message = (await hears(server, client))[0]
    assert (message.author.display_name, message.content) == ("Ann", f"{server.mention} hello")
    assert message.channel.id == general.id
    assert client.user in message.mentions


async def test_a_message_and_its_edits_are_on_the_screen(
    server: DiscordServer, client: Listener, ann: Person, general: Channel
) -> None:
    question = ann.says(general, "Is it?")
    heard = (await hears(server, client))[0]
    sent = await heard.reply("Yes", mention_author=False)
    await sent.edit(content="Yes, very")
    answer = server.screen(general)[-1]
    assert (answer.author, answer.text, answer.reply_to) == ("Parley", "Yes, very", question.message_id)
    assert [version.text for version in answer.earlier] == ["Yes"]
    assert [event.what for event in server.screen.history(general)] == ["message", "message", "edit"]
    assert server.screen.text(general) == "Ann: Is it?\nParley: Yes, very"


async def test_a_direct_message_goes_both_ways(server: DiscordServer, client: Listener, ann: Person) -> None:
    direct = server.dm(ann)
    ann.says(direct, "Psst")
    message = (await hears(server, client))[0]
    assert isinstance(message.channel, discord.DMChannel)
    await message.channel.send("Yes?")
    user = await client.fetch_user(ann.id)
    await user.send("Anything else?")
    assert server.screen.from_bots(direct) == ["Yes?", "Anything else?"]


async def test_deleted_messages_are_gone_and_the_bot_is_told(
    server: DiscordServer, client: Listener, ann: Person, general: Channel
) -> None:
    first, second, third = (ann.says(general, text) for text in ("one", "two", "three"))
    sent = await place(client, general).send("four")
    ann.deletes(general, first)
    ann.deletes(general, second, third)
    await sent.delete()
    await client.wait_for("message_delete", check=lambda message: message.content == "four", timeout=10)
    assert server.screen(general) == []
    assert [message.text for message in server.screen(general, deleted=True)] == ["one", "two", "three", "four"]
    assert client.events.count("message_delete") == 2
    assert client.events.count("bulk_message_delete") == 1


async def test_files_travel_both_ways(server: DiscordServer, client: Listener, ann: Person, general: Channel) -> None:
    ann.says(general, "Look", Upload("notes.txt", b"Words"), Upload("film.mp4", None, size=200_000))
    attachments = (await hears(server, client))[0].attachments
    assert [(each.filename, each.size, each.content_type) for each in attachments] == [
        ("notes.txt", 5, "text/plain"),
        ("film.mp4", 200_000, "video/mp4"),
    ]
    assert await attachments[0].read() == b"Words"
    assert len(await attachments[1].read()) == 200_000
    await place(client, general).send("Mine", file=discord.File(io.BytesIO(b"answer"), "answer.md"))
    assert [(file.name, file.size) for file in server.screen(general)[-1].files] == [("answer.md", 6)]
    server.advance(25 * 3600)
    with pytest.raises(discord.NotFound):
        await attachments[0].read()
    fresh = await place(client, general).fetch_message(client.messages[0].id)
    assert await fresh.attachments[0].read() == b"Words"
