"""What Discord tells, on its way to the core: what happens, what was said while nobody listened, what menus are for.

A channel is the chat `#ID`, a thread a thread of its channel's chat; a private chat has its bare id. In a CHOICE,
`message.text` is the interaction, ID/TOKEN, by which it is acknowledged.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import discord
from discord.utils import parse_time, snowflake_time

from adapters.calling import is_called, without_call
from adapters.discord.gateway import Gateway
from adapters.discord.rest import ASK, EPHEMERAL, OVER, Rest, form
from adapters.history import History
from adapters.menus import Menus
from adapters.recent import Recent
from bot.channel import Update, UpdateKind
from bot.texts import Texts
from bot.types import Address, Attachment, Message, Origin, Person

Json = dict[str, Any]
SAID = (discord.MessageType.default, discord.MessageType.reply)  # all else is news, or what bots answer
STARTER, PRESS, FORM, HOLD, ASK_BACK = 21, 3, 5, 5, 9
MOST_STARTERS, SUMMARIZED_CHARACTERS = 1000, 16_000
TURN_SECONDS = 1.0  # of the three in which Discord wants to hear that something was noticed
KINDS = {"image": "photo", "audio": "audio", "video": "video"}


@dataclass(slots=True)
class Receiver:
    """One run of one bot, whose table `config` is."""

    channel: str
    account: str
    config: Any
    rest: Rest
    menus: Menus
    gateway: Gateway = field(init=False)
    history: History = field(init=False)
    _starters: Recent[str] = field(default_factory=lambda: Recent(MOST_STARTERS))

    def hear(self, event: str, raw: Json) -> None:
        """Something happened."""
        match event:
            case "READY":
                self.history.begin_session([each["id"] for each in raw["guilds"]], is_private=raw["shard"][0] == 0)
            case "GUILD_CREATE":
                places = (*raw["channels"], *raw["threads"])
                self.history.found(raw["id"], {each["id"]: int(each.get("last_message_id") or 0) for each in places})
            case "INTERACTION_CREATE":
                self.history.backlog.spawn(self._choose(raw))
            case _:
                server, channel = raw.get("guild_id", ""), raw.get("channel_id", "")
                if event == "MESSAGE_CREATE" and not raw.get("flags", 0) & EPHEMERAL:  # which are told as if in private
                    self.history.heard(channel, server, int(raw["id"]))
                for update in self.translate(event, raw):
                    self.history.backlog.add(update, server, channel)

    async def page(self, channel: str, limits: str) -> Sequence[Json]:
        """The newest messages of a channel within these limits."""
        messages: list[Json] = await self.rest.call("GET", f"/channels/{channel}/messages?limit=100{limits}")
        return messages

    # -- what was chosen ------------------------------------------------------------------------------------

    async def _choose(self, raw: Json) -> None:
        """Have kept what somebody chose; then hold a place for the answer."""
        chosen, keep = raw["data"], self.history.backlog.accept
        await self.history.backlog.wait_turn(raw.get("guild_id", ""), raw["channel_id"], seconds=TURN_SECONDS)

        async def answer(kind: int, data: Json) -> None:
            path = f"/interactions/{raw['id']}/{raw['token']}/callback"
            await self.rest.call("POST", path, {"type": kind, "data": data}, harmless=OVER)

        async def hold(*, alone: bool) -> None:
            await answer(HOLD, {"flags": EPHEMERAL if alone else 0})

        if raw["type"] == PRESS:
            await keep(self.translate("INTERACTION_CREATE", raw))
        elif chosen.get("name") == Texts("en").get(ASK):
            [target] = chosen["resolved"]["messages"].values()
            await answer(ASK_BACK, form(target, Texts(raw["locale"])))
        else:
            said = replace(self._chosen(raw), **await self._words(raw, chosen))
            await self.menus.take(said, chosen.get("name", ""), raw["token"], keep=keep, hold=hold)

    async def _words(self, raw: Json, chosen: Json) -> Json:
        """What is asked for by it."""
        if raw["type"] == FORM:
            given = {field["custom_id"]: field["value"] for row in chosen["components"] for field in row["components"]}
            return {"text": given["question"], "quote": given["quote"], "reply_to": chosen["custom_id"]}
        if target := chosen.get("target_id"):
            page = await self.page(raw["channel_id"], f"&after={int(target) - 1}")
            said = [self.gateway.message(each) for each in reversed(page)]
            quote = "\n".join(f"{each.author.display_name}: {each.clean_content}" for each in said)
            return {"text": "/summarize", "quote": quote[:SUMMARIZED_CHARACTERS], "reply_to": target}
        return {"text": " ".join([f"/{chosen['name']}", *(str(each["value"]) for each in chosen.get("options", ()))])}

    # -- what happened --------------------------------------------------------------------------------------

    def translate(self, event: str, raw: Json) -> Iterator[Update]:
        """What happened, as the core knows it; nothing where it is nothing to the core."""
        match event:
            case "READ":  # as it stands there now, which may be edited
                yield from self.translate("MESSAGE_CREATE", raw)
                yield from self.translate("MESSAGE_UPDATE", raw)
            case "MESSAGE_CREATE" if said := self._said(raw):
                yield Update(UpdateKind.MESSAGE, said)
            # what unfolds an address, or pins a message, edits nothing
            case "MESSAGE_UPDATE" if (edited := raw.get("edited_timestamp")) and (said := self._said(raw)):
                detail = hashlib.sha256(said.text.encode()).hexdigest()[:16]
                yield Update(UpdateKind.EDIT, replace(said, at=parse_time(str(edited))), detail=detail)
            case "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK":
                for message in raw.get("ids") or [raw["id"]]:
                    yield Update(UpdateKind.DELETION, self._event(raw, message))
            case "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE":
                about = replace(self._event(raw, raw["message_id"]), person=Person(raw["user_id"]))
                yield Update(UpdateKind.REACTION, about, detail=(event.endswith("ADD") and raw["emoji"]["name"]) or "")
            case "INTERACTION_CREATE" if raw["type"] == PRESS:
                about = replace(self._chosen(raw), id=raw["message"]["id"], text=f"{raw['id']}/{raw['token']}")
                yield Update(UpdateKind.CHOICE, about, raw["id"], raw["data"]["custom_id"])
            case "CHANNEL_DELETE" | "THREAD_DELETE":
                yield Update(UpdateKind.GONE, self._event(raw | {"channel_id": raw["id"]}, raw["id"]))
            case "GUILD_DELETE" if not raw.get("unavailable") and (guild := self.gateway.get_guild(int(raw["id"]))):
                for place in (*guild.text_channels, *guild.threads):
                    where = {"channel_id": str(place.id), "guild_id": raw["id"]}
                    yield Update(UpdateKind.GONE, self._event(where, raw["id"]))

    def _chosen(self, raw: Json) -> Message:
        return self._event(raw, raw["id"], self.gateway.who(raw))

    def _event(self, raw: Json, number: str, who: discord.User | discord.Member | None = None) -> Message:
        """Who did something where, as far as that is told; the number tells when."""
        server, address = raw.get("guild_id", ""), self._address(raw)
        is_bot = bool(who and who.bot) and str(raw.get("webhook_id")) not in self.config.webhooks
        person = Person(str(who.id), who.display_name, raw.get("locale", ""), is_bot) if who else Person("")
        told = Message(address, person, "", snowflake_time(int(number)), number, is_private=not server, server=server)
        if address.thread:
            told = replace(told, grew_from=Origin(replace(address, thread=""), address.thread))
        if isinstance(who, discord.Member):
            roles = tuple(role.name for role in who.roles if not role.is_default())
            told = replace(told, roles=roles, is_from_admin=who.guild_permissions.manage_guild)
        return told

    def _address(self, raw: Json) -> Address:
        chat, guild = raw["channel_id"], self.gateway.get_guild(int(raw.get("guild_id", 0)))
        if thread := guild and guild.get_thread(int(chat)):
            return Address(self.channel, f"#{thread.parent_id}", self.account, chat)
        return Address(self.channel, f"#{chat}" if "guild_id" in raw else chat, self.account)

    def _said(self, raw: Json) -> Message | None:
        """None for what the bot said itself, what nobody said, and what the bot is not shown."""
        message = self.gateway.message(raw)
        replied = message.reference.resolved if message.reference else None
        replied = replied if isinstance(replied, discord.Message) else None
        is_to_me = replied is not None and str(replied.author.id) == self.account
        if raw["type"] == STARTER and replied and not is_to_me:
            self._starters[raw["channel_id"]] = replied.clean_content
        forwarded, stickers = message.message_snapshots, [f":{each.name}:" for each in message.stickers]
        files = [*message.attachments, *(file for part in forwarded for file in part.attachments)]
        text = "\n".join(filter(None, [message.clean_content, *stickers]))
        if message.type not in SAID or str(message.author.id) == self.account or not (text or files or forwarded):
            return None
        told = self._event(raw, raw["id"], message.author)
        me = (message.guild and message.guild.me) or self.gateway.user
        my_name = me.display_name if me else ""
        began = "" if replied else self._starters.get(told.address.thread, "")
        quoted = [
            *(part.content for part in forwarded),
            began,
            replied.clean_content if replied and not is_to_me else "",
        ]
        is_meant = told.is_private or is_to_me or is_called(text, my_name, self.config.names)
        return replace(
            told,
            text=without_call(text, my_name),
            reply_to=str(replied.id) if replied else "",
            attachments=tuple(_attachment(message, each) for each in files),
            is_addressed=is_meant or self._is_mentioned(message) or self._is_listened_to(told.address),
            quote="\n".join(filter(None, quoted)),
        )

    def _is_mentioned(self, message: discord.Message) -> bool:
        role = message.guild and message.guild.self_role
        return any(str(each.id) == self.account for each in message.mentions) or role in message.role_mentions

    def _is_listened_to(self, address: Address) -> bool:
        return address.chat.removeprefix("#") in self.config.listen or address.thread in self.config.listen


def _attachment(message: discord.Message, file: discord.Attachment) -> Attachment:
    media_type = (file.content_type or "application/octet-stream").partition(";")[0]
    kind = "voice" if file.is_voice_message() else KINDS.get(media_type.partition("/")[0], "document")
    reference = f"/channels/{message.channel.id}/messages/{message.id}/{file.id}"
    return Attachment(kind, file.filename, media_type, file.size, reference)
