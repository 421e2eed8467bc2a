"""What the tests of the test servers share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.discord_client import Scene, staged
from tests.servers.discord_server import DiscordServer


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """discord.py, connected to a Discord without rate limits."""
    async with DiscordServer(limits=None) as server, staged(server) as running:
        yield running
