"""Reminders in a database: the `Reminders` of `bot.reminding`. Values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, select, update

from bot.ledger import Parcel, ParcelDraft
from bot.reminding import Reminder, ReminderDraft, Settled
from bot.types import Address
from storage.engine import Database
from storage.ledger import post_parcels
from storage.tables import reminders
from storage.upserts import insert_and_tell


class SqlReminders:
    """The reminders over one open database. Its methods may be called at once, by any number of tasks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, draft: ReminderDraft) -> Reminder:
        """Keep it, unless one with the same source is kept already."""

        def add(connection: Connection) -> Reminder:
            adding = insert_and_tell(connection, reminders, reminders.c.id)
            row = connection.execute(adding, _row_of(draft)).one_or_none()
            is_it = reminders.c.id == row.id if row else reminders.c.source == draft.source
            return _reminder_of(connection.execute(select(reminders).where(is_it)).one())

        return await self._database.write(add)

    async def waiting(self, address: Address, person_id: str, *, limit: int | None = None) -> list[Reminder]:
        """What the person is to be reminded of there, the next one first."""
        query = select(reminders).where(_is_for(address, person_id), reminders.c.due_at.is_not(None))
        return await self._find(query.order_by(reminders.c.due_at, reminders.c.id).limit(limit))

    async def count(self, address: Address, person_id: str) -> int:
        """How many those are."""
        is_meant = _is_for(address, person_id) & reminders.c.due_at.is_not(None)
        query = select(func.count()).select_from(reminders).where(is_meant)
        return await self._database.read(lambda connection: int(connection.scalar(query) or 0))

    async def last_come(self, address: Address, person_id: str, *, since: datetime) -> Reminder | None:
        """The one that came last there to that person, if that was not before `since`."""
        query = select(reminders).where(_is_for(address, person_id), reminders.c.came_at >= since)
        found = await self._find(query.order_by(reminders.c.came_at.desc(), reminders.c.id.desc()).limit(1))
        return found[0] if found else None

    async def cancel(self, ids: Sequence[int], *, source: str | None, at: datetime) -> int:
        """Let them not come any more; how many."""
        is_meant = reminders.c.id.in_(ids) & reminders.c.due_at.is_not(None)
        ending = update(reminders).where(is_meant).values(due_at=None, ended_at=at, ended_by=source)
        return await self._database.write(lambda connection: connection.execute(ending).rowcount)

    async def cancelled_by(self, source: str) -> list[Reminder]:
        """Those that this message has cancelled."""
        return await self._find(select(reminders).where(reminders.c.ended_by == source).order_by(reminders.c.id))

    async def end_all(self, address: Address, *, at: datetime) -> int:
        """Cancel everything that is to come there, in any thread."""
        is_meant = _is_on(address.channel, address.account) & (reminders.c.chat == address.chat)
        ending = update(reminders).where(is_meant, reminders.c.due_at.is_not(None)).values(due_at=None, ended_at=at)
        return await self._database.write(lambda connection: connection.execute(ending).rowcount)

    async def prune(self, before: datetime) -> int:
        """Forget those that ended before then; how many."""
        forgetting = delete(reminders).where(reminders.c.ended_at < before)
        return await self._database.write(lambda connection: connection.execute(forgetting).rowcount)

    async def due(self, channel: str, account: str, *, at: datetime, limit: int) -> list[Reminder]:
        """What is to come there at that time or was before it, oldest first."""
        query = select(reminders).where(_is_on(channel, account), reminders.c.due_at <= at)
        return await self._find(query.order_by(reminders.c.due_at, reminders.c.id).limit(limit))

    async def next_due(self, channel: str, account: str) -> datetime | None:
        """When the next one is to come there."""
        query = select(func.min(reminders.c.due_at)).where(_is_on(channel, account))
        return await self._database.read(lambda connection: connection.scalar(query))

    async def settle(
        self, settled: Sequence[Settled], parcels: Sequence[ParcelDraft] = (), *, at: datetime
    ) -> list[Parcel] | None:
        """Put what tells of them into the outbox, and remember when they come next: all of it, or nothing."""

        def settle(connection: Connection) -> list[Parcel] | None:
            ids = [each.reminder.id for each in settled]
            query = select(reminders.c.id, reminders.c.due_at).where(reminders.c.id.in_(ids)).with_for_update()
            due = {row.id: row.due_at for row in connection.execute(query)}
            if any(due.get(each.reminder.id) != each.reminder.due_at for each in settled):
                return None
            for each in settled:
                connection.execute(update(reminders).where(reminders.c.id == each.reminder.id).values(_after(each, at)))
            return post_parcels(connection, parcels, at)

        return await self._database.write(settle)

    async def _find(self, query: Select[Any]) -> list[Reminder]:
        return await self._database.read(lambda connection: [_reminder_of(row) for row in connection.execute(query)])


def _after(settled: Settled, at: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"due_at": settled.next_at}
    if settled.has_come:
        values["came_at"] = at
    if settled.next_at is None:
        values["ended_at"] = at
    return values


def _is_on(channel: str, account: str) -> ColumnElement[bool]:
    return (reminders.c.channel == channel) & (reminders.c.account == account)


def _is_for(address: Address, person_id: str) -> ColumnElement[bool]:
    is_there = _is_on(address.channel, address.account) & (reminders.c.chat == address.chat)
    return is_there & (reminders.c.thread == address.thread) & (reminders.c.person_id == person_id)


def _row_of(draft: ReminderDraft) -> dict[str, object]:
    return {
        "channel": draft.address.channel,
        "account": draft.address.account,
        "chat": draft.address.chat,
        "thread": draft.address.thread,
        "person_id": draft.person_id,
        "name": draft.name,
        "language": draft.language,
        "text": draft.text,
        "zone": draft.zone,
        "rule": draft.rule,
        "starts_at": draft.starts_at,
        "due_at": draft.due_at,
        "created_at": draft.created_at,
        "source": draft.source,
    }


def _reminder_of(row: Row[Any]) -> Reminder:
    return Reminder(
        address=Address(row.channel, row.chat, row.account, row.thread),
        person_id=row.person_id,
        text=row.text,
        # of one that has ended, when it came or ended
        due_at=row.due_at or row.came_at or row.ended_at,
        created_at=row.created_at,
        zone=row.zone,
        rule=row.rule,
        starts_at=row.starts_at,
        name=row.name,
        language=row.language,
        source=row.source,
        id=row.id,
        came_at=row.came_at,
    )
