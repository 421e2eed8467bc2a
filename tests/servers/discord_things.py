"""What there is in Discord's world, and the form in which each thing goes over the wire: accounts, guilds, channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.servers import discord_permissions as may
from tests.servers.discord_permissions import Overwrite

Json = dict[str, Any]
TEXT, DM, VOICE, CATEGORY, NEWS, PUBLIC_THREAD, PRIVATE_THREAD, FORUM = 0, 1, 2, 4, 5, 11, 12, 15
THREADS = (10, PUBLIC_THREAD, PRIVATE_THREAD)


def moment(seconds: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@dataclass(slots=True, eq=False)
class Account:
    """A person, a bot or a webhook, as others see it."""

    id: int
    name: str
    username: str
    locale: str = "en-US"
    is_bot: bool = False
    is_webhook: bool = False
    dms_open: bool = True

    def wire(self) -> Json:
        """A User."""
        user: Json = {
            "id": str(self.id),
            "username": self.username,
            "global_name": None if self.is_bot else self.name,
            "discriminator": ("0000" if self.is_webhook else "4711") if self.is_bot else "0",
            "avatar": None,
            "public_flags": 0,
        }
        return user | {"bot": True} if self.is_bot else user


@dataclass(slots=True, eq=False)
class Role:
    """A role; the one with the guild's id is @everyone, one with a `bot_id` came with that bot and goes with it."""

    id: int
    name: str
    permissions: int = 0
    position: int = 0
    mentionable: bool = False
    bot_id: int = 0

    def wire(self) -> Json:
        """A Role."""
        tags = {"tags": {"bot_id": str(self.bot_id)}} if self.bot_id else {}
        return tags | {
            "id": str(self.id),
            "name": self.name,
            "permissions": str(self.permissions),
            "position": self.position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": bool(self.bot_id),
            "mentionable": self.mentionable,
            "flags": 0,
        }


@dataclass(slots=True, eq=False)
class Member:
    """Somebody in a guild."""

    account: Account
    joined_at: float
    roles: set[int] = field(default_factory=set)
    nick: str | None = None

    def wire(self, *, user: bool = True) -> Json:
        """A guild member, with or without the user."""
        member: Json = {
            "roles": [str(role) for role in sorted(self.roles)],
            "nick": self.nick,
            "joined_at": moment(self.joined_at),
            "avatar": None,
            "premium_since": None,
            "deaf": False,
            "mute": False,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": None,
        }
        return member | {"user": self.account.wire()} if user else member


@dataclass(slots=True, eq=False)
class Channel:
    """A channel, a thread (with a `parent`) or a direct conversation of a bot with a person (the `recipient`)."""

    id: int
    type: int
    name: str = ""
    guild: Guild | None = None
    position: int = 0
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: dict[int, Json] = field(default_factory=dict)
    reactions: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    private: dict[int, Json] = field(default_factory=dict)
    """Messages that one person sees."""
    last_message_id: int | None = None
    gone: bool = False
    # direct conversations
    recipient: Account | None = None
    bot_id: int = 0
    opened: bool = False
    """Whether the person wrote first, or may be written to without a common guild."""
    # threads
    parent: Channel | None = None
    owner_id: int = 0
    created_at: float = 0.0
    members: set[int] = field(default_factory=set)
    archived: bool = False
    locked: bool = False
    archive_minutes: int = 1440
    sent: int = 0

    @property
    def is_thread(self) -> bool:
        """Whether it hangs below another channel."""
        return self.type in THREADS

    def wire(self, *, me: int = 0) -> Json:
        """A Channel; a thread also says since when `me` is in it."""
        last = None if self.last_message_id is None else str(self.last_message_id)
        channel: Json = {"id": str(self.id), "type": self.type, "last_message_id": last, "flags": 0}
        if self.recipient:
            return channel | {"recipients": [self.recipient.wire()]}
        assert self.guild is not None
        channel |= {"guild_id": str(self.guild.id), "name": self.name, "rate_limit_per_user": 0}
        if self.is_thread:
            return channel | self._thread_wire(me)
        return channel | {
            "position": self.position,
            "permission_overwrites": [each.wire() for each in self.overwrites.values()],
            "parent_id": None,
            "topic": None,
            "nsfw": False,
        }

    def _thread_wire(self, me: int) -> Json:
        assert self.parent is not None
        since = moment(self.created_at)
        thread: Json = {
            "parent_id": str(self.parent.id),
            "owner_id": str(self.owner_id),
            "message_count": self.sent,
            "member_count": len(self.members),
            "total_message_sent": self.sent,
            "thread_metadata": {
                "archived": self.archived,
                "locked": self.locked,
                "auto_archive_duration": self.archive_minutes,
                "archive_timestamp": since,
                "create_timestamp": since,
                "invitable": True,
            },
        }
        if me in self.members:
            thread["member"] = {"id": str(self.id), "user_id": str(me), "join_timestamp": since, "flags": 1}
        return thread


