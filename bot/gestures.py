"""What people say without words: buttons they press, signs they put under a message. Knows no platform."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from bot.answering import DOWN, RETRY, STOP, UP, WHY
from bot.channel import Update, UpdateKind
from bot.delivery.streaming import Channel
from bot.errors import ChannelError
from bot.protocols import Partner
from bot.texts import Texts

logger = logging.getLogger(__name__)

THUMBS = {"👍": 1, "❤": 1, "❤️": 1, "👎": -1}
Rate = Callable[[int, str, int | None], Coroutine[object, object, None]]
"""Stores what a person thinks of a turn: (turn, person, 1 or -1 or None)."""


@dataclass(frozen=True, slots=True)
class Gestures:
    """Deals with those of one account."""

    channel: Channel
    partner: Partner
    rate: Rate

    async def react(self, update: Update) -> None:
        """Somebody reacted to a message; what is no opinion is none of our business."""
        turn = await self.channel.ledger.turn_shown(update.message.address, update.message.id)
        if turn is not None and (not update.detail or update.detail in THUMBS):
            await self.rate(turn, update.message.person.id, THUMBS.get(update.detail))

    async def choose(self, update: Update, texts: Texts) -> Update | None:
        """A button was pressed. Where that is as good as something said, returns what."""
        name, _, number = update.detail.partition(":")
        if name in (RETRY, WHY):
            # a new answer takes the place of the old one, but why it is so, only who asks wants to know
            held = await self.acknowledge(update, is_answered=name == WHY)
            said = replace(update.message, id="", text=f"/{name}", reply_to=update.message.id, placeholder=held)
            return replace(update, kind=UpdateKind.MESSAGE, message=said)
        if name in (UP, DOWN) and number.isdigit():
            await self.rate(int(number), update.message.person.id, 1 if name == UP else -1)
            await self.acknowledge(update, texts.get("delivery.thanks"))
        else:
            stopped = name == STOP and await self.partner.stop(update.message.address)
            await self.acknowledge(update, texts.get("commands.stop_done" if stopped else "commands.nothing_to_stop"))
        return None

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        """Show the person that the press was noticed; see `bot.channel.Adapter`."""
        try:
            return await self.channel.adapter.acknowledge(update, text, is_answered=is_answered)
        except ChannelError as error:
            logger.info("a button could not be acknowledged: %s", error)
            return ""
