"""The people's side: they write, edit, delete, react, press buttons, use commands, and rule over guilds.

ann = server.person("Ann")
guild = server.guild("Friends", ann)
general = server.channel(guild, "general")
question = ann.says(general, f"{server.mention} what is this?")
ann.clicks(general, server.screen(general)[-1], "Retry")
ann.uses(general, "ask", question="Why?")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.servers import discord_permissions as may
from tests.servers.discord_commands import CHAT_INPUT, MESSAGE, filled_in, find_command
from tests.servers.discord_interactions import COMMAND, COMPONENT, SUBMITTED, Interaction, Interactions
from tests.servers.discord_messages import Source, find, post, react, remove, remove_many, rewrite, view
from tests.servers.discord_modals import filled
from tests.servers.discord_news import forward, pin
from tests.servers.discord_permissions import Overwrite
from tests.servers.discord_screen import Shown
from tests.servers.discord_things import (
    PRIVATE_THREAD,
    PUBLIC_THREAD,
    Account,
    BotAccount,
    Channel,
    File,
    Guild,
    Member,
    Role,
)
from tests.servers.discord_threads import open_thread
from tests.servers.discord_world import World

Json = dict[str, Any]
Named = Shown | int
"""A message, by what is shown of it or by its id."""


def number(message: Named) -> int:
    """The id of a message."""
    return message if isinstance(message, int) else message.message_id


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody sends; without content only its `size` is known, and it reads as so many zeros."""

    name: str
    content: bytes | None = b"bytes"
    size: int | None = None
    kind: str = ""
    """Its media type; guessed from the name if empty."""
    about: Json = field(default_factory=dict)
    """More fields of the attachment, e.g. `duration_secs` and `waveform` of a voice message."""


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with an account (or a bot of somebody else's, or a webhook). What they do is seen at once."""

    account: Account
    world: World
    interactions: Interactions

    @property
    def id(self) -> int:
        """Their user id."""
        return self.account.id

    @property
    def mention(self) -> str:
        """What mentions them in a text."""
        return f"<@{self.id}>"

    # messages

    def says(
        self,
        channel: Channel,
        text: str,
        *files: Upload,
        reply_to: Named | None = None,
        ping: bool = True,
        **fields: Any,
    ) -> Shown:
        """Write a message.

        Args:
            channel: a channel, a thread or a direct conversation.
            text: the words, with mentions as they go over the wire (`<@id>`).
            files: what hangs below it.
            reply_to: the message that this answers.
            ping: whether whom it answers is notified.
            fields: anything else that the message should carry, e.g. `embeds` or `type`.
        """
        self._check_present(channel)
        stored = [self._upload(channel, each) for each in files]
        channel.opened = True
        message = post(
            self.world,
            channel,
            self._source(),
            content=text,
            reply_to=None if reply_to is None else number(reply_to),
            allowed=None if ping else {"parse": ["users", "roles", "everyone"], "replied_user": False},
            files=stored,
            fields=fields,
        )
        return self._shown(channel, int(message["id"]))

    def _upload(self, channel: Channel, upload: Upload) -> File:
        file = self.world.store(channel, upload.name, upload.content, size=upload.size, mime=upload.kind)
        file.about = upload.about
        return file

    def forwards(self, channel: Channel, message: Named, to: Channel) -> Shown:
        """Forward a message into another channel: a copy stands there, and no words of their own."""
        self._check_present(to)
        forwarded = forward(self.world, to, self._source(), find(channel, number(message)))
        return self._shown(to, int(forwarded["id"]))

    def pins(self, channel: Channel, message: Named) -> None:
        """Pin a message."""
        pin(self.world, channel, self._source(), number(message))

    def edits(self, channel: Channel, message: Named, text: str) -> None:
        """Change a message of theirs."""
        rewrite(self.world, channel, self._source(), find(channel, number(message)), {"content": text}, None)

    def deletes(self, channel: Channel, *messages: Named) -> None:
        """Delete messages: one by itself, several all at once."""
        if len(messages) == 1:
            remove(self.world, channel, number(messages[0]))
        else:
            remove_many(self.world, channel, [number(each) for each in messages])

    def reacts(self, channel: Channel, message: Named, emoji: str) -> None:
        """React to a message."""
        react(self.world, channel, number(message), self.account, emoji, there=True)

    def unreacts(self, channel: Channel, message: Named, emoji: str) -> None:
        """Take a reaction back."""
        react(self.world, channel, number(message), self.account, emoji, there=False)

    def types(self, channel: Channel) -> None:
        """Begin to type."""
        self.world.start_typing(channel, self.account)

    # interactions

    def clicks(self, channel: Channel, message: Named, button: str) -> Interaction:
        """Press the button with this label or custom_id; LookupError if they do not see one that can be pressed."""
        shown = self._shown(channel, number(message))
        for each in shown.buttons:
            if button in (each.label, each.custom_id) and not each.disabled and not each.url:
                return self._press(channel, shown, {"custom_id": each.custom_id, "component_type": 2})
        raise LookupError(f"no button {button!r} below message {shown.message_id}")

    def chooses(self, channel: Channel, message: Named, menu: str, *values: str) -> Interaction:
        """Choose from the menu with this custom_id, by value or label."""
        shown = self._shown(channel, number(message))
        for each in shown.menus:
            if each.custom_id == menu and not each.disabled:
                chosen = [value for label, value in each.options if value in values or label in values]
                return self._press(channel, shown, {"custom_id": menu, "component_type": 3, "values": chosen})
        raise LookupError(f"no menu {menu!r} below message {shown.message_id}")

    def _press(self, channel: Channel, shown: Shown, data: Json) -> Interaction:
        self._check_present(channel)
        if shown.only_for not in (None, self.id):
            raise LookupError(f"message {shown.message_id} is not for {self.account.name}")
        message = channel.messages.get(shown.message_id) or channel.private[shown.message_id]
        bot = self._bot(int(message["author"]["id"]))
        self.world.screen.note(channel, "pressed", data["custom_id"], shown.message_id, only_for=self.id)
        return self._begin(bot, channel, COMPONENT, data, message)

    def uses(self, channel: Channel, command: str, *, bot: BotAccount | None = None, **options: Any) -> Interaction:
        """Send a slash command; LookupError where it is not registered for such a place.

        Args:
            channel: where.
            command: its name, with those of subcommands after spaces.
            bot: whose command; the first bot's that has it.
            options: by name; users, roles and channels by id.
        """
        path = command.split(" ")
        owner, found = self._find(channel, path[0], CHAT_INPUT, bot)
        data: Json = {"id": found["id"], "name": found["name"], "type": CHAT_INPUT}
        if filled := filled_in(found.get("options") or [], path[1:], options):
            data["options"] = filled
        if "guild_id" in found:
            data["guild_id"] = found["guild_id"]
        return self._begin(owner, channel, COMMAND, data, None)

    def uses_on(self, channel: Channel, message: Named, command: str, *, bot: BotAccount | None = None) -> Interaction:
        """Choose a command from the context menu of a message."""
        owner, found = self._find(channel, command, MESSAGE, bot)
        target = find(channel, number(message))
        # A command's message comes with its content, whatever the intents.
        seen = view(self.world, target, owner, intents=(1 << 26) - 1)
        data: Json = {"id": found["id"], "name": found["name"], "type": MESSAGE, "target_id": target["id"]}
        data["resolved"] = {"messages": {target["id"]: seen}}
        if "guild_id" in found:
            data["guild_id"] = found["guild_id"]
        return self._begin(owner, channel, COMMAND, data, None)

    def submits(self, interaction: Interaction, **values: str) -> Interaction:
        """Send the form that an interaction was answered with, filled in by custom_id; LookupError without one."""
        if interaction.modal is None:
            raise LookupError("no form was opened")
        data, interaction.modal = filled(interaction.modal, values), None
        return self._begin(interaction.bot, interaction.channel, SUBMITTED, data, interaction.message)

    def _find(self, channel: Channel, name: str, kind: int, bot: BotAccount | None) -> tuple[BotAccount, Json]:
        self._check_present(channel)
        problem = LookupError(f"no bot with commands sees {channel.name!r}")
        for each in [bot] if bot else self._bots_of(channel):
            try:
                return each, find_command(each, channel.guild, name, kind=kind)
            except LookupError as error:
                problem = error
        raise problem

    def _bots_of(self, channel: Channel) -> list[BotAccount]:
        """The bots whose commands are offered: also where they may not read the channel."""
        if channel.guild is None:
            return list(self.world.bots_in(channel))
        return [bot for bot in self.world.bots.values() if bot.id in channel.guild.members]

    def _begin(self, bot: BotAccount, channel: Channel, kind: int, data: Json, message: Json | None) -> Interaction:
        channel.opened = True
        return self.interactions.begin(bot, channel, self.account, kind=kind, data=data, message=message)

    # threads, guilds, power

    def opens_thread(
        self, channel: Channel, name: str, *, message: Named | None = None, private: bool = False
    ) -> Channel:
        """Start a thread in a channel, from a message or by itself."""
        kind = PRIVATE_THREAD if private else PUBLIC_THREAD
        start = 0 if message is None else number(message)
        return open_thread(self.world, channel, self.account, name, kind=kind, message_id=start)

    def archives(self, thread: Channel, *, locked: bool = False) -> None:
        """Archive a thread; locked, nobody but moderators can wake it."""
        thread.archived, thread.locked = True, locked
        self.world.changed_channel(thread)

    def adds(self, thread: Channel, account: Account) -> None:
        """Bring somebody (or a bot) into a private thread."""
        thread.members.add(account.id)
        self.world.changed_channel(thread)

    def allows(self, channel: Channel, whom: Role | Account | Guild, *, allow: int = 0, deny: int = 0) -> None:
        """Change what a role, an account or everyone (the guild) may do in a channel, by bits of permissions."""
        channel.overwrites[whom.id] = Overwrite(whom.id, isinstance(whom, Account), allow, deny)
        self.world.changed_channel(channel)

    def hides(self, channel: Channel, whom: Role | Account | Guild) -> None:
        """Let somebody not see a channel any more."""
        self.allows(channel, whom, deny=may.VIEW_CHANNEL)

    def gives(self, guild: Guild, account: Account, *roles: Role) -> None:
        """Set somebody's roles; a bot keeps its own."""
        member: Member = guild.members[account.id]
        kept = {role for role in member.roles if guild.roles[role].bot_id}
        member.roles = kept | {role.id for role in roles}
        self.world.changed_member(guild, member)

    def makes_role(self, guild: Guild, name: str, *, permissions: int = 0, mentionable: bool = False) -> Role:
        """Make a role."""
        return self.world.make_role(guild, name, permissions=permissions, mentionable=mentionable)

    def kicks(self, guild: Guild, account: Account) -> None:
        """Throw somebody, or a bot, out of a guild."""
        self.world.leave(guild, account)

    def invites(self, guild: Guild, account: Account) -> None:
        """Bring somebody, or a bot, into a guild."""
        self.world.join(guild, account)

    def deletes_channel(self, channel: Channel) -> None:
        """Delete a channel or a thread."""
        self.world.remove_channel(channel)

    def closes_dms(self, *, closed: bool = True) -> None:
        """Take no direct messages from bots any more: 50007."""
        self.account.dms_open = not closed

    def _source(self) -> Source:
        return Source(self.account, webhook_id=self.id if self.account.is_webhook else 0)

    def _shown(self, channel: Channel, message_id: int) -> Shown:
        shown = self.world.screen.message(channel, message_id)
        if shown is None:
            raise LookupError(f"no message {message_id} in {channel.name!r}")
        return shown

    def _bot(self, account_id: int) -> BotAccount:
        return next(bot for bot in self.world.bots.values() if bot.id == account_id)

    def _check_present(self, channel: Channel) -> None:
        """A test that lets somebody speak where they are not has a mistake."""
        if channel.gone:
            raise ValueError(f"{channel.name!r} is gone")
        if channel.recipient is not None and channel.recipient is not self.account:
            raise ValueError(f"{self.account.name} is not in that conversation")
        if channel.guild and not self.account.is_webhook and self.id not in channel.guild.members:
            raise ValueError(f"{self.account.name} is not in {channel.guild.name!r}")
