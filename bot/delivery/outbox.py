"""Delivers what is in the outbox: in order within each chat, as fast as the governor allows, until it has arrived.

Every attempt is written down before it is made (the first one mostly with what is sent) and its outcome after, so that
a crash at any point leaves a trace. Where the outcome is unknown, an edit is simply made again; what was sent is sent
once more, marked as a possible repeat, by way of a message that first only holds the place: so its text cannot arrive a
third time. Where the platform knows messages again by a key (`bot.channel.Capabilities.key_seconds`), the same is done
with the key of the first attempt, which finds that message if it is there: then nothing is repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.channel import Adapter, Content, Receipt, Span
from bot.delivery.governor import Governor
from bot.errors import (
    AccountRefused,
    ChannelError,
    Gone,
    Moved,
    NotPermitted,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StorageError,
    Unreachable,
)
from bot.ledger import Ledger, Method, Parcel, ParcelDraft, ParcelState
from bot.texts import Texts
from bot.types import Address

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
FAULTS_BEFORE_SET_ASIDE = 5
"""Failures that nobody foresaw, after which a parcel is set aside."""
REMEMBERED_PARCELS = 10_000
"""Of those that are done with: the ledger may have been asked for them before."""
TOLD_WAIT_SECONDS = 10.0
"""A wait for the platform's limits is told when it took so long."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run hands in: time, and the words for remarks."""

    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    texts: Callable[[Address], Texts] = lambda _: Texts("en")


@dataclass(slots=True)
class _Queue:
    """What is to be delivered at one address, and the task that does."""

    parcels: deque[Parcel]
    task: asyncio.Task[None] | None = None


