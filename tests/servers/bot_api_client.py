"""The real python-telegram-bot as a client of the Bot API server."""

from __future__ import annotations

from collections.abc import Sequence

import telegram
from telegram import Update

from tests.servers.bot_api import BotApiServer


def client(server: BotApiServer, token: str = "") -> telegram.Bot:
    """A bot that talks to the server, with the first token or this one; enter it before use."""
    return telegram.Bot(token or server.token, base_url=server.base_url, base_file_url=server.base_file_url)


async def updates(bot: telegram.Bot, *, confirm: bool = True, kinds: Sequence[str] | None = None) -> tuple[Update, ...]:
    """What waits for the bot, confirmed as a bot does it: by polling with a higher offset."""
    batch = await bot.get_updates(timeout=0, allowed_updates=kinds)
    if batch and confirm:
        await bot.get_updates(offset=batch[-1].update_id + 1, timeout=0)
    return batch
