"""What is due now, and how it is told: what came late says so, quiet hours put off, and what recurs goes on.

One account's reminders. Whoever runs it puts a ring into the outbox in the transaction that settles it, so that it
comes once, whenever the program ends. Knows no platform.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby

from bot.clock import Clock
from bot.hours import quiet_of, zone_named
from bot.protocols import Store
from bot.reminding import Reminder, Reminders, Settled
from bot.skills.reminders import escaped, when_told
from bot.texts import Texts
from bot.types import Address

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it is looked for what is due."""
LATE = timedelta(minutes=2)
"""What comes so long after its time says so."""
MOST_AT_ONCE = 200
MOST_IN_ONE = 50
"""Late reminders that are told in one message."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One message that reminds of something, and what becomes of the reminders."""

    address: Address
    text: str
    """In Markdown."""
    settled: tuple[Settled, ...]


@dataclass(frozen=True, slots=True)
class Alarm:
    """The reminders of one account."""

    reminders: Reminders
    store: Store
    clock: Clock
    channel: str
    account: str
    language: str
    """For those of whose own nothing is known."""
    quiet_hours: str = ""
    """For people who have settled none."""

    async def rings(self) -> list[Ring]:
        """What is to be said now. What lies in somebody's quiet hours is put off to their end.

        Raises:
            StorageError: the reminders cannot be read.
        """
        now = self.clock.now()
        due = await self.reminders.due(self.channel, self.account, at=now, limit=MOST_AT_ONCE)
        loud = [each for each in due if not await self._is_put_off(each, now)]
        late = [each for each in loud if now - each.due_at >= LATE]
        rings = [self._ring([each], now) for each in loud if each not in late]
        for _, group in groupby(sorted(late, key=_place), key=_place):
            together = list(group)
            starts = range(0, len(together), MOST_IN_ONE)
            rings += [self._ring(together[start : start + MOST_IN_ONE], now) for start in starts]
        return rings

    async def _is_put_off(self, reminder: Reminder, now: datetime) -> bool:
        quiet = await quiet_of(self.store, reminder.address, reminder.person_id, self.quiet_hours)
        ends = quiet.ends(now, _zone(reminder)) if quiet else None
        if ends is None:
            return False
        await self.reminders.settle([Settled(reminder, ends, has_come=False)], at=now)
        return True

    def _ring(self, together: Sequence[Reminder], now: datetime) -> Ring:
        texts = Texts(together[0].language or self.language)
        settled = tuple(Settled(each, _next(each, now)) for each in together)
        if len(together) > 1:
            told = [{"when": _when(each, now, texts), "text": _named(each, texts)} for each in together]
            lines = [f"- {texts.get('reminders.late_one', **each)}" for each in told]
            text = texts.get("reminders.late_all") + "\n\n" + "\n".join(lines)
        else:
            [reminder] = together
            text = texts.get("reminders.due", text=_named(reminder, texts))
            if now - reminder.due_at >= LATE:
                text += "\n\n" + texts.get("reminders.late", when=_when(reminder, now, texts))
        return Ring(together[0].address, text, settled)


def _place(reminder: Reminder) -> tuple[str, str]:
    """Where late reminders are told together: there, and in one language."""
    return reminder.address.key, reminder.language


def _named(reminder: Reminder, texts: Texts) -> str:
    text = escaped(reminder.text) or texts.get("reminders.time_is_up")
    return f"{escaped(reminder.name)}: {text}" if reminder.name else text


def _when(reminder: Reminder, now: datetime, texts: Texts) -> str:
    return when_told(reminder.due_at, _zone(reminder), now, texts)


def _zone(reminder: Reminder) -> tzinfo:
    return zone_named(reminder.zone) or UTC


def _next(reminder: Reminder, now: datetime) -> datetime | None:
    """When it comes again: what was missed meanwhile is not made up for."""
    if not reminder.rule or reminder.starts_at is None:
        return None
    from bot.understanding.slots.repeating import next_time

    try:
        return next_time(reminder.rule, reminder.starts_at, _zone(reminder), after=max(now, reminder.due_at))
    except ValueError:
        logger.exception("a reminder does not come again, since its rule cannot be read")
        return None
