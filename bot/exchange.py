"""Between one account and the engine: keeps what arrives, answers it in order, puts answers into the outbox.

An update is in the ledger before the platform is told. Each address has a lane: one turn at a time, in order; lanes
never wait for each other. An arrival is dealt with in the same transaction that puts its answer into the outbox, so
that after a crash it is either answered anew or its answer is delivered, never both. Knows no platform.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime

from bot.access import Access, Allowed, Pairing, Refused
from bot.answering import Answering, ExchangeSettings, interrupt, placeholders
from bot.attachments import Attachments, kept_names
from bot.channel import Content, Update, UpdateKind
from bot.delivery.parcels import drafts_of
from bot.delivery.streaming import Channel
from bot.errors import StorageError
from bot.gestures import Gestures, Rate
from bot.heard import Heard
from bot.lane import Lane, with_message
from bot.lanes import Lanes
from bot.ledger import Arrival, ParcelDraft
from bot.leftovers import MOST_ATTEMPTS, LeftOvers
from bot.places import Places, Setting
from bot.protocols import Command, Partner, Reply
from bot.speakers import harmless
from bot.spoken import Spoken
from bot.texts import Texts
from bot.types import Address, Message
from bot.understanding.commands import command_name

logger = logging.getLogger(__name__)

STORAGE_RETRY_SECONDS = 2.0
STOP_SECONDS = 5.0
"""How long the word that a reply was stopped waits for its end."""


class Exchange:
    """Takes in what one account receives. Start it, then run the adapter with it as its intake; close it last."""

    def __init__(
        self,
        channel: Channel,
        partner: Partner,
        access: Access,
        attachments: Attachments,
        settings: ExchangeSettings,
        *,
        places: Places,
        trial: asyncio.Lock,
        heard: Heard,
        rate: Rate,
    ) -> None:
        """
        Args:
            channel: the account and what sends through it.
            partner: who answers.
            access: who is answered.
            attachments: keeps what comes along.
            settings: how.
            places: what was settled where.
            trial: held while what may have ended the program is tried.
            heard: how far it has listened.
            rate: stores what a person thinks of a turn: (turn, person, 1 or -1 or None).
        """
        self._channel = channel
        self._partner = partner
        self._access = access
        self._attachments = attachments
        self._settings = settings
        self._places = places
        self._heard = heard
        self._gestures = Gestures(channel, partner, rate)
        self._answering = Answering(channel, settings)
        self._lanes: dict[str, Lane] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        self._spoken = Spoken(settings.language)
        self._beside, self._turns = Lanes(max_pending=None), Lanes(max_pending=None)
        self._arrived: deque[Arrival] = deque()
        self._admits = False
        self._left_over = LeftOvers(channel, partner, self._answering, trial)

    # -- taking in ------------------------------------------------------------------------------------------

    async def accept(self, updates: Sequence[Update]) -> None:
        """Keep the updates, then deal with those that are new; see `bot.channel.Intake`."""
        ours = [update for update in updates if await self._concerns_us(update)]
        if ours:
            self._arrived.extend(await self._channel.ledger.accept(ours, at=self._channel.now()))
            if self._arrived and not self._admits:
                self._admits = True
                self._spawn(self._admit_all())

    async def since(self) -> datetime | None:
        """See `bot.channel.Intake`."""
        return await self._heard.since()

    async def note_reading(self, since: datetime | None) -> None:
        """See `bot.channel.Intake`."""
        await self._heard.note_reading(since)

    async def private_chats(self) -> list[Address]:
        """See `bot.channel.Intake`."""
        return await self._heard.private_chats()

    async def resume(self, arrivals: Sequence[Arrival]) -> None:
        """Deal with what an earlier run left over. What it had begun to answer goes on from there."""
        taken_up = await self._left_over.take_up(arrivals)
        admitted = [let_in for each in taken_up if (let_in := await self._admitted(each, counts=False))]
        for arrival in admitted:  # at once, so that what was one turn is one again
            await self._take_in(arrival)

    async def _admit_all(self) -> None:
        """Ask for each arrival, in order, whether it is dealt with: once, and before it waits for anything."""
        try:
            while self._arrived:
                try:
                    if admitted := await self._admitted(self._arrived[0]):
                        await self._take_in(admitted)
                except StorageError:
                    logger.exception("what arrived waits, since nobody can be looked up")
                    await self._channel.sleep(STORAGE_RETRY_SECONDS)
                    continue
                self._arrived.popleft()
        finally:
            self._admits = False

    async def _admitted(self, arrival: Arrival, *, counts: bool = True) -> Arrival | None:
        """The arrival, if it is dealt with; who is not let in is told so, or not, as access decides."""
        update = arrival.update
        if update.kind not in (UpdateKind.MESSAGE, UpdateKind.EDIT, UpdateKind.CHOICE):
            return arrival
        is_press = update.kind is UpdateKind.CHOICE
        message = replace(update.message, text="") if is_press else update.message
        place = await self._places.of(message)
        message = replace(message, language=place.get(Setting.LANGUAGE))
        command = self._named(message)
        counts = counts and not (command and command.unlimited)
        verdict = await self._access.decide(message, place, counts=counts)
        if isinstance(verdict, Allowed):
            admitted = replace(update.message, is_from_owner=verdict.is_owner, language=message.language)
            return with_message(arrival, admitted)
        texts = self._spoken.texts(message)
        if is_press:
            self._spawn(self._gestures.acknowledge(update, texts.get("delivery.not_yours")))
        text = verdict.told(texts) if isinstance(verdict, Refused | Pairing) and not is_press else ""
        await self._finish([arrival.id], arrival, [Content(text)] if text else [])
        return None

    async def _take_in(self, arrival: Arrival) -> None:
        update = arrival.update
        self._spoken.remember(update.message)
        if arrival.attempts >= MOST_ATTEMPTS:
            self._queue(arrival)
        elif update.kind is UpdateKind.MESSAGE and self._is_immediate(update.message):
            self._spawn(self._answer_at_once(arrival))
        elif update.kind in (UpdateKind.MESSAGE, UpdateKind.EDIT, UpdateKind.DELETION):
            self._queue(arrival)
        elif update.kind is UpdateKind.MOVED:  # before what is said under the new id
            await self._deal_with(arrival)
        else:
            self._spawn(self._deal_with(arrival))

    def _queue(self, arrival: Arrival) -> None:
        """Into its lane; what is running there may take it up, or be told of it."""
        key = arrival.update.message.address.key
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(lambda text: command_name(text) is not None)
            lane.add(arrival)
            self._spawn(self._run(key, lane))
            return
        kind = arrival.update.kind
        if kind is UpdateKind.EDIT and lane.edit(arrival):
            return
        if kind is UpdateKind.DELETION and lane.withdraw(arrival):
            return
        if kind is UpdateKind.MESSAGE and lane.joins(arrival) and self._is_soon(lane):
            lane.take_up(arrival)
            self._spawn(interrupt(self._channel, self._partner, arrival, lambda: lane.restarts))
            return
        if kind is not UpdateKind.MESSAGE and lane.is_running(arrival):
            self._spawn(interrupt(self._channel, self._partner, arrival, lambda: lane.is_overtaken_by(arrival)))
        limit = self._settings.max_pending
        lane.add(arrival)
        is_new = kind is UpdateKind.MESSAGE and not arrival.is_left_over
        if limit is not None and is_new and lane.turns > limit:
            lane.waiting.pop()
            self._spawn(self._refuse(lane, arrival, limit))

    def _is_soon(self, lane: Lane) -> bool:
        age = asyncio.get_running_loop().time() - lane.began_at
        return self._settings.restarts or age < self._settings.burst_seconds

    async def _refuse(self, lane: Lane, arrival: Arrival, limit: int) -> None:
        """Too much waits there: say so, at length once until the lane has room again, and name what is left out."""
        message, key = arrival.update.message, "delivery.left_out_too" if lane.is_full else "delivery.left_out"
        texts, lane.is_full = self._spoken.texts(message), True
        said = harmless(message.text) or texts.get("commands.no_words")
        await self._finish([arrival.id], arrival, [Content(texts.get(key, pending=limit, text=said))])

    # -- lanes ----------------------------------------------------------------------------------------------

    async def _run(self, key: str, lane: Lane) -> None:
        while lane.waiting:
            await self._beside.wait(key)  # a command that was given before holds for what is said after it
            if lane.waiting:
                async with self._left_over.alone(lane.waiting[0]), self._turns.hold(key):
                    await self._run_next(lane)
        del self._lanes[key]

    async def _run_next(self, lane: Lane) -> None:
        lane.next_turn()
        lane.is_full = lane.is_full and bool(lane.waiting)
        try:
            async with self._left_over.attempt(lane.running):
                await self._turn(lane)
        except StorageError:
            logger.exception("a turn could not be stored; it is tried again")
            lane.return_turn()
            await self._channel.sleep(STORAGE_RETRY_SECONDS)
        except Exception:
            logger.exception("a turn failed in a way that nobody foresaw")
            drafts = await self._answering.failed(lane.running, self._spoken.texts(lane.running[-1].update.message))
            await self._settle(lane.end_turn(), drafts)

    async def _turn(self, lane: Lane) -> None:
        """Answer what is running, anew whenever something joins it."""
        if lane.running[0].attempts >= MOST_ATTEMPTS:
            drafts = await self._left_over.give_up(lane.running[0], self._spoken.texts(lane.running[0].update.message))
            await self._settle(lane.end_turn(), drafts, are_given_up=True)
            return
        match lane.running[0].update.kind:
            case UpdateKind.EDIT:
                await self._revise(lane)
            case UpdateKind.DELETION:
                await self._forget(lane)
            case _:
                await self._answer(lane)

    async def _answer(self, lane: Lane) -> None:
        is_answered = False
        while not is_answered:
            lane.restarts, lane.began_at = False, asyncio.get_running_loop().time()
            messages = [await self._prepared(arrival) for arrival in lane.running]
            is_answered = await self._deliver(self._partner.respond(messages[-1], messages[:-1]), lane)

    async def _prepared(self, arrival: Arrival) -> Message:
        """The message, with the files that came along kept, and with the turn that it goes on from."""
        message = arrival.update.message
        if message.attachments:
            kept = await self._attachments.keep_all(message.attachments, self._channel.adapter.fetch)
            message = replace(message, attachments=kept)
        if not message.reply_to:
            return message
        turn = await self._channel.ledger.turn_shown(message.address, message.reply_to)
        return replace(message, after_turn_id=turn)

    async def _revise(self, lane: Lane) -> None:
        """A message was edited: its answer is written anew, in its place."""
        [arrival] = lane.running
        message = arrival.update.message
        found = await self._partner.recall(message)
        if found:
            await self._channel.outbox.wait_empty(message.address)  # what is on its way cannot be edited
            shown = await self._channel.ledger.shown(found[1].id) if found[1] else []
            await self._deliver(self._partner.revise(message), lane, targets=[each.receipt for each in shown])
        elif command_name(message.text) is None:  # it was no talk until now, or stopped before it was remembered
            await self._answer(lane)
        else:
            await self._finish(lane.end_turn(), arrival, [])

    async def _forget(self, lane: Lane) -> None:
        [arrival] = lane.running
        message = arrival.update.message
        found = await self._partner.recall(message)
        await self._channel.outbox.wait_empty(message.address)
        is_its_own = bool(found and found[1] and found[1].parent_id == found[0].id)  # that of a burst stays
        shown = await self._channel.ledger.shown(found[1].id) if found and found[1] and is_its_own else []
        await self._partner.forget(message)
        if found:
            await self._attachments.discard(kept_names(found[0].evidence))
        drafts = drafts_of([], message.address, targets=[each.receipt for each in shown], can_delete=True)
        await self._settle(lane.end_turn(), drafts)

    # -- replies --------------------------------------------------------------------------------------------

    async def _deliver(self, reply: Reply, lane: Lane, *, targets: Sequence[str] = ()) -> bool:
        """Follow the reply and put it into the outbox; False if it is to begin anew."""
        arrivals = list(lane.running)
        texts = self._spoken.texts(arrivals[-1].update.message)
        held = placeholders(arrivals[-1].update.message)
        answer = await self._answering.follow(reply, arrivals, texts, targets=targets or held)
        if lane.restarts:
            return False
        await self._settle(lane.end_turn(), answer.drafts)
        return True

    async def _answer_at_once(self, arrival: Arrival) -> None:
        """A command that does not wait for what is running there, but for other such commands."""
        command, key = self._named(arrival.update.message), arrival.update.message.address.key
        in_order = nullcontext() if command and command.unlimited else self._beside.hold(key)
        async with in_order, self._left_over.alone(arrival), self._left_over.attempt([arrival]):
            message = await self._prepared(arrival)
            texts, reply = self._spoken.texts(message), self._partner.respond(message)
            contents, is_stop = await self._answering.at_once(reply, message, texts)
            if is_stop:  # what there is of the stopped reply comes first
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._turns.wait(key), STOP_SECONDS)
            await self._finish([arrival.id], arrival, contents)

    # -- what is no message ---------------------------------------------------------------------------------

    async def _deal_with(self, arrival: Arrival) -> None:
        async with self._left_over.alone(arrival), self._left_over.attempt([arrival]):
            await self._dealt_with(arrival)

    async def _dealt_with(self, arrival: Arrival) -> None:
        update, ledger = arrival.update, self._channel.ledger
        match update.kind:
            case UpdateKind.CHOICE:
                if said := await self._gestures.choose(update, self._spoken.texts(update.message)):
                    await self._take_in(replace(arrival, update=said))
                    return
            case UpdateKind.REACTION:
                await self._gestures.react(update)
            case UpdateKind.MOVED:
                await ledger.move(update.message.address, replace(update.message.address, chat=update.detail))
                self._places.forget()
            case UpdateKind.GONE:
                await ledger.set_aside_all(update.message.address, "gone")
        await self._settle([arrival.id], [])

    # -- ends -----------------------------------------------------------------------------------------------

    async def _finish(self, ids: Sequence[int], arrival: Arrival, contents: Sequence[Content]) -> None:
        await self._settle(ids, self._answering.drafts(contents, arrival))

    async def _settle(self, ids: Sequence[int], drafts: Sequence[ParcelDraft], *, are_given_up: bool = False) -> None:
        """The one transaction that ends arrivals and begins deliveries; tried until the database takes it."""
        outbox = self._channel.outbox
        while True:
            try:
                parcels = await self._channel.ledger.finish(
                    ids, outbox.begun(drafts), at=self._channel.now(), are_given_up=are_given_up
                )
            except StorageError:
                logger.exception("an answer could not be stored; it is tried again")
                await self._channel.sleep(STORAGE_RETRY_SECONDS)
            else:
                outbox.deliver(parcels)
                return

    async def close(self, *, grace_seconds: float) -> None:
        """Let what is running end, for so long; what has not ended then is left over for the next run."""
        if self._tasks:
            _, running = await asyncio.wait(self._tasks, timeout=grace_seconds)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    # -- shared ---------------------------------------------------------------------------------------------

    async def _concerns_us(self, update: Update) -> bool:
        """What is said in a group to others is not even kept, unless the assistant is to listen there."""
        message, said = update.message, update.kind in (UpdateKind.MESSAGE, UpdateKind.EDIT)
        is_heard = not said or message.is_addressed or (await self._places.of(message)).listens
        return is_heard and not message.person.is_bot

    def _named(self, message: Message) -> Command | None:
        return self._partner.commands.get(command_name(message.text) or "")

    def _is_immediate(self, message: Message) -> bool:
        command = self._named(message)
        return command is not None and command.is_immediate(message)

    def texts_at(self, address: Address) -> Texts:
        """The language that was last spoken there."""
        return self._spoken.texts_at(address)

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("something that arrived is left over for the next start", exc_info=error)
