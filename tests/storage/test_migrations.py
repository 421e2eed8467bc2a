"""Migrations: wholly or not at all, once, with a backup; and what a fresh database looks like."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot.errors import StorageError
from storage import open_store
from storage.location import locate
from storage.migrations import HEAD, SHIPPED, Migrations
from storage.opening import prepare
from storage.tables import metadata
from tests.storage.values import HERE, NOON, execute, fill, read_texts, url_of

GOOD = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("CREATE TABLE more (id INTEGER PRIMARY KEY)")
    op.execute("UPDATE turns SET text = text || '!'")
"""
FAILING = GOOD + '    op.execute("INSERT INTO nowhere VALUES (1)")\n'


def next_migrations(folder: Path, script: str) -> Migrations:
    """The shipped migrations and one more."""
    folder.mkdir()
    (folder / "0002_more.py").write_text(script, encoding="utf-8")
    return Migrations("0002", (*SHIPPED.folders, folder))


def tables_of(file: Path) -> set[object]:
    """The names of the tables in the file."""
    return {name for (name,) in execute(file, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_the_constant_head_is_the_head_of_the_scripts() -> None:
    from alembic.script import ScriptDirectory

    folder = SHIPPED.folders[0]
    scripts = ScriptDirectory(str(folder.parent), version_locations=[str(folder)])
    assert scripts.get_heads() == [HEAD]
    revisions = sorted(script.revision for script in scripts.walk_revisions())
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]


def test_the_migrated_database_has_the_tables_as_the_program_knows_them(file: Path, engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    assert prepare(engine, locate(url_of(file))) is None
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        migrated = {row.sql for row in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql LIKE '%(%'")}
        assert any("AUTOINCREMENT" in sql for sql in migrated)
        names = {table.name: {key.name for key in table.foreign_key_constraints} for table in metadata.sorted_tables}
        assert all(str(name) in " ".join(migrated) for keys in names.values() for name in keys)


def test_a_fresh_database_is_for_its_owner_alone(file: Path) -> None:
    mask = os.umask(0o022)
    try:
        fill(file, "a")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_an_open_database_is_set_up_as_promised(file: Path) -> None:
    from storage.engine import Database, make_engine

    location = locate(url_of(file))
    database = Database(location, make_engine(location))
    await database.prepare()
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "secure_delete": 1, "busy_timeout": 10000}
    for name, value in wanted.items():
        assert (
            await database.read(lambda connection, name=name: connection.exec_driver_sql(f"PRAGMA {name}").scalar())  # type: ignore[misc] # mypy infers no type of a lambda with a default
            == value
        )
    assert stat.S_IMODE(Path(f"{file}-wal").stat().st_mode) == 0o600
    await database.close()


def test_opening_a_database_that_is_up_to_date_imports_neither_alembic_nor_the_orm(file: Path) -> None:
    fill(file, "a")
    program = (
        "import asyncio, sys\n"
        "from storage import open_store\n"
        "assert 'sqlalchemy' not in sys.modules\n"
        "async def main():\n"
        f"    async with open_store({url_of(file)!r}) as store:\n"
        "        print(len(await store.path(1)))\n"
        "asyncio.run(main())\n"
        "assert not {'alembic', 'sqlalchemy.orm'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_an_older_database_is_migrated_and_a_backup_is_put_beside_it(
    file: Path, engine: Engine, tmp_path: Path
) -> None:
    fill(file, "a")
    assert prepare(engine, locate(url_of(file)), migrations=next_migrations(tmp_path / "next", GOOD)) == "0001"
    assert execute(file, "SELECT text FROM turns") == [("a!",)]
    (backup,) = file.parent.glob("parley.db.before-0002-*.bak")
    assert read_texts(backup) == ["a"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_database_that_is_up_to_date_is_not_backed_up(file: Path) -> None:
    fill(file, "a")
    fill(file, "b")
    assert list(file.parent.glob("*.bak")) == []


def test_a_failing_migration_leaves_the_old_state(file: Path, engine: Engine, tmp_path: Path) -> None:
    fill(file, "a")
    before = tables_of(file)
    with pytest.raises(StorageError) as caught:
        prepare(engine, locate(url_of(file)), migrations=next_migrations(tmp_path / "next", FAILING))
    assert caught.value.key == "storage.failed"
    assert tables_of(file) == before
    assert execute(file, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert read_texts(file) == ["a"]


def test_a_migration_that_fails_on_a_fresh_database_leaves_no_table(file: Path, engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        prepare(engine, locate(url_of(file)), migrations=next_migrations(tmp_path / "next", FAILING))
    assert tables_of(file) == set()
    assert prepare(engine, locate(url_of(file))) is None


def test_a_process_killed_in_the_middle_of_a_migration_leaves_the_old_state(file: Path, tmp_path: Path) -> None:
    fill(file, "a")
    before = tables_of(file)
    next_migrations(tmp_path / "next", GOOD + "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    program = (
        "from pathlib import Path\n"
        "from storage.engine import make_engine\n"
        "from storage.location import locate\n"
        "from storage.migrations import SHIPPED, Migrations\n"
        "from storage.opening import prepare\n"
        f"location = locate({url_of(file)!r})\n"
        f"folders = (*SHIPPED.folders, Path({str(tmp_path / 'next')!r}))\n"
        "prepare(make_engine(location), location, migrations=Migrations('0002', folders))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -9
    assert tables_of(file) == before
    assert read_texts(file) == ["a"]


async def test_folder_names_that_mean_something_to_a_configuration_file_do_no_harm(tmp_path: Path) -> None:
    async with open_store(url_of(tmp_path / "100%(here)s; a b" / "parley.db")) as store:
        assert (await store.create_conversation(HERE, at=NOON)).id == 1
