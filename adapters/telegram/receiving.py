"""How updates arrive: polled for, or brought to a webhook. Telegram hears that one was received once it is kept."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import HttpUrl
from telegram import Bot
from telegram.error import Conflict, Forbidden, InvalidToken, TelegramError

from adapters.telegram.sending import told
from adapters.telegram.updates import KINDS, Json, Translator
from bot.channel import Intake
from bot.errors import ChannelError, RateLimited, Rejected, StorageError, Unreachable

logger = logging.getLogger(__name__)
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]
POLL_SECONDS, CONFIRM_SECONDS, NEWS_SECONDS, LONGEST_PAUSE_SECONDS = 25, 5, 60, 30


@dataclass(slots=True)
class Receiver:
    """Puts what one bot is told into `intake`, until it is cancelled."""

    bot: Bot
    translator: Translator
    intake: Intake
    sleep: Sleep
    said_at: dict[str, float] = field(default_factory=dict)

    async def poll(self) -> None:
        """Ask for updates. The next question confirms them; at the end a last one does."""
        offset = 0
        try:
            while True:
                batch = await self._insist(partial(self._ask, offset, POLL_SECONDS))
                updates = [update for raw in batch if (update := self.translator.translate(raw))]
                await self._insist(partial(self.intake.accept, updates))
                offset = max([offset, *(raw["update_id"] + 1 for raw in batch)])
        finally:
            with suppress(TelegramError, TimeoutError):
                await asyncio.wait_for(self._ask(offset, 0), CONFIRM_SECONDS)

    async def serve(self, url: HttpUrl, listen: str) -> None:
        """Listen. The webhook stays registered at the end, so that updates wait for the next start."""
        secret = hmac.new(self.bot.token.encode(), b"webhook", hashlib.sha256).hexdigest()
        application = web.Application(client_max_size=1_000_000)
        application.router.add_post(url.path or "/", partial(self._take, secret))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=5)
        await runner.setup()
        try:
            host, _, port = listen.rpartition(":")
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
            options: dict[str, Any] = {"secret_token": secret, "allowed_updates": KINDS, "max_connections": 40}
            await self._insist(partial(self.bot.set_webhook, str(url), **options))
            await asyncio.Event().wait()
        except (OSError, OverflowError) as error:
            raise Rejected(f"{listen}: {error}", key="telegram.cannot_listen") from None
        finally:
            await runner.cleanup()

    async def _ask(self, offset: int, seconds: int) -> list[Json]:
        """The updates as they come: `Bot.get_updates` would refuse all of them for one that it cannot read."""
        question = {"offset": offset, "timeout": seconds, "allowed_updates": KINDS}
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

    async def _take(self, secret: str, request: web.Request) -> web.Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return web.Response(status=403)
        if request.content_type != "application/json":
            return web.Response(status=415)
        try:
            update = self.translator.translate(dict(json.loads(await request.read())))
        except (RecursionError, TypeError, ValueError):
            return web.Response(status=400)
        try:
            await self.intake.accept([update] if update else [])
        except StorageError as error:
            self._complain(error)
            return web.Response(status=503)
        return web.Response()

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What comes of it once neither storage nor connection prevent it."""
        pause = 1.0
        while True:
            try:
                with told():
                    return await attempt()
            except (StorageError, RateLimited, Unreachable) as error:
                self._complain(error)
                await self.sleep(max(pause, getattr(error, "retry_after", 0.0)))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _complain(self, error: StorageError | ChannelError) -> None:
        """Once a minute."""
        now = time.monotonic()
        if now - self.said_at.get(error.key, -NEWS_SECONDS) >= NEWS_SECONDS:
            self.said_at[error.key] = now
            logger.warning("Receiving from Telegram is tried again: %s", error)
