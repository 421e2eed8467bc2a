"""Rows of the inbox: written once, read again after a start. Each works in a transaction of its caller."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from bot import channel
from bot.ledger import Arrival, GivenUp
from bot.types import Address
from storage.payloads import payload_of_update, update_of
from storage.tables import inbox
from storage.upserts import insert_and_tell

logger = logging.getLogger(__name__)

WAITING, DONE, GIVEN_UP, SET_ASIDE = "waiting", "done", "given up", "set aside"


def accept(connection: Connection, new: channel.Update, at: datetime) -> Arrival | None:
    """Keep an update; None if it was accepted before."""
    address = new.message.address
    values = {
        "channel": address.channel,
        "account": address.account,
        "chat": address.chat,
        "thread": address.thread,
        "update_id": new.id or None,
        "key": new.key or None,
        "kind": new.kind.value,
        "payload": payload_of_update(new),
        "at": new.message.at,
        "received_at": at,
        "state": WAITING,
        "attempts": 0,
    }
    row = connection.execute(insert_and_tell(connection, inbox, inbox.c.id), values).one_or_none()
    return Arrival(row.id, new, at) if row else None


def _arrival_of(row: Row[Any]) -> Arrival | None:
    try:
        kept = update_of(row.payload, Address(row.channel, row.chat, row.account, row.thread))
    except ValueError as error:
        logger.error("Arrival %s cannot be read, and stays in the inbox: %s", row.id, error)
        return None
    return Arrival(row.id, kept, row.received_at, row.attempts)


def arrivals(connection: Connection) -> list[Arrival]:
    """Everything that is not dealt with, oldest first; what cannot be read is logged."""
    query = select(inbox).where(inbox.c.state == WAITING).order_by(inbox.c.id)
    return [arrival for row in connection.execute(query) if (arrival := _arrival_of(row))]


def given_up(connection: Connection, limit: int) -> list[GivenUp]:
    """The arrivals that were given up, newest first."""
    query = select(inbox).where(inbox.c.state == GIVEN_UP).order_by(inbox.c.finished_at.desc()).limit(limit)
    return [
        GivenUp(Address(row.channel, row.chat, row.account, row.thread), row.key or "", row.attempts, row.finished_at)
        for row in connection.execute(query)
    ]
