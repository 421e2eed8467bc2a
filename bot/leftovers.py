"""What an earlier run left over: tried together with everything else at first, then alone, and at last given up.

A message that ends the program (by a fault in native code, say) must neither do so for ever nor take others with it.
Each start that begins an arrival anew is counted; what is left over after two is a suspect. Suspects are tried one at a
time, those that were tried least before the others, and are kept out of everybody's prompts until then: so only the
culprit is caught again and again. Knows no platform.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace

from bot.answering import Answering, placeholders, reply_target
from bot.channel import Content, UpdateKind
from bot.delivery.parcels import drafts_of
from bot.delivery.streaming import Channel
from bot.errors import StorageError
from bot.lane import with_message
from bot.ledger import Arrival, ParcelDraft
from bot.protocols import Partner
from bot.texts import Texts

logger = logging.getLogger(__name__)

SAYS_SOMETHING = (UpdateKind.MESSAGE, UpdateKind.EDIT, UpdateKind.CHOICE)
ATTEMPTS_TOGETHER = 2
"""Starts at which what is left over is begun all at once; from then on it is a suspect."""
MOST_ATTEMPTS = ATTEMPTS_TOGETHER + 5
"""Starts at which it is begun at all: then it is taken to be what ends the program."""


class LeftOvers:
    """Those of one account."""

    def __init__(self, channel: Channel, partner: Partner, answering: Answering, trial: asyncio.Lock) -> None:
        self._channel = channel
        self._ledger = channel.ledger
        self._partner = partner
        self._answering = answering
        self._counted: set[int] = set()
        self._trial = trial

    async def take_up(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """The arrivals as they are to go on, in the order in which to let them in: places of suspects come last."""
        most: dict[str, int] = {}
        for each in arrivals:
            key = each.update.message.address.key
            most[key] = max(most.get(key, ATTEMPTS_TOGETHER - 1), each.attempts)
        ordered = sorted(arrivals, key=lambda each: most[each.update.message.address.key])
        return [
            await self._marked(each, begins_anew=most[each.update.message.address.key] >= ATTEMPTS_TOGETHER)
            for each in ordered
        ]

    async def _marked(self, arrival: Arrival, *, begins_anew: bool) -> Arrival:
        message = arrival.update.message
        if arrival.update.kind is UpdateKind.MESSAGE:
            if begins_anew:  # what a suspect said must not be read with others, nor they be remembered before it
                await self._partner.forget(message)
            elif await self._partner.recall(message):
                message = replace(message, is_resumed=True)
        is_suspect = arrival.attempts >= ATTEMPTS_TOGETHER
        return replace(with_message(arrival, message), is_left_over=True, is_suspect=is_suspect)

    def alone(self, arrival: Arrival) -> AbstractAsyncContextManager[object]:
        """Where it is a suspect, waits until no other one is tried, on whatever account."""
        return self._trial if arrival.is_suspect and arrival.attempts < MOST_ATTEMPTS else nullcontext()

    @asynccontextmanager
    async def attempt(self, arrivals: Sequence[Arrival]) -> AsyncIterator[None]:
        """Count the attempt to deal with what is left over; one that is cancelled ended in good order, and does not
        count."""
        left_over = [each.id for each in arrivals if each.is_left_over and each.attempts < MOST_ATTEMPTS]
        if not left_over:
            yield
            return
        new = [each for each in left_over if each not in self._counted]
        await self._ledger.begin(new)
        self._counted.update(new)
        try:
            yield
        except asyncio.CancelledError:
            await self._take_back(left_over)
            raise

    async def _take_back(self, arrival_ids: Sequence[int]) -> None:
        try:
            await self._ledger.take_back(arrival_ids)
        except StorageError:
            logger.exception("an attempt stays counted, though the program ends in good order")

    # -- the culprit ----------------------------------------------------------------------------------------

    async def give_up(self, arrival: Arrival, texts: Texts) -> list[ParcelDraft]:
        """Apologise, in the place of what was shown of an answer; what it said leaves the memory, where it would go on
        doing harm. An answer that an edit was to rewrite stands there as before."""
        logger.error("an arrival was given up: the program ended %d times while it was answered", arrival.attempts)
        message = arrival.update.message
        drafts = await self._given_back(arrival, texts)
        previews = await self._ledger.previews([arrival.id])
        return drafts + drafts_of(
            [Content(texts.get("delivery.given_up"))] if arrival.update.kind in SAYS_SOMETHING else [],
            message.address,
            targets=[each.receipt for each in previews if each.receipt] or placeholders(message),
            can_delete=self._channel.adapter.capabilities.can_delete,
            reply_to=reply_target(message),
            arrival_id=arrival.id,
        )

    async def _given_back(self, arrival: Arrival, texts: Texts) -> list[ParcelDraft]:
        message = arrival.update.message
        found = await self._partner.recall(message)
        answer = found[1] if found and arrival.update.kind is UpdateKind.EDIT else None
        if answer is None:
            await self._partner.forget(message)
            return []
        await self._partner.leave_out(message)
        await self._channel.outbox.wait_empty(message.address)
        shown = [each.receipt for each in await self._ledger.shown(answer.id)]
        return self._answering.again(answer, message, texts, targets=shown) if shown else []
