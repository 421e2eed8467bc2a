"""Telegram's flood limits, as token buckets: so many calls at once, refilled at a rate; a refusal says how long."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """What a bot may send; None means no limit. Edits count like messages, drafts only overall, typing not at all.

    Args:
        per_second: all chats together.
        per_chat_per_second: each private chat.
        per_chat_burst: how many a private chat takes at once after a pause.
        per_group_per_minute: each group, supergroup or channel, and as many at once.
    """

    per_second: float | None = 30
    per_chat_per_second: float | None = 1
    per_chat_burst: int = 3
    per_group_per_minute: float | None = 20


@dataclass(slots=True)
class _Bucket:
    rate: float
    size: float
    level: float
    at: float

    def refill(self, now: float) -> None:
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now

    def wait(self) -> float:
        return 0.0 if self.level >= 1 else (1 - self.level) / self.rate


@dataclass(slots=True)
class Governor:
    """Keeps one bot within `limits`."""

    limits: FloodLimits
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, now: float, *, chat: str, group: bool, overall_only: bool = False) -> int:
        """Count one call: 0 if it may pass, else the whole seconds to wait."""
        buckets = [self._bucket("", self.limits.per_second, self.limits.per_second or 0, now)]
        if not overall_only and group:
            minute = self.limits.per_group_per_minute
            buckets.append(self._bucket(chat, minute and minute / 60, minute or 0, now))
        elif not overall_only:
            buckets.append(self._bucket(chat, self.limits.per_chat_per_second, self.limits.per_chat_burst, now))
        there = [bucket for bucket in buckets if bucket]
        wait = max((bucket.wait() for bucket in there), default=0.0)
        if wait > 0:
            return math.ceil(wait)
        for bucket in there:
            bucket.level -= 1
        return 0

    def _bucket(self, name: str, rate: float | None, size: float, now: float) -> _Bucket | None:
        if not rate:
            return None
        bucket = self._buckets.setdefault(name, _Bucket(rate, size, size, now))
        bucket.refill(now)
        return bucket
