"""A database of the test's own, and what speaks in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from bot.ledger import Ledger
from bot.people import Roll
from bot.protocols import Store
from storage import Books, open_books
from storage.engine import make_engine
from storage.location import locate
from tests.storage.values import url_of

SERVER = os.environ.get("PARLEY_TEST_DATABASE", "")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database will be; its folder is not there yet."""
    return tmp_path / "data" / "parley.db"


@pytest.fixture
def url(file: Path) -> str:
    """The URL of a fresh database: SQLite, or the server that PARLEY_TEST_DATABASE names, which is emptied."""
    if not SERVER:
        return url_of(file)
    emptied = create_engine(locate(SERVER).url)
    with emptied.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    emptied.dispose()
    return SERVER


@pytest.fixture
async def books(url: str) -> AsyncIterator[Books]:
    """Everything that is kept, on a fresh database."""
    async with open_books(url) as opened:
        yield opened


@pytest.fixture
def store(books: Books) -> Store:
    """The store on a fresh database."""
    return books.store


@pytest.fixture
def ledger(books: Books) -> Ledger:
    """The ledger on a fresh database."""
    return books.ledger


@pytest.fixture
def roll(books: Books) -> Roll:
    """The roll on a fresh database."""
    return books.roll


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    """An engine on the database, which is not made yet."""
    made = make_engine(locate(url_of(file)), busy_timeout_seconds=5)
    yield made
    made.dispose()
