"""Backups are one whole state, also of a database in use; restoring loses nothing and never half-happens."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bot.channel import Content
from bot.errors import StorageError
from bot.ledger import ParcelDraft
from storage import open_books, open_store
from storage.backup import copy, restore
from storage.restoring import RESTORED, Waiting
from tests.storage.values import CHAT, HERE, NOON, arrived, digest, execute, fill, read_texts, said, texts_of, url_of


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Where a backup will be."""
    return tmp_path / "backup.db"


def key_of(error: pytest.ExceptionInfo[StorageError]) -> str:
    """The key of the error, after its text was told once."""
    assert str(error.value)
    return error.value.key


def test_a_backup_is_one_private_file_with_everything(file: Path, backup: Path) -> None:
    fill(file, "a", "b")
    copy(file, backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sorted(backup.parent.glob("backup.db*")) == [backup]
    assert read_texts(backup) == ["a", "b"]


async def test_a_backup_made_while_turns_are_appended_is_one_state(file: Path, tmp_path: Path) -> None:
    async with open_store(url_of(file)) as store:
        conversation = await store.create_conversation(HERE, at=NOON)
        written = 0
        stop = asyncio.Event()

        async def write() -> None:
            nonlocal written
            while not stop.is_set():
                await store.append_turn(said(conversation, f"{written} " + "word " * 100))
                written += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for number in range(5):
                at_least = written
                await asyncio.to_thread(copy, file, tmp_path / f"{number}.db")
                async with open_store(url_of(tmp_path / f"{number}.db")) as copied:
                    numbers = [int(text.split()[0]) for text in texts_of(await copied.path(conversation.id))]
                assert numbers == list(range(len(numbers)))
                assert len(numbers) >= at_least
            stop.set()
        assert await store.count_turns(conversation.id) == written


def test_a_backup_overwrites_nothing(file: Path, backup: Path) -> None:
    fill(file, "a")
    backup.write_text("precious")
    with pytest.raises(StorageError) as caught:
        copy(file, backup)
    assert key_of(caught) == "storage.exists"
    assert backup.read_text() == "precious"


def test_a_backup_of_nothing_is_an_error(file: Path, backup: Path) -> None:
    with pytest.raises(StorageError) as caught:
        copy(file, backup)
    assert key_of(caught) == "storage.missing"


def test_a_backup_of_a_damaged_database_is_not_made(file: Path, backup: Path) -> None:
    fill(file, *("word " * 500 for _ in range(50)))
    damage(file)
    with pytest.raises(StorageError) as caught:
        copy(file, backup)
    assert key_of(caught) == "storage.corrupt"
    assert list(backup.parent.glob("backup.db*")) == []


def test_restoring_brings_back_the_backup_and_keeps_what_was_there(file: Path, backup: Path) -> None:
    fill(file, "old")
    copy(file, backup)
    execute(file, "UPDATE turns SET text = 'new'")
    kept = restore(backup, file).kept
    assert kept
    assert read_texts(file) == ["old"]
    assert read_texts(kept) == ["new"]
    assert read_texts(backup) == ["old"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_what_waited_in_a_backup_is_set_aside_until_it_is_wanted(file: Path, backup: Path) -> None:
    async with open_books(url_of(file)) as books:
        await books.ledger.accept([arrived("1", 1), arrived("2", 2)], at=NOON)
        [posted] = await books.ledger.post([ParcelDraft(CHAT, Content("late"))], at=NOON)
    copy(file, backup)
    assert restore(backup, file).waiting == Waiting(arrivals=2, parcels=1)
    async with open_books(url_of(file)) as books:
        assert (await books.ledger.arrivals(), await books.ledger.parcels()) == ([], [])
        assert await books.ledger.accept([arrived("1", 1)], at=NOON) == []
        assert await books.ledger.count_set_aside() == 2
        assert [each.reason for each in await books.ledger.dead()] == [RESTORED]
        await books.ledger.revive(posted.id)
        assert await books.ledger.revive_arrivals() == 2
        assert [each.update.message.text for each in await books.ledger.arrivals()] == ["1", "2"]
        assert [each.content.text for each in await books.ledger.parcels()] == ["late"]


async def test_a_restored_database_gives_no_number_again(file: Path, backup: Path) -> None:
    await asyncio.to_thread(fill, file, "a")
    copy(file, backup)
    given = set[int]()
    for text in ("b", "c", "d"):
        async with open_store(url_of(file)) as store:
            given.add((await store.append_turn(said(1, text))).id)
        restore(backup, file)
    assert len(given) == 3


def test_restoring_where_nothing_was_makes_the_database(file: Path, backup: Path, tmp_path: Path) -> None:
    fill(file, "a")
    copy(file, backup)
    other = tmp_path / "elsewhere" / "parley.db"
    assert restore(backup, other).kept is None
    assert read_texts(other) == ["a"]
    assert list(other.parent.iterdir()) == [other]


async def test_a_database_in_use_is_not_replaced(file: Path, backup: Path) -> None:
    await asyncio.to_thread(fill, file, "a")
    copy(file, backup)
    async with open_store(url_of(file)) as store:
        await store.append_turn(said(1, "b"))
        with pytest.raises(StorageError) as caught:
            restore(backup, file)
        assert key_of(caught) == "storage.in_use"
        await store.append_turn(said(1, "c"))
        assert texts_of(await store.path(1)) == ["a", "b", "c"]
    assert sorted(path.name for path in file.parent.iterdir()) == ["parley.db"]


def test_a_damaged_database_is_replaced_and_kept(file: Path, backup: Path) -> None:
    fill(file, "a")
    copy(file, backup)
    file.write_bytes(b"garbage" * 1000)
    kept = restore(backup, file).kept
    assert kept
    assert kept.read_bytes() == b"garbage" * 1000
    assert read_texts(file) == ["a"]


@pytest.mark.parametrize("left", [b"", b"garbage" * 1000, None], ids=["emptied", "damaged", "moved away"])
def test_the_journal_of_an_earlier_database_is_not_applied_to_the_restored_one(
    file: Path, backup: Path, left: bytes | None
) -> None:
    fill(file, "a")
    copy(file, backup)
    log = file.with_name("parley.db-wal")
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("UPDATE turns SET text = 'unmerged'")
        writer.commit()
        unmerged = log.read_bytes()
    log.write_bytes(unmerged)
    file.unlink()
    if left is not None:
        file.write_bytes(left)
    restore(backup, file)
    assert not log.exists()
    assert read_texts(file) == ["a"]


def test_what_is_no_backup_is_not_restored(file: Path, tmp_path: Path) -> None:
    fill(file, "a")
    foreign = tmp_path / "foreign.db"
    execute(foreign, "CREATE TABLE t (x)")
    text = tmp_path / "text.txt"
    text.write_text("hello " * 1000)
    empty = tmp_path / "empty"
    empty.touch()
    before = digest(file)
    for unfit in (foreign, text, empty):
        with pytest.raises(StorageError) as caught:
            restore(unfit, file)
        assert key_of(caught) == "storage.backup_unfit"
    with pytest.raises(StorageError) as caught:
        restore(tmp_path / "nowhere", file)
    assert key_of(caught) == "storage.missing"
    with pytest.raises(StorageError) as caught:
        restore(file, file)
    assert key_of(caught) == "storage.same_file"
    assert digest(file) == before
    assert list(file.parent.iterdir()) == [file]


def test_a_damaged_backup_is_not_restored(file: Path, backup: Path) -> None:
    fill(file, *("word " * 500 for _ in range(50)))
    copy(file, backup)
    damage(backup)
    before = digest(file)
    with pytest.raises(StorageError) as caught:
        restore(backup, file)
    assert key_of(caught) == "storage.backup_unfit"
    assert digest(file) == before


def test_a_backup_of_a_newer_program_is_not_restored(file: Path, backup: Path) -> None:
    fill(file, "a")
    copy(file, backup)
    execute(backup, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError) as caught:
        restore(backup, file)
    assert key_of(caught) == "storage.backup_newer"
    assert read_texts(file) == ["a"]


def test_a_database_of_a_newer_program_is_not_replaced(file: Path, backup: Path) -> None:
    fill(file, "a")
    copy(file, backup)
    execute(file, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError) as caught:
        restore(backup, file)
    assert key_of(caught) == "storage.replaced_newer"
    assert execute(file, "SELECT version_num FROM alembic_version") == [("9999",)]


def damage(file: Path) -> None:
    """Overwrite the middle of the file."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 16384] = b"\xa5" * 16384
    file.write_bytes(content)
