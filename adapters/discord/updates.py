"""What Discord tells, as the core knows it. Keeps nothing but what threads grew from, and does not care how it arrived.

A channel is the chat `#ID`, a thread a thread of its channel's chat; a private chat has its bare id. In a CHOICE,
`message.text` is the interaction, ID/TOKEN, by which it is acknowledged.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import discord
from discord.utils import snowflake_time

from adapters.calling import is_called, without_call
from adapters.discord.gateway import Gateway
from bot.channel import Update, UpdateKind
from bot.types import Address, Attachment, Message, Origin, Person

Json = dict[str, Any]
SAID = (discord.MessageType.default, discord.MessageType.reply)  # all else is news, or what bots answer
STARTER, PRESS, MOST_STARTERS = 21, 3, 1000
KINDS = {"image": "photo", "audio": "audio", "video": "video"}


@dataclass(slots=True)
class Translator:
    """Reads what one bot is told. In the channels of `listen` everything is meant for it, the `webhooks` speak for
    people, and it listens to `names` besides its own."""

    channel: str
    account: str
    names: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()
    gateway: Gateway = field(init=False)
    _starters: dict[str, str] = field(default_factory=dict)

    def translate(self, event: str, raw: Json) -> Iterator[Update]:
        """What happened; nothing where it is nothing to the core."""
        match event:
            case "MESSAGE_CREATE" if raw["type"] == STARTER:
                self._note_starter(self.gateway.message(raw))
            case "MESSAGE_CREATE" if said := self._said(raw):
                yield Update(UpdateKind.MESSAGE, said)
            # what unfolds an address, or pins a message, edits nothing
            case "MESSAGE_UPDATE" if raw.get("edited_timestamp") and (said := self._said(raw)):
                yield Update(UpdateKind.EDIT, said, detail=hashlib.sha256(said.text.encode()).hexdigest()[:16])
            case "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK":
                for message in raw.get("ids") or [raw["id"]]:
                    yield Update(UpdateKind.DELETION, self.event(raw, message))
            case "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE":
                about = replace(self.event(raw, raw["message_id"]), person=Person(raw["user_id"]))
                yield Update(UpdateKind.REACTION, about, detail=(event.endswith("ADD") and raw["emoji"]["name"]) or "")
            case "INTERACTION_CREATE" if raw["type"] == PRESS:
                about = replace(self.chosen(raw), id=raw["message"]["id"], text=f"{raw['id']}/{raw['token']}")
                yield Update(UpdateKind.CHOICE, about, raw["id"], raw["data"]["custom_id"])
            case "CHANNEL_DELETE" | "THREAD_DELETE":
                yield Update(UpdateKind.GONE, self.event(raw | {"channel_id": raw["id"]}, raw["id"]))
            case "GUILD_DELETE" if not raw.get("unavailable") and (guild := self.gateway.get_guild(int(raw["id"]))):
                for place in (*guild.text_channels, *guild.threads):
                    where = {"channel_id": str(place.id), "guild_id": raw["id"]}
                    yield Update(UpdateKind.GONE, self.event(where, raw["id"]))

    def event(self, raw: Json, message: str, who: discord.User | discord.Member | None = None) -> Message:
        """Something that somebody did at a place, about a message there, as far as that is told."""
        server, address = raw.get("guild_id", ""), self._address(raw)
        is_bot = bool(who and who.bot) and str(raw.get("webhook_id")) not in self.webhooks
        person = Person(str(who.id), who.display_name, raw.get("locale", ""), is_bot) if who else Person("")
        told = Message(address, person, "", snowflake_time(int(message)), message, is_private=not server, server=server)
        if address.thread:
            told = replace(told, grew_from=Origin(replace(address, thread=""), address.thread))
        if isinstance(who, discord.Member):
            roles = tuple(role.name for role in who.roles if not role.is_default())
            told = replace(told, roles=roles, is_from_admin=who.guild_permissions.manage_guild)
        return told

    def chosen(self, raw: Json) -> Message:
        """The same of something that was chosen in a menu, or of a button."""
        return self.event(raw, raw["id"], self.gateway.who(raw))

    def _address(self, raw: Json) -> Address:
        chat, guild = raw["channel_id"], self.gateway.get_guild(int(raw.get("guild_id", 0)))
        if thread := guild and guild.get_thread(int(chat)):
            return Address(self.channel, f"#{thread.parent_id}", self.account, chat)
        return Address(self.channel, f"#{chat}" if "guild_id" in raw else chat, self.account)

    def _said(self, raw: Json) -> Message | None:
        """None for what the bot said itself, what nobody said, and what the bot is not shown."""
        message = self.gateway.message(raw)
        resolved = message.reference.resolved if message.reference else None
        replied = resolved if isinstance(resolved, discord.Message) else None
        forwarded = message.message_snapshots
        text = "\n".join(filter(None, [message.clean_content, *(f":{each.name}:" for each in message.stickers)]))
        files = tuple(_attachment(message, each) for each in _files(message))
        is_mine = str(message.author.id) == self.account
        if message.type not in SAID or is_mine or not (text or files or forwarded):
            return None
        told = self.event(raw, raw["id"], message.author)
        is_to_me = replied is not None and str(replied.author.id) == self.account
        quoted = [each.content for each in forwarded]
        quoted += [self._starters.get(told.address.thread, "")] if replied is None else []
        quoted += [replied.clean_content] if replied and not is_to_me else []
        return replace(
            told,
            text=without_call(text, self._my_name(message)),
            at=message.edited_at or message.created_at,
            reply_to=str(replied.id) if replied else "",
            attachments=files,
            is_addressed=told.is_private or is_to_me or self._is_called(message, text, told.address),
            quote="\n".join(filter(None, quoted)),
        )

    def _is_called(self, message: discord.Message, text: str, address: Address) -> bool:
        mine = message.guild and message.guild.self_role
        return (
            any(str(each.id) == self.account for each in message.mentions)
            or (mine is not None and mine in message.role_mentions)
            or is_called(text, self._my_name(message), self.names)
            or not {address.chat.removeprefix("#"), address.thread}.isdisjoint(self.listen)
        )

    def _my_name(self, message: discord.Message) -> str:
        me = (message.guild and message.guild.me) or self.gateway.user
        return me.display_name if me else ""

    def _note_starter(self, message: discord.Message) -> None:
        """Keep what a thread grew from, unless that is the bot's, who knows it."""
        began = message.reference.resolved if message.reference else None
        if isinstance(began, discord.Message) and str(began.author.id) != self.account:
            self._starters[str(message.channel.id)] = began.clean_content
            if len(self._starters) > MOST_STARTERS:
                del self._starters[next(iter(self._starters))]


def _files(message: discord.Message) -> list[discord.Attachment]:
    return [*message.attachments, *(file for part in message.message_snapshots for file in part.attachments)]


def _attachment(message: discord.Message, file: discord.Attachment) -> Attachment:
    media_type = (file.content_type or "application/octet-stream").partition(";")[0]
    kind = "voice" if file.is_voice_message() else KINDS.get(media_type.partition("/")[0], "document")
    reference = f"/channels/{message.channel.id}/messages/{message.id}/{file.id}"
    return Attachment(kind, file.filename, media_type, file.size, reference)
