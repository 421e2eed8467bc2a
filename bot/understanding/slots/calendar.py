"""Days, clock times and their resolution against the moment in which something was said, daylight saving included.

Knows no words: its values say what a phrase meant, its functions which moment that is.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from bot.understanding.slots.values import Doubt, Duration, Problem

DEFAULT_HOUR = 9
"""Of a day for which no time was said."""
EARLIEST_HOUR = 6
"""Of a time without a half of the day and without a day."""
WAKING_HOUR = 7
"""Of such a time on another day than today: from then on, for twelve hours."""
PART_HOURS = {
    "small_hours": 3,
    "dawn": 6,
    "morning": 9,
    "noon": 12,
    "afternoon": 15,
    "dusk": 18,
    "evening": 19,
    "night": 20,
    "midnight": 24,
}
MORNINGS = ("small_hours", "dawn", "morning")
NIGHTS = ("night", "midnight")


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was said, and how the person there reckons."""

    now: datetime
    zone: tzinfo
    day_first: bool = False
    """Whether 3/4 is the third of April."""
    hint: str = ""
    """am or pm, where the rest of what was said tells."""

    @property
    def today(self) -> date:
        """The day there."""
        return self.local.date()

    @property
    def local(self) -> datetime:
        """What the clock shows there, without a zone."""
        return self.now.astimezone(self.zone).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day as it was said."""

    hour: int
    minute: int = 0
    second: int = 0
    half: str = ""
    """am, pm, or empty."""
    certain: bool = False
    """Whether the hour is one of twenty-four."""
    part: str = ""
    """The part of the day that was said with it, where there are several times."""

    @property
    def exists(self) -> bool:
        """Whether any clock shows it."""
        return 0 <= self.hour <= 24 and 0 <= self.minute < 60 and 0 <= self.second < 60

    @property
    def is_open(self) -> bool:
        """Whether it stands for two times of a day."""
        return not self.half and not self.certain and 1 <= self.hour <= 12

    def seconds(self, hour: int) -> int:
        """Seconds since midnight, at another hour."""
        return hour * 3600 + self.minute * 60 + self.second


@dataclass(frozen=True, slots=True)
class Day:
    """A day as it was said."""

    date: date | None
    """None where there is no such day, or where it is one only in a recurrence."""
    doubts: tuple[Doubt, ...] = ()
    problem: Problem | None = None
    part: str = ""
    """The part of the day, as in "tonight"."""
    weekday: int | None = None
    month_day: int | None = None
    month: int | None = None
    nth: int | None = None
    """Which of the weekdays of a month."""
    is_weekend: bool = False


def day_of(year: int, month: int, day: int) -> Day:
    """The day of that date, if there is one."""
    try:
        return Day(date(year, month, day), month_day=day, month=month)
    except ValueError:
        return Day(None, problem=Problem.NO_SUCH_DATE, month_day=day, month=month)


def next_date(month: int, day: int, moment: Moment) -> Day:
    """The next day of that month and day, from today on; 29 February in the next leap year."""
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(2000, month)[1]:
        return Day(None, problem=Problem.NO_SUCH_DATE, month_day=day, month=month)
    for year in range(moment.today.year, moment.today.year + 9):
        found = day_of(year, month, day)
        if found.date and found.date >= moment.today:
            return found
    return Day(None, problem=Problem.NO_SUCH_DATE)


def next_month_day(day: int, moment: Moment) -> Day:
    """The next day of that number in any month, from today on."""
    if not 1 <= day <= 31:
        return Day(None, problem=Problem.NO_SUCH_DATE, month_day=day)
    first = moment.today.replace(day=1)
    for months in range(12):
        month = add_months(first, months)
        found = day_of(month.year, month.month, day)
        if found.date and found.date >= moment.today:
            return replace(found, month=None)
    raise AssertionError("every such day comes within a year")


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> Day:
    """The nth weekday of a month; -1 is the last."""
    days = [week[weekday] for week in calendar.monthcalendar(year, month) if week[weekday]]
    try:
        return Day(date(year, month, days[nth - 1 if nth > 0 else nth]), weekday=weekday, nth=nth, month=month)
    except IndexError:
        return Day(None, problem=Problem.NO_SUCH_DATE, weekday=weekday, nth=nth, month=month)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    year = min(max(year, 1), 9999)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def shifted(moment: datetime, duration: Duration, zone: tzinfo, sign: int = 1) -> tuple[datetime, tuple[Doubt, ...]]:
    """So much later (or earlier): days and months by the calendar, hours by the clock, whatever the time does there."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    doubts: tuple[Doubt, ...] = ()
    if duration.days or duration.months:
        day = add_months(local.date(), sign * duration.months) + timedelta(days=sign * duration.days)
        moment, doubts = localised(datetime.combine(day, local.time()), zone)
    later = moment.astimezone(UTC) + sign * timedelta(seconds=duration.seconds)
    return later.astimezone(zone), doubts