@dataclass(slots=True, eq=False)
class Guild:
    """What people call a server."""

    id: int
    name: str
    owner: Account
    created_at: float
    locale: str = "en-US"
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    unavailable: bool = False

    @property
    def threads(self) -> list[Channel]:
        """The threads that are not archived."""
        return [each for each in self.channels.values() if each.is_thread and not each.archived]

    def permissions(self, account_id: int, channel: Channel | None = None) -> int:
        """What somebody may do, here or in one of the channels; nothing if they are not here."""
        member = self.members.get(account_id)
        if member is None:
            return 0
        if self.owner.id == account_id:
            return may.ALL
        base = self.roles[self.id].permissions
        for role in member.roles:
            base |= self.roles[role].permissions
        if base & may.ADMINISTRATOR:
            return may.ALL
        if channel is None:
            return base
        place = channel.parent or channel
        return may.in_channel(base, place.overwrites, guild_id=self.id, member_id=account_id, roles=member.roles)

    def wire(self) -> Json:
        """A Guild, as GET has it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "icon": None,
            "splash": None,
            "banner": None,
            "description": None,
            "owner_id": str(self.owner.id),
            "features": [],
            "emojis": [],
            "stickers": [],
            "roles": [role.wire() for role in self.roles.values()],
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "preferred_locale": self.locale,
            "afk_channel_id": None,
            "afk_timeout": 300,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "rules_channel_id": None,
            "public_updates_channel_id": None,
        }

    def whole(self, *, me: int, everybody: bool) -> Json:
        """A Guild as GUILD_CREATE has it: with channels, threads and members; only the bot itself, or everybody."""
        seen = [each for each in self.channels.values() if self.permissions(me, each) & may.VIEW_CHANNEL]
        members = [each for each in self.members.values() if everybody or each.account.id == me]
        return self.wire() | {
            "joined_at": moment(self.members[me].joined_at),
            "large": False,
            "member_count": len(self.members),
            "channels": [each.wire() for each in self.channels.values() if not each.is_thread],
            "threads": [each.wire(me=me) for each in seen if each.is_thread and not each.archived],
            "members": [each.wire() for each in members],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }


@dataclass(slots=True, eq=False)
class File:
    """A stored file; without `content` it is only known by its size, and reads as zeros."""

    id: int
    channel_id: int
    name: str
    size: int
    content: bytes | None
    mime: str
    title: str = ""
    """The name that it had, less its ending, where Discord gave it a plainer one."""
    about: Json = field(default_factory=dict)
    """More fields of the attachment: `description`, `duration_secs` …"""

    def wire(self, address: str) -> Json:
        """An Attachment that can be fetched at an address."""
        attachment = {"id": str(self.id), "filename": self.name, "size": self.size, "content_type": self.mime}
        attachment |= {"url": address, "proxy_url": address}
        if self.mime.startswith(("image/", "video/")):
            attachment |= {"width": 640, "height": 480}
        return attachment | ({"title": self.title} if self.title else {}) | self.about


@dataclass(slots=True, eq=False)
class BotAccount:
    """A bot and its application, whose ids are the same here, as they mostly are.

    `granted` are the privileged intents that are switched on in the developer portal, as bits of intents.
    """

    account: Account
    token: str
    granted: int
    commands: dict[int, list[Json]] = field(default_factory=dict)
    """Global ones under 0, a guild's under its id."""
    nonces: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    """Of each nonce of late: the channel, the message and when."""

    @property
    def id(self) -> int:
        """The bot's user id."""
        return self.account.id
