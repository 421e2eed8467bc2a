"""One bot on Discord, as the core sees it; what each method does and raises is told in `bot.channel.Adapter`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import discord
from discord.utils import time_snowflake
from pydantic import Field

from adapters.account import Account
from adapters.backlog import Backlog
from adapters.discord.gateway import Gateway
from adapters.discord.receiving import Receiver
from adapters.discord.rest import CAPABILITIES, EPHEMERAL, OVER, Rest, offered, shown
from adapters.history import History
from adapters.menus import Held, Menus, held
from bot.channel import CommandInfo, Content, Intake, Receipt, Update
from bot.errors import Rejected, Unreachable
from bot.patience import Patience, Sleep
from bot.texts import Texts
from bot.types import Address, Attachment

logger = logging.getLogger(__name__)
INTENTS_REFUSED = "discord.intents_refused"
READS_CONTENT = 1 << 18 | 1 << 19
Id = Annotated[str, Field(pattern=r"^\d+$")]


class DiscordAdapter:
    """One bot. Enter it, which asks Discord who it is; then run it."""

    class Config(Account):
        """The table of the channel; `docs/discord.md` tells what the keys mean."""

        listen: tuple[Id, ...] = ()
        webhooks: tuple[Id, ...] = ()
        servers: tuple[Id, ...] = ()
        presence: str = Field("", max_length=128)
        history_hours: float = Field(24, ge=0)
        history_messages: int = Field(50, ge=0)
        shards: int | None = Field(None, ge=1)
        api_url: str = "https://discord.com/api/v10"
        gateway_url: str = Field("", pattern=r"^(wss?://.+)?$")

    def __init__(self, config: Config, *, name: str = "discord", home: Path, sleep: Sleep = asyncio.sleep) -> None:
        """Prepare; nothing is sent. `home` is where adapters may keep files; this one has none."""
        self.name, self.account, self.capabilities, self._config = name, "", CAPABILITIES, config
        self._sleep, self._patience = sleep, Patience(logger, "Receiving from Discord", sleep)
        self._rest = Rest(config.api_url, config.token.get_secret_value(), config.proxy or None, self._name_of)
        self._menus = Menus(self._send, self._send_there, self._private)

    async def __aenter__(self) -> Self:
        me, self._application = await self._rest.begin("/users/@me", "/oauth2/applications/@me")
        self.account, self._gateway = me["id"], self._new_gateway()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._rest.shutdown()

    def is_private(self, address: Address) -> bool:
        return not address.chat.startswith("#")

    async def run(self, intake: Intake) -> None:
        config, backlog = self._config, Backlog(intake, self._patience)
        receiver = Receiver(self.name, self.account, config, self._rest, self._menus)
        bounds = config.history_messages, timedelta(hours=config.history_hours)
        read = receiver.page, partial(receiver.translate, "READ"), "guild_id", "&before={}"
        receiver.history = History(backlog, *read, time_snowflake, *bounds)
        await self._patience.insist(partial(receiver.history.begin, intake))
        await backlog.run(self._patience.insist(partial(self._listen, receiver)))

    async def _listen(self, receiver: Receiver) -> None:
        """One connection, until something breaks that it cannot mend."""
        self._application = await self._rest.call("GET", "/oauth2/applications/@me")  # switches may have been moved
        for remark in (remarks := await self.remarks()):
            logger.warning(Texts("en").get(remark))
        self._gateway = receiver.gateway = self._new_gateway()
        self._gateway.hear = receiver.hear
        try:
            await self._gateway.listen(self._config.token.get_secret_value())
        except Rejected as error:
            self._application = await self._rest.call("GET", "/oauth2/applications/@me")
            if error.key != INTENTS_REFUSED or remarks or not await self.remarks():
                raise
            raise Unreachable("a switch was moved", key="discord.unreachable") from None

    def _new_gateway(self) -> Gateway:
        config, reads_content = self._config, bool(self._application["flags"] & READS_CONTENT)
        intents = discord.Intents(guilds=True, messages=True, reactions=True, message_content=reads_content)
        presence = discord.CustomActivity(config.presence) if config.presence else None
        options = {"intents": intents, "shard_count": config.shards, "activity": presence}
        return Gateway(self._rest, config.gateway_url, self._patience, self._sleep, **options)

    async def send(self, address: Address, content: Content) -> Receipt:
        return await self._menus.send(address, content)

    async def _send(self, address: Address, content: Content) -> Receipt:
        body = shown(content) | ({"nonce": content.key, "enforce_nonce": True} if content.key else {})
        if content.reply_to:
            body["message_reference"] = {"message_id": content.reply_to, "fail_if_not_exists": False}
        message = await self._rest.call("POST", f"/channels/{_number(address)}/messages", body, file=content.file)
        return Receipt(address, message["id"])

    async def _send_there(self, place: Held, content: Content) -> str:
        path, flags = f"/webhooks/{self._application['id']}/{place.token}", EPHEMERAL if place.person else 0
        return str((await self._rest.call("POST", path, shown(content, flags=flags), file=content.file))["id"])

    async def edit(self, receipt: Receipt, content: Content) -> Receipt | None:
        place = await self._menus.wait(receipt)
        message = await self._rest.call("PATCH", self._path(receipt), shown(content))
        return Receipt(receipt.address, message["id"]) if place and not place.person else None

    async def delete(self, receipt: Receipt) -> None:
        await self._rest.call("DELETE", self._path(receipt), harmless=OVER)

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
        return () if self._application["flags"] & READS_CONTENT else ("discord.content_hidden",)

    async def announce(self, commands: Sequence[CommandInfo]) -> None:
        self._menus.discreet |= {command.name for command in commands if command.is_discreet}
        for place in [f"/guilds/{server}" for server in self._config.servers] or [""]:
            await self._rest.call("PUT", f"/applications/{self._application['id']}{place}/commands", offered(commands))

    async def keeper(self, address: Address) -> Address | None:
        guild = getattr(self._gateway.get_channel(int(_number(address))), "guild", None)
        return await self._private(str(guild.owner_id)) if guild else None

    def _name_of(self, channel: str) -> str:
        return f"#{self._gateway.get_channel(int(channel)) or channel}"

    async def _private(self, person: str) -> Address:
        channel = await self._rest.call("POST", "/users/@me/channels", {"recipient_id": person})
        return Address(self.name, channel["id"], self.account)

    def _path(self, receipt: Receipt) -> str:
        if place := held(receipt.id):
            return f"/webhooks/{self._application['id']}/{place.token}/messages/{place.message or '@original'}"
        return f"/channels/{_number(receipt.address)}/messages/{receipt.id}"


def _number(address: Address) -> str:
    return address.thread or address.chat.removeprefix("#")
