"""Backups of a SQLite database, made while it is in use, and the way back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bot.errors import StorageError
from storage import sqlite
from storage.failures import SQLITE_RESULTS, explained, result_of
from storage.migrations import HEAD, OUR_TABLES
from storage.restoring import Waiting, numbers_of, set_aside

JOURNALS = ("-wal", "-shm", "-journal")
LOCK_TIMEOUT_SECONDS = 10.0
STAMP = "%Y%m%dT%H%M%S.%fZ"
DAMAGES = ("storage.corrupt", "storage.not_a_database", "storage.foreign")
USE_TIMEOUT_SECONDS = 0.5
"""How long to wait for a short-lived user of the database before saying that it is in use."""


def beside(file: Path, what: str) -> Path:
    """A name beside the database that says what the file there is and since when."""
    return file.with_name(f"{file.name}.{what}{datetime.now(UTC).strftime(STAMP)}.bak")


def copy(source: Path, target: Path) -> None:
    """Copy a database that may be in use to a new file: one state of it, checked, or no file at all.

    Uses SQLite's backup interface (https://sqlite.org/backup.html).

    Raises:
        StorageError: `source` is missing, damaged or no database, or `target` exists or cannot be written.
    """
    if not source.is_file():
        raise StorageError("storage.missing", place=source)
    if target.exists():
        raise StorageError("storage.exists", place=target)
    part = target.with_name(f"{target.name}.part")
    try:
        with explained(target):
            part.unlink(missing_ok=True)
            sqlite.create_file(part)
        _copy_pages(source, part)
        with explained(target):
            _flush(part)
            part.replace(target)
            _flush(target.parent)
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of it."""

    kept: Path | None
    """Where the replaced database is kept; None where there was none."""
    waiting: Waiting
    """What waited in the backup to be answered or sent, and was set aside."""


def restore(backup: Path, file: Path, *, head: str = HEAD) -> Restored:
    """Put a copy of the backup in the place of the database, at one stroke. Parley must not be running.

    What waits in the copy to be answered or sent is set aside, see `storage.restoring`.

    Raises:
        StorageError: the backup is damaged, not one of Parley's or newer than the program; the database is in use, or
            newer than the program; or a file cannot be written.
    """
    restored = beside(file, "restored-")
    with _damage_told_as_of_a_backup():
        _check_backup(backup, file, head)
        with explained(file):
            sqlite.create_folder(file.parent)
        copy(backup, restored)
    try:
        with explained(file):
            kept = beside(file, "replaced-")
            is_replaced = file.exists()
            numbers = _check_replaceable(file, head) if is_replaced else {}
            with closing(_connect(restored)) as connection:
                waiting = set_aside(connection, replaced=numbers)
            _move_journals(file, kept)
            if is_replaced:
                _keep(file, kept)
            restored.replace(file)
            _flush(file.parent)
    finally:
        restored.unlink(missing_ok=True)
    return Restored(kept if is_replaced else None, waiting)


def _copy_pages(source: Path, target: Path) -> None:
    with closing(_connect(source)) as ours, closing(_connect(target)) as theirs:
        with explained(source):
            ours.backup(theirs)
        with explained(target):
            # a backup is one file, without journals
            theirs.execute("PRAGMA journal_mode = DELETE")
        with explained(source):
            (result,) = theirs.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        raise StorageError("storage.corrupt", place=source, problem=result)


def _check_backup(backup: Path, file: Path, head: str) -> None:
    if not backup.is_file():
        raise StorageError("storage.missing", place=backup)
    if file.exists() and backup.samefile(file):
        raise StorageError("storage.same_file", place=file)
    with explained(backup), closing(_connect(backup)) as connection:
        revision = _revision(connection)
    if revision is None:
        raise StorageError("storage.foreign", place=backup)
    if revision > head:
        raise StorageError("storage.backup_newer", place=backup, found=revision, known=head)


@contextmanager
def _damage_told_as_of_a_backup() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        if error.key not in DAMAGES:
            raise
        raise StorageError("storage.backup_unfit", place=error.values["place"]) from error


def _move_journals(file: Path, kept: Path) -> None:
    """Those of a database that was moved away or is damaged would be applied to the restored one, and ruin it."""
    for journal in JOURNALS:
        path = file.with_name(file.name + journal)
        if path.exists():
            path.replace(kept.with_name(kept.name + journal))


def _keep(file: Path, kept: Path) -> None:
    """Give the database another name as well, so that `file` is there until it is replaced."""
    try:
        os.link(file, kept)
    except OSError:
        # not every file system has links
        file.replace(kept)


def _check_replaceable(file: Path, head: str) -> dict[str, int]:
    """Nobody else uses the database, nor is it newer than the program. A damaged one may be replaced. Returns the last
    numbers that it gave, as far as it can be read."""
    try:
        with closing(_connect(file, timeout_seconds=USE_TIMEOUT_SECONDS)) as connection:
            # leaving WAL needs the file for itself alone, and merges the log into it
            connection.execute("PRAGMA journal_mode = DELETE")
            revision = _revision(connection)
            numbers = numbers_of(connection) if revision is not None else {}
    except sqlite3.DatabaseError as error:
        key = next((key for name, key in SQLITE_RESULTS.items() if result_of(error).startswith(name)), None)
        if key == "storage.locked":
            raise StorageError("storage.in_use", place=file) from error
        if key not in ("storage.corrupt", "storage.not_a_database"):
            raise
        return {}
    if revision is not None and revision > head:
        raise StorageError("storage.replaced_newer", place=file, found=revision, known=head)
    return numbers


def _revision(connection: sqlite3.Connection) -> str | None:
    """The revision of one of our databases; None where it is none."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables >= OUR_TABLES:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _connect(file: Path, *, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> sqlite3.Connection:
    """A connection to a file that must exist."""
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout_seconds, isolation_level=None
    )


def _flush(path: Path) -> None:
    """Have the system write the file, or the names in the folder, to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
