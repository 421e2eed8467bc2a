"""What somebody is to be reminded of, and the seam of what keeps it: values in, values out; every method is one
transaction, stored when it returns. Decides nothing, knows no SQL and no platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.ledger import Parcel, ParcelDraft
from bot.types import Address


@dataclass(frozen=True, slots=True)
class ReminderDraft:
    """A reminder that is not kept yet."""

    address: Address
    """Where it was asked for, and where it comes."""
    person_id: str
    text: str
    """Empty where it is a mere timer."""
    due_at: datetime
    """When it comes next."""
    created_at: datetime
    zone: str
    """By whose clocks it goes; see `bot.hours.zone_named`."""
    rule: str = ""
    """How it comes again: a rule of RFC 5545, see `bot.understanding.slots.repeating`; empty is once."""
    starts_at: datetime | None = None
    """The first time of the rule."""
    name: str = ""
    """Whom it is for, where others read along."""
    language: str = ""
    """That of what is said around it."""
    source: str | None = None
    """Names the message that asked for it: asked twice with one, it is kept once. None where nothing can repeat."""


@dataclass(frozen=True, slots=True)
class Reminder(ReminderDraft):
    """A reminder that is kept."""

    id: int = 0
    came_at: datetime | None = None
    """When it came last."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a reminder that was due."""

    reminder: Reminder
    next_at: datetime | None
    """When it comes again; None is never."""
    has_come: bool = True
    """Whether it has come now; it may have been put off."""


class Reminders(Protocol):
    """Everything that people are to be reminded of.

    Raises `StorageError` and its kin, whose texts a person can act on.
    """

    async def add(self, draft: ReminderDraft) -> Reminder:
        """Keep it. Where one with the same `source` was kept, that one is returned, and nothing is changed."""

    async def waiting(self, address: Address, person_id: str, *, limit: int | None = None) -> list[Reminder]:
        """What the person is to be reminded of there, the next one first."""

    async def count(self, address: Address, person_id: str) -> int:
        """How many those are."""

    async def last_come(self, address: Address, person_id: str, *, since: datetime) -> Reminder | None:
        """The one that came last there to that person, if that was not before `since`."""

    async def cancel(self, ids: Sequence[int], *, source: str | None, at: datetime) -> int:
        """Let them not come any more; how many. `source` names the message that asked for it."""

    async def cancelled_by(self, source: str) -> list[Reminder]:
        """Those that this message has cancelled."""

    async def end_all(self, address: Address, *, at: datetime) -> int:
        """Cancel everything that is to come there, in any thread: nobody is there any more. How many."""

    async def prune(self, before: datetime) -> int:
        """Forget those that ended before then; how many."""

    async def due(self, channel: str, account: str, *, at: datetime, limit: int) -> list[Reminder]:
        """What is to come there at that time or was before it, oldest first."""

    async def next_due(self, channel: str, account: str) -> datetime | None:
        """When the next one is to come there."""

    async def settle(
        self, settled: Sequence[Settled], parcels: Sequence[ParcelDraft] = (), *, at: datetime
    ) -> list[Parcel] | None:
        """Put what tells of them into the outbox, and remember when they come next: all of it, or nothing.

        None, and nothing is done, where one of them is no longer due at its time: somebody else dealt with it.
        """
