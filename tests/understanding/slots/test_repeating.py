"""When recurring things come next: months without the day, the change of the clocks, ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from bot.understanding.slots.extract import extract
from bot.understanding.slots.repeating import next_time
from bot.understanding.slots.values import Recurrence, SlotKind
from tests.understanding.slots.table import NOW, ZONE


def times(text: str, *, now: datetime = NOW) -> Iterator[str]:
    """The local times of what the text says, one after the other."""
    found = extract(text, [SlotKind.RECURRENCE], now=now, zone=ZONE).first(SlotKind.RECURRENCE)
    assert found is not None
    assert isinstance(found.value, Recurrence)
    recurrence, at = found.value, now
    while (moment := next_time(recurrence.rule, recurrence.start, ZONE, after=at)) is not None:
        yield moment.replace(tzinfo=None).isoformat(" ", "minutes")
        at = moment


def test_a_month_without_the_day_has_its_last_day_instead() -> None:
    assert list(islice(times("monthly on the 31st at 10am"), 4)) == [
        "2026-03-31 10:00",
        "2026-04-30 10:00",
        "2026-05-31 10:00",
        "2026-06-30 10:00",
    ]


def test_the_29th_of_february_is_the_28th_in_other_years() -> None:
    assert list(islice(times("every year on february 29 at noon"), 2)) == ["2027-02-28 12:00", "2028-02-29 12:00"]


def test_every_second_tuesday_leaves_one_out() -> None:
    assert list(islice(times("every second tuesday at 10am"), 3)) == [
        "2026-03-17 10:00",
        "2026-03-31 10:00",
        "2026-04-14 10:00",
    ]


def test_eight_in_the_morning_stays_eight_when_the_clocks_change() -> None:
    eve = datetime(2026, 3, 27, 14, tzinfo=ZONE)
    assert list(islice(times("every day at 8am", now=eve), 3)) == [
        "2026-03-28 08:00",
        "2026-03-29 08:00",
        "2026-03-30 08:00",
    ]


def test_a_skipped_time_comes_later_on_that_day_only() -> None:
    eve = datetime(2026, 3, 27, 14, tzinfo=ZONE)
    assert list(islice(times("every day at 2:30 am", now=eve), 3)) == [
        "2026-03-28 02:30",
        "2026-03-29 03:30",
        "2026-03-30 02:30",
    ]


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    eve = datetime(2026, 10, 24, 14, tzinfo=ZONE)
    assert list(islice(times("every day at 2:30 am", now=eve), 2)) == ["2026-10-25 02:30", "2026-10-26 02:30"]


def test_every_two_hours_goes_by_the_time_that_passes() -> None:
    eve = datetime(2026, 3, 28, 23, tzinfo=ZONE)
    assert list(islice(times("every two hours", now=eve), 3)) == [
        "2026-03-29 01:00",
        "2026-03-29 04:00",
        "2026-03-29 06:00",
    ]


def test_times_with_different_minutes_are_kept_apart() -> None:
    assert list(islice(times("every day at 8:30 am and 8 pm"), 3)) == [
        "2026-03-11 20:00",
        "2026-03-12 08:30",
        "2026-03-12 20:00",
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [("every day at 8am until friday", 2), ("每天早上八点直到周五", 2), ("every day at 8am for 5 times", 5)],
)
def test_it_ends_when_that_was_said(text: str, count: int) -> None:
    assert len(list(islice(times(text), 20))) == count


def test_times_by_the_minute_end_as_well() -> None:
    start = NOW + timedelta(minutes=30)
    rule = "FREQ=MINUTELY;INTERVAL=30"
    assert next_time(f"{rule};COUNT=2", start, ZONE, after=start + timedelta(minutes=29)) == start + timedelta(
        minutes=30
    )
    assert next_time(f"{rule};COUNT=2", start, ZONE, after=start + timedelta(minutes=30)) is None
    assert next_time(f"{rule};UNTIL=20260311T150000", start, ZONE, after=start + timedelta(minutes=30)) is None


def test_what_began_years_ago_is_found_at_once() -> None:
    start = datetime(2006, 3, 11, 8, tzinfo=UTC)
    assert next_time("FREQ=MINUTELY", start, ZONE, after=NOW) == NOW + timedelta(minutes=1)
