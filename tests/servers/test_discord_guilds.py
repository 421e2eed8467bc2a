"""Threads, guilds and permissions on the Discord server, as the real discord.py meets them."""

from __future__ import annotations

import io

import discord
import pytest

from tests.servers import discord_permissions as may
from tests.servers.discord_client import Scene

# -- threads ------------------------------------------------------------------------------------------------


async def test_a_bot_starts_a_thread_from_a_message(scene: Scene) -> None:
    scene.ann.says(scene.general, "Big question")
    message = (await scene.heard())[0]
    thread = await message.create_thread(name="Big question")
    await thread.send("Here")
    kept = scene.server.world.channels[thread.id]
    assert (thread.id, thread.parent_id) == (message.id, scene.general.id)
    assert [(each.kind, each.text) for each in scene.server.screen(kept)] == [("thread starter", ""), ("text", "Here")]
    with pytest.raises(discord.HTTPException) as refused:
        await message.create_thread(name="Again")
    assert refused.value.code == 160004


async def test_people_talk_in_threads_of_their_own(scene: Scene) -> None:
    thread = scene.ann.opens_thread(scene.general, "Plans")
    scene.ann.says(thread, "First plan")
    messages = await scene.heard(2)
    assert [message.type.name for message in messages] == ["thread_created", "default"]
    heard = messages[1].channel
    assert isinstance(heard, discord.Thread) and heard.parent_id == scene.general.id
    await heard.send("Noted")
    assert scene.server.screen.from_bots(thread) == ["Noted"]
    assert [each.id for each in await scene.client.guilds[0].active_threads()] == [thread.id]


async def test_a_message_wakes_an_archived_thread(scene: Scene) -> None:
    thread = scene.ann.opens_thread(scene.general, "Sleepy")
    scene.ann.archives(thread)
    await scene.until("thread_update")
    heard = await scene.client.fetch_channel(thread.id)
    assert isinstance(heard, discord.Thread) and heard.archived
    await heard.send("Awake")
    assert not thread.archived


async def test_a_bot_may_rename_its_own_threads_only(scene: Scene) -> None:
    scene.ann.opens_thread(scene.general, "Ann's")
    await scene.until("thread_create")
    await (await scene.channel.create_thread(name="Own")).edit(name="Lively", auto_archive_duration=60)
    assert [thread.name for thread in scene.guild.threads] == ["Ann's", "Lively"]
    with pytest.raises(discord.Forbidden):
        await scene.client.guilds[0].threads[0].edit(name="Mine")


async def test_sleeping_threads_and_members_can_be_listed(scene: Scene) -> None:
    awake, asleep = (scene.ann.opens_thread(scene.general, name) for name in ("Awake", "Asleep"))
    scene.ann.archives(asleep)
    guild = scene.client.guilds[0]
    assert [thread.id for thread in await guild.active_threads()] == [awake.id]
    assert [thread.id async for thread in scene.channel.archived_threads()] == [asleep.id]
    assert {member.display_name async for member in guild.fetch_members()} == {"Ann", "Parley"}


async def test_a_locked_thread_takes_no_messages(scene: Scene) -> None:
    thread = scene.ann.opens_thread(scene.general, "Done")
    scene.ann.archives(thread, locked=True)
    with pytest.raises(discord.HTTPException) as refused:
        await scene.client.get_partial_messageable(thread.id).send("Late")
    assert refused.value.code == 50083


async def test_a_private_thread_is_only_for_who_is_in_it(scene: Scene) -> None:
    thread = scene.ann.opens_thread(scene.general, "Secrets", private=True)
    scene.ann.says(thread, "unheard")
    scene.ann.adds(thread, scene.server.bot().account)
    scene.ann.says(thread, "heard")
    assert [message.content for message in await scene.heard()] == ["heard"]


# -- guilds and power ---------------------------------------------------------------------------------------


async def test_a_bot_that_is_thrown_out_hears_it_and_is_refused(scene: Scene) -> None:
    channel = scene.channel
    scene.ann.kicks(scene.guild, scene.server.bot().account)
    await scene.until("guild_remove")
    with pytest.raises(discord.Forbidden) as refused:
        await channel.send("Hello?")
    assert refused.value.code == 50001
    scene.ann.invites(scene.guild, scene.server.bot().account)
    await scene.until("guild_join")
    assert [each.name for each in scene.client.guilds[0].text_channels] == ["general"]


async def test_a_deleted_channel_is_unknown(scene: Scene) -> None:
    channel = scene.channel
    scene.ann.deletes_channel(scene.general)
    await scene.until("guild_channel_delete")
    with pytest.raises(discord.NotFound) as refused:
        await channel.send("Hello?")
    assert refused.value.code == 10003
    assert [event.what for event in scene.server.screen.history(scene.general)] == ["gone"]


@pytest.mark.parametrize(
    ("denied", "code"),
    [
        (may.VIEW_CHANNEL, 50001),
        (may.SEND_MESSAGES, 50013),
        (may.ATTACH_FILES, 50013),
        (may.READ_MESSAGE_HISTORY, 160002),
    ],
)
async def test_what_a_channel_forbids_is_refused(scene: Scene, denied: int, code: int) -> None:
    said = scene.ann.says(scene.general, "Hello")
    scene.ann.allows(scene.general, scene.guild, deny=denied)
    channel = scene.client.get_partial_messageable(scene.general.id)
    reference = discord.MessageReference(message_id=said.message_id, channel_id=scene.general.id)
    with pytest.raises(discord.Forbidden) as refused:
        await channel.send("x", reference=reference, file=discord.File(io.BytesIO(b"x"), "x.txt"))
    assert refused.value.code == code


async def test_roles_and_members_can_be_allowed_again(scene: Scene) -> None:
    scene.ann.allows(scene.general, scene.guild, deny=may.SEND_MESSAGES)
    role = scene.ann.makes_role(scene.guild, "speakers")
    scene.ann.gives(scene.guild, scene.server.bot().account, role)
    scene.ann.allows(scene.general, role, allow=may.SEND_MESSAGES)
    await scene.until("member_update")
    await scene.channel.send("Thanks")
    assert [each.name for each in scene.client.guilds[0].me.roles] == ["@everyone", "Parley", "speakers"]
    assert scene.server.screen.from_bots(scene.general) == ["Thanks"]


async def test_a_bot_has_a_role_of_its_own_that_comes_and_goes_with_it(scene: Scene) -> None:
    role = scene.client.guilds[0].self_role
    assert role is not None and role.name == "Parley"
    scene.ann.says(scene.general, f"<@&{role.id}> hello")
    assert (await scene.heard())[0].role_mentions == [role]
    scene.ann.kicks(scene.guild, scene.server.bot().account)
    assert [each.name for each in scene.guild.roles.values()] == ["@everyone"]
