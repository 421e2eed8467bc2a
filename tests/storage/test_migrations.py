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
from storage import open_books, open_store
from storage.location import locate
from storage.migrations import HEAD, SHIPPED, Migrations
from storage.opening import prepare
from storage.tables import metadata
from tests.storage.values import HERE, NOON, arrived, execute, fill, read_texts, url_of

NEXT = f"{int(HEAD) + 1:04}"
GOOD = f"""
from alembic import op
revision, down_revision = "{NEXT}", "{HEAD}"
def upgrade():
    op.execute("CREATE TABLE more (id INTEGER PRIMARY KEY)")
    op.execute("UPDATE turns SET text = text || '!'")
"""
FAILING = GOOD + '    op.execute("INSERT INTO nowhere VALUES (1)")\n'


def next_migrations(folder: Path, script: str) -> Migrations:
    """The shipped migrations and one more."""
    folder.mkdir()
    (folder / f"{NEXT}_more.py").write_text(script, encoding="utf-8")
    return Migrations(NEXT, (*SHIPPED.folders, folder))


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
        opts = {"compare_type": True, "include_name": lambda name, *_: not str(name).startswith("turn_words")}
        context = MigrationContext.configure(connection, opts=opts)
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
    assert prepare(engine, locate(url_of(file)), migrations=next_migrations(tmp_path / "next", GOOD)) == HEAD
    assert execute(file, "SELECT text FROM turns") == [("a!",)]
    (backup,) = file.parent.glob(f"parley.db.before-{NEXT}-*.bak")
    assert read_texts(backup) == ["a"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


FIRST = Migrations("0001", SHIPPED.folders)
SPOKEN = """
INSERT INTO conversations (channel, account, chat, thread, name, persona, model, created_at, updated_at)
VALUES ('console', '', 'local', '', 'trip', '', '', '2026-03-04 12:00:00', '2026-03-04 12:00:00');
INSERT INTO turns (conversation_id, role, text, at, state, platform_id, model, generator, prompt_tokens,
                   cached_tokens, completion_tokens, queue_seconds, first_seconds, total_seconds, evidence)
VALUES (1, 'user', 'hello', '2026-03-04 12:00:00', 'complete', 'm1', '', '', 0, 0, 0, 0, 0, 0, '{}');
UPDATE conversations SET head_id = 1;
INSERT INTO settings VALUES ('console//local/', 'conversation', '1');
"""


async def test_what_the_first_revision_kept_is_there_in_the_newest(file: Path, engine: Engine) -> None:
    assert prepare(engine, locate(url_of(file)), migrations=FIRST) is None
    assert "inbox" not in tables_of(file)
    execute(file, *SPOKEN.split(";\n"))
    async with open_books(url_of(file)) as books:
        [turn] = await books.store.path(1)
        assert (turn.text, await books.store.find_turn(HERE, "m1")) == ("hello", turn)
        assert await books.store.setting(HERE.key, "conversation") == "1"
        await books.store.rate(turn.id, "42", 1, at=NOON)
        [arrival] = await books.ledger.accept([arrived("hi", 1)], at=NOON)
        assert (await books.ledger.arrivals(), await books.roll.people()) == ([arrival], [])
    assert tables_of(file) >= {"inbox", "outbox", "feedback", "people", "pairing_codes"}
    assert execute(file, "PRAGMA foreign_key_check") == []
    assert len(list(file.parent.glob(f"parley.db.before-{HEAD}-*.bak"))) == 1


def test_a_migration_to_the_newest_revision_that_breaks_off_leaves_the_first(file: Path, engine: Engine) -> None:
    prepare(engine, locate(url_of(file)), migrations=FIRST)
    execute(file, *SPOKEN.split(";\n"), "CREATE TABLE pairing_codes (x)")
    before = tables_of(file)
    with pytest.raises(StorageError):
        prepare(engine, locate(url_of(file)))
    assert tables_of(file) == before
    execute(file, "DROP TABLE pairing_codes")
    assert prepare(engine, locate(url_of(file))) == "0001"
    assert read_texts(file) == ["hello"]


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
    assert execute(file, "SELECT version_num FROM alembic_version") == [(HEAD,)]
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
        f"prepare(make_engine(location), location, migrations=Migrations({NEXT!r}, folders))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -9
    assert tables_of(file) == before
    assert read_texts(file) == ["a"]


async def test_folder_names_that_mean_something_to_a_configuration_file_do_no_harm(tmp_path: Path) -> None:
    async with open_store(url_of(tmp_path / "100%(here)s; a b" / "parley.db")) as store:
        assert (await store.create_conversation(HERE, at=NOON)).id == 1
