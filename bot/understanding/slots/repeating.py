"""What comes again and again: rules of RFC 5545, put together from what was said, and their next time.

A rule goes by the clocks of a zone: what is at eight stays at eight when they are changed. Rules by the hour or the
minute go by the time that passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from dateutil.rrule import rrule, rrulestr

from bot.understanding.slots.calendar import Day, localised
from bot.understanding.slots.values import Duration

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
GROUPS = {"work": (0, 1, 2, 3, 4), "weekend": (5, 6)}
FREQUENCIES = {
    "minute": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "week": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}
BY_PASSING_TIME = ("HOURLY", "MINUTELY", "SECONDLY")


@dataclass(frozen=True, slots=True)
class Repeat:
    """That something repeats, as it was said."""

    unit: str
    """minute, hour, day, week, month or year."""
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    day: Day | None = None
    """Of a month or a year."""
    month_days: tuple[int, ...] = ()
    """Several days of a month."""
    part: str = ""
    needs_time: bool = False
    """Whether it only counts where a time was said, too."""


def rule_of(repeat: Repeat, day: Day | None, *, hours: tuple[tuple[int, int], ...] = ()) -> str:
    """The rule, without its end.

    Args:
        repeat: what was said of the repetition.
        day: the day that was said beside it.
        hours: the hours and minutes, where there are several.
    """
    day = repeat.day or day
    unit, interval, by = repeat.unit, repeat.interval, ""
    weekdays = repeat.weekdays or _weekdays_of(day)
    if repeat.month_days:
        by = f"BYMONTHDAY={_listed(sorted(repeat.month_days))}"
    elif unit == "month" and day:
        by = _by_month_day(day)
    elif unit == "year" and day and day.month and day.month_day:
        by = f"BYMONTH={day.month};{_by_month_day(day) if day.month == 2 else f'BYMONTHDAY={day.month_day}'}"
    elif unit == "year" and day and day.month and day.nth is not None:
        by = f"BYMONTH={day.month};{_by_month_day(day)}"
    elif unit in ("week", "day") and weekdays:
        unit, by = "week", "BYDAY=" + ",".join(WEEKDAYS[weekday] for weekday in sorted(weekdays))
    days = max(len(weekdays), 1) if unit == "week" else 1
    parts = [f"FREQ={FREQUENCIES[unit]}", f"INTERVAL={interval}" if interval > 1 else "", by, _by_hours(hours, days)]
    return ";".join(part for part in parts if part)


def _by_hours(hours: tuple[tuple[int, int], ...], days: int) -> str:
    """Several times a day. Where their minutes differ, they are picked out of all that hours and minutes make."""
    if len(hours) < 2:
        return ""
    all_hours, all_minutes = (sorted(set(each)) for each in zip(*hours, strict=True))
    made = [(hour, minute) for hour in all_hours for minute in all_minutes]
    by = f"BYHOUR={_listed(all_hours)};BYMINUTE={_listed(all_minutes)}"
    if len(all_minutes) == 1:
        return by
    places = [day * len(made) + made.index(each) + 1 for day in range(days) for each in sorted(hours)]
    return f"{by};BYSETPOS={_listed(places)}"


def _listed(numbers: list[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _weekdays_of(day: Day | None) -> tuple[int, ...]:
    if day is None:
        return ()
    if day.is_weekend:
        return GROUPS["weekend"]
    return () if day.weekday is None else (day.weekday,)


def _by_month_day(day: Day) -> str:
    """A month that lacks the day has its last day instead, where RFC 5545 would leave the month out."""
    if day.nth is not None and day.weekday is not None:
        return f"BYDAY={day.nth:+d}{WEEKDAYS[day.weekday]}"
    if day.month_day is None:
        return ""
    if day.month_day > 28:
        return "BYMONTHDAY=" + ",".join(str(each) for each in range(28, day.month_day + 1)) + ";BYSETPOS=-1"
    return f"BYMONTHDAY={day.month_day}"


def with_end(rule: str, *, until: datetime | None = None, count: int | None = None) -> str:
    """The rule with its end: a local time, or a number of times."""
    if until is not None:
        return f"{rule};UNTIL={until:%Y%m%dT%H%M%S}"
    return rule if count is None else f"{rule};COUNT={count}"


def first_time(rule: str, local: datetime, since: datetime) -> datetime | None:
    """The first local time of the rule after `since`, beginning at `local`; None where there is none."""
    return _parsed(rule, local).after(since)


def interval_of(repeat: Repeat) -> Duration | None:
    """How much time passes between two times, where a rule goes by that."""
    seconds = {"minute": 60, "hour": 3600}.get(repeat.unit)
    return Duration(seconds=seconds * repeat.interval) if seconds else None


def next_time(rule: str, start: datetime, zone: tzinfo, *, after: datetime) -> datetime | None:
    """The first time of a recurrence after a moment; None where it has ended.

    Args:
        rule: as in `Recurrence`.
        start: the first time; aware.
        zone: whose clocks it goes by.
        after: an aware moment.
    """
    if _frequency(rule) in BY_PASSING_TIME:
        return _next_by_passing_time(rule, start, zone, after)
    local = start.astimezone(zone).replace(tzinfo=None, fold=0)
    since = after.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(hours=3)  # clocks jump less than that
    times = _parsed(rule, local)
    found = times.after(since)
    while found is not None:
        moment, _ = localised(found, zone)
        if moment > after:
            return moment
        found = times.after(found)
    return None


def _next_by_passing_time(rule: str, start: datetime, zone: tzinfo, after: datetime) -> datetime | None:
    parts = dict(part.split("=") for part in rule.split(";"))
    seconds = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[parts["FREQ"]] * int(parts.get("INTERVAL", "1"))
    passed = (after - start).total_seconds()
    index = max(int(passed // seconds) + 1, 0)
    if index >= int(parts.get("COUNT", index + 1)):
        return None
    found = (start.astimezone(UTC) + timedelta(seconds=index * seconds)).astimezone(zone)
    until = parts.get("UNTIL")
    if until and found.replace(tzinfo=None) > datetime.strptime(until, "%Y%m%dT%H%M%S"):
        return None
    return found


def _frequency(rule: str) -> str:
    return rule.partition("FREQ=")[2].partition(";")[0]


def _parsed(rule: str, local: datetime) -> rrule:
    """The rule from a local time on; its hour and minute are those of `local` unless it says otherwise."""
    parsed = rrulestr(rule, dtstart=local)
    assert isinstance(parsed, rrule)
    return parsed


def end_of_day(local: datetime) -> datetime:
    """The last second of that day."""
    return datetime.combine(local.date(), time(23, 59, 59))
