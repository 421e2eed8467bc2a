"""A chat goes on under another id: everything that is kept under the old one moves to the new one."""

from __future__ import annotations

from sqlalchemy import Connection, Table, case, delete, select, update

from bot.types import Address
from storage.tables import conversations, inbox, outbox, reminders, settings


def move(connection: Connection, old: Address, new: Address) -> None:
    """Move conversations, arrivals, parcels, reminders and settings. Other threads of the old chat move along.

    A setting that the new place has already is kept there: it is the later one.
    """
    for table in (conversations, inbox, outbox, reminders):
        _move_rows(connection, table, old, new)
    _move_settings(connection, old, new)


def _move_rows(connection: Connection, table: Table, old: Address, new: Address) -> None:
    is_there = (table.c.channel == old.channel) & (table.c.account == old.account) & (table.c.chat == old.chat)
    place = {
        "channel": new.channel,
        "account": new.account,
        "chat": new.chat,
        "thread": case((table.c.thread == old.thread, new.thread), else_=table.c.thread),
    }
    connection.execute(update(table).where(is_there).values(place))


def _move_settings(connection: Connection, old: Address, new: Address) -> None:
    every_thread = Address(old.channel, old.chat, old.account).key
    moved = connection.execute(select(settings).where(settings.c.scope.startswith(every_thread, autoescape=True))).all()
    for row in moved:
        thread = row.scope.removeprefix(every_thread)
        scope = Address(new.channel, new.chat, new.account, new.thread if thread == old.thread else thread).key
        is_old = (settings.c.scope == row.scope) & (settings.c.key == row.key)
        is_taken = (settings.c.scope == scope) & (settings.c.key == row.key)
        if scope == row.scope:
            continue
        if connection.execute(select(settings).where(is_taken)).first():
            connection.execute(delete(settings).where(is_old))
        else:
            connection.execute(update(settings).where(is_old).values(scope=scope))
