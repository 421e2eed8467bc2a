"""How updates arrive: polled for, or brought to a webhook. Telegram hears that one was received once it is kept."""

import asyncio
import hashlib
import hmac
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import HttpUrl
from telegram import Bot
from telegram.error import Conflict, Forbidden, InvalidToken, TelegramError

from adapters.telegram.sending import told
from adapters.telegram.updates import KINDS, Json, Translator
from adapters.webhook import listening
from bot.channel import Intake
from bot.errors import StorageError
from bot.patience import Patience, Sleep

logger = logging.getLogger(__name__)
POLL_SECONDS, CONFIRM_SECONDS = 25, 5
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


@dataclass(slots=True)
class Receiver:
    """Puts what one bot is told into `intake`, until it is cancelled."""

    bot: Bot
    translator: Translator
    intake: Intake
    sleep: Sleep
    _patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self._patience = Patience(logger, "Receiving from Telegram", self.sleep)

    async def poll(self) -> None:
        """Ask for updates. The next question confirms them; at the end a last one does."""
        offset = 0
        try:
            while True:
                batch = await self._patience.insist(partial(self._ask, offset, POLL_SECONDS))
                updates = [update for raw in batch if (update := self.translator.translate(raw))]
                await self._patience.insist(partial(self.intake.accept, updates))
                offset = max([offset, *(raw["update_id"] + 1 for raw in batch)])
        finally:
            with suppress(TelegramError, TimeoutError):
                await asyncio.wait_for(self._get(offset, 0), CONFIRM_SECONDS)

    async def serve(self, url: HttpUrl, listen: str) -> None:
        """Listen. The webhook stays registered at the end, so that updates wait for the next start."""
        secret = hmac.new(self.bot.token.encode(), b"webhook", hashlib.sha256).hexdigest()
        path, key = url.path or "/", "telegram.cannot_listen"
        async with listening(listen, path, self._take, header=SECRET_HEADER, secret=secret, key=key):
            await self._patience.insist(partial(self._register, str(url), secret))
            await asyncio.Event().wait()

    async def _register(self, url: str, secret: str) -> None:
        with told():
            await self.bot.set_webhook(url, secret_token=secret, allowed_updates=KINDS, max_connections=40)

    async def _take(self, raw: dict[str, Any]) -> None:
        update = self.translator.translate(raw)
        try:
            await self.intake.accept([update] if update else [])
        except StorageError as error:
            self._patience.complain(error)
            raise

    async def _ask(self, offset: int, seconds: int) -> list[Json]:
        """The updates; where a webhook stands in the way, it is taken away first."""
        with told():
            try:
                return await self._get(offset, seconds)
            except Forbidden as error:
                raise InvalidToken(str(error)) from None
            except Conflict as error:
                if "webhook is active" not in str(error).lower():
                    raise
                await self.bot.delete_webhook(drop_pending_updates=False)
                return []

    async def _get(self, offset: int, seconds: int) -> list[Json]:
        """The updates as they come: `Bot.get_updates` would refuse all of them for one that it cannot read."""
        question = {"offset": offset, "timeout": seconds, "allowed_updates": KINDS}
        # spelt like this, which Telegram does not mind, the library does not point to its own method
        batch: list[Json] = await self.bot.do_api_request("GetUpdates", question, read_timeout=seconds + 10)
        return batch
