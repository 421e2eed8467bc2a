"""How updates arrive: polled for, or brought to a webhook. Telegram hears that one was received once it is kept."""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from functools import partial

from pydantic import HttpUrl
from telegram import Bot
from telegram.error import Conflict, Forbidden, InvalidToken

from adapters.polling import poll
from adapters.telegram.sending import told
from adapters.telegram.updates import KINDS, Json, Translator
from adapters.webhook import listening
from bot.channel import Intake
from bot.patience import Patience

POLL_SECONDS = 25
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"


@dataclass(slots=True)
class Receiver:
    """Puts what one bot is told into `intake`, until it is cancelled."""

    bot: Bot
    translator: Translator
    intake: Intake
    patience: Patience

    async def poll(self) -> None:
        """Ask for updates."""
        source = self._ask, self.translator.translate
        await poll(*source, self.intake, self.patience, number="update_id", wait_seconds=POLL_SECONDS)

    async def serve(self, url: HttpUrl, listen: str) -> None:
        """Listen. The webhook stays registered at the end, so that updates wait for the next start."""
        secret = hmac.new(self.bot.token.encode(), b"webhook", hashlib.sha256).hexdigest()
        lock = {"header": SECRET_HEADER, "secret": secret, "key": "telegram.cannot_listen"}
        async with listening(listen, url.path or "/", self._take, self.patience, **lock):
            await self.patience.insist(partial(self._register, str(url), secret))
            await asyncio.Event().wait()

    async def _register(self, url: str, secret: str) -> None:
        with told():
            await self.bot.set_webhook(url, secret_token=secret, allowed_updates=KINDS, max_connections=40)

    async def _take(self, raw: Json) -> None:
        update = self.translator.translate(raw)
        await self.intake.accept([update] if update else [])

    async def _ask(self, offset: int, seconds: int) -> list[Json]:
        """The updates as they come: `Bot.get_updates` would refuse all of them for one that it cannot read.

        Where a webhook stands in the way, it is taken away first.
        """
        question = {"offset": offset, "timeout": seconds, "allowed_updates": KINDS}
        with told():
            try:  # spelt like this, which Telegram does not mind, the library does not point to its own method
                batch: list[Json] = await self.bot.do_api_request("GetUpdates", question, read_timeout=seconds + 10)
                return batch
            except Forbidden as error:
                raise InvalidToken(str(error)) from None
            except Conflict as error:
                if "webhook is active" not in str(error).lower():
                    raise
                await self.bot.delete_webhook(drop_pending_updates=False)
                return []
