"""Discord's rate limits: a bucket a route and channel, of so many calls in so many seconds, and one for all together.

A bucket's time begins with its first call and is over as a whole, as its headers say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

USUAL: Mapping[str, tuple[int, float]] = {
    "create_message": (5, 5),
    "edit_message": (5, 5),
    "delete_message": (5, 1),
    "bulk_delete": (1, 1),
    "typing": (5, 5),
    "add_reaction": (1, 0.25),
    "remove_reaction": (1, 0.25),
    "history": (5, 1),
    "create_thread": (50, 300),
    "create_dm": (10, 10),
    "follow_up": (5, 2),
    "edit_response": (5, 2),
}
"""By the name of the route: how many calls in how many seconds."""
OTHERS = (50, 1.0)


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a bot may call.

    Args:
        per_route: by the name of the route.
        per_second: all calls but answers to interactions; None means no limit.
    """

    per_route: Mapping[str, tuple[int, float]] = field(default_factory=lambda: dict(USUAL))
    per_second: int | None = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call's answer says about limits; `wait` is 0 if it may pass."""

    bucket: str
    limit: int
    remaining: int
    reset_after: float
    wait: float = 0.0
    everywhere: bool = False

    def headers(self, now: float) -> dict[str, str]:
        """The headers of the answer."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{now + self.reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after:.3f}",
            "X-RateLimit-Bucket": self.bucket,
        }
        if self.wait:
            headers |= {"Retry-After": f"{self.wait:.3f}", "X-RateLimit-Scope": "global" if self.everywhere else "user"}
        return headers | {"X-RateLimit-Global": "true"} if self.everywhere else headers


@dataclass(slots=True)
class _Bucket:
    since: float
    seconds: float
    used: int = 0


class Governor:
    """Keeps bots within limits; None lets everything pass, with headers as if there was plenty."""

    def __init__(self, limits: RateLimits | None) -> None:
        self._limits = limits
        self._buckets: dict[tuple[str, ...], _Bucket] = {}

    def take(self, now: float, *, token: str, route: str, major: str, apart: bool = False) -> Verdict:
        """Count one call.

        Args:
            now: the time in seconds.
            token: whose call.
            route: its name.
            major: the channel, guild or webhook that has a bucket of its own.
            apart: whether it does not count towards the global limit.
        """
        name = hashlib.sha256(route.encode()).hexdigest()[:32]
        if self._limits is None:
            return Verdict(name, 1000, 999, 1.0)
        self._forget(now)
        limit, seconds = self._limits.per_route.get(route, OTHERS)
        own = self._bucket((token, route, major), now, seconds)
        reset = own.since + seconds - now
        everything = self._bucket((token,), now, 1.0)
        if not apart and self._limits.per_second is not None and everything.used >= self._limits.per_second:
            return Verdict(name, limit, limit - own.used, reset, everything.since + 1.0 - now, everywhere=True)
        if own.used >= limit:
            return Verdict(name, limit, 0, reset, reset)
        own.used += 1
        everything.used += not apart
        return Verdict(name, limit, limit - own.used, reset)

    def _bucket(self, key: tuple[str, ...], now: float, seconds: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None or now >= bucket.since + seconds:
            bucket = self._buckets[key] = _Bucket(now, seconds)
        return bucket

    def _forget(self, now: float) -> None:
        if len(self._buckets) > 1000:
            self._buckets = {key: each for key, each in self._buckets.items() if now < each.since + each.seconds}
