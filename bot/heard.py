"""How far one account has listened, for adapters that read what was said while they were away. Knows no platform."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.delivery.streaming import Channel
from bot.protocols import Store
from bot.types import Address

REMEMBERED_CHATS, MOST_CHATS = timedelta(days=30), 1000
SCOPE, MARK, FIRST = "heard", "since", "first"
OVERLAP = timedelta(minutes=10)
"""What was said so shortly before the newest that is kept may not be: things may be told out of order."""


@dataclass(frozen=True, slots=True)
class Heard:
    """That of the account of `channel`; see `bot.channel.Intake`."""

    channel: Channel
    store: Store

    async def since(self) -> datetime | None:
        """From when on what was said may not all be kept: where reading was broken off, or shortly before the newest
        message, but never before the first start, at which it is None."""
        if marked := await self.store.setting(self._scope, MARK):
            return datetime.fromisoformat(marked)
        first = await self.store.setting(self._scope, FIRST)
        if first is None:
            await self.store.set_setting(self._scope, FIRST, self.channel.now().isoformat())
        adapter = self.channel.adapter
        newest = await self.channel.ledger.newest(adapter.name, adapter.account)
        times = [newest - OVERLAP if newest else None, datetime.fromisoformat(first) if first else None]
        return max((time for time in times if time), default=None)

    async def note_reading(self, since: datetime | None) -> None:
        """Remember that what was said since then is being read, and is not all kept yet; None when it is."""
        await self.store.set_setting(self._scope, MARK, since.isoformat() if since else None)

    async def private_chats(self) -> list[Address]:
        """Where people have talked with the assistant in private lately, latest first."""
        adapter, after = self.channel.adapter, self.channel.now() - REMEMBERED_CHATS
        places = await self.channel.ledger.places(adapter.name, adapter.account, after=after)
        return [place for place in places if adapter.is_private(place)][:MOST_CHATS]

    @property
    def _scope(self) -> str:
        return f"{SCOPE}/{self.channel.adapter.name}/{self.channel.adapter.account}"
