"""Shows a reply while it is made: a sign of life, then previews, as far as the channel and the governor allow.

Previews are expendable: whatever goes wrong with one is logged and forgotten. What must arrive is the outbox's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from bot.channel import Adapter, Content, PreviewStyle, Receipt
from bot.delivery.formatting import Formatter
from bot.delivery.governor import Governor
from bot.delivery.outbox import Outbox, key_of
from bot.errors import ChannelError, OutcomeUnknown, RateLimited, StorageError
from bot.ledger import Ledger, Parcel, ParcelDraft, ParcelState
from bot.types import Address

logger = logging.getLogger(__name__)

QUIET_SECONDS = 0.4
"""A reply that is whole by then is simply sent."""
STEP_SECONDS = 0.8
"""Between two previews at least."""
TYPING_SECONDS = 4.5
"""Platforms show that somebody types for five seconds or longer."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One account, with everything that sends through it."""

    adapter: Adapter
    ledger: Ledger
    governor: Governor
    outbox: Outbox
    formatter: Formatter
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Preview:
    """One reply in the making. Enter it, feed it, leave it; then `target` is the message that shows it, if any."""

    def __init__(
        self, channel: Channel, address: Address, *, arrival_ids: Sequence[int], reply_to: str, stop_choice: str = ""
    ) -> None:
        """
        Args:
            channel: the account to show it on.
            address: where.
            arrival_ids: what it answers.
            reply_to: the platform's id of the message it answers; empty for none.
            stop_choice: what a button that stops the reply says; empty for no button.
        """
        self._channel = channel
        self._address = address
        self._arrival_ids = arrival_ids
        self._reply_to = reply_to
        self._stop_choice = stop_choice
        private = channel.adapter.is_private(address)
        capabilities = channel.adapter.capabilities
        self._is_private = private
        self._style = capabilities.private_preview if private else capabilities.group_preview
        self._text = self._shown = self._status = ""
        self._parcel: Parcel | None = None
        self._typed_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.target = ""
        """The platform's id of the message that shows the reply."""
        self.is_unknown = False
        """Whether a message may stand there whose id never came."""
        self.key = ""
        """Names that message, where the platform knows such again."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._show())
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def adopt(self, parcels: Sequence[Parcel]) -> None:
        """Go on with the preview of an earlier run that was interrupted."""
        for parcel in parcels:
            if parcel.receipt:
                self._parcel, self.target = parcel, parcel.receipt
            elif parcel.attempts:
                self.is_unknown, self.key = True, key_of(parcel)

    def feed(self, text: str) -> None:
        """More of the reply, in Markdown."""
        self._text += text

    def tell(self, status: str) -> None:
        """News to show as long as there is no text."""
        self._status = status

    # -- showing --------------------------------------------------------------------------------------------

    async def _show(self) -> None:
        await self._channel.sleep(QUIET_SECONDS)
        while True:
            try:
                await self._step()
            except RateLimited as error:
                self._channel.governor.refused(
                    self._address.key,
                    is_private=self._is_private,
                    retry_after=error.retry_after,
                    everywhere=error.everywhere,
                )
                if self._channel.outbox.on_refusal:
                    await self._channel.outbox.on_refusal()
            except (ChannelError, StorageError) as error:
                logger.info("a preview could not be shown: %s", error)
            except Exception:
                logger.exception("previews of one reply are given up; the reply itself will come")
                return
            await self._channel.sleep(STEP_SECONDS)

    async def _step(self) -> None:
        text = self._text or self._status
        may_show = (
            self._style is not PreviewStyle.NONE
            and text != self._shown
            and self._channel.outbox.is_empty(self._address)
            and self._may(is_final=False)
        )
        if may_show and (content := self._channel.formatter.partial(text)) is not None:
            self._channel.governor.take(self._address.key, is_private=self._is_private)
            await self._show_content(content)
            self._shown = text
        elif self._channel.adapter.capabilities.can_type and self._may(is_final=True) and self._is_typing_due():
            self._channel.governor.take_besides()
            await self._channel.adapter.typing(self._address)

    def _may(self, *, is_final: bool) -> bool:
        waits = self._channel.governor.wait_seconds(self._address.key, is_private=self._is_private, is_final=is_final)
        return waits == 0

    def _is_typing_due(self) -> bool:
        now = self._channel.now().timestamp()
        if self._typed_at is not None and now - self._typed_at < TYPING_SECONDS:
            return False
        self._typed_at = now
        return True

    async def _show_content(self, content: Content) -> None:
        adapter = self._channel.adapter
        if self._style is PreviewStyle.DRAFT and not self.target:  # only a new message would end a draft
            await _to_its_end(adapter.preview(self._address, str(self._arrival_ids[0]), content))
            return
        choices = ((self._stop_choice, "stop"),) if self._stop_choice and adapter.capabilities.can_choose else ()
        content = Content(content.text, content.spans, choices, self._reply_to)
        if self.target:
            await _to_its_end(self._edit(content))
        elif not self.is_unknown:
            await self._begin(content)

    async def _edit(self, content: Content) -> None:
        if moved := await self._channel.adapter.edit(Receipt(self._address, self.target), content):
            self.target = moved.id

    async def _begin(self, content: Content) -> None:
        """Send the message that will become the reply, so that a crash leaves word of it."""
        if self._parcel is None:
            draft = ParcelDraft(self._address, Content(""), arrival_id=self._arrival_ids[0], state=ParcelState.PREVIEW)
            [self._parcel] = await self._channel.ledger.post([draft], at=self._channel.now())
        await self._channel.ledger.attempt(self._parcel.id)
        await _to_its_end(self._send(replace(content, key=key_of(self._parcel)), self._parcel.id))

    async def _send(self, content: Content, parcel_id: int) -> None:
        try:
            receipt = await self._channel.adapter.send(self._address, content)
        except OutcomeUnknown:
            self.is_unknown, self.key = True, content.key
            raise
        except ChannelError:
            await self._channel.ledger.postpone(parcel_id)
            raise
        self.target = receipt.id
        await self._channel.ledger.delivered(parcel_id, receipt.id, at=self._channel.now())


async def _to_its_end(request: Coroutine[object, object, None]) -> None:
    """Make a request and, once it is begun, wait for it: it must not arrive after the whole reply."""
    making = asyncio.create_task(request)
    try:
        await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.gather(making, return_exceptions=True)
        raise
