"""What single phrases of time mean: a table of regular expressions over the signs of tokens, longest match first.

A phrase is a part: a day, a time, a duration, a repetition … `grouping` puts neighbouring parts together.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from bot.understanding.slots.calendar import (
    Clock,
    Day,
    Moment,
    add_months,
    day_of,
    next_date,
    next_month_day,
    nth_weekday,
)
from bot.understanding.slots.durations import PATTERN, duration_of, unit_of
from bot.understanding.slots.repeating import GROUPS, Repeat
from bot.understanding.slots.scanning import Token
from bot.understanding.slots.values import Doubt, Duration


@dataclass(frozen=True, slots=True)
class Shift:
    """So long from now; or, where `is_open`, from the day that is said next."""

    duration: Duration
    sign: int = 1
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class DayPart:
    """A part of a day, such as the evening."""

    name: str
    stands_alone: bool = False
    """Whether it was said as "in the evening"."""


@dataclass(frozen=True, slots=True)
class Times:
    """How often."""

    count: int


@dataclass(frozen=True, slots=True)
class Part:
    """A phrase that was found: which tokens it takes up, and what it means."""

    first: int
    last: int
    meaning: Clock | Day | Shift | DayPart | Duration | Repeat | Times


Meaning = Clock | Day | Shift | DayPart | Duration | Repeat | Times
Tokens = Sequence[Token]


def parts_of(tokens: Tokens, moment: Moment) -> list[Part]:
    """The phrases of a text, in order."""
    signs = "".join(token.sign for token in tokens)
    found: list[Part] = []
    place = 0
    while place < len(signs):
        part = _longest(signs, tokens, place, moment) if signs[place] not in ".|,CVZfBN" else None
        if part:
            found.append(part)
            place = part.last + 1
        else:
            place += 1
    return found


def _longest(signs: str, tokens: Tokens, place: int, moment: Moment) -> Part | None:
    """The meaning of the most tokens that begin there; of equally many, by the first rule."""
    matches = [
        (match.end(), -index, build)
        for index, (pattern, build) in enumerate(_RULES)
        if (match := pattern.match(signs, place))
    ]
    for end, _, build in sorted(matches, key=lambda match: match[:2], reverse=True):
        if (meaning := build(signs[place:end], tokens[place:end], moment)) is not None:
            return Part(place, end - 1, meaning)
    return None


# -- times of day -------------------------------------------------------------------------------------------


def _number(token: Token) -> int:
    return int(float(token.value))


def _clock(hour: int, minute: int = 0, *, text: str = "", half: str = "") -> Clock:
    """`text` is the hour as it stands there: one with a zero before it is one of twenty-four."""
    certain = hour > 12 or hour == 0 or (len(text) > 1 and text[0] in "0０") or text[:1] in ("零", "〇")
    return Clock(hour, minute, half=half, certain=certain)


def _half(tokens: Tokens) -> str:
    return tokens[-1].value if tokens[-1].sign == "a" else ""


def _literal(signs: str, tokens: Tokens, moment: Moment) -> Clock:
    figures = re.split("[:.]", tokens[0].value)
    hour, minute = int(figures[0]), int(figures[1])
    is_named = not tokens[0].text[:1].isdigit()  # noon, midnight
    second = int(figures[2]) if len(figures) > 2 else 0
    clock = _clock(hour, minute, text=figures[0], half=_half(tokens))
    return replace(clock, second=second, certain=clock.certain or is_named)


def _numbers(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """6 pm, eight fifteen pm, at seven thirty, at 1530."""
    numbers = [token for token in tokens if token.sign in "n4"]
    if any(not token.number.is_integer() for token in numbers):
        return None
    hour, minute = _number(numbers[0]), _number(numbers[1]) if len(numbers) > 1 else 0
    if len(numbers) == 1 and hour >= 100:
        hour, minute = divmod(hour, 100)
    is_good = hour <= 24 and minute < 60 and (len(numbers) == 1 or minute >= 10 or numbers[1].text[:1] == "0")
    return _clock(hour, minute, text=numbers[0].text, half=_half(tokens)) if is_good else None


def _hours_in_figures(signs: str, tokens: Tokens, moment: Moment) -> Clock:
    return Clock(int(re.match(r"\d+", tokens[-1].value)[0]), certain=True)  # type: ignore[index]


def _past_or_to(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """Half past six, a quarter to seven, twenty to five."""
    turn = max(signs.find("P"), signs.find("T"))
    hour = _number(tokens[turn + 1])
    minutes = 30 if "h" in signs[:turn] else 15
    if "n" in signs[:turn]:
        minutes = _number(tokens[signs.index("n")])
        is_usual = "u" in signs[:turn] or minutes in (5, 10, 20, 25)
        if not is_usual or minutes >= 60:
            return None
    if not 1 <= hour <= 12:
        return None
    if signs[turn] == "T":
        hour, minutes = hour - 1 or 12, 60 - minutes
    return Clock(hour, minutes, half=_half(tokens))


def _oclock(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """Five o'clock, 三点十分, 九点一刻, 八点半."""
    if not tokens[0].number.is_integer():
        return None
    after = tokens[2:]
    minute = 0
    if signs[2:3] == "h":
        minute = 30
    elif signs[2:4] == "nq":
        minute = 15 * _number(after[0])
    elif signs[2:3] == "n":
        minute = _number(after[0])
    if minute == 0 and signs[2:3] == "n" and after[0].text[:1] not in "零〇0":
        return None
    return _clock(_number(tokens[0]), minute, text=tokens[0].text, half=_half(tokens))


