"""One bot on Telegram, as the core sees it; what each method does and raises is told in `bot.channel.Adapter`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, HttpUrl

from adapters.account import Account
from adapters.telegram import sending
from adapters.telegram.receiving import Receiver
from adapters.telegram.updates import Translator
from bot.channel import CommandInfo, Content, Intake, Receipt, Update, by_language, no_keeper
from bot.patience import Patience, Sleep
from bot.types import Address, Attachment


class TelegramAdapter:
    """One bot. Enter it, which asks Telegram who it is; then run it."""

    class Config(Account):
        """The table of the channel; `docs/telegram.md` tells what the keys mean."""

        base_url: str = "https://api.telegram.org/bot"
        base_file_url: str = ""
        webhook_url: HttpUrl | None = None
        webhook_listen: str = Field("", pattern=r"^(.+:\d+)?$")

    def __init__(self, config: Config, *, name: str = "telegram", home: Path, sleep: Sleep = asyncio.sleep) -> None:
        """Prepare; nothing is sent. `home` is where adapters may keep files; this one has none."""
        self.name, self.account, self.capabilities, self._config = name, "", sending.CAPABILITIES, config
        self.handle, self._patience = "", Patience(logging.getLogger(__name__), "Receiving from Telegram", sleep)
        token, self._proxy = config.token.get_secret_value(), config.proxy or None
        self._bot = sending.new_bot(token, config.base_url, config.base_file_url, self._proxy)

    async def __aenter__(self) -> Self:
        with sending.told():
            await self._bot.__aenter__()
        self.account, self.handle = str(self._bot.id), f"@{self._bot.username}"
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._bot.__aexit__(*exception)

    def is_private(self, address: Address) -> bool:
        return not address.chat.startswith("-")

    async def run(self, intake: Intake) -> None:
        receiver = Receiver(self._bot, Translator(self._bot.bot, self.name, self._config.names), intake, self._patience)
        if url := self._config.webhook_url:
            await receiver.serve(url, self._config.webhook_listen or f"127.0.0.1:{url.port}")
        else:
            await receiver.poll()

    async def send(self, address: Address, content: Content) -> Receipt:
        words = _place(address) | sending.shown(content, answers=True)
        with sending.told():
            message = await (self._bot.send_document if content.file else self._bot.send_message)(**words)
        return Receipt(address, str(message.message_id))

    async def edit(self, receipt: Receipt, content: Content) -> None:
        words = sending.shown(content) | {"chat_id": int(receipt.address.chat), "message_id": int(receipt.id)}
        with sending.told("message is not modified"):
            await self._bot.edit_message_text(**words)

    async def delete(self, receipt: Receipt) -> None:
        with sending.told("message to delete not found"):
            await self._bot.delete_message(int(receipt.address.chat), int(receipt.id))

    async def preview(self, address: Address, key: str, content: Content) -> None:
        words: dict[str, Any] = {"text": content.text, "entities": sending.entities(content)}
        with sending.told():
            await self._bot.send_message_draft(draft_id=int(key), **words, **_place(address))

    async def typing(self, address: Address) -> None:
        with sending.told():
            await self._bot.send_chat_action(action="typing", **_place(address))

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        with sending.told("query is too old"):
            await self._bot.answer_callback_query(update.message.text, text[:200])  # more is refused
        return ""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return sending.fetch(self._bot, attachment, self._config.longest_download_bytes, self._proxy)

    async def remarks(self) -> Sequence[str]:
        return () if self._bot.bot.can_read_all_group_messages else ("telegram.privacy_mode",)

    async def announce(self, commands: Sequence[CommandInfo]) -> None:
        with sending.told():
            for language, told in by_language(commands).items():
                await self._bot.set_my_commands(told, language_code=language)

    keeper = no_keeper


def _place(address: Address) -> dict[str, Any]:
    return {"chat_id": int(address.chat), "message_thread_id": int(address.thread) if address.thread else None}
