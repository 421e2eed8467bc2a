"""Whose clock counts, and when nobody wants to be disturbed: time zones and quiet hours. Knows no platform."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from bot.protocols import Store
from bot.types import Address

TIMEZONE, QUIET = "timezone", "quiet_hours"
OFF = "off"
"""Quiet hours that a person has none of, although others do."""
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(?:-|–|—|to|until|bis|到|至)\s*(\d{1,2})(?::(\d{2}))?")


def scope_of(address: Address, person_id: str) -> str:
    """Where a person's own settings are kept: the same in every chat of the channel."""
    return f"person/{address.channel}/{person_id}"


# -- time zones ---------------------------------------------------------------------------------------------


def zone_named(name: str) -> tzinfo | None:
    """The zone of a name (`Europe/Berlin`, also just `berlin`) or an offset (`UTC+2`); None where there is none."""
    text = name.strip()
    if text.upper() in ("UTC", "GMT", "Z"):
        return UTC
    if match := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset) if offset < timedelta(hours=16) else None
    key = _keys().get(_plain(text))
    return ZoneInfo(key) if key else None


def near_zones(name: str) -> list[str]:
    """Names of zones that a wrong one may have been meant to be, the nearest first."""
    return list(dict.fromkeys(_keys()[key] for key in difflib.get_close_matches(_plain(name), _keys(), 3, 0.7)))


def zone_name(zone: tzinfo) -> str:
    """The name by which `zone_named` finds the zone."""
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone.key
    seconds = int((zone.utcoffset(datetime.now(UTC).replace(tzinfo=None)) or timedelta()).total_seconds())
    hours, rest = divmod(abs(seconds) // 60, 60)
    return f"UTC{'-' if seconds < 0 else '+'}{hours:02}:{rest:02}" if seconds else "UTC"


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


@lru_cache(maxsize=1)
def _keys() -> Mapping[str, str]:
    """Every zone by its name, and by that of its city alone where only one has it."""
    names = sorted(name for name in available_timezones() if not name.startswith(("Etc/", "SystemV/", "posix")))
    whole = {_plain(name): name for name in names}
    cities = {_plain(name.rpartition("/")[2]): name for name in names if "/" in name}
    return cities | whole


async def zone_of(store: Store, address: Address, person_id: str, default: tzinfo) -> tzinfo:
    """The zone that the person has chosen, else the default."""
    name = await store.setting(scope_of(address, person_id), TIMEZONE)
    return (zone_named(name) if name else None) or default


# -- quiet hours --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quiet:
    """From when to when, by the clock of the person; over midnight where the end is the earlier."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def ends(self, at: datetime, zone: tzinfo) -> datetime | None:
        """When the quiet hours end in which that moment lies; None where it lies in none."""
        local = at.astimezone(zone)
        if not self._holds(local.time()):
            return None
        day = local.date() + timedelta(days=int(local.time() >= self.end))
        return datetime.combine(day, self.end, zone)

    def _holds(self, at: time) -> bool:
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def quiet_said(text: str) -> Quiet | None:
    """The quiet hours that a text such as `22:00-7:00` names; None where it names none.

    Raises:
        ValueError: no clock shows one of the times, or both are the same.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        return None
    start, end = time(int(match[1]) % 24, int(match[2] or 0)), time(int(match[3]) % 24, int(match[4] or 0))
    if start == end:
        raise ValueError("quiet hours without an end")
    return Quiet(start, end)


async def quiet_of(store: Store, address: Address, person_id: str, default: str = "") -> Quiet | None:
    """The person's quiet hours, else the default ones; None where there are none."""
    text = await store.setting(scope_of(address, person_id), QUIET) or default
    return quiet_said(text) if text and text != OFF else None
