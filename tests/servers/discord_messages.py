"""Messages: how one comes to be, changes and goes, whom it pings, and how it looks to each bot.

They are kept in the form that goes over the wire, less what depends on who looks and when: contents that a bot may not
read, its own reactions, the message that is answered, and the addresses of files, which are made anew each time and
expire. A message never changes in place: an edit puts another one in its stead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers import discord_permissions as may
from tests.servers.discord_checks import refused
from tests.servers.discord_screen import Pings
from tests.servers.discord_things import Account, BotAccount, Channel, File
from tests.servers.discord_world import MESSAGE_CONTENT, World

Json = dict[str, Any]
DEFAULT, PINNED, THREAD_CREATED, REPLY, SLASH, STARTER, CONTEXT_MENU = 0, 6, 18, 19, 20, 21, 23
HAS_THREAD = 1 << 5
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
    seen = dict(message)
    if message["type"] in (REPLY, STARTER):
        referenced = referenced_by(world, message)
        seen["referenced_message"] = None if referenced is None else _inner(world, referenced, bot, intents)
    if (bot.granted if intents is None else intents) & MESSAGE_CONTENT or _may_read(channel, message, bot):
        seen |= whole(world, message)
    else:
        seen |= _withheld(message)
    seen.pop("only_for", None)
    reactions = _reactions(channel, int(message["id"]), bot.id)
    if reactions:
        seen["reactions"] = reactions
    if message["author"]["id"] != str(bot.id):
        seen.pop("nonce", None)
    if intents is None or "only_for" in message:
        # The gateway tells of ephemeral messages as if they were direct ones.
        seen.pop("member", None)
        seen.pop("guild_id", None)
    return seen


def _inner(world: World, message: Json, bot: BotAccount, intents: int | None) -> Json:
    seen = view(world, message, bot, intents=intents)
    seen.pop("referenced_message", None)
    return seen


def referenced_by(world: World, message: Json) -> Json | None:
    """The message that another one answers, or None if it is gone."""
    reference = message.get("message_reference") or {}
    channel = world.channels.get(int(reference.get("channel_id") or 0))
    number = int(reference.get("message_id") or 0)
    return None if channel is None else channel.messages.get(number) or channel.private.get(number)


def whole(world: World, message: Json) -> Json:
    """What is to be read and fetched of a message: with addresses of its files and of those that were forwarded."""
    seen = message | {"attachments": [attachment(world, file_id) for file_id in message["attachments"]]}
    if "message_snapshots" in message:
        inner = [whole(world, each["message"]) for each in message["message_snapshots"]]
        seen["message_snapshots"] = [{"message": each} for each in inner]
    return seen


def _withheld(message: Json) -> Json:
    seen = dict(WITHHELD)
    if "message_snapshots" in message:
        seen["message_snapshots"] = [{"message": each["message"] | WITHHELD} for each in message["message_snapshots"]]
    return seen


def _may_read(channel: Channel, message: Json, bot: BotAccount) -> bool:
    """Direct messages, the bot's own and those that mention it come with their content in any case."""
    own = str(bot.id)
    mentioned = any(each["id"] == own for each in message["mentions"])
    return channel.guild is None or message["author"]["id"] == own or mentioned


def attachment(world: World, file_id: int) -> Json:
    """An Attachment, with a fresh address; one that is no longer kept has an address that leads nowhere."""
    file = world.files.get(file_id) or File(file_id, 0, "gone", 0, None, "application/octet-stream")
    return file.wire(world.address(file, seconds=FILE_SECONDS))


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
    if only_for is not None:
        message["only_for"] = only_for
    _keep(world, channel, message)
    world.screen.show(channel, whole(world, message), pings=pings, only_for=only_for)
    _tell(world, channel, "MESSAGE_CREATE", message, source.bot)
    return message


def _tell(world: World, channel: Channel, event: str, message: Json, author: BotAccount | None) -> None:
    """Tell the bots that see a message; of an ephemeral one only its author hears, as if it were a direct message."""
    if "only_for" not in message:
        world.tell(channel, event, lambda bot, intents: view(world, message, bot, intents=intents))
    elif author is not None:
        world.dispatch(author, event, lambda intents: view(world, message, author, intents=intents), None)


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
    message |= {"type": REPLY, "message_reference": reference}


def _keep(world: World, channel: Channel, message: Json) -> None:
    number = int(message["id"])
    kept = channel.private if "only_for" in message else channel.messages
    kept[number] = message
    if kept is channel.messages:
        channel.last_message_id = number
        channel.sent += 1
        if channel.is_thread:
            channel.members.add(int(message["author"]["id"]))
            _wake(world, channel)
    if world.keep is not None and len(kept) > world.keep:
        oldest = next(iter(kept))
        del kept[oldest]
        channel.reactions.pop(oldest, None)


def _wake(world: World, thread: Channel) -> None:
    """A message ends the sleep of an archived thread."""
    if thread.archived:
        thread.archived = False
        world.changed_channel(thread)


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
    replied = referenced_by(world, message) if message["type"] == REPLY else None
    if replied and rules.get("replied_user", False):
        answered = int(replied["author"]["id"])
        users += [] if answered == source.author.id or world.accounts[answered].is_webhook else [answered]
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


def change(
    world: World, channel: Channel, before: Json, fields: Json, *, edited: bool = True, author: BotAccount | None = None
) -> Json:
    """A message with other `fields`; the bots that see it hear of it."""
    after = before | fields
    if edited:
        after["edited_timestamp"] = world.at()
    kept = channel.private if "only_for" in before else channel.messages
    kept[int(before["id"])] = after
    if edited:
        world.screen.edit(channel, whole(world, after))
    _tell(world, channel, "MESSAGE_UPDATE", after, author)
    return after


def rewrite(world: World, channel: Channel, source: Source, before: Json, fields: Json, allowed: Json | None) -> Json:
    """A message with other words; whom it mentions is read anew, but nobody is pinged by an edit."""
    if "content" in fields:
        written = before | fields
        _address(world, channel, source, written, allowed)
        fields = fields | {name: written[name] for name in ("mentions", "mention_roles", "mention_everyone")}
    return change(world, channel, before, fields, author=source.bot)


def remove(world: World, channel: Channel, message_id: int) -> None:
    """A message goes; of one that one person alone saw no bot is told."""
    private = message_id in channel.private
    _forget(world, channel, message_id)
    gone = {"id": str(message_id), "channel_id": str(channel.id)} | _guild(channel)
    if not private:
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
    channel.private.pop(message_id, None)
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
