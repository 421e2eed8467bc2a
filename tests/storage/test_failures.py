"""What is wrong with a database is told so that a person can act on it, and nothing is overwritten."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from bot.errors import StorageError
from bot.texts import Texts
from storage import open_store
from storage.failures import find_barrier
from tests.storage.values import HERE, NOON, digest, execute, fill, read_texts, said, texts_of, url_of

NOBODY = 65534


async def failure_of_opening(url: str) -> str:
    """The key of the error that opening ends with, after its text was told in each language."""
    with pytest.raises(StorageError) as caught:
        async with open_store(url, busy_timeout_seconds=0.05):
            raise AssertionError("it opened")
    return told(caught.value)


def told(error: StorageError) -> str:
    """The key of the error, whose text stands in each language."""
    english, chinese = error.told(Texts("en")), error.told(Texts("zh"))
    assert english != chinese
    return error.key


async def test_a_database_locked_by_another_program_is_told(file: Path) -> None:
    async with open_store(url_of(file), busy_timeout_seconds=0.05) as store:
        conversation = await store.create_conversation(HERE, at=NOON)
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError) as caught:
                await store.append_turn(said(conversation, "a"))
            assert told(caught.value) == "storage.locked"
            assert await store.path(conversation.id) == []
        assert texts_of([await store.append_turn(said(conversation, "b"))]) == ["b"]


async def test_a_fresh_database_that_another_program_locks_is_told(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert await failure_of_opening(url_of(file)) == "storage.locked"


async def test_a_file_that_is_no_database_is_told_and_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("Dear diary, " * 1000)
    before = digest(file)
    assert await failure_of_opening(url_of(file)) == "storage.not_a_database"
    assert digest(file) == before


def test_a_damaged_schema_is_told_at_opening_and_left_alone(file: Path) -> None:
    fill(file, "a")
    content = bytearray(file.read_bytes())
    content[100:4096] = b"\xa5" * 3996
    file.write_bytes(content)
    before = digest(file)
    with pytest.raises(StorageError) as caught:
        read_texts(file)
    assert told(caught.value) == "storage.corrupt"
    assert "parley db restore" in str(caught.value)
    assert digest(file) == before


def test_damaged_turns_are_told_when_they_are_read(file: Path) -> None:
    conversation = fill(file, *("word " * 500 for _ in range(100)))
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 65536] = b"\xa5" * 65536
    file.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        read_texts(file, conversation)
    assert told(caught.value) == "storage.corrupt"


async def test_a_database_of_another_program_is_told_and_left_alone(file: Path) -> None:
    file.parent.mkdir()
    execute(file, "CREATE TABLE songs (title)", "INSERT INTO songs VALUES ('Yesterday')")
    before = digest(file)
    assert await failure_of_opening(url_of(file)) == "storage.foreign"
    assert digest(file) == before


async def test_a_database_of_another_program_that_uses_alembic_is_told(file: Path) -> None:
    file.parent.mkdir()
    execute(file, "CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('ae1027a6acf')")
    assert await failure_of_opening(url_of(file)) == "storage.foreign"


def test_a_database_of_a_newer_program_is_told_and_left_alone(file: Path) -> None:
    fill(file, "a")
    execute(file, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(StorageError) as caught:
        read_texts(file)
    assert told(caught.value) == "storage.newer"
    assert "0999" in str(caught.value)
    assert execute(file, "SELECT version_num FROM alembic_version") == [("0999",)]


async def test_a_folder_in_the_place_of_the_database_is_told(file: Path) -> None:
    file.mkdir(parents=True)
    assert await failure_of_opening(url_of(file)) == "storage.cannot_open"


async def test_a_file_in_the_place_of_the_data_folder_is_told(file: Path) -> None:
    file.parent.write_text("a file")
    assert await failure_of_opening(url_of(file)) == "storage.cannot_open"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("parley.db", "storage.bad_url"),
        ("", "storage.bad_url"),
        ("nosuch://here/db", "storage.no_driver"),
        ("sqlite+nosuch:///parley.db", "storage.no_driver"),
        ("mssql+pymssql://ann:secret@host/db", "storage.no_driver"),
    ],
)
async def test_a_wrong_url_is_told_without_its_password(url: str, key: str) -> None:
    with pytest.raises(StorageError) as caught:
        async with open_store(url):
            raise AssertionError("it opened")
    assert told(caught.value) == key
    assert "secret" not in str(caught.value)


@contextmanager
def read_only_folder(*, with_database: bool) -> Iterator[Path]:
    """A data folder that this process may not write, even where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if with_database:
            subprocess.run(
                [sys.executable, "-m", "tests.storage.appender", url_of(folder / "parley.db"), "here", "1"],
                cwd=Path(__file__).parents[2],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            (folder / "parley.db").chmod(0o444)
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights otherwise")
@pytest.mark.parametrize("below", ["parley.db", "new/parley.db"])
async def test_a_read_only_folder_is_told(below: str) -> None:
    with read_only_folder(with_database=False) as folder:
        assert await failure_of_opening(url_of(folder / below)) == "storage.foreign_folder"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights otherwise")
def test_nobody_is_told_to_change_the_rights_of_a_folder_that_is_not_theirs() -> None:
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        barrier = find_barrier(Path("/nonexistent/.local/share/parley/parley.db"))
    finally:
        os.seteuid(user)
    assert barrier is not None
    assert "chmod" not in str(barrier) and "chown" not in str(barrier)
    assert "PARLEY_HOME" in str(barrier)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights otherwise")
async def test_a_read_only_database_is_told() -> None:
    with read_only_folder(with_database=True) as folder, pytest.raises(StorageError) as caught:
        async with open_store(url_of(folder / "parley.db")) as store:
            await store.create_conversation(HERE, at=NOON)
    assert told(caught.value) == "storage.read_only_file"
    assert "restore" not in str(caught.value)
    assert f"chmod u+rw {folder / 'parley.db'}" in str(caught.value)


async def test_a_read_only_file_system_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own answer is set, since only an administrator could mount such a one."""
    monkeypatch.setattr("storage.failures._is_on_read_only_disk", lambda path: True)
    async with open_store(url_of(file)):
        pass
    with refused_writes(), pytest.raises(StorageError) as caught:
        async with open_store(url_of(file)) as store:
            await store.create_conversation(HERE, at=NOON)
    assert told(caught.value) == "storage.read_only_disk"


@contextmanager
def refused_writes() -> Iterator[None]:
    """SQLite refuses every write that is tried inside, as on a read-only file system."""

    def refuse(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    event.listen(Engine, "connect", refuse)
    try:
        yield
    finally:
        event.remove(Engine, "connect", refuse)


@contextmanager
def full_disk(pages: int) -> Iterator[None]:
    """Every connection that is opened inside finds no room beyond so many pages."""

    def limit(connection: sqlite3.Connection, record: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


async def test_a_full_disk_is_told_and_what_was_stored_stays(file: Path) -> None:
    with full_disk(60):
        async with open_store(url_of(file)) as store:
            conversation = await store.create_conversation(HERE, at=NOON)
            stored = []
            with pytest.raises(StorageError) as caught:
                for _ in range(1000):
                    stored.append(await store.append_turn(said(conversation, "word " * 500)))
            assert told(caught.value) == "storage.full"
            assert stored
            assert await store.path(conversation.id) == stored
    async with open_store(url_of(file)) as store:
        stored.append(await store.append_turn(said(conversation, "there is room again")))
        assert await store.path(conversation.id) == stored


async def test_a_disk_too_full_for_a_new_database_is_told_and_leaves_no_table(file: Path) -> None:
    with full_disk(5):
        assert await failure_of_opening(url_of(file)) == "storage.full"
    assert execute(file, "SELECT name FROM sqlite_master") == []


async def test_a_failed_statement_is_not_told_with_what_it_was_to_store(file: Path) -> None:
    with full_disk(60):
        async with open_store(url_of(file)) as store:
            conversation = await store.create_conversation(HERE, at=NOON)
            with pytest.raises(StorageError) as caught:
                await store.append_turn(said(conversation, "secret " * 100_000))
    chain: BaseException | None = caught.value
    while chain:
        assert "secret" not in str(chain)
        chain = chain.__cause__
