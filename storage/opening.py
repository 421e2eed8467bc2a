"""Makes a database ready for this program: creates it, checks that it is ours, migrates it if it is older."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, inspect, text

from bot.errors import StorageError
from storage import sqlite
from storage.backup import beside, copy
from storage.failures import explained
from storage.location import Location
from storage.migrations import OUR_TABLES, SHIPPED, Migrations


def prepare(engine: Engine, location: Location, *, migrations: Migrations = SHIPPED) -> str | None:
    """Make the database ready. Of several processes that do so at once, one migrates and the others wait.

    Before it migrates an existing SQLite database, a backup is put beside it: `FILE.before-REVISION-TIME.bak`.

    Returns:
        The revision that was found; None where the database was empty.

    Raises:
        StorageError: the database is newer than the program, another program's, damaged, locked, or cannot be written.
    """
    with explained(location):
        if location.file:
            sqlite.create_file(location.file)
        with engine.begin() as connection:
            found = find_revision(connection, location, head=migrations.head)
        if location.file:
            sqlite.use_wal(engine)
        if found != migrations.head:
            found = _migrate(engine, location, migrations)
    return found


def find_revision(connection: Connection, place: object, *, head: str) -> str | None:
    """The revision of the database; None where it is empty.

    Raises:
        StorageError: it is newer than `head`, or another program's.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if not tables >= OUR_TABLES:
        raise StorageError("storage.foreign", place=place)
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is None:
        raise StorageError("storage.foreign", place=place)
    if revision > head:
        raise StorageError("storage.newer", place=place, found=revision, known=head)
    return str(revision)


def _migrate(engine: Engine, location: Location, migrations: Migrations) -> str | None:
    """Migrate in the one transaction that has the lock, unless another process did while this one waited for it."""
    with engine.execution_options(**sqlite.WRITE_OPTIONS).begin() as connection:
        found = find_revision(connection, location, head=migrations.head)
        if found == migrations.head:
            return found
        if found and location.file:
            copy(location.file, beside(location.file, f"before-{migrations.head}-"))
        migrations.run(connection)
    return found
