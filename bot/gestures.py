"""What people say without words: buttons they press, signs they put under a message. Knows no platform."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from bot.answering import BUTTONS, DOWN, RETRY, STOP, UP, WHY
from bot.channel import Update, UpdateKind
from bot.delivery.streaming import Channel
from bot.errors import ChannelError, StorageError
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
            await self._rated(turn, update, THUMBS.get(update.detail))

    async def choose(self, update: Update, texts: Texts) -> Update | None:
        """A button was pressed. Where that is as good as something said, returns what."""
        name, _, number = update.detail.partition(":")
        if name in BUTTONS and not await self._is_shown(update, number):
            await self.acknowledge(update, texts.get("delivery.answer_gone"))
        elif name in (RETRY, WHY):
            # a new answer takes the place of the old one, but why it is so, only who asks wants to know
            held = await self.acknowledge(update, is_answered=name == WHY)
            said = replace(update.message, id="", text=f"/{name}", reply_to=update.message.id, placeholder=held)
            return replace(update, kind=UpdateKind.MESSAGE, message=said)
        elif name in (UP, DOWN):
            is_kept = await self._rated(int(number), update, 1 if name == UP else -1)
            await self.acknowledge(update, texts.get("delivery.thanks" if is_kept else "delivery.answer_gone"))
        else:
            stopped = name == STOP and await self.partner.stop(update.message.address)
            await self.acknowledge(update, texts.get("commands.stop_done" if stopped else "commands.nothing_to_stop"))
        return None

    async def _is_shown(self, update: Update, number: str) -> bool:
        """Whether the message still shows that turn: in a database that was restored the number may be another's."""
        message, ledger = update.message, self.channel.ledger
        shown = await ledger.turn_shown(message.address, message.id)
        if shown is None:  # a button may be pressed before it is kept that it arrived
            await self.channel.outbox.wait_empty(message.address)
            shown = await ledger.turn_shown(message.address, message.id)
        return shown is not None and str(shown) == number

    async def _rated(self, turn_id: int, update: Update, value: int | None) -> bool:
        """Keep what the person thinks of the turn; False where that is gone."""
        try:
            await self.rate(turn_id, update.message.person.id, value)
        except StorageError as error:
            if error.key != "storage.unknown_turn":
                raise
            return False
        return True

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        """Show the person that the press was noticed; see `bot.channel.Adapter`."""
        try:
            return await self.channel.adapter.acknowledge(update, text, is_answered=is_answered)
        except ChannelError as error:
            logger.info("a button could not be acknowledged: %s", error)
            return ""
