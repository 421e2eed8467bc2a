"""The Discord server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.discord_server import DiscordServer


@pytest.fixture
async def server() -> AsyncIterator[DiscordServer]:
    """A server that listens."""
    async with DiscordServer() as server:
        yield server