def _short_of(signs: str, tokens: Tokens, moment: Moment) -> Clock | None:
    """差一刻七点, 七点差五分."""
    missing, hour = (tokens[1], tokens[3]) if signs[0] == "K" else (tokens[3], tokens[0])
    minutes = _number(missing) * (15 if "q" in signs else 1)
    return Clock(_number(hour) - 1 or 12, 60 - minutes) if 0 < minutes < 60 else None


# -- days ---------------------------------------------------------------------------------------------------


def _relative_day(signs: str, tokens: Tokens, moment: Moment) -> Day:
    days, _, part = tokens[0].value.partition(" ")
    return Day(moment.today + timedelta(days=int(days)), part=part)


def _this_part(signs: str, tokens: Tokens, moment: Moment) -> Day:
    return Day(moment.today, part=tokens[-1].value)


def _part(signs: str, tokens: Tokens, moment: Moment) -> DayPart:
    return DayPart(tokens[0].value, stands_alone=tokens[0].value == "noon")


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


def _month_and_day(signs: str, tokens: Tokens, moment: Moment) -> Day:
    """March 5th, 2025; the first of april."""
    month = int(next(token.value for token in tokens if token.sign == "b"))
    day = next(_ordinal(token) for token in tokens if token.sign in "noO2")
    year = next((_number(token) for token in tokens if token.sign == "4"), None)
    return day_of(year, month, day) if year else next_date(month, day, moment)


def _ordinal(token: Token) -> int:
    return int(re.match(r"\d+", token.value)[0]) if token.sign == "O" else _number(token)  # type: ignore[index]


