"""A clock whose hands a test moves."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from bot.clock import Clock


class Hands(Clock):
    """Shows `at` until it is moved."""

    def __init__(self, at: datetime, zone: tzinfo) -> None:
        super().__init__(zone)
        self._at = [at]

    def now(self) -> datetime:
        return self._at[0].astimezone(self.zone)

    def move(self, to: datetime | timedelta) -> None:
        """Let it show another time, or a later one."""
        self._at[0] = to if isinstance(to, datetime) else self._at[0] + to

    __slots__ = ("_at",)

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
