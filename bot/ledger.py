"""The durable books between platforms and engine: what came in and is not answered, what goes out and is not delivered.

Values and the seam that a store fulfils; knows no SQL and no platform. Every method is one transaction, stored when
it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.channel import Content, Update
from bot.types import Address


@dataclass(frozen=True, slots=True)
class Arrival:
    """An update in the inbox that is not dealt with."""

    id: int
    update: Update
    received_at: datetime
    attempts: int = 0
    """Runs of the program that found it left over, and began to deal with it."""
    is_left_over: bool = False
    """Whether an earlier run left it over, so that something may be there of an answer to it."""
    is_suspect: bool = False
    """Whether it may be what ended the program: then it is a turn of its own, see `bot.leftovers`."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """An arrival that is not tried any more, since the program ended each time."""

    address: Address
    key: str
    """Names what it was: see `bot.channel.Update.key`."""
    attempts: int
    at: datetime
    """When it was given up."""


class Method(StrEnum):
    """What is to be done on the platform."""

    SEND = "send"
    EDIT = "edit"
    """Make the message `target` read as `content`."""
    DELETE = "delete"
    """Take the message `target` away."""


class ParcelState(StrEnum):
    """How far a parcel is."""

    PREVIEW = "preview"
    """A message that shows a reply in the making; it becomes the reply's first part, or is taken away."""
    WAITING = "waiting"
    SENDING = "sending"
    """An attempt has begun, or begins as soon as it is kept. Found after a crash, its outcome is unknown."""
    SENT = "sent"
    DEAD = "dead"
    """Set aside, with a reason."""


@dataclass(frozen=True, slots=True)
class ParcelDraft:
    """One thing to be done on a platform, not in the outbox yet."""

    address: Address
    content: Content
    method: Method = Method.SEND
    target: str = ""
    """The platform's id of the message that EDIT and DELETE are about."""
    turn_id: int | None = None
    """The turn that it shows."""
    arrival_id: int | None = None
    """What it answers."""
    state: ParcelState = ParcelState.WAITING
    is_repeat: bool = False
    """Whether an attempt was made whose outcome is unknown: what is sent now is marked as a possible repeat."""


@dataclass(frozen=True, slots=True)
class Parcel(ParcelDraft):
    """One thing to be done on a platform. Those of one address are done in the order of their ids."""

    id: int = 0
    receipt: str = ""
    """The platform's id of the message, once that is known."""
    attempts: int = 0
    created_at: datetime | None = None
    reason: str = ""
    """Why it was set aside."""


class Ledger(Protocol):
    """The inbox and the outbox."""

    # -- inbox ----------------------------------------------------------------------------------------------

    async def accept(self, updates: Sequence[Update], *, at: datetime) -> list[Arrival]:
        """Keep the updates; those that were accepted before (by `Update.id` or `Update.key`, on the same channel and
        account) are passed over. Only the new ones are returned, in order.
        """

    async def arrivals(self) -> list[Arrival]:
        """Everything that is not dealt with, oldest first."""

    async def newest(self, channel: str, account: str) -> datetime | None:
        """When the newest message was said that was accepted there; None where there is none."""

    async def places(self, channel: str, account: str, *, after: datetime) -> list[Address]:
        """Where something was said after then, latest first."""

    async def begin(self, arrival_ids: Sequence[int]) -> None:
        """Count one more attempt to deal with them, for those that an earlier run left over."""

    async def take_back(self, arrival_ids: Sequence[int]) -> None:
        """Count one attempt less: it was broken off, and ended nothing."""

    async def finish(
        self,
        arrival_ids: Sequence[int],
        parcels: Sequence[ParcelDraft] = (),
        *,
        at: datetime,
        are_given_up: bool = False,
    ) -> list[Parcel]:
        """Put what is to be sent into the outbox and the arrivals behind us, both or neither.

        What the arrivals said is forgotten here (turns have it); that they were there is remembered. Of their
        parcels in state PREVIEW those that no EDIT or DELETE in `parcels` targets are forgotten, too. Those that
        `are_given_up` are told by `given_up`.
        """

    async def given_up(self, *, limit: int = 50) -> list[GivenUp]:
        """The arrivals that were given up, newest first, until they are pruned."""

    async def count_set_aside(self) -> int:
        """How many arrivals waited in a backup that was restored, and are not dealt with by themselves."""

    async def revive_arrivals(self) -> int:
        """Let those wait again, for the next start; how many."""

    # -- outbox ---------------------------------------------------------------------------------------------

    async def post(self, parcels: Sequence[ParcelDraft], *, at: datetime) -> list[Parcel]:
        """Put them into the outbox."""

    async def parcels(self) -> list[Parcel]:
        """Everything that is WAITING or SENDING, in order of ids."""

    async def previews(self, arrival_ids: Sequence[int]) -> list[Parcel]:
        """What shows replies in the making to those arrivals."""

    async def attempt(self, parcel_id: int) -> None:
        """Remember that an attempt begins: SENDING. A PREVIEW stays one, with one more attempt."""

    async def delivered(self, parcel_id: int, receipt: str, *, at: datetime) -> None:
        """Remember that it arrived. A PREVIEW stays one; anything else is SENT, and its content is forgotten."""

    async def postpone(self, parcel_id: int, *, is_repeat: bool = False) -> None:
        """Remember that the attempt failed and another will be made: WAITING. `is_repeat` where it may have arrived.

        A PREVIEW stays one, without attempts.
        """

    async def aim(self, parcel_id: int, target: str, *, is_repeat: bool = True) -> None:
        """Turn a SEND into an EDIT of the message `target`, which was sent to hold its place."""

    async def set_aside(self, parcel_id: int, reason: str) -> None:
        """Remember that no further attempt will be made: DEAD."""

    async def set_aside_all(self, address: Address, reason: str) -> int:
        """Set aside everything that is WAITING there; how many."""

    async def dead(self, *, limit: int = 50) -> list[Parcel]:
        """What was set aside, newest first."""

    async def revive(self, parcel_id: int) -> None:
        """Let a parcel that was set aside be tried again: WAITING, without attempts."""

    # -- what was delivered ---------------------------------------------------------------------------------

    async def shown(self, turn_id: int) -> list[Parcel]:
        """The messages that show the turn now, in order: SENT, not deleted, each receipt once."""

    async def turn_shown(self, address: Address, receipt: str) -> int | None:
        """The turn that a message shows (whole or in part)."""

    async def move(self, old: Address, new: Address) -> None:
        """The chat goes on under another id: conversations, settings, arrivals and parcels of it, too. Threads of the
        old chat (other `Address.thread`) move along."""

    async def prune(self, before: datetime) -> int:
        """Forget arrivals that were dealt with before then, and parcels that were SENT before then and show no turn."""
