"""Time that passes faster, so that minutes of waiting are part of a test."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.clock import Clock


@dataclass(frozen=True)
class FastTime(Clock):
    """Begins now, and goes `speed` times as fast as the world's; `sleep` goes with it."""

    speed: float = 1.0
    began: float = field(default_factory=time.time)

    def seconds(self) -> float:
        """Since 1970."""
        return self.began + (time.time() - self.began) * self.speed

    def now(self) -> datetime:
        return datetime.fromtimestamp(0, self.zone) + timedelta(seconds=self.seconds())

    async def sleep(self, seconds: float) -> None:
        """Wait for so much of this time."""
        await asyncio.sleep(seconds / self.speed)
