"""What phrases of a day mean: next friday, the first of april, 本月底. Rules for `phrases`."""

from __future__ import annotations

import calendar
import re
from dataclasses import replace
from datetime import date, timedelta

from bot.understanding.slots.calendar import (
    Day,
    Moment,
    add_months,
    day_of,
    next_date,
    next_month_day,
    nth_weekday,
)
from bot.understanding.slots.durations import unit_of
from bot.understanding.slots.rules import DayPart, Rule, Tokens
from bot.understanding.slots.values import Doubt


def _relative_day(signs: str, tokens: Tokens, moment: Moment) -> Day:
    days, _, part = tokens[0].value.partition(" ")
    return Day(moment.today + timedelta(days=int(days)), part=part)


def _this_part(signs: str, tokens: Tokens, moment: Moment) -> Day:
    return Day(moment.today, part=tokens[-1].value)


def _part(signs: str, tokens: Tokens, moment: Moment) -> DayPart:
    return DayPart(tokens[0].value, stands_alone=len(tokens[0].text) > 1 and not tokens[0].text.isascii())


def _in_part(signs: str, tokens: Tokens, moment: Moment) -> DayPart:
    return DayPart(tokens[-1].value, stands_alone=True)


def _date_in_figures(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    numbers = [int(figure) for figure in re.findall(r"\d+", tokens[0].value)]
    if numbers[0] > 31:
        return day_of(*numbers)
    is_european = "." in tokens[0].value
    first, second, *year = numbers
    if first > 12 and second > 12:
        return Day(None, problem=day_of(2001, 2, 30).problem)
    is_open = not is_european and first <= 12 and second <= 12 and first != second
    day, month = (first, second) if is_european or first > 12 or (is_open and moment.day_first) else (second, first)
    found = day_of(year[0], month, day) if year else next_date(month, day, moment)
    return replace(found, doubts=(Doubt.DAY_OR_MONTH,) if is_open else ())


def month_and_day(signs: str, tokens: Tokens, moment: Moment) -> Day:
    """March 5th, 2025; the first of april."""
    month = int(next(token.value for token in tokens if token.sign == "b"))
    day = next(token.whole for token in tokens if token.sign in "noO2")
    year = next((token.whole for token in tokens if token.sign == "4"), None)
    return day_of(year, month, day) if year else next_date(month, day, moment)


def _chinese_date(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """2026年4月1日, 明年三月五号, 4月1号."""
    year: int | None = None
    if signs[0] == "Y":
        year = moment.today.year + int(tokens[0].value)
    elif "y" in signs:
        year = tokens[0].whole
        year += 2000 if year < 100 else 0
    sign = signs.index("z")
    month = tokens[sign - 1].whole
    if len(tokens) <= sign + 1:
        return None
    day = tokens[sign + 1].whole
    return day_of(year, month, day) if year else next_date(month, day, moment)


def _month_day(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """The 15th, 15号, 下个月1号."""
    number = next(token for token in tokens if token.sign in "noO")
    months = _steps(signs) if re.search("(x|t|l)[zu]", signs) else None
    if months is None:
        return next_month_day(number.whole, moment)
    month = add_months(moment.today.replace(day=1), months)
    return day_of(month.year, month.month, number.whole)


def _steps(signs: str) -> int:
    """How many weeks, months or years on: next is 1, this 0, last -1."""
    return signs.count("x") - signs.count("l")


def _weekday(signs: str, tokens: Tokens, moment: Moment) -> Day:
    """Friday, next friday, tuesday next week, 下下周一."""
    token = next(token for token in tokens if token.sign == "w")
    weekday, today = int(token.value), moment.today
    ahead = (weekday - today.weekday()) % 7
    if not set(signs) & set("xtl"):
        return Day(today + timedelta(days=ahead), (Doubt.WHICH_WEEK,) if ahead == 0 else (), weekday=weekday)
    last = next((token.text for token in tokens if token.sign == "l"), "")
    if last and "u" not in signs and (token.text.isascii() or last.startswith("最后")):
        return Day(today - timedelta(days=(today.weekday() - weekday - 1) % 7 + 1), weekday=weekday, nth=-1)
    monday = today - timedelta(days=today.weekday())
    day = monday + timedelta(days=7 * _steps(signs) + weekday)
    is_open = "x" in signs and "u" not in signs and token.text.isascii() and weekday > today.weekday()
    return Day(day, (Doubt.WHICH_WEEK,) if is_open else (), weekday=weekday)


def _nth_of_month(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """First monday of april, 四月的第一个星期一; without a month it is one only in a recurrence."""
    nth = next((-1 if token.sign == "l" else token.whole for token in tokens if token.sign in "oO2l"), 1)
    weekday = int(next(token.value for token in tokens if token.sign == "w"))
    if not -1 <= nth <= 5 or nth == 0:
        return None
    if "b" not in signs and "z" not in signs:
        return Day(None, weekday=weekday, nth=nth)
    sign = max(signs.find("b"), signs.find("z"))
    month = int(tokens[sign].value) if "b" in signs else tokens[sign - 1].whole
    found = nth_weekday(moment.today.year, month, weekday, nth) if 1 <= month <= 12 else day_of(2001, 13, 1)
    if found.date and found.date < moment.today:
        return nth_weekday(moment.today.year + 1, month, weekday, nth)
    return found


def edge_of(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """End of next month, beginning of may, 本月底, 年底."""
    edge, _, unit = tokens[signs.index("E")].value.partition(" ")
    today, steps = moment.today, _steps(signs)
    if "b" in signs:
        first = next_date(int(tokens[-1].value), 1, moment).date or today
        current = today.replace(day=1)
        first = current if current.month == int(tokens[-1].value) else first
        return _edge_of_month(edge, first)
    unit = unit or (unit_of(tokens[-1]) if tokens[-1].sign in "uzy" else "")
    if unit == "month":
        return _edge_of_month(edge, add_months(today.replace(day=1), steps))
    if unit == "year":
        year = today.year + steps
        return Day({"end": date(year, 12, 31), "start": date(year, 1, 1)}.get(edge, date(year, 7, 1)))
    if unit == "week":
        monday = today + timedelta(days=7 * steps - today.weekday())
        return Day(monday + timedelta(days={"end": 4, "start": 0}.get(edge, 2)), (Doubt.WHICH_WEEK,))
    return None


def _edge_of_month(edge: str, first: date) -> Day:
    day = {"start": 1, "middle": 15}.get(edge, calendar.monthrange(first.year, first.month)[1])
    return Day(first.replace(day=day), month_day=-1 if edge == "end" else day)


def _stretch(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """Next week, next month, this weekend, 周末; "the last day" only in a recurrence."""
    today, steps, last = moment.today, _steps(signs), tokens[-1]
    if last.sign in "gG":
        if last.value != "weekend":
            return None
        saturday = today + timedelta(days=5 - today.weekday() + 7 * steps)
        is_open = "x" in signs and last.text.isascii()
        return Day(saturday, (Doubt.WHICH_WEEK,) if is_open else (), is_weekend=True)
    unit = unit_of(last)
    if unit == "day" and "l" in signs:
        return Day(None, month_day=-1)
    if steps <= 0 and unit != "week":
        return None
    if unit == "week":
        return Day(today + timedelta(days=7 * steps - today.weekday()), (Doubt.WHICH_WEEK,)) if steps else None
    if unit == "month":
        return Day(add_months(today.replace(day=1), steps), (Doubt.WHICH_WEEK,))
    return Day(date(today.year + steps, 1, 1), (Doubt.WHICH_WEEK,)) if unit == "year" else None


def _month(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """Until june: its first day."""
    month = tokens[0].whole if "z" in signs else int(tokens[signs.index("b")].value)
    year = tokens[-1].whole if signs[-1] == "4" else None
    if not 1 <= month <= 12:
        return None
    return day_of(year, month, 1) if year else next_date(month, 1, moment)


def _holiday(signs: str, tokens: Tokens, moment: Moment) -> Day:
    month, day = (int(part) for part in next(token.value for token in tokens if token.sign == "v").split("-"))
    if signs[0] == "Y":
        return day_of(moment.today.year + int(tokens[0].value), month, day)
    return day_of(tokens[-1].whole, month, day) if signs[-1] == "4" else next_date(month, day, moment)


RULES: tuple[Rule, ...] = (
    (r"d", _relative_day),
    (r"ts?p", _this_part),
    (r"Fsp", _in_part),
    (r"k", _date_in_figures),
    (r"bs?[noO2](?:,?4)?(?!a|H|[u])|s*[noO2]s?b(?:,?4)?", month_and_day),
    (r"(?:[n4]y|Y)?nznr?", _chinese_date),
    (r"s*Os(?:x+|t|l)u|s*O(?!s*[bwu])|ss?o(?=$|[@~,|F]|s?[ec])|(?:(?:x+|t|l)[zu])?s?nr|nr", _month_day),
    (r"w(?:x+|t|l)u|(?:x+|t|l)us*w|(?:x+|t|l)?s?w", _weekday),
    (r"s*[oO2l]w(?:[sF]*(?:b|nz))?|(?:b|nz)s*[oO2]w", _nth_of_month),
    (r"Es*(?:(?:x+|t|l)?[uzy]|b)|(?:x+|t|l)?E", edge_of),
    (r"(?:x+|t|l)[uzygG]|s?g", _stretch),
    (r"s*Y?v4?", _holiday),
    (r"(?<=U)(?:s?b4?|nz)", _month),
    (r"p", _part),
)
