"""Time zones by the names that people use, and hours in which nothing is to disturb them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from bot.hours import near_zones, quiet_said, zone_name, zone_named

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", BERLIN),
        ("berlin", BERLIN),
        ("new york", ZoneInfo("America/New_York")),
        ("UTC", UTC),
        ("utc+5:30", timezone(timedelta(hours=5, minutes=30))),
        ("-3", timezone(timedelta(hours=-3))),
    ],
)
def test_a_zone_is_found_by_its_city_or_its_offset(name: str, zone: ZoneInfo) -> None:
    assert zone_named(name) == zone


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "utc+99", "../etc/passwd", "Europe", "x" * 5000])
def test_what_names_no_zone_is_none(name: str) -> None:
    assert zone_named(name) is None


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "UTC+05:30", "UTC-03:00"])
def test_the_name_of_a_zone_finds_it_again(name: str) -> None:
    zone = zone_named(name)
    assert zone is not None
    assert zone_named(zone_name(zone)) == zone


def test_a_misspelt_zone_has_near_ones() -> None:
    assert near_zones("Berln") == ["Europe/Berlin"]


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (datetime(2026, 3, 11, 21, 59), None),
        (datetime(2026, 3, 11, 22, 0), datetime(2026, 3, 12, 7)),
        (datetime(2026, 3, 12, 6, 59), datetime(2026, 3, 12, 7)),
        (datetime(2026, 3, 12, 7, 0), None),
        # the night in which the clocks are put forward
        (datetime(2026, 3, 28, 23, 0), datetime(2026, 3, 29, 7)),
    ],
)
def test_quiet_hours_end_in_the_morning(at: datetime, end: datetime | None) -> None:
    quiet = quiet_said("22:00-7:00")
    assert quiet is not None
    assert quiet.ends(at.replace(tzinfo=BERLIN), BERLIN) == (end and end.replace(tzinfo=BERLIN))


def test_quiet_hours_may_lie_within_a_day() -> None:
    quiet = quiet_said("13 到 14:30")
    assert quiet is not None
    assert str(quiet) == "13:00-14:30"
    assert quiet.ends(datetime(2026, 3, 11, 14, tzinfo=BERLIN), BERLIN) == datetime(2026, 3, 11, 14, 30, tzinfo=BERLIN)


@pytest.mark.parametrize("text", ["22:00-22:00", "22:99-7:00"])
def test_hours_that_no_clock_shows_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"minute|end"):
        quiet_said(text)
