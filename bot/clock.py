"""The time of day and the time zone that one run goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo


def _local_zone() -> tzinfo:
    """The machine's zone, which knows of daylight saving; where the machine names none, its offset of today."""
    import tzlocal

    try:
        return tzlocal.get_localzone()
    except (KeyError, ValueError, OSError):
        return datetime.now().astimezone().tzinfo or UTC


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the time, shifted by `offset` where a run was given another `now`."""

    zone: tzinfo = field(default_factory=_local_zone)
    offset: timedelta = timedelta()

    @classmethod
    def at(cls, now: datetime, zone: tzinfo) -> Clock:
        """A clock that shows `now` at this moment and goes on from there."""
        if now.tzinfo is None:
            now = now.replace(tzinfo=zone)
        return cls(zone, now - datetime.now(UTC))

    def now(self) -> datetime:
        """This moment, in the clock's zone."""
        return (datetime.now(UTC) + self.offset).astimezone(self.zone)
