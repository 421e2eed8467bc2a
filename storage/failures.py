"""What SQLite, other databases and the system report, in words that a person can act on; the one place that tells.

Where a database cannot be written, the file system is asked why. Texts never hold what was stored.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from bot.errors import StorageError
from bot.folders import is_own, is_seen, may, nearest_existing

SQLITE_RESULTS = {
    "SQLITE_BUSY": "storage.locked",
    "SQLITE_LOCKED": "storage.locked",
    "SQLITE_CORRUPT": "storage.corrupt",
    "SQLITE_NOTADB": "storage.not_a_database",
    "SQLITE_READONLY": "storage.read_only",
    "SQLITE_PERM": "storage.read_only",
    "SQLITE_CANTOPEN": "storage.cannot_open",
    "SQLITE_FULL": "storage.full",
    "SQLITE_IOERR": "storage.disk_failed",
}
"""Primary result codes (https://sqlite.org/rescode.html); extended ones begin with the same name."""

SYSTEM_ERRORS = {
    errno.EACCES: "storage.read_only",
    errno.EPERM: "storage.read_only",
    errno.EROFS: "storage.read_only",
    errno.ENOSPC: "storage.full",
    errno.EDQUOT: "storage.full",
    errno.EIO: "storage.disk_failed",
}

BARRED = ("storage.read_only", "storage.cannot_open")
"""Failures behind which rights or a read-only file system may stand."""
DAMAGES = ("storage.corrupt", "storage.not_a_database")
"""Failures that a backup helps against."""
JOURNALS = ("-wal", "-shm", "-journal")


@contextmanager
def explained(place: object) -> Iterator[None]:
    """Tell whatever a database or the system reports inside as a StorageError about `place`."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        raise explain(error, place) from error


def explain(error: DBAPIError | sqlite3.Error | OSError, place: object) -> StorageError:
    """What happened to the database at `place` (a path, or a URL without its password)."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError):
        key, problem = SYSTEM_ERRORS.get(cause.errno or 0, "storage.cannot_open"), _named(cause)
    elif isinstance(cause, sqlite3.Error):
        key, problem = _sqlite_key(cause), str(cause)
    else:  # what another database says may quote what was to be stored
        key, problem = "storage.failed", type(cause).__name__
    path = getattr(place, "file", place)
    barrier = find_barrier(path) if key in BARRED and isinstance(path, Path) else None
    return barrier or StorageError(key, place=place, problem=problem)


def find_barrier(file: Path) -> StorageError | None:
    """What keeps this user from writing a database, its journals or its folder; None where the system sees nothing."""
    folder = nearest_existing(file.parent)
    if _is_on_read_only_disk(nearest_existing(file)):
        return StorageError("storage.read_only_disk", place=file)
    for path in (file, *(file.with_name(file.name + journal) for journal in JOURNALS)):
        if is_seen(path) and path.is_file() and not may(path, os.R_OK | os.W_OK):
            return StorageError("storage.read_only_file", place=path, user=_user())
    if folder.is_dir() and not may(folder, os.W_OK | os.X_OK):
        # a folder that holds no database of ours may be anybody's, even `/`: nobody is told to change its rights
        key = "storage.read_only_folder" if is_own(folder) or is_seen(file) else "storage.foreign_folder"
        return StorageError(key, place=file, folder=folder, user=_user())
    return None


if sys.platform == "win32":

    def _is_on_read_only_disk(path: Path) -> bool:
        return False

    def _user() -> str:
        return os.environ.get("USERNAME", "")

else:
    import pwd

    def _is_on_read_only_disk(path: Path) -> bool:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)

    def _user() -> str:
        number = os.geteuid()
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:  # as in a container whose user has no name
            return str(number)


def result_of(error: sqlite3.Error) -> str:
    """The name of SQLite's result code; empty where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorname", "")


def _sqlite_key(error: sqlite3.Error) -> str:
    name = result_of(error)
    return next((key for result, key in SQLITE_RESULTS.items() if name.startswith(result)), "storage.failed")


def _named(error: OSError) -> str:
    return error.strerror or type(error).__name__
