"""Discord's permissions: the bits that matter here, and what they come to in a channel by the documented algorithm."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

ADMINISTRATOR = 1 << 3
MANAGE_CHANNELS = 1 << 4
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
MANAGE_MESSAGES = 1 << 13
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
USE_APPLICATION_COMMANDS = 1 << 31
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
CREATE_PRIVATE_THREADS = 1 << 36
SEND_MESSAGES_IN_THREADS = 1 << 38

USUAL = (
    VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | MENTION_EVERYONE
    | ADD_REACTIONS
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | SEND_MESSAGES_IN_THREADS
)
"""What @everyone may do in a new guild, as far as it matters here: Discord lets all, bots too, mention everybody."""
ALL = (1 << 50) - 1

BY_NAME: Mapping[str, int] = {
    name.lower(): value for name, value in dict(globals()).items() if name.isupper() and isinstance(value, int)
}
"""`view_channel` and so on, as a control API names them."""


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What a channel allows and denies one role or member, on top of what they may anyway."""

    target_id: int
    for_member: bool
    allow: int = 0
    deny: int = 0

    def wire(self) -> dict[str, str | int]:
        """An Overwrite."""
        kind = 1 if self.for_member else 0
        return {"id": str(self.target_id), "type": kind, "allow": str(self.allow), "deny": str(self.deny)}


def in_channel(
    base: int, overwrites: Mapping[int, Overwrite], *, guild_id: int, member_id: int, roles: Collection[int]
) -> int:
    """What a member may do in a channel.

    Args:
        base: what their roles allow in the whole guild.
        overwrites: the channel's, by role or member.
        guild_id: also the id of the role @everyone.
        member_id: who.
        roles: their roles besides @everyone.
    """
    if base & ADMINISTRATOR:
        return ALL
    allowed = base
    if everyone := overwrites.get(guild_id):
        allowed = allowed & ~everyone.deny | everyone.allow
    own = [overwrites[role] for role in roles if role in overwrites]
    deny, allow = 0, 0
    for each in own:
        deny, allow = deny | each.deny, allow | each.allow
    allowed = allowed & ~deny | allow
    if personal := overwrites.get(member_id):
        allowed = allowed & ~personal.deny | personal.allow
    return allowed if allowed & VIEW_CHANNEL else 0
