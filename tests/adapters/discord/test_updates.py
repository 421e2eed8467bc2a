"""What people do on Discord, as the core is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.contract import ScriptedIntake
from bot.channel import Content, Update, UpdateKind
from bot.types import Message, Origin
from tests.adapters.discord.scripted import Scene, scene
from tests.servers.discord_gateway import PRIVILEGED
from tests.servers.discord_people import Upload
from tests.servers.discord_permissions import MANAGE_GUILD
from tests.servers.discord_server import DiscordServer
from tests.servers.discord_world import MESSAGE_CONTENT

VOICE = {"duration_secs": 1.5, "waveform": "AAAA"}


async def heard(on: Scene, text: str) -> Message:
    return await on.intake.said(text)


# -- what is meant for the bot ------------------------------------------------------------------------------


async def test_in_a_server_the_bot_is_meant_by_mention_role_name_reply_and_command(server: DiscordServer) -> None:
    async with scene(server, names=["Parley"]) as on:
        said = {
            "among us 1": False,
            f"{server.mention} two": True,
            "well, Parley three": True,
            "parleying four": False,
            "/help five": True,
        }
        for text in said:
            on.ann.says(on.general, text)
        for text, is_meant in said.items():
            assert (await heard(on, text.split()[-1])).is_addressed is is_meant, text


async def test_the_mention_in_front_is_no_part_of_what_is_said(server: DiscordServer) -> None:
    async with scene(server) as on:
        on.ann.says(on.general, f"{server.mention}, hello <@{on.ann.id}> in <#{on.general.id}>")
        assert (await heard(on, "hello")).text == "hello @Ann in #general"


async def test_in_channels_that_are_configured_all_is_meant_for_the_bot_also_in_their_threads(
    server: DiscordServer,
) -> None:
    ann = server.person("Ann")
    guild = server.guild("Friends", ann)
    listened, other = server.channel(guild, "ask"), server.channel(guild, "talk")
    async with scene(server, listen=[listened.id]) as on:
        ann.says(listened, "here")
        thread = ann.opens_thread(listened, "more")
        ann.says(thread, "in the thread")
        ann.says(other, "there")
        assert (await heard(on, "here")).is_addressed
        assert (await heard(on, "in the thread")).is_addressed
        assert not (await heard(on, "there")).is_addressed


async def test_bots_and_webhooks_are_told_from_people_and_a_webhook_may_speak_for_them(server: DiscordServer) -> None:
    robot, builds, bridge = server.person("Robot", bot=True), server.webhook("Builds"), server.webhook("Bridge")
    async with scene(server, webhooks=[bridge.id]) as on:
        server.world.join(on.guild, robot.account)
        for who in (robot, builds, bridge):
            who.says(on.general, f"{server.mention} from {who.account.name}")
        told = {who: (await heard(on, f"from {who}")).person.is_bot for who in ("Robot", "Builds", "Bridge")}
    assert told == {"Robot": True, "Builds": True, "Bridge": False}


async def test_what_the_bot_says_itself_is_not_told(server: DiscordServer) -> None:
    async with scene(server) as on:
        on.ann.says(on.direct, "Hello")
        address = (await heard(on, "Hello")).address
        await on.adapter.send(address, Content("Hi there"))
        on.ann.says(on.direct, "And?")
        await heard(on, "And?")
        assert [update.message.text for update in on.intake.kept] == ["Hello", "And?"]


# -- who, where ---------------------------------------------------------------------------------------------


async def test_roles_and_power_are_told_with_messages_and_commands(server: DiscordServer) -> None:
    ben = server.person("Ben")
    async with scene(server) as on:
        server.world.join(on.guild, ben.account)
        role = on.ann.makes_role(on.guild, "Gardener")
        on.ann.gives(on.guild, ben.account, role)
        ben.says(on.general, "as a gardener")
        told = await heard(on, "as a gardener")
        assert (told.roles, told.is_from_admin, told.server) == (("Gardener",), False, str(on.guild.id))
        on.ann.gives(on.guild, ben.account, on.ann.makes_role(on.guild, "Boss", permissions=MANAGE_GUILD))
        ben.says(on.general, "as the boss")
        assert (await heard(on, "as the boss")).is_from_admin
        on.ann.says(on.general, "as the owner")
        assert (await heard(on, "as the owner")).is_from_admin


async def test_a_thread_belongs_to_its_channel_and_names_what_it_grew_from(server: DiscordServer) -> None:
    async with scene(server) as on:
        began = on.ann.says(on.general, "Who waters the plants?")
        thread = on.ann.opens_thread(on.general, "plants", message=began)
        on.ann.says(thread, f"{server.mention} who does?")
        told = await heard(on, "who does?")
        place = (await heard(on, "Who waters")).address
    assert (told.address.chat, told.address.thread) == (place.chat, str(thread.id))
    assert told.grew_from == Origin(place, str(began.message_id))
    assert told.quote == "Who waters the plants?"


async def test_names_with_markup_arrive_as_they_are(server: DiscordServer) -> None:
    eve = server.person("**Eve** <@1> `x`")
    async with scene(server) as on:
        server.dm(eve)
        eve.says(server.dm(eve), "Hello from Eve")
        assert (await heard(on, "from Eve")).person.name == "**Eve** <@1> `x`"


# -- what ---------------------------------------------------------------------------------------------------


async def test_a_reply_says_what_it_answers_and_what_is_passed_on_is_quoted(server: DiscordServer) -> None:
    async with scene(server) as on:
        first = on.ann.says(on.general, "The sky is green.")
        on.ann.says(on.general, f"{server.mention} is that so?", reply_to=first)
        reply = await heard(on, "is that so?")
        assert (reply.reply_to, reply.quote) == (str(first.message_id), "The sky is green.")
        on.ann.forwards(on.general, first, on.direct)
        await on.intake.until(
            lambda: any(update.message.quote and not update.message.reply_to for update in on.intake.kept)
        )
        passed_on = on.intake.kept[-1].message
        assert (passed_on.text, passed_on.quote) == ("", "The sky is green.")


@pytest.mark.parametrize(
    ("name", "fields", "kind"),
    [("a.png", {}, "photo"), ("a.ogg", VOICE, "voice"), ("a.mp3", {}, "audio"), ("a.pdf", {}, "document")],
)
async def test_files_are_of_the_kind_that_they_are(
    server: DiscordServer, name: str, fields: dict[str, Any], kind: str
) -> None:
    async with scene(server) as on:
        on.ann.says(on.direct, "look", Upload(name, b"12345", about=fields))
        [attachment] = (await heard(on, "look")).attachments
        assert (attachment.kind, attachment.name, attachment.size_bytes) == (kind, name, 5)
        assert b"".join([chunk async for chunk in on.adapter.fetch(attachment)]) == b"12345"


async def test_a_file_is_fetched_though_its_address_has_expired(server: DiscordServer) -> None:
    async with scene(server) as on:
        on.ann.says(on.direct, "look", Upload("a.txt", b"12345"))
        [attachment] = (await heard(on, "look")).attachments
        server.advance(2 * 86_400)
        assert b"".join([chunk async for chunk in on.adapter.fetch(attachment)]) == b"12345"


async def kinds(intake: ScriptedIntake, *wanted: UpdateKind) -> list[Update]:
    await intake.until(lambda: [update for update in intake.kept if update.kind in wanted])
    return [update for update in intake.kept if update.kind in wanted]


async def test_what_only_unfolds_or_pins_a_message_is_no_edit(server: DiscordServer) -> None:
    async with scene(server) as on:
        shown = on.ann.says(on.direct, "see https://example.org")
        server.unfolds(on.direct, shown, "An example")
        on.ann.pins(on.direct, shown)
        on.ann.edits(on.direct, shown, "see it")
        [edit] = await kinds(on.intake, UpdateKind.EDIT)
        assert edit.message.text == "see it"


async def test_many_messages_are_deleted_at_once(server: DiscordServer) -> None:
    async with scene(server) as on:
        shown = [on.ann.says(on.general, text) for text in ("one", "two")]
        on.ann.deletes(on.general, *shown)
        await on.intake.until(lambda: sum(each.kind is UpdateKind.DELETION for each in on.intake.kept) == 2)
        told = {update.message.id for update in await kinds(on.intake, UpdateKind.DELETION)}
    assert told == {str(each.message_id) for each in shown}


async def test_reactions_are_told_and_taken_back(server: DiscordServer) -> None:
    async with scene(server) as on:
        shown = on.ann.says(on.general, "one")
        on.ann.reacts(on.general, shown, "👍")
        on.ann.unreacts(on.general, shown, "👍")
        await on.intake.until(lambda: sum(each.kind is UpdateKind.REACTION for each in on.intake.kept) == 2)
        told = [(each.detail, each.message.person.id) for each in await kinds(on.intake, UpdateKind.REACTION)]
    assert told == [("👍", str(on.ann.id)), ("", str(on.ann.id))]


async def test_a_channel_that_is_deleted_and_a_server_that_is_left_are_gone(server: DiscordServer) -> None:
    async with scene(server) as on:
        other = server.channel(on.guild, "other")
        on.ann.deletes_channel(other)
        [gone] = await kinds(on.intake, UpdateKind.GONE)
        assert gone.message.address.chat == f"#{other.id}"
        on.ann.kicks(on.guild, server.bot().account)
        await on.intake.until(lambda: f"#{on.general.id}" in [each.message.address.chat for each in on.intake.kept])
        on.ann.says(on.direct, "still there?")
        await heard(on, "still there?")


async def test_a_server_that_is_down_for_a_while_is_not_gone_and_what_was_said_meanwhile_is_read(
    server: DiscordServer,
) -> None:
    async with scene(server) as on:
        server.outage(on.guild)
        on.ann.says(on.general, f"{server.mention} during the outage")
        server.outage(on.guild, over=True)
        await heard(on, "during the outage")
        assert not [update for update in on.intake.kept if update.kind is UpdateKind.GONE]


# -- without message content --------------------------------------------------------------------------------


async def test_without_message_content_mentions_replies_and_private_messages_are_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with DiscordServer(granted=PRIVILEGED & ~MESSAGE_CONTENT) as server, scene(server) as on:
        assert await on.adapter.remarks() == ("discord.content_hidden",)
        on.ann.says(on.general, "among us")
        on.ann.says(on.general, f"{server.mention} to you")
        on.ann.says(on.direct, "in private")
        assert (await heard(on, "to you")).is_addressed
        await heard(on, "in private")
        assert "among us" not in [update.message.text for update in on.intake.offered]
    assert "Message Content Intent" in caplog.text
