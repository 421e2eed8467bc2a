"""What SQLite, other databases and the system report, in words that a person can act on; the one place that tells.

Texts never hold what was stored.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from bot.errors import StorageError

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
        return StorageError(
            SYSTEM_ERRORS.get(cause.errno or 0, "storage.cannot_open"), place=place, problem=_named(cause)
        )
    if isinstance(cause, sqlite3.Error):
        return StorageError(_sqlite_key(cause), place=place, problem=cause)
    # what another database says may quote what was to be stored
    return StorageError("storage.failed", place=place, problem=type(cause).__name__)


def result_of(error: sqlite3.Error) -> str:
    """The name of SQLite's result code; empty where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorname", "")


def _sqlite_key(error: sqlite3.Error) -> str:
    name = result_of(error)
    return next((key for result, key in SQLITE_RESULTS.items() if name.startswith(result)), "storage.failed")


def _named(error: OSError) -> str:
    return error.strerror or type(error).__name__
