"""Discord itself, without sockets: who is where, who may do what, and which bot hears of it.

Messages stand in discord_messages, the wire forms of all other things in discord_things. What a bot hears is handed to
`dispatch` together with a function that makes the payload, as that depends on what the bot's connection asked for.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tests.servers import discord_permissions as may
from tests.servers.discord_checks import refused
from tests.servers.discord_screen import Screen
from tests.servers.discord_things import (
    DM,
    PRIVATE_THREAD,
    TEXT,
    Account,
    BotAccount,
    Channel,
    File,
    Guild,
    Member,
    Role,
    moment,
)

Json = dict[str, Any]
Payload = Callable[[int], Json]
"""Makes an event's payload for a connection with these intents."""
Dispatch = Callable[[BotAccount, str, Payload, int | None], None]
EPOCH_MILLISECONDS = 1_420_070_400_000
_TYPES = mimetypes.MimeTypes()
"""What Python knows by itself, the same on every machine."""
MEMBERS, MESSAGE_CONTENT = 1 << 1, 1 << 15
"""The privileged intents that change what is in a payload."""


class World:
    """Everything there is.

    Args:
        now: the time in seconds since 1970.
        screen: what people see.
        dispatch: takes what a bot hears: the bot, the event's name, its payload, the guild or None.
        keep: bounds what each channel remembers; None keeps all.
        strict: see discord_checks.
        largest_file: in bytes.
        nonce_seconds: how long a nonce is enforced.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        screen: Screen,
        dispatch: Dispatch,
        keep: int | None = None,
        strict: bool = True,
        largest_file: int = 25 * 1024 * 1024,
        nonce_seconds: float = 300,
    ) -> None:
        self.now = now
        self.screen = screen
        self.dispatch = dispatch
        self.keep = keep
        self.strict = strict
        self.largest_file = largest_file
        self.nonce_seconds = nonce_seconds
        self.url = ""
        self.shards = 1
        self.bots: dict[str, BotAccount] = {}
        self.accounts: dict[int, Account] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, File] = {}
        self._last_id = 0

    def snowflake(self) -> int:
        """A new id, which says when it was made and is greater than all before."""
        made = int(self.now() * 1000) - EPOCH_MILLISECONDS << 22
        self._last_id = max(made, self._last_id + 1)
        return self._last_id

    # making things

    def make_guild(self, name: str, owner: Account, *, locale: str) -> Guild:
        """A guild with its owner and the usual permissions."""
        guild = Guild(self.snowflake(), name, owner, self.now(), locale)
        guild.roles[guild.id] = Role(guild.id, "@everyone", may.USUAL)
        self.guilds[guild.id] = guild
        self.join(guild, owner)
        return guild

    def join(self, guild: Guild, account: Account) -> Member:
        """Somebody comes into a guild; a bot brings a role of its own, by which people often call it."""
        member = guild.members[account.id] = Member(account, self.now())
        if account.is_bot:
            member.roles.add(self.make_role(guild, account.name, bot_id=account.id).id)
        self.tell_guild(guild, "GUILD_MEMBER_ADD", member.wire() | {"guild_id": str(guild.id)}, but=account.id)
        for bot in self.bots.values():
            if bot.id == account.id:
                self.dispatch(bot, "GUILD_CREATE", whole_guild(guild, bot), guild.id)
        return member

    def leave(self, guild: Guild, account: Account) -> None:
        """Somebody goes out of a guild, or is thrown out."""
        del guild.members[account.id]
        for role in [each for each in guild.roles.values() if each.bot_id == account.id]:
            del guild.roles[role.id]
            self.tell_guild(guild, "GUILD_ROLE_DELETE", {"guild_id": str(guild.id), "role_id": str(role.id)})
        for bot in self.bots.values():
            if bot.id == account.id:
                self.dispatch(bot, "GUILD_DELETE", lambda _: {"id": str(guild.id)}, guild.id)
        gone = {"guild_id": str(guild.id), "user": account.wire()}
        self.tell_guild(guild, "GUILD_MEMBER_REMOVE", gone)

    def make_role(
        self, guild: Guild, name: str, *, permissions: int = 0, mentionable: bool = False, bot_id: int = 0
    ) -> Role:
        """A role of a guild."""
        role = Role(self.snowflake(), name, permissions, len(guild.roles), mentionable, bot_id)
        guild.roles[role.id] = role
        self.tell_guild(guild, "GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": role.wire()})
        return role

    def make_channel(self, guild: Guild, name: str, *, kind: int = TEXT) -> Channel:
        """A channel of a guild."""
        channel = Channel(self.snowflake(), kind, name, guild, position=len(guild.channels))
        guild.channels[channel.id] = self.channels[channel.id] = channel
        self.tell(channel, "CHANNEL_CREATE", lambda bot, _: channel.wire())
        return channel

    def make_dm(self, bot: BotAccount, person: Account) -> Channel:
        """The direct conversation of a bot and a person."""
        for channel in self.channels.values():
            if channel.type == DM and channel.bot_id == bot.id and channel.recipient is person:
                return channel
        channel = Channel(self.snowflake(), DM, recipient=person, bot_id=bot.id)
        self.channels[channel.id] = channel
        return channel

    def make_thread(
        self, parent: Channel, name: str, owner: Account, *, kind: int, thread_id: int = 0, minutes: int = 1440
    ) -> Channel:
        """A thread below a channel, with its owner in it."""
        assert parent.guild is not None
        thread = Channel(thread_id or self.snowflake(), kind, name, parent.guild, parent=parent, owner_id=owner.id)
        thread.created_at, thread.archive_minutes = self.now(), minutes
        thread.members.add(owner.id)
        parent.guild.channels[thread.id] = self.channels[thread.id] = thread
        self.tell(thread, "THREAD_CREATE", lambda bot, _: thread.wire(me=bot.id) | {"newly_created": True})
        self.screen.announce(parent, "thread", name, thread.id)
        return thread

    def store(
        self, channel: Channel, name: str, content: bytes | None, *, size: int | None = None, mime: str = ""
    ) -> File:
        """Keep a file; without content it is only known by its `size`."""
        plain = re.sub(r"[^\w.-]", "", name.replace(" ", "_")) or "unknown"
        guessed = mime or _TYPES.guess_type(plain)[0] or "application/octet-stream"
        charset = "; charset=utf-8" if guessed.startswith("text/") else ""
        length = len(content or b"") if size is None else size
        title = "" if plain == name else name.rpartition(".")[0]
        file = File(self.snowflake(), channel.id, plain, length, content, f"{guessed}{charset}", title)
        self.files[file.id] = file
        if self.keep is not None and len(self.files) > self.keep:
            del self.files[next(iter(self.files))]
        return file

    # who is where, and may do what

    def bots_in(self, channel: Channel) -> Iterator[BotAccount]:
        """The bots that see a channel."""
        for bot in self.bots.values():
            if channel.recipient is not None:
                if channel.bot_id == bot.id:
                    yield bot
            elif self.sees(bot.id, channel):
                yield bot

    def sees(self, account_id: int, channel: Channel) -> bool:
        """Whether somebody sees a channel of a guild."""
        assert channel.guild is not None
        allowed = channel.guild.permissions(account_id, channel)
        inside = account_id in channel.members or allowed & may.MANAGE_THREADS
        return bool(allowed & may.VIEW_CHANNEL) and (channel.type != PRIVATE_THREAD or bool(inside))

    def allowed(self, account_id: int, channel: Channel) -> int:
        """What somebody may do in a channel; everything that makes sense in a direct conversation."""
        return may.USUAL if channel.guild is None else channel.guild.permissions(account_id, channel)

    def reach(self, bot: BotAccount, channel_id: int, *needed: int) -> Channel:
        """A channel that a bot names, if it sees it and has the permissions needed; ApiError if not."""
        channel = self.channels.get(channel_id)
        if channel is None or channel.gone:
            raise refused(10003)
        if channel.recipient is not None:
            if channel.bot_id != bot.id:
                raise refused(50001)
            return channel
        if not self.sees(bot.id, channel):
            raise refused(50001)
        allowed = self.allowed(bot.id, channel)
        if any(not allowed & each for each in needed):
            raise refused(50013)
        return channel

    def reach_guild(self, bot: BotAccount, guild_id: int) -> Guild:
        """A guild that a bot names, if it is in it; ApiError if not."""
        guild = self.guilds.get(guild_id)
        if guild is None:
            raise refused(10004)
        if bot.id not in guild.members:
            raise refused(50001)
        return guild

    def check_sendable(self, bot: BotAccount, channel: Channel) -> None:
        """ApiError where a bot may not write."""
        person = channel.recipient
        if person is not None:
            common = any(bot.id in guild.members and person.id in guild.members for guild in self.guilds.values())
            if not person.dms_open or not (common or channel.opened):
                raise refused(50007)
            return
        needed = may.SEND_MESSAGES_IN_THREADS if channel.is_thread else may.SEND_MESSAGES
        if not self.allowed(bot.id, channel) & needed:
            raise refused(50013)
        if channel.locked:
            raise refused(50083)

    # what bots hear

    def tell(self, channel: Channel, event: str, make: Callable[[BotAccount, int], Json], *, but: int = 0) -> None:
        """An event for each bot that sees the channel, except one."""
        guild_id = channel.guild.id if channel.guild else None
        for bot in self.bots_in(channel):
            if bot.id != but:
                self.dispatch(bot, event, _bound(make, bot), guild_id)

    def tell_guild(self, guild: Guild, event: str, payload: Json, *, but: int = 0) -> None:
        """An event for each bot in a guild, except one."""
        for bot in self.bots.values():
            if bot.id in guild.members and bot.id != but:
                self.dispatch(bot, event, lambda _: payload, guild.id)

    def changed_member(self, guild: Guild, member: Member) -> None:
        """Somebody's roles or nick have changed."""
        self.tell_guild(guild, "GUILD_MEMBER_UPDATE", member.wire() | {"guild_id": str(guild.id)})

    def changed_channel(self, channel: Channel) -> None:
        """A channel's name, permissions or state have changed."""
        name = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
        self.tell(channel, name, lambda bot, _: channel.wire(me=bot.id))

    def remove_channel(self, channel: Channel) -> None:
        """A channel goes, with its threads and everything that was said in it."""
        assert channel.guild is not None
        name = "THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE"
        self.tell(channel, name, lambda bot, _: channel.wire())
        for each in list(channel.guild.channels.values()):
            if each is channel or each.parent is channel:
                each.gone = True
                del channel.guild.channels[each.id]
                self.screen.announce(each, "gone", each.name)

    def start_typing(self, channel: Channel, account: Account) -> None:
        """Somebody begins to type."""
        self.screen.type(channel, account.name)

        def event(bot: BotAccount, intents: int) -> Json:
            body: Json = {"channel_id": str(channel.id), "user_id": str(account.id), "timestamp": int(self.now())}
            if channel.guild and account.id in channel.guild.members:
                body |= {"guild_id": str(channel.guild.id), "member": channel.guild.members[account.id].wire()}
            return body

        self.tell(channel, "TYPING_START", event, but=account.id)

    def address(self, file: File, *, seconds: float) -> str:
        """Where a file can be fetched for so long."""
        until, since = int(self.now() + seconds), int(self.now())
        signature = f"{file.id ^ until:064x}"
        path = f"attachments/{file.channel_id}/{file.id}/{quote(file.name)}"
        return f"{self.url}/cdn/{path}?ex={until:x}&is={since:x}&hm={signature}"

    def at(self, seconds: float | None = None) -> str:
        """A time (or this one) as Discord writes it."""
        return moment(self.now() if seconds is None else seconds)


def whole_guild(guild: Guild, bot: BotAccount) -> Payload:
    """The payload of GUILD_CREATE."""
    return lambda intents: guild.whole(me=bot.id, everybody=bool(intents & MEMBERS))


def available_guild(guild: Guild, bot: BotAccount) -> Payload:
    """The payload of GUILD_CREATE for a guild that was told of before."""
    whole = whole_guild(guild, bot)
    return lambda intents: whole(intents) | {"unavailable": False}


def _bound(make: Callable[[BotAccount, int], Json], bot: BotAccount) -> Payload:
    return lambda intents: make(bot, intents)
