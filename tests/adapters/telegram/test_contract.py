"""Telegram keeps to the contract of adapters, polled as well as with a webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters import webhook
from adapters.contract import AdapterContract, Platform
from tests.adapters.telegram.platform import TelegramPlatform
from tests.adapters.telegram.test_receiving import free_port


class TestPolling(AdapterContract):
    @pytest.fixture
    async def platform(self) -> AsyncIterator[Platform]:
        async with TelegramPlatform() as platform:
            yield platform


class TestWebhook(AdapterContract):
    @pytest.fixture
    async def platform(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Platform]:
        monkeypatch.setattr(webhook, "SHUTDOWN_SECONDS", 0.2)  # the patience with a store that blocks for ever
        async with TelegramPlatform(webhook_url=f"http://127.0.0.1:{free_port()}/") as platform:
            yield platform