def localised(local: datetime, zone: tzinfo) -> tuple[datetime, tuple[Doubt, ...]]:
    """The moment at which clocks there show that time, as RFC 5545 (3.3.5) has it.

    A time that they skip is taken by the offset before the jump, so that it is as much later as they jump; of a time
    that they show twice, the first counts.
    """
    aware = local.replace(tzinfo=zone, fold=0)
    shown = aware.astimezone(UTC).astimezone(zone)
    if shown.replace(tzinfo=None, fold=0) != local:
        return shown, (Doubt.SKIPPED,)
    if aware.utcoffset() != local.replace(tzinfo=zone, fold=1).utcoffset():
        return aware, (Doubt.DOUBLED,)
    return aware, ()


# -- which time is meant ------------------------------------------------------------------------------------


def hour_in_part(clock: Clock, part: str) -> int:
    """The hour since that day's midnight of a time in a part of the day: "at one" in the night is the 25th."""
    hour = clock.hour
    if clock.certain and (hour > 12 or hour == 0):
        return hour
    if clock.half:
        return hour % 12 + (12 if clock.half == "pm" else 0)
    if part in MORNINGS:
        return 0 if part == "small_hours" and hour == 12 else hour
    if part == "noon":
        return hour if hour >= 10 else hour + 12
    if part in NIGHTS and (hour == 12 or hour < 5):
        return hour % 12 + 24
    return hour % 12 + 12


def fixed_hour(clock: Clock) -> int:
    """The hour of a time that stands for one only."""
    return clock.hour % 12 + (12 if clock.half == "pm" else 0) if clock.half else clock.hour


def waking_hour(clock: Clock, hint: str) -> int:
    """The likelier hour of a time that stands for two."""
    morning, evening = clock.hour % 12, clock.hour % 12 + 12
    if hint:
        return morning if hint == "am" else evening
    return morning if morning >= WAKING_HOUR else evening


def next_open(clock: Clock, moment: Moment) -> tuple[date, int]:
    """The next day and hour at which clocks show a time that stands for two, nights left out."""
    hours = sorted((clock.hour % 12, clock.hour % 12 + 12))
    if moment.hint:
        hours = hours[:1] if moment.hint == "am" else hours[1:]
    for days in (0, 1):
        day = moment.today + timedelta(days=days)
        for hour in hours:
            shown = datetime.combine(day, time()) + timedelta(seconds=clock.seconds(hour))
            if shown > moment.local and (hour >= EARLIEST_HOUR or moment.hint):
                return day, hour
    raise AssertionError("one of them is over within a day")


def later_today(moment: Moment) -> int | None:
    """The hour for something that is to be today, no time said; None where the day is nearly over."""
    if moment.local.hour < DEFAULT_HOUR:
        return DEFAULT_HOUR
    hour = (moment.local + timedelta(hours=1, minutes=59, seconds=59)).hour
    return hour if hour > moment.local.hour else None
