"""What phrases of recurring and of waiting mean: every second tuesday, in two hours. Rules for `phrases`."""

from __future__ import annotations

from dataclasses import replace

from bot.understanding.slots.calendar import Day, Moment
from bot.understanding.slots.days import edge_of, month_and_day
from bot.understanding.slots.durations import PATTERN, duration_of, unit_of
from bot.understanding.slots.repeating import GROUPS, Repeat
from bot.understanding.slots.rules import Rule, Shift, Times, Tokens
from bot.understanding.slots.values import Duration

_LONGER = {"fortnight": ("week", 2), "quarter": ("month", 3)}


def _duration(signs: str, tokens: Tokens, moment: Moment) -> Duration:
    return duration_of(tokens)


def _shift(signs: str, tokens: Tokens, moment: Moment) -> Shift:
    core = tokens[1:] if signs[0] == "F" else tokens
    core = core[:-1] if core[-1].sign in "fBA" else core
    return Shift(duration_of(core), sign=-1 if signs[-1] == "B" else 1, is_open=signs[-1] == "A")


def _every_weekday(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    """Every monday and thursday, every other friday, mondays, 每周一三五."""
    days = tuple(int(token.value) for token in tokens if token.sign in "wW")
    ordinal = next((token.whole for token in tokens if token.sign in "noO2"), 1)
    every = int(tokens[0].value) if signs[0] == "e" else 1
    return Repeat("week", max(ordinal, min(every, 2)), weekdays=days)


def _from_weekday_to_weekday(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    """Monday through friday, 周一到周五, mon-fri."""
    first, between, last = tokens[-3:]
    if between.sign == "," and between.text not in "-–":
        return None
    start, end = int(first.value), int(last.value)
    return Repeat("week", weekdays=tuple((start + step) % 7 for step in range((end - start) % 7 + 1)))


def _every_day_but(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    """Every day except sunday."""
    if unit_of(tokens[1]) != "day":
        return None
    left_out = {int(token.value) for token in tokens if token.sign in "wW"}
    left_out |= {day for token in tokens if token.sign in "gG" for day in GROUPS[token.value]}
    return Repeat("week", weekdays=tuple(day for day in range(7) if day not in left_out))


def _every_month_day(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    """Every 1st and 15th of the month."""
    days = tuple(token.whole for token in tokens if token.sign in "oO2")
    has_unit = any(token.sign == "z" or token.value == "month" for token in tokens)
    if not has_unit or not all(1 <= day <= 31 for day in days):
        return None
    return Repeat("month", month_days=days) if len(days) > 1 else Repeat("month", day=Day(None, month_day=days[0]))


def _every_quarter(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("month", 3 * int(tokens[0].value))


def _every_group(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("week", weekdays=GROUPS[tokens[-1].value], needs_time=signs == "G")


def _every_unit(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    """Every 2 weeks, every half hour, every other day, 每隔两天."""
    unit, every = unit_of(tokens[-1]), int(tokens[0].value)
    number = next((token.whole for token in tokens[1:-1] if token.sign in "noO2"), None)
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
    unit, _, part = tokens[0].value.partition(" ")
    unit, interval = _LONGER.get(unit, (unit, 1))
    return Repeat(unit, interval, part=part)


def _frequency_of_something(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    """Daily news, 天天开心: nothing that is to be repeated, unless a time is said as well."""
    return replace(_frequency(signs, tokens, moment), needs_time=True)


def _every_part(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("day", int(tokens[0].value), part=tokens[-1].value)


def _every_date(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("year", day=month_and_day(signs, tokens, moment))


def _every_edge(signs: str, tokens: Tokens, moment: Moment) -> Repeat | None:
    day = edge_of(signs[1:], tokens[1:], moment)
    unit = tokens[-1].value.partition(" ")[2]
    return Repeat(unit, day=day) if unit in ("month", "year") else None


def _every_last_weekday(signs: str, tokens: Tokens, moment: Moment) -> Repeat:
    return Repeat("month", day=Day(None, weekday=int(tokens[2].value), nth=-1))


def _times(signs: str, tokens: Tokens, moment: Moment) -> Times:
    return Times(tokens[-2].whole)


RULES: tuple[Rule, ...] = (
    (rf"F{PATTERN}f?|{PATTERN}[fBA]", _shift),
    (r"e[no2O]?w(?:[C,]*w)*|s?W(?:[C,]*W)*", _every_weekday),
    (r"[Ae]?s?w[UT,]w", _from_weekday_to_weekday),
    (r"euM[wW](?:[C,]*[wW])*|euM[gG]", _every_day_but),
    (r"e[oO2](?:[C,]*[oO2])*s*t?[uz]|s*[oO](?:[C,]*[oO])+s*(?:e|t)?[uz]", _every_month_day),
    (r"eq", _every_quarter),
    (r"e[gG]|s?G", _every_group),
    (r"e[no2O]?[uzy]|e1?h1?u|eh?u|enJ[u]|e2[uzy]", _every_unit),
    (r"j(?!\.)", _frequency),
    (r"j", _frequency_of_something),
    (r"ep", _every_part),
    (r"eb[noO2]", _every_date),
    (r"eE", _every_edge),
    (r"elw(?:s*t?[uz])?", _every_last_weekday),
    (r"D?nN", _times),
    (PATTERN, _duration),  # counts only where nothing else does
)
