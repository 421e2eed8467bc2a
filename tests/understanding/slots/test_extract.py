"""What is found, what is doubted, what cannot be, and what is left of the text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.understanding.slots.extract import extract
from bot.understanding.slots.lexicon import lexicon
from bot.understanding.slots.repeating import next_time
from bot.understanding.slots.values import Doubt, Duration, Known, Problem, Recurrence, SlotKind, Value
from tests.understanding.slots.table import KNOWN, NOW, ZONE

WHEN = [SlotKind.RECURRENCE, SlotKind.DATETIME, SlotKind.TEXT]


def moment(text: str, *, now: datetime = NOW, zone: ZoneInfo = ZONE, language: str = "en") -> Value:
    value = extract(text, [SlotKind.DATETIME], now=now, zone=zone, language=language, future=True).first(
        SlotKind.DATETIME
    )
    assert value is not None
    return value


# -- doubts -------------------------------------------------------------------------------------------------


def test_an_hour_without_its_half_of_the_day_is_the_next_one() -> None:
    value = moment("at six")
    assert value.value == NOW.replace(hour=18)
    assert value.doubts == (Doubt.HALF_OF_DAY,)


def test_at_night_the_next_six_is_in_the_morning() -> None:
    late = NOW.replace(hour=23)
    assert moment("at six", now=late).value == datetime(2026, 3, 12, 6, tzinfo=ZONE)


def test_what_is_done_then_tells_the_half_of_the_day() -> None:
    assert moment("wake me up tomorrow at 6").value == datetime(2026, 3, 12, 6, tzinfo=ZONE)
    assert moment("明天六点吃晚饭").value == datetime(2026, 3, 12, 18, tzinfo=ZONE)


def test_a_day_without_a_time_is_at_nine() -> None:
    value = moment("tomorrow")
    assert value.value == datetime(2026, 3, 12, 9, tzinfo=ZONE)
    assert value.doubts == (Doubt.ASSUMED_TIME,)


@pytest.mark.parametrize(("language", "day"), [("en-US", (4, 3)), ("en-GB", (3, 4)), ("en", (4, 3)), ("zh-CN", (4, 3))])
def test_the_region_tells_whether_the_day_comes_first(language: str, day: tuple[int, int]) -> None:
    value = moment("on 4/3/2027 at 17:00", language=language)
    assert value.value == datetime(2027, *day, 17, tzinfo=ZONE)
    assert value.doubts == (Doubt.DAY_OR_MONTH,)


# -- daylight saving ----------------------------------------------------------------------------------------


def test_a_time_that_the_clocks_skip_is_as_much_later_as_they_jump() -> None:
    value = moment("on march 29 at 2:30 am")
    assert value.value == datetime(2026, 3, 29, 3, 30, tzinfo=ZONE)
    assert value.doubts == (Doubt.SKIPPED,)


def test_of_a_time_that_the_clocks_show_twice_the_first_counts() -> None:
    value = moment("on october 25 at 2:30 am")
    assert isinstance(value.value, datetime)
    assert value.value.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert value.doubts == (Doubt.DOUBLED,)


def test_hours_pass_and_days_are_counted_over_the_change_of_the_clocks() -> None:
    eve = datetime(2026, 3, 28, 14, tzinfo=ZONE)
    assert moment("in 24 hours", now=eve).value == datetime(2026, 3, 29, 15, tzinfo=ZONE)
    assert moment("in a day", now=eve).value == datetime(2026, 3, 29, 14, tzinfo=ZONE)


def test_a_time_is_that_of_the_persons_zone() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    assert moment("today at 11pm", zone=tokyo).value == datetime(2026, 3, 11, 23, tzinfo=tokyo)


# -- what cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("on 31 february", Problem.NO_SUCH_DATE),
        ("2月30日上午九点", Problem.NO_SUCH_DATE),
        ("at 25:30", Problem.NO_SUCH_TIME),
        ("in a million weeks", Problem.NO_SUCH_DATE),
    ],
)
def test_what_no_calendar_and_no_clock_shows_has_no_value(text: str, problem: Problem) -> None:
    value = moment(text)
    assert (value.value, value.problem) == (None, problem)


def test_what_is_over_is_said_to_be_where_the_future_is_wanted() -> None:
    assert moment("yesterday at 5pm").problem is Problem.PAST
    past = extract("yesterday", [SlotKind.DATE], now=NOW, zone=ZONE).first(SlotKind.DATE)
    assert past is not None
    assert (past.value, past.problem) == (date(2026, 3, 10), None)


def test_a_recurrence_that_ends_before_it_begins_is_over() -> None:
    found = extract("every friday at 9am until thursday", WHEN, now=NOW, zone=ZONE).first(SlotKind.RECURRENCE)
    assert found is not None
    assert found.problem is Problem.PAST


# -- several values, and what is left -----------------------------------------------------------------------


def test_of_two_times_the_one_beside_the_request_is_meant() -> None:
    found = extract("明天提醒我后天开会", WHEN, now=NOW, zone=ZONE)
    assert found.values[0].value == datetime(2026, 3, 12, 9, tzinfo=ZONE)
    assert found.rest == "后天开会"


def test_a_day_and_a_time_apart_are_one_moment() -> None:
    found = extract("tomorrow remind me to call mum at 7pm", WHEN, now=NOW, zone=ZONE)
    assert found.values[0].value == datetime(2026, 3, 12, 19, tzinfo=ZONE)
    assert found.rest == "call mum"


def test_as_many_of_a_kind_are_found_as_are_wanted() -> None:
    text = "from march 20 to march 25"
    found = extract(text, [SlotKind.DATE, SlotKind.DATE], now=NOW, zone=ZONE)
    assert [value.value for value in found.values] == [date(2026, 3, 20), date(2026, 3, 25)]
    assert [text[value.start : value.end] for value in found.values] == [value.text for value in found.values]


def test_values_of_several_kinds_are_found_at_once() -> None:
    wanted = [SlotKind.DATETIME, SlotKind.PERSON, SlotKind.AMOUNT, SlotKind.PLACE]
    found = extract("tomorrow at 3pm anna pays 20 euros in Paris", wanted, now=NOW, zone=ZONE, known=KNOWN)
    assert {value.kind: value.text for value in found.values} == {
        SlotKind.DATETIME: "tomorrow at 3pm",
        SlotKind.PERSON: "anna",
        SlotKind.AMOUNT: "20 euros",
        SlotKind.PLACE: "Paris",
    }


def test_a_person_stays_in_what_is_left() -> None:
    wanted = [SlotKind.DATETIME, SlotKind.PERSON, SlotKind.TEXT]
    assert extract("remind me to call Anna at 5pm", wanted, now=NOW, zone=ZONE, known=KNOWN).rest == "call Anna"


def test_what_is_left_keeps_its_spelling() -> None:
    assert extract("Remind me at 5pm to e-mail Dr. O'Neil", WHEN, now=NOW, zone=ZONE).rest == "e-mail Dr. O'Neil"


def test_a_choice_is_found_by_another_word_for_it_and_misspelt() -> None:
    known = Known(choices={"monthly plan": ("by the month",), "yearly plan": ()})
    for text, choice in (("by the month please", "monthly plan"), ("the yearly paln", "yearly plan")):
        found = extract(text, [SlotKind.CHOICE], now=NOW, zone=ZONE, known=known).first(SlotKind.CHOICE)
        assert found is not None
        assert found.value == choice


def test_a_duration_is_told_as_iso_8601() -> None:
    assert Duration(days=2, seconds=5400).iso == "P2DT1H30M"
    assert Duration().iso == "PT0S"
    assert Duration(days=1).times(1.5).clock == timedelta(hours=36)


# -- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "🎉🎉", "\x00", "？？", "@", "a", "|" * 500, "'" * 300])
def test_nothing_is_found_where_nothing_is_said(text: str) -> None:
    assert extract(text, WHEN[:2], now=NOW, zone=ZONE).values == ()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["word ", "tomorrow at 6 ", ", ", "明天", "every monday ", "1", "a" * 50 + " "])
def test_fifty_thousand_signs_are_read(piece: str) -> None:
    text = (piece * 50_000)[:50_000]
    assert len(extract(text, WHEN, now=NOW, zone=ZONE).rest) <= 50_000


WORDS = [
    *lexicon().words,
    "31",
    "0",
    "2026",
    "25:00",
    "3/4",
    "2026-13-40",
    "999h",
    ",",
    ".",
    "foo",
    "提醒我",
    "remind me",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), st.sampled_from(["", " "]))
def test_no_words_in_whatever_order_break_it(words: list[str], between: str) -> None:
    text = between.join(words)
    for value in extract(text, list(SlotKind), now=NOW, zone=ZONE, known=KNOWN).values:
        assert value.kind is SlotKind.TEXT or text[value.start : value.end] == value.text
        if isinstance(value.value, Recurrence):
            next_time(value.value.rule, value.value.start, ZONE, after=NOW)
