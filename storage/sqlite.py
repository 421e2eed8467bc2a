"""What is SQLite's own: transactions, durability, files. Nothing outside this module and `backup` is for SQLite alone.

synchronous=FULL: a turn that was told to be stored survives a loss of power; NORMAL would save 0.3 of 0.75 ms a commit.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from storage.failures import result_of

FOLDER_MODE = 0o700
FILE_MODE = 0o600
"""Conversations are private; SQLite gives its journals the mode of the database."""

BEGIN_OPTION = "sqlite_begin"
WRITE_OPTIONS = {BEGIN_OPTION: "BEGIN IMMEDIATE"}
"""For an engine that writes. A deferred transaction that reads first and writes later fails where another wrote in
between; one that takes the lock at once waits its turn."""

PRAGMAS = """
PRAGMA foreign_keys = ON;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
"""
POLL_SECONDS = 0.02


def configure(engine: Engine) -> None:
    """Set up every connection of the engine, and begin its transactions in SQL, so that they hold for DDL too."""

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        # else the module begins and commits as it thinks best
        connection.isolation_level = None
        connection.executescript(PRAGMAS)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))


def create_folder(folder: Path) -> None:
    """Make sure that the folder is there; one that is made is for its owner alone."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def create_file(file: Path) -> None:
    """Make sure that the file is there, for its owner alone; one that is there is left as it is.

    Never opens a file that is there: closing it would drop the locks that this process holds on it
    (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    create_folder(file.parent)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))


def use_wal(engine: Engine) -> None:
    """Turn on the write-ahead log, which lets readers go on while one writes; the file remembers it.

    The switch needs the file for itself and does not always wait for it, so it is tried again for as long as a
    transaction would wait.
    """
    with contextlib.closing(engine.raw_connection()) as connection:
        (timeout_ms,) = connection.cursor().execute("PRAGMA busy_timeout").fetchone()
        deadline = time.monotonic() + timeout_ms / 1000
        while True:
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if not result_of(error).startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
