"""A Telegram of the test's own, with Ann and her private chat."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.bot_api import BotApiServer
from tests.servers.bot_api_people import Person
from tests.servers.bot_api_world import Chat


@pytest.fixture
async def server() -> AsyncIterator[BotApiServer]:
    async with BotApiServer() as server:
        yield server


@pytest.fixture
def ann(server: BotApiServer) -> Person:
    return server.person("Ann")


@pytest.fixture
def chat(server: BotApiServer, ann: Person) -> Chat:
    return server.chat_private(ann)
