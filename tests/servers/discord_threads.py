"""How a thread begins: with what Discord itself writes about it in the thread and in the channel."""

from __future__ import annotations

from typing import Any

from tests.servers.discord_checks import refused
from tests.servers.discord_messages import HAS_THREAD, STARTER, THREAD_CREATED, Source, change, find, post
from tests.servers.discord_things import PRIVATE_THREAD, Account, Channel
from tests.servers.discord_world import World

Json = dict[str, Any]


def open_thread(
    world: World, channel: Channel, account: Account, name: str, *, kind: int, message_id: int = 0, minutes: int = 1440
) -> Channel:
    """A thread below a channel, from one of its messages or by itself, with what Discord writes about it."""
    if channel.is_thread or channel.guild is None:
        raise refused(50024)
    if not message_id:
        thread = world.make_thread(channel, name, account, kind=kind, minutes=minutes)
        if kind != PRIVATE_THREAD:
            reference = {"type": 0, "channel_id": str(thread.id), "guild_id": str(channel.guild.id)}
            fields: Json = {"content": name, "message_reference": reference}
            post(world, channel, Source(account), kind=THREAD_CREATED, fields=fields)
        return thread
    message = find(channel, message_id)
    if message_id in world.channels:
        raise refused(160004)
    thread = world.make_thread(channel, name, account, kind=kind, thread_id=message_id, minutes=minutes)
    flags = message["flags"] | HAS_THREAD
    change(world, channel, message, {"flags": flags, "thread": thread.wire()}, edited=False)
    reference = {"type": 0, "channel_id": str(channel.id), "message_id": str(message_id)}
    reference["guild_id"] = str(channel.guild.id)
    post(world, thread, Source(account), kind=STARTER, fields={"message_reference": reference})
    return thread
