"""`parley db`, as somebody types it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.cli import main
from bot.cli.checks import Patient, Status
from bot.cli.checks_channels import check_inbox
from bot.config import load
from bot.texts import Texts
from storage import open_books
from tests.storage.values import NOON, arrived, execute, fill, read_texts, url_of


@pytest.fixture
def database(home: Path) -> Path:
    """Where the program keeps its database."""
    return home / "parley.db"


def test_path_says_where_the_database_is(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "path"]) == 0
    assert capsys.readouterr().out == f"{database}\n"
    assert not database.exists()


@pytest.mark.parametrize("name", ["what?mode=ro", "no#1", "100%", "a%20b"])
def test_any_sign_may_stand_in_the_name_of_the_data_folder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / name))
    assert main(["db", "upgrade"]) == 0
    assert str(tmp_path / name / "parley.db") in capsys.readouterr().out
    assert (tmp_path / name / "parley.db").is_file()
    assert main(["db", "backup"]) == 0
    (backup,) = (tmp_path / name).glob("*.bak")
    assert main(["db", "restore", str(backup)]) == 0


def test_path_hides_a_password(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PARLEY_STORAGE__URL", "postgresql://ann:secret@host/db")
    assert main(["db", "path"]) == 0
    assert "secret" not in capsys.readouterr().out


def test_upgrade_makes_the_database_and_then_finds_it_up_to_date(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "upgrade"]) == 0
    assert database.is_file()
    assert "made" in capsys.readouterr().out
    assert main(["db", "upgrade"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_a_backup_goes_beside_the_database_or_where_it_is_told(database: Path, tmp_path: Path) -> None:
    fill(database, "a")
    assert main(["db", "backup"]) == 0
    assert main(["db", "backup", str(tmp_path / "mine.db")]) == 0
    (beside,) = database.parent.glob("*.bak")
    assert read_texts(beside) == read_texts(tmp_path / "mine.db") == ["a"]


def test_restore_brings_a_backup_back_and_says_what_it_kept(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(database, "old")
    assert main(["db", "backup", "mine.db"]) == 0
    execute(database, "UPDATE turns SET text = 'new'")
    capsys.readouterr()
    assert main(["db", "restore", "mine.db"]) == 0
    (kept,) = database.parent.glob("*.bak")
    output = capsys.readouterr().out
    assert str(database) in output
    assert str(kept) in output
    assert read_texts(database) == ["old"]
    assert read_texts(kept) == ["new"]


def test_restore_says_what_waited_doctor_shows_it_and_retry_takes_it_up(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def wait() -> None:
        async with open_books(url_of(database)) as books:
            await books.ledger.accept([arrived("Hello", 1)], at=NOON)

    asyncio.run(wait())
    assert main(["db", "backup", "mine.db"]) == 0
    assert main(["db", "restore", "mine.db"]) == 0
    assert "1 messages waited for an answer and 0 for delivery" in capsys.readouterr().out
    found = check_inbox(Patient(load(), Texts("en"), {}))
    assert "1 messages waited for an answer in a backup" in found.found and "parley db retry" in found.mend
    assert main(["db", "retry"]) == 0
    assert "1 messages that waited in a restored backup" in capsys.readouterr().out
    assert check_inbox(Patient(load(), Texts("en"), {})).status is Status.OK


def test_a_failure_is_one_sentence_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "backup"]) == 1
    assert "There is no database" in capsys.readouterr().err


def test_a_database_on_a_server_is_backed_up_by_its_own_tools(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_STORAGE__URL", "postgresql://ann:secret@host/db")
    assert main(["db", "backup"]) == 1
    told = capsys.readouterr().err
    assert "pg_dump" in told
    assert "secret" not in told
