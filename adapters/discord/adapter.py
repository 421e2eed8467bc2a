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
from discord.utils import time_snowflake
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.backlog import Backlog
from adapters.discord.gateway import Gateway, IntentsRefused
from adapters.discord.receiving import Receiver
from adapters.discord.rest import CAPABILITIES, EPHEMERAL, OVER, Rest, offered, shown
from adapters.discord.updates import Translator
from adapters.held import Held, Holding, held
from adapters.history import History
from bot.channel import CommandInfo, Content, Intake, Receipt, Update
from bot.errors import Gone, NotPermitted, Rejected, Unreachable
from bot.patience import Patience, Sleep
from bot.texts import Texts
from bot.types import Address, Attachment

logger = logging.getLogger(__name__)
READS_CONTENT = 1 << 18 | 1 << 19
CONTENT_HIDDEN = "discord.content_hidden"
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
        shards: int | None = Field(None, ge=1)
        api_url: str = "https://discord.com/api/v10"
        gateway_url: str = Field("", pattern=r"^(wss?://.+)?$")
        proxy: str = Field("", pattern=r"^(https?://.+)?$")

    def __init__(self, config: Config, *, name: str = "discord", home: Path, sleep: Sleep = asyncio.sleep) -> None:
        """Prepare; nothing is sent. `home` is where adapters may keep files; this one has none."""
        self.name, self.account, self.capabilities, self._config = name, "", CAPABILITIES, config
        self._patience, self._sleep = Patience(logger, "Receiving from Discord", sleep), sleep
        token, missing = config.token.get_secret_value(), lambda channel: self._gateway.missing(channel)
        self._rest = Rest(config.api_url, token, config.proxy or None, missing)
        self._holding, self._discreet, self._reads_content = Holding(), set[str](), True
        self._gateway: Gateway

    async def __aenter__(self) -> Self:
        await self._rest.initialize()
        try:
            self.account = (await self._rest.call("GET", "/users/@me"))["id"]
            application = await self._rest.call("GET", "/oauth2/applications/@me")
        except BaseException:
            await self._rest.shutdown()
            raise
        self._application, self._reads_content = application["id"], bool(application["flags"] & READS_CONTENT)
        self._gateway = self._new_gateway()
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
        receiver = Receiver(self._rest, translator, backlog, self._holding, self._discreet)
        bounds = config.history_messages, timedelta(hours=config.history_hours)
        receiver.history = History(backlog, receiver.page, receiver.missed, time_snowflake, *bounds)
        await self._patience.insist(partial(receiver.history.begin, intake))
        await backlog.run(self._patience.insist(partial(self._listen, receiver)))

    def _new_gateway(self) -> Gateway:
        config, presence = self._config, discord.CustomActivity(self._config.presence)
        options: dict[str, Any] = {"shard_count": config.shards, "activity": presence if config.presence else None}
        options["reads_content"] = self._reads_content
        return Gateway(self._rest, config.gateway_url, self._patience, self._sleep, **options)

    async def _listen(self, receiver: Receiver) -> None:
        """One connection, until something breaks that it cannot mend."""
        self._gateway = receiver.translator.gateway = self._new_gateway()
        self._gateway.hear = receiver.hear
        try:
            await self._gateway.listen(self._config.token.get_secret_value())
        except IntentsRefused:
            if not self._reads_content:
                raise
            self._reads_content = False  # it was switched off meanwhile
            logger.warning(Texts("en").get(CONTENT_HIDDEN))
            raise Unreachable("intents refused", key="discord.unreachable") from None

    async def send(self, address: Address, content: Content) -> Receipt:
        if (place := held(content.reply_to)) is None:
            return await self._send(address, content)
        ordinary = replace(content, reply_to="")
        if not place.person:  # the key is known of ordinary messages alone
            with suppress(NotPermitted, Gone):
                return await self._send(address, ordinary)
        path, body = (
            f"/webhooks/{self._application}/{place.token}",
            shown(content, flags=EPHEMERAL if place.person else 0),
        )
        try:
            message = await self._rest.call("POST", path, body, file=content.file)
        except Rejected:  # the place is no longer held
            return await self._send(await self._private(place.person) if place.person else address, ordinary)
        return Receipt(
            address, Held(place.person, place.token, message["id"]).handle if place.person else message["id"]
        )

    async def _send(self, address: Address, content: Content) -> Receipt:
        body = shown(content) | ({"nonce": content.key, "enforce_nonce": True} if content.key else {})
        if content.reply_to:
            body["message_reference"] = {"message_id": content.reply_to, "fail_if_not_exists": False}
        message = await self._rest.call("POST", f"/channels/{_number(address)}/messages", body, file=content.file)
        return Receipt(address, message["id"])

    async def edit(self, receipt: Receipt, content: Content) -> Receipt | None:
        if place := held(receipt.id):
            await self._holding.wait(place)
        message = await self._rest.call("PATCH", self._path(receipt), shown(content))
        return replace(receipt, id=message["id"]) if place and not place.person else None

    async def delete(self, receipt: Receipt) -> None:
        await self._rest.call("DELETE", self._path(receipt), harmless=OVER)

    def _path(self, receipt: Receipt) -> str:
        if place := held(receipt.id):
            return f"/webhooks/{self._application}/{place.token}/messages/{place.message or '@original'}"
        return f"/channels/{_number(receipt.address)}/messages/{receipt.id}"

    async def preview(self, address: Address, key: str, content: Content) -> None:
        """Nothing: it is not declared."""

    async def typing(self, address: Address) -> None:
        await self._rest.call("POST", f"/channels/{_number(address)}/typing")

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        place = Held(update.message.person.id, update.message.text.partition("/")[2])
        words = {"flags": EPHEMERAL} if is_answered else shown(Content(text[:2000]), flags=EPHEMERAL)
        answer = {"type": 5 if is_answered else 4, "data": words} if is_answered or text else {"type": 6}
        await self._rest.call("POST", f"/interactions/{update.message.text}/callback", answer, harmless=OVER)
        return place.handle if is_answered else ""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._rest.fetch(attachment, self._config.longest_download_bytes)

    async def remarks(self) -> Sequence[str]:
        return () if self._reads_content else (CONTENT_HIDDEN,)

    async def announce(self, commands: Sequence[CommandInfo]) -> None:
        self._discreet |= {command.name for command in commands if command.is_discreet}
        for place in [f"/guilds/{server}" for server in self._config.servers] or [""]:
            await self._rest.call("PUT", f"/applications/{self._application}{place}/commands", offered(commands))

    async def keeper(self, address: Address) -> Address | None:
        place = self._gateway.place(_number(address))
        return await self._private(str(place.guild.owner_id)) if place else None

    async def _private(self, person: str) -> Address:
        channel = await self._rest.call("POST", "/users/@me/channels", {"recipient_id": person})
        return Address(self.name, channel["id"], self.account)


def _number(address: Address) -> str:
    return address.thread or address.chat.removeprefix("#")