class Outbox:
    """The outbox of one account."""

    def __init__(self, adapter: Adapter, ledger: Ledger, governor: Governor, surroundings: Surroundings) -> None:
        self._adapter = adapter
        self._ledger = ledger
        self._governor = governor
        self._around = surroundings
        self._queues: dict[str, _Queue] = {}
        self._seen: set[int] = set()
        self._done: deque[int] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self.on_refusal: Callable[[], Awaitable[None]] | None = None
        """Called when the platform named a time to wait, so that it can be kept."""
        self.on_missing_permission: Callable[[Address, NotPermitted], Awaitable[None]] | None = None
        """Called when something was set aside that a permission is missing for."""
        self.on_gone: Callable[[Address], Awaitable[None]] | None = None
        """Called when nobody is there any more."""

    # -- what is to be delivered ----------------------------------------------------------------------------

    async def post(self, drafts: Sequence[ParcelDraft]) -> list[Parcel]:
        """Put something into the outbox and deliver it; returns when it is kept, not when it has arrived."""
        parcels = await self._ledger.post(drafts, at=self._around.now())
        self.deliver(parcels)
        return parcels

    def begun(self, drafts: Sequence[ParcelDraft]) -> list[ParcelDraft]:
        """The drafts; where the first can be sent as soon as it is kept, it is kept as being sent, and its share of the
        budget is taken now. So the beginning of the attempt needs no transaction of its own."""
        if not drafts or drafts[0].is_repeat or not self.is_empty(drafts[0].address):
            return list(drafts)
        address = drafts[0].address
        private = self._adapter.is_private(address)
        if self._governor.wait_seconds(address.key, is_private=private) > 0:
            return list(drafts)
        self._governor.take(address.key, is_private=private)
        return [replace(drafts[0], state=ParcelState.SENDING), *drafts[1:]]

    async def resume(self, parcels: Sequence[Parcel]) -> None:
        """Go on with what an earlier run left. What it was sending may have arrived."""
        for parcel in parcels:
            if parcel.state is ParcelState.SENDING:
                is_repeat = parcel.is_repeat or parcel.method is Method.SEND
                await self._ledger.postpone(parcel.id, is_repeat=is_repeat)
                self.deliver([replace(parcel, is_repeat=is_repeat, state=ParcelState.WAITING)])
            else:
                self.deliver([parcel])

    def deliver(self, parcels: Sequence[Parcel]) -> None:
        """Deliver what is in the ledger already; what was handed in before is passed over."""
        for parcel in parcels:
            if parcel.id in self._seen:
                continue
            self._seen.add(parcel.id)
            queue = self._queues.setdefault(parcel.address.key, _Queue(deque()))
            queue.parcels.append(parcel)
            if queue.task is None:
                self._idle.clear()
                queue.task = asyncio.create_task(self._drain(parcel.address.key, queue))

    def is_empty(self, address: Address) -> bool:
        """Whether everything for the address has arrived."""
        return address.key not in self._queues

    async def wait_empty(self, address: Address) -> None:
        """Return when everything for the address has arrived or was set aside."""
        while (queue := self._queues.get(address.key)) and queue.task:
            await asyncio.wait([queue.task])

    async def wait_idle(self) -> None:
        """Return when everything has arrived."""
        await self._idle.wait()

    async def close(self) -> None:
        """Stop delivering; what has not arrived stays in the ledger."""
        tasks = [queue.task for queue in self._queues.values() if queue.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- delivering -----------------------------------------------------------------------------------------

    async def _drain(self, key: str, queue: _Queue) -> None:
        try:
            while queue.parcels:
                await self._deliver(queue.parcels[0], queue)
                self._end(queue.parcels.popleft())
        except asyncio.CancelledError:
            raise
        except Exception:
            # the ledger itself fails: nothing is lost, and the next start goes on from it
            logger.exception("deliveries to one chat have stopped until the next start")
        finally:
            del self._queues[key]
            if not self._queues:
                self._idle.set()

    def _end(self, parcel: Parcel) -> None:
        """It is done with; it is remembered for a while, unless it may be revived."""
        if parcel.id in self._seen:
            self._done.append(parcel.id)
        if len(self._done) > REMEMBERED_PARCELS:
            self._seen.discard(self._done.popleft())

    async def _deliver(self, parcel: Parcel, queue: _Queue) -> None:
        """Try until it has arrived or is set aside."""
        retry_seconds, faults = FIRST_RETRY_SECONDS, 0
        is_begun = parcel.state is ParcelState.SENDING
        while True:
            waited = 0.0 if is_begun else await self._wait_turn(parcel.address)
            try:
                if not is_begun:
                    parcel = await self._hold_place(parcel)
                    await self._ledger.attempt(parcel.id)
                receipt = await self._attempt(parcel, waited)
            except RateLimited as error:
                await self._refused(parcel, error)
            except OutcomeUnknown as error:
                parcel = await self._postpone(parcel, error, is_repeat=parcel.method is Method.SEND)
                await self._around.sleep(retry_seconds)
            except Unreachable as error:
                parcel = await self._postpone(parcel, error, is_repeat=False)
                await self._around.sleep(retry_seconds)
            except AccountRefused as error:  # whatever else waits there is left for the next start, too
                await self._postpone(parcel, error, is_repeat=False)
                queue.parcels = deque([parcel])
                return
            except Moved as error:
                parcel = await self._move(parcel, error.chat, queue)
                if parcel.method is Method.DELETE:  # it stayed behind
                    await self._note_delivered(parcel, parcel.target)
                    return
            except (Gone, Rejected) as error:
                simpler = None if isinstance(error, Gone | NotPermitted) else _simpler(parcel)
                if simpler is None:
                    await self._set_aside(parcel, error.reason, queue, everything=isinstance(error, Gone))
                    if isinstance(error, NotPermitted) and self.on_missing_permission:
                        await self.on_missing_permission(parcel.address, error)
                    return
                logger.warning("sent without formatting, since the platform refused it: %s", error.reason)
                parcel = simpler
            except StorageError:
                logger.exception("the outbox cannot be written; the delivery waits")
                await self._around.sleep(retry_seconds)
            except Exception as error:
                logger.exception("a delivery failed in a way that nobody foresaw")
                faults += 1
                if faults >= FAULTS_BEFORE_SET_ASIDE:
                    await self._set_aside(parcel, type(error).__name__, queue)
                    return
                await self._around.sleep(retry_seconds)
            else:
                self._governor.arrived(parcel.address.key)
                await self._note_delivered(parcel, receipt)
                return
            is_begun = False
            retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)

    async def _wait_turn(self, address: Address) -> float:
        """Wait for the budget; how long that took."""
        waited = 0.0
        private = self._adapter.is_private(address)
        while (seconds := self._governor.wait_seconds(address.key, is_private=private)) > 0:
            await self._around.sleep(seconds)
            waited += seconds
        self._governor.take(address.key, is_private=private)
        return waited

    async def _attempt(self, parcel: Parcel, waited: float) -> str:
        """One attempt, which is written down; the platform's id of the message."""
        if parcel.method is Method.DELETE:
            await self._adapter.delete(Receipt(parcel.address, parcel.target))
            return parcel.target
        content = replace(self._remarked(parcel, waited), key=key_of(parcel))
        if parcel.method is Method.EDIT:
            moved = await self._adapter.edit(Receipt(parcel.address, parcel.target), content)
            return moved.id if moved else parcel.target
        return (await self._adapter.send(parcel.address, content)).id

    async def _hold_place(self, parcel: Parcel) -> Parcel:
        """Where a message may have arrived already, send a few words in its place, to be replaced by it."""
        is_new = parcel.method is Method.SEND and parcel.content.file is None
        if not (parcel.is_repeat and is_new and self._adapter.capabilities.can_edit):
            return parcel
        await self._ledger.attempt(parcel.id)
        is_known = self._is_known_again(parcel)
        words = "…" if is_known else self._around.texts(parcel.address).get("delivery.repeat")
        held = Content(words, reply_to=parcel.content.reply_to, key=key_of(parcel))
        receipt = await self._adapter.send(parcel.address, held)
        await self._write(lambda: self._ledger.aim(parcel.id, receipt.id, is_repeat=not is_known))
        return replace(parcel, method=Method.EDIT, target=receipt.id, is_repeat=not is_known)

    def _is_known_again(self, parcel: Parcel) -> bool:
        """Whether the platform surely finds what was sent with the parcel's key, if it has arrived."""
        _, _, made_at = key_of(parcel).partition("-")
        return self._around.now().timestamp() - int(made_at) < self._adapter.capabilities.key_seconds

    def _remarked(self, parcel: Parcel, waited: float) -> Content:
        """The content, with what the person should know about how it arrived."""
        texts = self._around.texts(parcel.address)
        content = parcel.content
        if parcel.is_repeat and not self._is_known_again(parcel):
            content = self._with_remark(content, texts.get("delivery.repeat"))
        elif waited >= TOLD_WAIT_SECONDS:
            content = self._with_remark(content, texts.get("delivery.waited", seconds=round(waited)))
        return content

    def _with_remark(self, content: Content, remark: str) -> Content:
        shift = len(remark) + 1
        longer = f"{remark}\n{content.text}"
        capabilities = self._adapter.capabilities
        if capabilities.measure(longer) > capabilities.longest:
            return content
        spans = tuple(replace(span, start=span.start + shift, end=span.end + shift) for span in content.spans)
        return replace(content, text=longer, spans=(Span("italic", 0, len(remark)), *spans))

    # -- outcomes -------------------------------------------------------------------------------------------

    async def _write(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write an outcome down, however long the database takes: without it, a message would be sent again."""
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                await write()
            except StorageError:
                logger.exception("the outbox cannot be written; it is tried again")
                await self._around.sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)
            else:
                return

    async def _note_delivered(self, parcel: Parcel, receipt: str) -> None:
        await self._write(lambda: self._ledger.delivered(parcel.id, receipt, at=self._around.now()))

    async def _refused(self, parcel: Parcel, error: RateLimited) -> None:
        private = self._adapter.is_private(parcel.address)
        self._governor.refused(
            parcel.address.key, is_private=private, retry_after=error.retry_after, everywhere=error.everywhere
        )
        logger.info("the platform wants to be left alone for %.0f s", error.retry_after)
        await self._write(lambda: self._ledger.postpone(parcel.id, is_repeat=parcel.is_repeat))
        if self.on_refusal:
            await self.on_refusal()

    async def _postpone(self, parcel: Parcel, error: ChannelError, *, is_repeat: bool) -> Parcel:
        logger.info("a delivery is tried again: %s", error.reason)
        parcel = replace(parcel, is_repeat=parcel.is_repeat or is_repeat)
        await self._write(lambda: self._ledger.postpone(parcel.id, is_repeat=parcel.is_repeat))
        return parcel

    async def _move(self, parcel: Parcel, chat: str, queue: _Queue) -> Parcel:
        old, new = parcel.address, replace(parcel.address, chat=chat)
        logger.info("a chat goes on under another id")
        await self._write(lambda: self._ledger.move(old, new))
        await self._write(lambda: self._ledger.postpone(parcel.id, is_repeat=parcel.is_repeat))
        for index, waiting in enumerate(queue.parcels):
            queue.parcels[index] = _elsewhere(waiting, new)
        return _elsewhere(parcel, new)

    async def _set_aside(self, parcel: Parcel, reason: str, queue: _Queue, *, everything: bool = False) -> None:
        logger.warning("a message was set aside: %s", reason)
        await self._write(lambda: self._ledger.set_aside(parcel.id, reason))
        self._seen.discard(parcel.id)  # it may be revived
        if everything:
            await self._write(lambda: self._ledger.set_aside_all(parcel.address, reason))
            if (on_gone := self.on_gone) is not None:
                await self._write(lambda: on_gone(parcel.address))
            while len(queue.parcels) > 1:
                self._seen.discard(queue.parcels.pop().id)


def key_of(parcel: Parcel) -> str:
    """Names what the parcel sends, in at most 25 signs: by its id, and when it was put into the outbox, since another
    database may know another parcel by that id."""
    assert parcel.created_at is not None
    return parcel.content.key or f"{parcel.id}-{parcel.created_at.timestamp():.0f}"


def _simpler(parcel: Parcel) -> Parcel | None:
    """What a platform may take that refused the parcel: plain text, or a new message where none can be edited."""
    content = parcel.content
    plain = Content(content.text)
    if parcel.method is Method.DELETE:
        return None
    if content != plain:
        return replace(parcel, content=plain)
    if parcel.method is Method.EDIT:
        return replace(parcel, method=Method.SEND, target="")
    return None


def _elsewhere(parcel: Parcel, address: Address) -> Parcel:
    """The parcel for a chat that goes on under another id, where messages have other ids as well."""
    content = replace(parcel.content, reply_to="")
    if parcel.method is Method.EDIT:
        return replace(parcel, address=address, content=content, method=Method.SEND, target="")
    return replace(parcel, address=address, content=content)
