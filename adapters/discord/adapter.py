"""One bot on Discord, as the core sees it; what each method does and raises is told in `bot.channel.Adapter`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import discord
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.backlog import Backlog
from adapters.discord import gateway
from adapters.discord.menus import Menus
from adapters.discord.receiving import Receiver
from adapters.discord.rest import CAPABILITIES, EPHEMERAL, OVER, Rest, shown
from adapters.discord.updates import Translator
from bot.channel import CommandInfo, Content, Intake, Receipt, Update
from bot.errors import Gone, NotPermitted, Rejected, Unreachable
from bot.patience import Patience, Sleep
from bot.texts import Texts
from bot.types import Address, Attachment

logger = logging.getLogger(__name__)
READS_CONTENT = 1 << 18 | 1 << 19
CONTENT_HIDDEN = "discord.content_hidden"
NEEDED = ("view_channel", "send_messages", "send_messages_in_threads", "read_message_history", "attach_files")
Id = Annotated[str, Field(pattern=r"^\d+$")]


class DiscordAdapter:
    """One bot. Enter it, which asks Discord who it is; then run it."""

    class Config(BaseModel):
        """The table of the channel; `docs/discord.md` tells what the keys mean."""

        model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, coerce_numbers_to_str=True)
        token: SecretStr = Field(min_length=1)
        names: tuple[Annotated[str, Field(min_length=1)], ...] = ()
        listen: tuple[Id, ...] = ()
        webhooks: tuple[Id, ...] = ()
        servers: tuple[Id, ...] = ()
        presence: str = Field("", max_length=128)
        history_hours: float = Field(24, ge=0)
        history_messages: int = Field(50, ge=0)
        longest_download_bytes: int = Field(25_000_000, ge=1)
        shards: int = Field(0, ge=0)
        api_url: str = "https://discord.com/api/v10"
        gateway_url: str = Field("", pattern=r"^(wss?://.+)?$")
        proxy: str = Field("", pattern=r"^(https?://.+)?$")

    def __init__(self, config: Config, *, name: str = "discord", home: Path, sleep: Sleep = asyncio.sleep) -> None:
        """Prepare; nothing is sent. `home` is where adapters may keep files; this one has none."""
        self.name, self.account, self.capabilities, self._config = name, "", CAPABILITIES, config
        self._patience, self._sleep = Patience(logger, "Receiving from Discord", sleep), sleep
        self._rest = Rest(config.api_url, config.token.get_secret_value(), config.proxy or None)
        self._rest.missing = self._missing
        self._gateway: gateway.Gateway | None = None
        self._reads_content = True

    async def __aenter__(self) -> Self:
        await self._rest.initialize()
        try:
            me = await self._rest.call("GET", "/users/@me")
            application = await self._rest.call("GET", "/oauth2/applications/@me")
        except BaseException:
            await self._rest.shutdown()
            raise
        self.account, self._reads_content = me["id"], bool(application["flags"] & READS_CONTENT)
        self._menus = Menus(self._rest, application["id"])
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._rest.shutdown()

    def is_private(self, address: Address) -> bool:
        return not address.chat.startswith("#")

    async def run(self, intake: Intake) -> None:
        for remark in await self.remarks():
            logger.warning(Texts("en").get(remark))
        config, backlog = self._config, Backlog(intake, self._patience)
        translator = Translator(self.name, self.account, config.names, config.listen, config.webhooks)
        limits = config.history_messages, timedelta(hours=config.history_hours)
        receiver = Receiver(self._rest, translator, self._menus, backlog, *limits)
        await self._patience.insist(partial(receiver.begin, intake))
        await backlog.run(self._patience.insist(partial(self._listen, receiver)))

    async def _listen(self, receiver: Receiver) -> None:
        """One connection, until something breaks that it cannot mend."""
        config, reads_content = self._config, self._reads_content
        http = gateway.Http(self._rest, config.gateway_url, self._patience)
        presence = discord.CustomActivity(config.presence) if config.presence else None
        options: dict[str, Any] = {"activity": presence, "shard_count": config.shards or None}
        self._gateway = receiver.translator.gateway = gateway.Gateway(
            http, receiver.hear, self._sleep, reads_content=reads_content, **options
        )
        try:
            await self._gateway.listen(config.token.get_secret_value())
        except gateway.IntentsRefused:
            if not reads_content:
                raise
            self._reads_content = False  # it was switched off meanwhile
            logger.warning(Texts("en").get(CONTENT_HIDDEN))
            raise Unreachable("intents refused", key="discord.unreachable") from None

    async def send(self, address: Address, content: Content) -> Receipt:
        if not content.reply_to.startswith("@"):
            return await self._send(address, content)
        person, token, _ = content.reply_to[1:].split("/")
        ordinary = replace(content, reply_to="")
        if not person:  # of ordinary messages the key is known
            with suppress(NotPermitted, Gone):
                return await self._send(address, ordinary)
        path, body = f"/webhooks/{self._menus.application}/{token}", shown(content, flags=EPHEMERAL if person else 0)
        try:
            message = await self._rest.call("POST", path, body, file=content.file)
        except Rejected:  # the place is no longer held
            return await self._send(await self._direct(person) if person else address, ordinary)
        return Receipt(address, f"@{person}/{token}/{message['id']}" if person else message["id"])

    async def _send(self, address: Address, content: Content) -> Receipt:
        body = shown(content) | ({"nonce": content.key, "enforce_nonce": True} if content.key else {})
        if content.reply_to:
            body["message_reference"] = {"message_id": content.reply_to, "fail_if_not_exists": False}
        message = await self._rest.call("POST", f"/channels/{_channel(address)}/messages", body, file=content.file)
        return Receipt(address, message["id"])

    async def edit(self, receipt: Receipt, content: Content) -> Receipt | None:
        if held := self._menus.holding.get(receipt.id):
            await held.wait()
        message = await self._rest.call("PATCH", self._path(receipt), shown(content))
        return replace(receipt, id=message["id"]) if receipt.id.startswith("@/") else None

    async def delete(self, receipt: Receipt) -> None:
        await self._rest.call("DELETE", self._path(receipt), harmless=OVER)

    async def preview(self, address: Address, key: str, content: Content) -> None:
        """Nothing: it is not declared."""

    async def typing(self, address: Address) -> None:
        await self._rest.call("POST", f"/channels/{_channel(address)}/typing")

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        interaction, token = update.message.text.split("/")
        words = shown(Content(text[:2000]), flags=EPHEMERAL)
        answer = {"type": 5, "data": {"flags": EPHEMERAL}} if is_answered else {"type": 4, "data": words}
        answer = answer if text or is_answered else {"type": 6}
        await self._rest.call("POST", f"/interactions/{interaction}/{token}/callback", answer, harmless=OVER)
        return f"@{update.message.person.id}/{token}/" if is_answered else ""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._rest.fetch(attachment, self._config.longest_download_bytes)

    async def remarks(self) -> Sequence[str]:
        return () if self._reads_content else (CONTENT_HIDDEN,)

    async def announce(self, commands: Sequence[CommandInfo]) -> None:
        await self._menus.announce(commands, self._config.servers)

    async def keeper(self, address: Address) -> Address | None:
        place = self._place(_channel(address))
        return await self._direct(str(place.guild.owner_id)) if place else None

    async def _direct(self, person: str) -> Address:
        channel = await self._rest.call("POST", "/users/@me/channels", {"recipient_id": person})
        return Address(self.name, channel["id"], self.account)

    def _path(self, receipt: Receipt) -> str:
        if not receipt.id.startswith("@"):
            return f"/channels/{_channel(receipt.address)}/messages/{receipt.id}"
        _, token, message = receipt.id.split("/")
        return f"/webhooks/{self._menus.application}/{token}/messages/{message or '@original'}"

    def _place(self, channel: str) -> discord.abc.GuildChannel | discord.Thread | None:
        place = self._gateway.get_channel(int(channel)) if self._gateway else None
        return place if isinstance(place, discord.abc.GuildChannel | discord.Thread) else None

    def _missing(self, channel: str) -> tuple[str, str]:
        """Which permission is missing there, and what people call the channel."""
        if (place := self._place(channel)) is None:
            return "send_messages", channel
        may = place.permissions_for(place.guild.me)
        return next(
            (name for name in NEEDED if not getattr(may, name)), NEEDED[1]
        ), f"#{place.name} ({place.guild.name})"


def _channel(address: Address) -> str:
    return address.thread or address.chat.removeprefix("#")
