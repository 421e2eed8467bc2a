"""Messages that are news about others: forwarded ones, pins, and links that Discord unfolds after the fact."""

from __future__ import annotations

from typing import Any

from tests.servers.discord_messages import PINNED, Source, change, find, post, whole
from tests.servers.discord_things import Channel
from tests.servers.discord_world import World

Json = dict[str, Any]
FORWARD = 1
HAS_SNAPSHOT = 1 << 14
_COPIED = ("type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags", "components")


def forward(world: World, channel: Channel, source: Source, message: Json) -> Json:
    """A copy of a message in another channel."""
    copied = message["message_snapshots"][0]["message"] if "message_snapshots" in message else message
    snapshot = {name: copied[name] for name in (*_COPIED, "mentions", "mention_roles") if name in copied}
    reference: Json = {"type": FORWARD, "channel_id": message["channel_id"], "message_id": message["id"]}
    if "guild_id" in message:
        reference["guild_id"] = message["guild_id"]
    fields: Json = {"message_reference": reference, "flags": HAS_SNAPSHOT}
    return post(world, channel, source, fields=fields | {"message_snapshots": [{"message": snapshot}]})


def pin(world: World, channel: Channel, source: Source, message_id: int) -> None:
    """A message is pinned: that changes it, without an edit, and Discord says so in the channel."""
    change(world, channel, find(channel, message_id), {"pinned": True}, edited=False)
    reference: Json = {"type": 0, "channel_id": str(channel.id), "message_id": str(message_id)}
    about: Json = {"channel_id": str(channel.id), "last_pin_timestamp": world.at()}
    if channel.guild is not None:
        reference["guild_id"] = about["guild_id"] = str(channel.guild.id)
    world.tell(channel, "CHANNEL_PINS_UPDATE", lambda bot, intents: about)
    post(world, channel, source, kind=PINNED, fields={"message_reference": reference})


def unfold(world: World, channel: Channel, message_id: int, title: str) -> None:
    """A link in a message is unfolded into an embed a moment later: an update that is no edit."""
    embed = {"type": "link", "url": "https://example.org/", "title": title}
    after = change(world, channel, find(channel, message_id), {"embeds": [embed]}, edited=False)
    world.screen.unfold(channel, whole(world, after))
