"""The Bot API server, and people who use it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    """A server that listens."""
    async with BotApiServer() as server:
        yield server


@pytest.fixture
def ann(server: BotApiServer) -> Person:
    """Somebody."""
    return server.person("Ann")