def _chinese_date(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """2026年4月1日, 明年三月五号, 4月1号."""
    year: int | None = None
    if signs[0] == "Y":
        year = moment.today.year + int(tokens[0].value)
    elif "y" in signs:
        year = _number(tokens[0])
        year += 2000 if year < 100 else 0
    sign = signs.index("z")
    month = _number(tokens[sign - 1])
    if len(tokens) <= sign + 1:
        return None
    day = _number(tokens[sign + 1])
    return day_of(year, month, day) if year else next_date(month, day, moment)


def _month_day(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """The 15th, 15号, 下个月1号."""
    number = next(token for token in tokens if token.sign in "noO")
    months = _steps(signs) if re.match("(x+|t|l)[zu]", signs) else None
    if months is None:
        return next_month_day(_ordinal(number), moment)
    month = add_months(moment.today.replace(day=1), months)
    return day_of(month.year, month.month, _ordinal(number))


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
    if "l" in signs and "u" not in signs and token.text.isascii():
        return Day(today - timedelta(days=(today.weekday() - weekday - 1) % 7 + 1), weekday=weekday, nth=-1)
    monday = today - timedelta(days=today.weekday())
    day = monday + timedelta(days=7 * _steps(signs) + weekday)
    is_open = "x" in signs and "u" not in signs and token.text.isascii() and weekday > today.weekday()
    return Day(day, (Doubt.WHICH_WEEK,) if is_open else (), weekday=weekday)


def _nth_of_month(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
    """First monday of april, 四月的第一个星期一; without a month it is one only in a recurrence."""
    nth = next((-1 if token.sign == "l" else _ordinal(token) for token in tokens if token.sign in "oO2l"), 1)
    weekday = int(next(token.value for token in tokens if token.sign == "w"))
    if not -1 <= nth <= 5 or nth == 0:
        return None
    if "b" not in signs and "z" not in signs:
        return Day(None, weekday=weekday, nth=nth)
    sign = max(signs.find("b"), signs.find("z"))
    month = int(tokens[sign].value) if "b" in signs else _number(tokens[sign - 1])
    found = nth_weekday(moment.today.year, month, weekday, nth) if 1 <= month <= 12 else day_of(2001, 13, 1)
    if found.date and found.date < moment.today:
        return nth_weekday(moment.today.year + 1, month, weekday, nth)
    return found


def _edge(signs: str, tokens: Tokens, moment: Moment) -> Day | None:
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


def _holiday(signs: str, tokens: Tokens, moment: Moment) -> Day:
    month, day = (int(part) for part in next(token.value for token in tokens if token.sign == "v").split("-"))
    if signs[0] == "Y":
        return day_of(moment.today.year + int(tokens[0].value), month, day)
    return day_of(_number(tokens[-1]), month, day) if signs[-1] == "4" else next_date(month, day, moment)


# -- from now, and again and again --------------------------------------------------------------------------


def _duration(signs: str, tokens: Tokens, moment: Moment) -> Duration:
    return duration_of(tokens)


def _shift(signs: str, tokens: Tokens, moment: Moment) -> Shift:
    core = tokens[1:] if signs[0] == "F" else tokens
    core = core[:-1] if core[-1].sign in "fBA" else core
    return Shift(duration_of(core), sign=-1 if signs[-1] == "B" else 1, is_open=signs[-1] == "A")


def _every_weekday(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    """Every monday and thursday, every other friday, mondays, 每周一三五."""
    days = tuple(int(token.value) for token in tokens if token.sign in "wW")
    ordinal = next((_ordinal(token) for token in tokens if token.sign in "noO2"), 1)
    every = int(tokens[0].value) if signs[0] == "e" else 1
    return Repeat("week", max(ordinal, min(every, 2)), weekdays=days)


def _every_group(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("week", weekdays=GROUPS[tokens[-1].value], needs_time=signs == "G")


def _every_unit(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    """Every 2 weeks, every half hour, every other day, 每隔两天."""
    unit, every = unit_of(tokens[-1]), int(tokens[0].value)
    number = next((_ordinal(token) for token in tokens[1:-1] if token.sign in "noO2"), None)
    if "h" in signs or "J" in signs or unit == "quarter":
        minutes = duration_of(tokens[1:]).seconds / 60
        return Repeat("minute", int(minutes)) if minutes >= 1 else None
    if unit == "second" or number == 0:
        return None
    if unit == "fortnight":
        return Repeat("week", 2 * (number or every))
    if every == 3:  # 每隔两天 leaves two days out, 每隔两小时 none
        return Repeat(unit, (number or 1) + (unit not in ("minute", "hour")))
    return Repeat(unit, number or every)


def _frequency(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat(tokens[0].value, needs_time=True)


def _every_part(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("day", int(tokens[0].value), part=tokens[-1].value)


def _every_date(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("year", day=_month_and_day(signs, tokens, moment))


def _every_edge(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    day = _edge(signs[1:], tokens[1:], moment)
    unit = tokens[-1].value.partition(" ")[2]
    return Repeat(unit, day=day) if unit in ("month", "year") else None


def _every_last_weekday(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("month", day=Day(None, weekday=int(tokens[2].value), nth=-1))


def _times(signs: str, tokens: Tokens, moment: Moment) -> Times:
    return Times(_number(tokens[-2]))


Build = Callable[[str, Tokens, Moment], Meaning | None]
_TABLE: tuple[tuple[str, Build], ...] = (
    # times
    (r"ca?", _literal),
    (r"nn?a", _numbers),
    (r"[@~]+nn?a|[@~]+[n4]n?(?![auozyqJh2N.HO]|C1|Cu|[PT]n)|@+[n4](?=\.)", _numbers),
    (r"n(?=Fsp|@p)", _numbers),
    (r"[@~]s?R", _hours_in_figures),
    (r"h?Pna?|1?hPna?|1?q[PT]na?|nu?[PT]na?", _past_or_to),
    (r"nH(?:nm|nq|h|n(?![uzymrqn.])|i)?a?", _oclock),
    (r"K[n]q?m?nH|nHKn[qm]", _short_of),
    # days
    (r"d", _relative_day),
    (r"ts?p", _this_part),
    (r"Fsp", _in_part),
    (r"k", _date_in_figures),
    (r"bs?[noO2](?:,?4)?(?!a|H|[u])|s*[noO2]s?b(?:,?4)?", _month_and_day),
    (r"(?:[n4]y|Y)?nznr?", _chinese_date),
    (r"s*O(?!s*[bwu])|ss?o(?=$|[@~,|F]|s?[ec])|(?:(?:x+|t|l)[zu])?s?nr|nr", _month_day),
    (r"w(?:x+|t|l)u|(?:x+|t|l)us*w|(?:x+|t|l)?s?w", _weekday),
    (r"s*[oO2l]w(?:[sF]*(?:b|nz))?|(?:b|nz)s*[oO2]w", _nth_of_month),
    (r"Es*(?:(?:x+|t|l)?[uzy]|b)|(?:x+|t|l)?E", _edge),
    (r"(?:x+|t|l)[uzygG]|s?g", _stretch),
    (r"s*Y?v4?", _holiday),
    # from now
    (rf"F{PATTERN}f?|{PATTERN}[fBA]", _shift),
    # again and again
    (r"e[no2O]?w(?:[C,]*w)*|s?W(?:[C,]*W)*", _every_weekday),
    (r"e[gG]|s?G", _every_group),
    (r"e[no2O]?[uzy]|e1?h1?u|eh?u|enJ[u]|e2[uzy]", _every_unit),
    (r"j", _frequency),
    (r"ep", _every_part),
    (r"eb[noO2]", _every_date),
    (r"eE", _every_edge),
    (r"elw(?:s*t?[uz])?", _every_last_weekday),
    (r"D?nN", _times),
    # last, so that they count only where nothing else does
    (PATTERN, _duration),
    (r"p", _part),
)
_RULES = tuple((re.compile(pattern), build) for pattern, build in _TABLE)
