"""A database of the test's own, and what speaks in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from bot.protocols import Store
from storage import open_store
from storage.engine import make_engine
from storage.location import locate
from tests.storage.values import url_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database will be; its folder is not there yet."""
    return tmp_path / "data" / "parley.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    """An open store on a fresh database."""
    async with open_store(url_of(file)) as opened:
        yield opened


@pytest.fixture
def engine(file: Path) -> Iterator[Engine]:
    """An engine on the database, which is not made yet."""
    made = make_engine(locate(url_of(file)), busy_timeout_seconds=5)
    yield made
    made.dispose()
