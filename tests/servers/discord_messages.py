"""Messages: how one comes to be, changes and goes, whom it pings, and how it looks to each bot.

They are kept in the form that goes over the wire, less what depends on who looks: contents that a bot may not read, its
own reactions, and the addresses of files, which are made anew each time and expire. A message never changes in place:
an edit puts another one in its stead, so that events which wait keep what they said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers import discord_permissions as may
from tests.servers.discord_checks import ApiError, refused
from tests.servers.discord_screen import Pings, Shown
from tests.servers.discord_things import Account, BotAccount, Channel, File
from tests.servers.discord_world import MESSAGE_CONTENT, World

Json = dict[str, Any]
DEFAULT, JOINED, REPLY, THREAD_CREATED, SLASH, STARTER, CONTEXT_MENU = 0, 7, 19, 18, 20, 21, 23
HAS_THREAD, EPHEMERAL = 1 << 5, 1 << 6
WITHHELD: Mapping[str, Any] = {"content": "", "embeds": [], "attachments": [], "components": []}
_MENTION = re.compile(r"<@!?(\d{15,20})>")
_ROLE = re.compile(r"<@&(\d{15,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
FILE_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Source:
    """Who writes a message, and by what way."""

    author: Account
    bot: BotAccount | None = None
    """The bot that wrote it, if one did."""
    webhook_id: int = 0
    interaction: Json | None = None
    """`interaction_metadata`, of an answer to one."""


# -- how it looks -------------------------------------------------------------------------------------------


def view(world: World, message: Json, bot: BotAccount, *, intents: int | None = None) -> Json:
    """A message as a bot gets it.

    Args:
        world: where it is.
        message: as it is kept.
        bot: who looks.
        intents: those of the connection that it comes by; None is an answer of the REST API, where what is switched on
            in the developer portal decides, and where neither guild nor member are named.
    """
    channel = world.channels[int(message["channel_id"])]
    seen = {name: value for name, value in message.items() if name != "only_for"}
    if message.get("referenced_message"):
        seen["referenced_message"] = view(world, message["referenced_message"], bot, intents=intents)
    if (bot.granted if intents is None else intents) & MESSAGE_CONTENT or _may_read(channel, message, bot):
        seen["attachments"] = [attachment(world, file_id) for file_id in message["attachments"]]
    else:
        seen |= WITHHELD
    reactions = _reactions(channel, int(message["id"]), bot.id)
    if reactions:
        seen["reactions"] = reactions
    if message["author"]["id"] != str(bot.id):
        seen.pop("nonce", None)
    if intents is None:
        seen.pop("member", None)
        seen.pop("guild_id", None)
    return seen


def _may_read(channel: Channel, message: Json, bot: BotAccount) -> bool:
    """Direct messages, the bot's own and those that mention it come with their content in any case."""
    own = str(bot.id)
    mentioned = any(each["id"] == own for each in message["mentions"])
    return channel.guild is None or message["author"]["id"] == own or mentioned


def attachment(world: World, file_id: int) -> Json:
    """An Attachment, with a fresh address; one that is no longer kept has an address that leads nowhere."""
    file = world.files.get(file_id) or File(file_id, 0, "gone", 0, None, "application/octet-stream")
    address = world.address(file, seconds=FILE_SECONDS)
    about: Json = {"id": str(file.id), "filename": file.name, "size": file.size, "content_type": file.mime}
    if file.description:
        about["description"] = file.description
    return about | {"url": address, "proxy_url": address}


def _reactions(channel: Channel, message_id: int, me: int) -> list[Json]:
    return [
        {
            "emoji": {"id": None, "name": emoji},
            "count": len(people),
            "count_details": {"normal": len(people), "burst": 0},
            "burst_colors": [],
            "me": me in people,
            "me_burst": False,
        }
        for emoji, people in channel.reactions.get(message_id, {}).items()
    ]


# -- writing ------------------------------------------------------------------------------------------------


def post(
    world: World,
    channel: Channel,
    source: Source,
    *,
    content: str = "",
    kind: int = DEFAULT,
    reply_to: int | None = None,
    allowed: Json | None = None,
    files: Sequence[File] = (),
    only_for: int | None = None,
    fields: Json | None = None,
) -> Json:
    """A message appears in a channel, and every bot that sees the channel hears of it.

    Args:
        world: where.
        channel: where in it.
        source: who.
        content: the words.
        kind: the type of message.
        reply_to: the message that it answers.
        allowed: allowed_mentions; None: what is the default there.
        files: what hangs below it.
        only_for: the one person who sees it: such a message is not kept in the channel, and no bot hears of it.
        fields: embeds, components, flags, nonce and the like.
    """
    message = _blank(world, channel, source, kind) | {"content": content} | (fields or {})
    message["attachments"] = [file.id for file in files]
    if reply_to is not None:
        _refer(message, channel, reply_to)
    pings = _address(world, channel, source, message, allowed)
    channel.archived = False
    if only_for is None:
        _keep(world, channel, message)
    else:
        message["only_for"] = only_for
    show(world, channel, message, pings, only_for)
    if only_for is None:
        world.tell(channel, "MESSAGE_CREATE", lambda bot, intents: view(world, message, bot, intents=intents))
    return message


