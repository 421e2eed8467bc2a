"""Where a database is, as its URL says; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from bot.errors import StorageError

THREAD_DRIVERS = {
    "sqlite+aiosqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+asyncpg": "postgresql+psycopg",
}
"""Transactions run in threads, so a driver for asyncio gives way to the one for threads."""


@dataclass(frozen=True, slots=True)
class Location:
    """A database: its URL, and its file if it is one."""

    url: URL
    file: Path | None

    @property
    def is_in_memory(self) -> bool:
        """Whether it is a SQLite database that lives in memory alone."""
        return self.url.get_backend_name() == "sqlite" and self.file is None

    def __str__(self) -> str:
        """The location as people may read it: without a password."""
        return str(self.file) if self.file else self.url.render_as_string(hide_password=True)


def locate(url: str) -> Location:
    """The location that a SQLAlchemy URL names, such as `sqlite:////home/ann/parley.db`.

    Raises:
        StorageError: it is no such URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StorageError("storage.bad_url") from None
    parsed = parsed.set(drivername=THREAD_DRIVERS.get(parsed.drivername, parsed.drivername))
    return Location(parsed, _file_of(parsed))


def file_of(url: str) -> Path:
    """The file of the SQLite database that a URL names.

    Raises:
        StorageError: the database is no file, or the text is no URL.
    """
    location = locate(url)
    if location.file is None:
        raise StorageError("storage.no_file", place=location)
    return location.file


def _file_of(url: URL) -> Path | None:
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name).absolute()
