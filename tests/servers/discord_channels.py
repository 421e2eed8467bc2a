"""The REST API's calls about channels: messages, reactions, typing and threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.servers import discord_permissions as may
from tests.servers.discord_checks import ApiError, refused
from tests.servers.discord_forms import (
    CREATE,
    EDIT,
    check_bulk,
    check_channel,
    check_message,
    check_thread,
    is_emoji,
    is_empty,
)
from tests.servers.discord_interactions import check_named_files, edited_flags, kept_files, uploads, written
from tests.servers.discord_messages import Source, find, post, react, remove, remove_many, rewrite, view
from tests.servers.discord_things import (
    DM,
    NEWS,
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    TEXT,
    THREADS,
    VOICE,
    BotAccount,
    Channel,
)
from tests.servers.discord_threads import open_thread
from tests.servers.discord_wire import Call, snowflake

Json = dict[str, Any]
Answer = tuple[int, Any]
WRITABLE = (TEXT, DM, VOICE, NEWS, *THREADS)
OLD_SECONDS = 14 * 24 * 3600


# -- messages -----------------------------------------------------------------------------------------------


def create_message(call: Call) -> Answer:
    """POST /channels/{channel}/messages."""
    world, bot = call.world, call.bot
    channel = world.reach(bot, call.id("channel"))
    message = check_message(call.body, CREATE, files=len(call.files), strict=world.strict)
    if channel.type not in WRITABLE:
        raise refused(50008)
    world.check_sendable(bot, channel)
    if is_empty(message, files=len(call.files)):
        raise refused(50006)
    if (known := _known_nonce(call, message)) is not None:
        return 200, view(world, find(*known), bot)
    check_named_files(call, message)
    _check_allowed(bot, channel, call, message)
    reply_to = _reply_to(call, channel, message)
    fields = written(message) | {"flags": message.get("flags") or 0, "tts": message.get("tts", False)}
    if message.get("nonce") is not None:
        fields["nonce"] = message["nonce"]
    made = post(
        world,
        channel,
        Source(bot.account, bot),
        reply_to=reply_to,
        allowed=message.get("allowed_mentions"),
        files=uploads(call, channel, message),
        fields=fields,
    )
    _note_nonce(call, message, made)
    return 200, view(world, made, bot)


def _check_allowed(bot: BotAccount, channel: Channel, call: Call, message: Json) -> None:
    allowed = call.world.allowed(bot.id, channel)
    needed = (may.ATTACH_FILES if call.files else 0) | (may.EMBED_LINKS if message.get("embeds") else 0)
    if needed & ~allowed:
        raise refused(50013)


def _reply_to(call: Call, channel: Channel, message: Json) -> int | None:
    reference = message.get("message_reference")
    if not reference:
        return None
    if not call.world.allowed(call.bot.id, channel) & may.READ_MESSAGE_HISTORY:
        raise refused(160002)
    number = int(reference["message_id"])
    if int(reference.get("channel_id") or channel.id) == channel.id and number in channel.messages:
        return number
    if reference.get("fail_if_not_exists", True):
        error = {"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}
        raise ApiError(400, 50035, "Invalid Form Body", {"message_reference": {"_errors": [error]}})
    return None


def _known_nonce(call: Call, message: Json) -> tuple[Channel, int] | None:
    """With `enforce_nonce`, which message was made with this nonce in the past few minutes.

    As documented for Create Message: if another message was created by the same author with the same nonce, that
    message is returned and no new message is created. Where it was deleted meanwhile, the answer is that it is unknown.
    """
    if not message.get("enforce_nonce") or message.get("nonce") is None:
        return None
    channel_id, message_id, at = call.bot.nonces.get(str(message["nonce"]), (0, 0, 0.0))
    channel = call.world.channels.get(channel_id)
    if channel is None or call.world.now() - at > call.world.nonce_seconds:
        return None
    return channel, message_id


def _note_nonce(call: Call, message: Json, made: Json) -> None:
    if message.get("nonce") is None:
        return
    nonces, now = call.bot.nonces, call.world.now()
    nonces.pop(str(message["nonce"]), None)
    nonces[str(message["nonce"])] = (int(made["channel_id"]), int(made["id"]), now)
    while next(iter(nonces.values()))[2] < now - call.world.nonce_seconds:
        del nonces[next(iter(nonces))]


def edit_message(call: Call) -> Answer:
    """PATCH /channels/{channel}/messages/{message}."""
    world, bot = call.world, call.bot
    channel = world.reach(bot, call.id("channel"))
    before = find(channel, call.id("message"))
    body = check_message(call.body, EDIT, files=len(call.files), strict=world.strict)
    if before["author"]["id"] != str(bot.id):
        raise refused(50005)
    if channel.archived:
        raise refused(50083)
    check_named_files(call, body, before)
    fields = written(body)
    fields["flags"] = edited_flags(before, body)
    if "attachments" in body or call.files:
        fields["attachments"] = kept_files(before, body) + [file.id for file in uploads(call, channel, body)]
    if is_empty(before | fields):
        raise refused(50006)
    after = rewrite(world, channel, Source(bot.account, bot), before, fields, body.get("allowed_mentions"))
    return 200, view(world, after, bot)


def delete_message(call: Call) -> Answer:
    """DELETE /channels/{channel}/messages/{message}."""
    channel = call.world.reach(call.bot, call.id("channel"))
    message = find(channel, call.id("message"))
    if message["author"]["id"] != str(call.bot.id):
        if channel.guild is None:
            raise refused(50003)
        call.world.reach(call.bot, channel.id, may.MANAGE_MESSAGES)
    remove(call.world, channel, int(message["id"]))
    return 204, None


def bulk_delete(call: Call) -> Answer:
    """POST /channels/{channel}/messages/bulk-delete."""
    channel = call.world.reach(call.bot, call.id("channel"))
    numbers = check_bulk(call.body, strict=call.world.strict)
    if channel.guild is None:
        raise refused(50003)
    call.world.reach(call.bot, channel.id, may.MANAGE_MESSAGES)
    oldest = int((call.world.now() - OLD_SECONDS) * 1000) - 1_420_070_400_000 << 22
    if any(number < oldest for number in numbers):
        raise refused(50034)
    remove_many(call.world, channel, numbers)
    return 204, None


def get_message(call: Call) -> Answer:
    """GET /channels/{channel}/messages/{message}."""
    channel = call.world.reach(call.bot, call.id("channel"))
    if not call.world.allowed(call.bot.id, channel) & may.READ_MESSAGE_HISTORY:
        raise refused(50013)
    return 200, view(call.world, find(channel, call.id("message")), call.bot)


def history(call: Call) -> Answer:
    """GET /channels/{channel}/messages: newest first; nothing where the history may not be read."""
    channel = call.world.reach(call.bot, call.id("channel"))
    limit = call.number("limit", 50, least=1, most=100)
    edges = {name: snowflake(name, call.query[name]) for name in ("around", "before", "after") if name in call.query}
    if not call.world.allowed(call.bot.id, channel) & may.READ_MESSAGE_HISTORY:
        return 200, []
    numbers = sorted(channel.messages)
    if "around" in edges:
        older = [number for number in numbers if number < edges["around"]][-(limit // 2) :]
        newer = [number for number in numbers if number >= edges["around"]][: limit - limit // 2]
        chosen = older + newer
    elif "before" in edges:
        chosen = [number for number in numbers if number < edges["before"]][-limit:]
    elif "after" in edges:
        chosen = [number for number in numbers if number > edges["after"]][:limit]
    else:
        chosen = numbers[-limit:]
    return 200, [view(call.world, channel.messages[number], call.bot) for number in reversed(chosen)]


def typing(call: Call) -> Answer:
    """POST /channels/{channel}/typing."""
    channel = call.world.reach(call.bot, call.id("channel"))
    call.world.check_sendable(call.bot, channel)
    call.world.start_typing(channel, call.bot.account)
    return 204, None


# -- reactions ----------------------------------------------------------------------------------------------


def add_reaction(call: Call) -> Answer:
    """PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me."""
    channel = call.world.reach(call.bot, call.id("channel"))
    message = find(channel, call.id("message"))
    emoji = _emoji(call)
    if emoji not in channel.reactions.get(int(message["id"]), {}):
        call.world.reach(call.bot, channel.id, may.ADD_REACTIONS, may.READ_MESSAGE_HISTORY)
    react(call.world, channel, int(message["id"]), call.bot.account, emoji, there=True)
    return 204, None


def remove_reaction(call: Call) -> Answer:
    """DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/{@me or a user}."""
    channel = call.world.reach(call.bot, call.id("channel"))
    account = call.bot.account
    if call.path["user"] != "@me" and call.path["user"] != str(call.bot.id):
        call.world.reach(call.bot, channel.id, may.MANAGE_MESSAGES)
        found = call.world.accounts.get(call.id("user"))
        if found is None:
            raise refused(10013)
        account = found
    react(call.world, channel, call.id("message"), account, _emoji(call), there=False)
    return 204, None


def get_reactions(call: Call) -> Answer:
    """GET /channels/{channel}/messages/{message}/reactions/{emoji}."""
    channel = call.world.reach(call.bot, call.id("channel"))
    message = find(channel, call.id("message"))
    limit = call.number("limit", 25, least=1, most=100)
    after = snowflake("after", call.query.get("after", "0"))
    people = sorted(channel.reactions.get(int(message["id"]), {}).get(_emoji(call), []))
    return 200, [call.world.accounts[each].wire() for each in people if each > after][:limit]


def _emoji(call: Call) -> str:
    emoji = call.path["emoji"]
    if not is_emoji(emoji):
        raise refused(10014)
    return emoji


# -- channels and threads -----------------------------------------------------------------------------------


def get_channel(call: Call) -> Answer:
    """GET /channels/{channel}."""
    return 200, call.world.reach(call.bot, call.id("channel")).wire(me=call.bot.id)


def create_thread(call: Call) -> Answer:
    """POST /channels/{channel}/threads."""
    body = check_thread(call.body, from_message=False, strict=call.world.strict)
    kind = body.get("type") or PRIVATE_THREAD
    needed = may.CREATE_PRIVATE_THREADS if kind == PRIVATE_THREAD else may.CREATE_PUBLIC_THREADS
    return _open(call, body, kind, 0, needed)


def create_thread_from_message(call: Call) -> Answer:
    """POST /channels/{channel}/messages/{message}/threads."""
    body = check_thread(call.body, from_message=True, strict=call.world.strict)
    return _open(call, body, PUBLIC_THREAD, call.id("message"), may.CREATE_PUBLIC_THREADS)


def _open(call: Call, body: Json, kind: int, message_id: int, needed: int) -> Answer:
    channel = call.world.reach(call.bot, call.id("channel"))
    if channel.guild is None:
        raise refused(50024)
    call.world.reach(call.bot, channel.id, needed)
    minutes = body.get("auto_archive_duration") or 1440
    thread = open_thread(
        call.world, channel, call.bot.account, body["name"], kind=kind, message_id=message_id, minutes=minutes
    )
    return 201, thread.wire(me=call.bot.id)


def get_archived_threads(call: Call) -> Answer:
    """GET /channels/{channel}/threads/archived/{public or private}: those that the bot sees, the newest first."""
    channel = call.world.reach(call.bot, call.id("channel"), may.READ_MESSAGE_HISTORY)
    kind = PRIVATE_THREAD if call.path["kind"] == "private" else PUBLIC_THREAD
    below = [each for each in channel.guild.channels.values() if each.parent is channel] if channel.guild else []
    there = [each for each in below if each.archived and each.type == kind and call.world.sees(call.bot.id, each)]
    wired = [each.wire(me=call.bot.id) for each in sorted(there, key=lambda each: -each.id)]
    members = [each["member"] for each in wired if "member" in each]
    return 200, {"threads": wired, "members": members, "has_more": False}


def join_thread(call: Call) -> Answer:
    """PUT /channels/{channel}/thread-members/@me."""
    return _membership(call, lambda thread: thread.members.add(call.bot.id))


def leave_thread(call: Call) -> Answer:
    """DELETE /channels/{channel}/thread-members/@me."""
    return _membership(call, lambda thread: thread.members.discard(call.bot.id))


def _membership(call: Call, change: Callable[[Channel], None]) -> Answer:
    thread = call.world.reach(call.bot, call.id("channel"))
    if not thread.is_thread:
        raise refused(50024)
    if thread.archived:
        raise refused(50083)
    change(thread)
    return 204, None


def change_channel(call: Call) -> Answer:
    """PATCH /channels/{channel}: a thread's name and state, or a channel's name."""
    channel = call.world.reach(call.bot, call.id("channel"))
    if channel.guild is None:
        raise refused(50024)
    own = channel.is_thread and channel.owner_id == call.bot.id
    if not own:
        call.world.reach(call.bot, channel.id, may.MANAGE_THREADS if channel.is_thread else may.MANAGE_CHANNELS)
    body = check_channel(call.body, thread=channel.is_thread, strict=call.world.strict)
    channel.name = body.get("name", channel.name)
    channel.archived = body.get("archived", channel.archived)
    channel.locked = body.get("locked", channel.locked)
    channel.archive_minutes = body.get("auto_archive_duration", channel.archive_minutes)
    call.world.changed_channel(channel)
    return 200, channel.wire(me=call.bot.id)


def delete_channel(call: Call) -> Answer:
    """DELETE /channels/{channel}."""
    channel = call.world.reach(call.bot, call.id("channel"))
    if channel.guild is None:
        return 200, channel.wire()
    call.world.reach(call.bot, channel.id, may.MANAGE_THREADS if channel.is_thread else may.MANAGE_CHANNELS)
    call.world.remove_channel(channel)
    return 200, channel.wire()