def _blank(world: World, channel: Channel, source: Source, kind: int) -> Json:
    author = source.author
    message: Json = {
        "id": str(world.snowflake()),
        "channel_id": str(channel.id),
        "type": kind,
        "author": author.wire(),
        "timestamp": world.at(),
        "edited_timestamp": None,
        "tts": False,
        "pinned": False,
        "embeds": [],
        "components": [],
        "flags": 0,
    }
    if channel.guild is not None:
        message["guild_id"] = str(channel.guild.id)
        member = channel.guild.members.get(author.id)
        if member and not source.webhook_id:
            message["member"] = member.wire(user=False)
    if source.webhook_id:
        message["webhook_id"] = str(source.webhook_id)
    if source.interaction is not None:
        message |= {"interaction_metadata": source.interaction, "application_id": str(author.id)}
    return message


def _refer(message: Json, channel: Channel, reply_to: int) -> None:
    reference = {"type": 0, "channel_id": str(channel.id), "message_id": str(reply_to)}
    if channel.guild is not None:
        reference["guild_id"] = str(channel.guild.id)
    replied = channel.messages.get(reply_to)
    if replied is not None:
        replied = {name: value for name, value in replied.items() if name not in ("referenced_message", "nonce")}
    message |= {"type": REPLY, "message_reference": reference, "referenced_message": replied}


def _keep(world: World, channel: Channel, message: Json) -> None:
    number = int(message["id"])
    channel.messages[number] = message
    channel.last_message_id = number
    channel.sent += 1
    if channel.is_thread:
        channel.members.add(int(message["author"]["id"]))
    if world.keep is not None and len(channel.messages) > world.keep:
        oldest = next(iter(channel.messages))
        del channel.messages[oldest]
        channel.reactions.pop(oldest, None)


def show(world: World, channel: Channel, message: Json, pings: Pings, only_for: int | None) -> Shown:
    """Put a message on the screen."""
    return world.screen.show(channel, _whole(world, message), pings=pings, only_for=only_for)


def _whole(world: World, message: Json) -> Json:
    return message | {"attachments": [attachment(world, file_id) for file_id in message["attachments"]]}


# -- whom it pings ------------------------------------------------------------------------------------------


def _address(world: World, channel: Channel, source: Source, message: Json, allowed: Json | None) -> Pings:
    """Fill in whom a message mentions, and say whom it pings."""
    pings = _pings(world, channel, source, message, allowed)
    message["mentions"] = [_mentioned(world, channel, user) for user in pings.users]
    message["mention_roles"] = [str(role) for role in pings.roles]
    message["mention_everyone"] = pings.everyone
    return pings


def _mentioned(world: World, channel: Channel, user_id: int) -> Json:
    user = world.accounts[user_id].wire()
    member = channel.guild.members.get(user_id) if channel.guild else None
    return user | {"member": member.wire(user=False)} if member else user


def _pings(world: World, channel: Channel, source: Source, message: Json, allowed: Json | None) -> Pings:
    defaults = ["users"] if source.interaction is not None or source.webhook_id else ["users", "roles", "everyone"]
    rules: Json = {"parse": defaults, "replied_user": True} if allowed is None else allowed
    content = message["content"]
    users = [int(each) for each in _MENTION.findall(content)]
    users = [user for user in users if user in world.accounts and _passes(rules, "users", user)]
    replied = message.get("referenced_message")
    if replied and rules.get("replied_user", False) and "webhook_id" not in replied:
        users.append(int(replied["author"]["id"]))
    if channel.guild is None:
        return Pings(tuple(dict.fromkeys(users)))
    stranger = bool(source.webhook_id) and source.bot is None
    loud = stranger or bool(world.allowed(source.author.id, channel) & may.MENTION_EVERYONE)
    known = channel.guild.roles
    roles = [int(each) for each in _ROLE.findall(content)]
    roles = [role for role in roles if role in known and (loud or known[role].mentionable)]
    roles = [role for role in roles if _passes(rules, "roles", role)]
    everyone = bool(_EVERYONE.search(content)) and loud and "everyone" in rules.get("parse", ())
    return Pings(tuple(dict.fromkeys(users)), tuple(dict.fromkeys(roles)), everyone)


