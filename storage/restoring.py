"""What keeps a restored database from doing again what was done since its backup; works on the copy, before it is used.

What waits in it to be answered or sent is set aside, since it may have been long ago. Numbers go on far above those of
the backup and of the database that it replaces, since messages out there still bear the numbers of what is gone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.ledger import ParcelState
from storage.inbox import SET_ASIDE, WAITING

NUMBERED = ("conversations", "turns", "inbox", "outbox", "reminders")
AHEAD = 1_000_000
RESTORED = "restored"
"""The reason that parcels are set aside for."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much was set aside."""

    arrivals: int = 0
    parcels: int = 0


def numbers_of(connection: sqlite3.Connection) -> dict[str, int]:
    """The last numbers that were given, by table."""
    return {str(name): int(last) for name, last in connection.execute("SELECT name, seq FROM sqlite_sequence")}


def set_aside(connection: sqlite3.Connection, *, replaced: Mapping[str, int]) -> Waiting:
    """Set aside what waits, and number on above both the copy and what it replaces; one transaction."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.execute("BEGIN IMMEDIATE")
    _number_on(connection, [name for name in NUMBERED if name in tables], replaced)
    waiting = Waiting()
    if {"inbox", "outbox"} <= tables:
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
        arrivals = connection.execute(
            "UPDATE inbox SET state = ?, finished_at = ? WHERE state = ?", (SET_ASIDE, now, WAITING)
        ).rowcount
        parcels = connection.execute(
            "UPDATE outbox SET state = ?, reason = ? WHERE state IN (?, ?)",
            (ParcelState.DEAD.value, RESTORED, ParcelState.WAITING.value, ParcelState.SENDING.value),
        ).rowcount
        waiting = Waiting(arrivals, parcels)
    connection.execute("COMMIT")
    return waiting


def _number_on(connection: sqlite3.Connection, tables: list[str], replaced: Mapping[str, int]) -> None:
    ours = numbers_of(connection)
    for name in tables:
        last = max(ours.get(name, 0), replaced.get(name, 0)) + AHEAD
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, last))