def _passes(rules: Json, kind: str, number: int) -> bool:
    return kind in rules.get("parse", ()) or number in {int(each) for each in rules.get(kind, ())}


# -- changing -----------------------------------------------------------------------------------------------


def find(channel: Channel, message_id: int) -> Json:
    """A message of a channel, or ApiError."""
    if message_id not in channel.messages:
        raise refused(10008)
    return channel.messages[message_id]


def change(world: World, channel: Channel, before: Json, fields: Json, *, edited: bool = True) -> Json:
    """A message with other `fields`; the bots that see the channel hear of it."""
    after = before | fields
    if edited:
        after["edited_timestamp"] = world.at()
    only_for = before.get("only_for")
    if only_for is None:
        channel.messages[int(before["id"])] = after
    if edited:
        world.screen.edit(channel, _whole(world, after))
    if only_for is None:
        world.tell(channel, "MESSAGE_UPDATE", lambda bot, intents: view(world, after, bot, intents=intents))
    return after


def rewrite(world: World, channel: Channel, source: Source, before: Json, fields: Json, allowed: Json | None) -> Json:
    """A message with other words; whom it mentions is read anew, but nobody is pinged by an edit."""
    if "content" in fields:
        written = before | fields
        _address(world, channel, source, written, allowed)
        fields = fields | {name: written[name] for name in ("mentions", "mention_roles", "mention_everyone")}
    return change(world, channel, before, fields)


def remove(world: World, channel: Channel, message_id: int) -> None:
    """A message goes."""
    _forget(world, channel, message_id)
    gone = {"id": str(message_id), "channel_id": str(channel.id)} | _guild(channel)
    world.tell(channel, "MESSAGE_DELETE", lambda bot, intents: gone)


def remove_many(world: World, channel: Channel, message_ids: Sequence[int]) -> None:
    """Messages go all at once; those that are not there are passed over."""
    there = [number for number in message_ids if number in channel.messages]
    for number in there:
        _forget(world, channel, number)
    gone = {"ids": [str(number) for number in there], "channel_id": str(channel.id)} | _guild(channel)
    if there:
        world.tell(channel, "MESSAGE_DELETE_BULK", lambda bot, intents: gone)


def _forget(world: World, channel: Channel, message_id: int) -> None:
    channel.messages.pop(message_id, None)
    channel.reactions.pop(message_id, None)
    world.screen.delete(channel, message_id)


def react(world: World, channel: Channel, message_id: int, account: Account, emoji: str, *, there: bool) -> None:
    """Somebody's reaction comes or goes; nothing happens where it was so before."""
    message = find(channel, message_id)
    reactions = channel.reactions.setdefault(message_id, {})
    people = reactions.get(emoji, [])
    if there == (account.id in people):
        return
    reactions[emoji] = [*people, account.id] if there else [each for each in people if each != account.id]
    if not reactions[emoji]:
        del reactions[emoji]
    world.screen.react(channel, message_id, account.id, emoji, there=there)
    event: Json = {
        "user_id": str(account.id),
        "channel_id": str(channel.id),
        "message_id": str(message_id),
        "emoji": {"id": None, "name": emoji},
        "type": 0,
        "burst": False,
    } | _guild(channel)
    if there:
        event["message_author_id"] = message["author"]["id"]
        if channel.guild and account.id in channel.guild.members:
            event["member"] = channel.guild.members[account.id].wire()
    name = "MESSAGE_REACTION_ADD" if there else "MESSAGE_REACTION_REMOVE"
    world.tell(channel, name, lambda bot, intents: event)


def _guild(channel: Channel) -> Json:
    return {"guild_id": str(channel.guild.id)} if channel.guild else {}


# -- threads ------------------------------------------------------------------------------------------------


def open_thread(
    world: World, channel: Channel, account: Account, name: str, *, kind: int, message_id: int = 0, minutes: int = 1440
) -> Channel:
    """A thread below a channel, from one of its messages or by itself, with what Discord writes about it."""
    if channel.is_thread or channel.guild is None:
        raise refused(50024)
    if not message_id:
        thread = world.make_thread(channel, name, account, kind=kind, minutes=minutes)
        if kind != 12:  # a private thread is not announced
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
    starter: Json = {"message_reference": reference, "referenced_message": message}
    post(world, thread, Source(account), kind=STARTER, fields=starter)
    return thread


def check_size(world: World, files: Sequence[tuple[str, bytes]]) -> None:
    """ApiError where a request's files are too large, all together."""
    if sum(len(content) for _, content in files) > world.largest_file:
        raise ApiError(413, 40005, "Request entity too large")
