"""Puts neighbouring parts together: a day and a time are a moment, a repetition and a day are a rule.

What belongs together, and which moment it is, is decided here; what the parts mean, in `phrases`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from bot.understanding.slots.calendar import (
    DEFAULT_HOUR,
    PART_HOURS,
    Clock,
    Day,
    Moment,
    fixed_hour,
    hour_in_part,
    later_today,
    localised,
    next_open,
    shifted,
    waking_hour,
)
from bot.understanding.slots.phrases import Part, parts_of
from bot.understanding.slots.repeating import Repeat, end_of_day, first_time, interval_of, rule_of, with_end
from bot.understanding.slots.rules import DayPart, Shift, Times
from bot.understanding.slots.scanning import Token
from bot.understanding.slots.values import Doubt, Duration, Problem, Recurrence

_GAP = re.compile(r"[s@~FCDVZ,.]?[s@~FDVZ,]*")
_LINKING = frozenset("s@~FDC,VZ")
_UNSURE_DAYS = frozenset(("sat", "sun", "wed", "mon", "thu", "fri", "tue"))
_SURE_BEFORE = frozenset("@xtleFU")


@dataclass(slots=True)
class Phrase:
    """Parts that say one thing, and the tokens they take up."""

    first: int
    last: int
    clocks: list[Clock] = field(default_factory=list)
    day: Day | None = None
    part: DayPart | None = None
    shift: Shift | None = None
    repeat: Repeat | None = None
    duration: Duration | None = None
    until: Day | None = None
    since: Day | None = None
    count: int | None = None
    besides: tuple[int, int] | None = None
    """Further tokens, elsewhere in the text."""
    coming_part: str = ""
    """The part of the day of the time that is said next."""

    @property
    def is_only_time(self) -> bool:
        """Whether it says a time of day, and nothing else."""
        others = (self.day, self.part, self.shift, self.repeat, self.duration, self.until, self.since, self.count)
        return len(self.clocks) == 1 and not any(others)

    @property
    def lacks_time(self) -> bool:
        """Whether it says a day or a repetition, and no time for it."""
        return bool(self.day or self.repeat) and not (self.clocks or self.shift or self.duration)

    @property
    def is_moment(self) -> bool:
        """Whether it says when, once."""
        if self.repeat and not self.repeat.needs_time:
            return False
        has_day = self.day is not None and (self.day.date is not None or self.day.problem is not None)
        stands_alone = self.part is not None and self.part.stands_alone
        return bool(self.clocks or has_day or (self.shift and not self.shift.is_open) or stands_alone)

    @property
    def is_recurrence(self) -> bool:
        """Whether it says what repeats."""
        if self.repeat is None:
            return False
        return not self.repeat.needs_time or bool(self.clocks or self.part or self.day)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The moment that a phrase means."""

    at: datetime | None
    doubts: tuple[Doubt, ...] = ()
    problem: Problem | None = None


def phrases_of(tokens: Sequence[Token], moment: Moment) -> list[Phrase]:
    """What the text says of times, in order."""
    signs = "".join(token.sign for token in tokens)
    found: list[Phrase] = []
    for part in parts_of(tokens, moment):
        role = _role(signs, part)
        phrase = found[-1] if found else None
        gap = signs[phrase.last + 1 : part.first] if phrase else ""
        if phrase is None or not _belongs(phrase, part, gap, role) or not _take(phrase, part, gap, role):
            phrase = Phrase(part.first, part.last)
            _take(phrase, part, "", role)
            found.append(phrase)
        phrase.last = part.last
    sure = [phrase for phrase in found if _is_sure(phrase, tokens)]
    for phrase in sure:
        _reach_out(phrase, signs)
    return _with_rest_elsewhere(sure, signs)


def _with_rest_elsewhere(phrases: list[Phrase], signs: str) -> list[Phrase]:
    """A day without a time and a time without a day are one moment: "tomorrow remind me to call mum at six"."""
    if len(phrases) != 2:
        return phrases
    for whole, rest in (phrases, reversed(phrases)):
        if whole.lacks_time and rest.is_only_time:
            whole.clocks, whole.besides = rest.clocks, (rest.first, rest.last)
            return [whole]
    whole, rest = phrases
    if whole.repeat and not whole.until and rest.day and not rest.clocks and signs[rest.first - 1] == "U":
        whole.until, whole.besides = rest.day, (rest.first - 1, rest.last)
        return [whole]
    return phrases


def _role(signs: str, part: Part) -> str:
    """Whether a day is said to be the end or the beginning of something."""
    before = signs[: part.first].rstrip("s@~")[-1:]
    after = signs[part.last + 1 : part.last + 2]
    if before == "S" or (before in ("S", "A") and after == "Z") or after == "Z":
        return "since"
    return "until" if before in ("U", "T") and before else ""


def _belongs(phrase: Phrase, part: Part, gap: str, role: str) -> bool:
    """Whether what stands between them only links them."""
    allowed = _LINKING | (frozenset("UTSA") if role else frozenset())
    if role == "until" and not (phrase.repeat or phrase.clocks):
        return False
    return all(sign in allowed for sign in gap) and len(gap) <= 4


def _take(phrase: Phrase, part: Part, gap: str, role: str) -> bool:
    """Put the part into the phrase; False where its place there is taken."""
    meaning = part.meaning
    if isinstance(meaning, Clock):
        return _take_clock(phrase, meaning, gap)
    if isinstance(meaning, Day):
        return _take_day(phrase, meaning, role)
    if isinstance(meaning, Duration):
        return _take_duration(phrase, meaning, gap)
    if isinstance(meaning, DayPart) and phrase.part and phrase.clocks and phrase.repeat:
        return _take_further_part(phrase, meaning, gap)
    name = {Shift: "shift", Repeat: "repeat", DayPart: "part", Times: "count"}[type(meaning)]
    if getattr(phrase, name) is not None or (name in ("shift", "repeat") and phrase.shift is not None):
        return False
    if name in ("count", "repeat") and phrase.duration:
        return False
    setattr(phrase, name, meaning.count if isinstance(meaning, Times) else meaning)
    return True


def _take_clock(phrase: Phrase, clock: Clock, gap: str) -> bool:
    has_hours = phrase.shift is not None and bool(phrase.shift.duration.seconds)
    is_further = bool(set(gap) & set("C,")) or bool(phrase.coming_part)
    if phrase.duration or has_hours or (phrase.clocks and not is_further):
        return False
    phrase.clocks.append(replace(clock, part=phrase.coming_part))
    phrase.coming_part = ""
    return True


def _take_further_part(phrase: Phrase, part: DayPart, gap: str) -> bool:
    """早上7点和晚上9点; at 8 in the morning and at 9 in the evening."""
    if set(gap) & set("C,"):
        phrase.coming_part = part.name
    elif len(phrase.clocks) > 1 and not phrase.clocks[-1].part:
        phrase.clocks[-1] = replace(phrase.clocks[-1], part=part.name)
    else:
        return False
    return True


def _take_day(phrase: Phrase, day: Day, role: str) -> bool:
    if role and (phrase.repeat or role == "since"):
        if getattr(phrase, role) is not None:
            return False
        setattr(phrase, role, day)
        return True
    if phrase.day and _say_the_same(phrase.day, day):
        phrase.day = phrase.day if phrase.day.month_day else day
        return True
    if phrase.day is not None or phrase.duration or (phrase.shift and not phrase.shift.is_open):
        return False
    phrase.day = day
    return True


def _say_the_same(one: Day, other: Day) -> bool:
    """Whether one is the weekday of the other's date, said besides: "thursday the 19th"."""
    weekday, dated = (one, other) if other.month_day else (other, one)
    if weekday.weekday is None or weekday.month_day or dated.date is None or not dated.month_day:
        return False
    return weekday.nth is None and dated.date.weekday() == weekday.weekday


def _take_duration(phrase: Phrase, duration: Duration, gap: str) -> bool:
    is_first = not (phrase.clocks or phrase.day or phrase.part or phrase.shift or phrase.repeat)
    if phrase.duration is not None or not (is_first or (phrase.repeat and "D" in gap)):
        return False
    phrase.duration = duration
    return True


def _is_sure(phrase: Phrase, tokens: Sequence[Token]) -> bool:
    """A short weekday alone ("she sat") is one only after "on" and the like."""
    token = tokens[phrase.first]
    if phrase.first != phrase.last or token.text not in _UNSURE_DAYS or len(tokens) == 1:
        return True
    before = tokens[phrase.first - 1] if phrase.first else None
    return before is not None and (before.sign in _SURE_BEFORE or before.text == "on")


def _reach_out(phrase: Phrase, signs: str) -> None:
    """Take up the words that only lead to the phrase or end it: "on", "at", 开始."""
    while phrase.first and signs[phrase.first - 1] in "s@~FSDU" and (signs[phrase.first - 1] != "U" or phrase.until):
        phrase.first -= 1
    if phrase.since and phrase.first and signs[phrase.first - 1] in "SA":
        phrase.first -= 1
    ends = "VZB" if phrase.day and not phrase.shift else "VZ"  # 3月15日前
    while phrase.last + 1 < len(signs) and signs[phrase.last + 1] in ends:
        phrase.last += 1


# -- which moment -------------------------------------------------------------------------------------------


def resolve(phrase: Phrase, moment: Moment) -> Resolved:
    """The moment that a phrase means."""
    if any(not clock.exists for clock in phrase.clocks):
        return Resolved(None, problem=Problem.NO_SUCH_TIME)
    day = phrase.day
    if day and day.problem:
        return Resolved(None, day.doubts, day.problem)
    if phrase.shift and not phrase.shift.is_open:
        return _from_now(phrase, phrase.shift, moment)
    if phrase.shift and day and day.date:
        local = datetime.combine(day.date, time())
        start, _ = localised(local, moment.zone)
        later, _ = shifted(start, phrase.shift.duration, moment.zone)
        day = Day(later.date(), day.doubts, part=day.part)
    part = phrase.part.name if phrase.part else (day.part if day else "")
    return _at(day, phrase.clocks[0] if phrase.clocks else None, part, moment)


def _from_now(phrase: Phrase, shift: Shift, moment: Moment) -> Resolved:
    at, doubts = shifted(moment.now, shift.duration, moment.zone, shift.sign)
    if phrase.clocks or phrase.part:
        clock = phrase.clocks[0] if phrase.clocks else None
        return _at(Day(at.date()), clock, phrase.part.name if phrase.part else "", moment)
    return Resolved(at, doubts)


def _at(day: Day | None, clock: Clock | None, part: str, moment: Moment) -> Resolved:
    doubts = list(day.doubts if day else ())
    date_said = day.date if day else None
    if clock is None:
        doubts += [Doubt.ASSUMED_TIME] if part != "noon" else []
        seconds = _assumed_hour(date_said, part, moment) * 3600
    elif part:
        seconds = clock.seconds(hour_in_part(clock, part))
    elif clock.is_open:
        doubts.append(Doubt.HALF_OF_DAY)
        if date_said is None:
            date_said, hour = next_open(clock, moment)
        else:
            hour = _likely_hour(clock, date_said, moment)
        seconds = clock.seconds(hour)
    else:
        seconds = clock.seconds(fixed_hour(clock))
    is_today_meant = day is not None and Doubt.WHICH_WEEK in day.doubts and date_said == moment.today
    base = date_said or moment.today
    local = datetime.combine(base, time()) + timedelta(seconds=seconds)
    if local <= moment.local and (date_said is None or is_today_meant):
        local += timedelta(days=7 if is_today_meant else 1)
    if date_said is None and part in ("small_hours",) and local - timedelta(days=1) > moment.local:
        local -= timedelta(days=1)
    at, more = localised(local, moment.zone)
    return Resolved(at, (*doubts, *more))


def _assumed_hour(day: date | None, part: str, moment: Moment) -> int:
    if part:
        return PART_HOURS[part]
    hour = later_today(moment) if day == moment.today else None
    return DEFAULT_HOUR if hour is None else hour


def _likely_hour(clock: Clock, day: date, moment: Moment) -> int:
    """The hour on a day that was said; today it is the next one, if there is one."""
    if day == moment.today and not moment.hint:
        for hour in (clock.hour % 12, clock.hour % 12 + 12):
            if datetime.combine(day, time()) + timedelta(seconds=clock.seconds(hour)) > moment.local:
                return hour
    return waking_hour(clock, moment.hint)


# -- which rule ---------------------------------------------------------------------------------------------


def resolve_recurrence(phrase: Phrase, moment: Moment) -> tuple[Recurrence | None, tuple[Doubt, ...], Problem | None]:
    """The rule that a phrase means, its first time, what is doubtful, and what makes it impossible."""
    repeat = phrase.repeat
    assert repeat is not None
    day = phrase.day
    if any(not clock.exists for clock in phrase.clocks):
        return None, (), Problem.NO_SUCH_TIME
    for said in (day, repeat.day, phrase.until, phrase.since):
        if said and said.problem:
            return None, (), said.problem
    interval = interval_of(repeat)
    hours, doubts = _hours(phrase, repeat, moment)
    rule = rule_of(repeat, day, hours=tuple(hours))
    local, since = _beginning(phrase, rule, hours, moment)
    until = _end(phrase, moment)
    if interval and not phrase.clocks:
        start, _ = shifted(moment.now, interval, moment.zone)
        return Recurrence(with_end(rule, until=until, count=phrase.count), start), (), None
    first = first_time(rule, local, since)
    if first is None or (until and first > until):
        return None, doubts, Problem.PAST
    start, more = localised(first, moment.zone)
    return Recurrence(with_end(rule, until=until, count=phrase.count), start), (*doubts, *more), None


def _hours(phrase: Phrase, repeat: Repeat, moment: Moment) -> tuple[list[tuple[int, int]], tuple[Doubt, ...]]:
    part = phrase.part.name if phrase.part else repeat.part
    if not phrase.clocks:
        return [(PART_HOURS.get(part, DEFAULT_HOUR) % 24, 0)], (Doubt.ASSUMED_TIME,)
    found, doubts = [], []
    for clock in phrase.clocks:
        if clock.part or part:
            hour = hour_in_part(clock, clock.part or part)
        elif clock.is_open:
            hour = waking_hour(clock, moment.hint)
            doubts.append(Doubt.HALF_OF_DAY)
        else:
            hour = fixed_hour(clock)
        found.append((hour % 24, clock.minute))
    return found, tuple(doubts)


def _beginning(phrase: Phrase, rule: str, hours: list[tuple[int, int]], moment: Moment) -> tuple[datetime, datetime]:
    """Where the rule begins to count, and after what its first time is to come."""
    now = moment.local
    day, at = moment.today, time(*min(hours))
    since = phrase.since or (phrase.day if not _is_used(rule, phrase.day) else None)
    if since and since.date:
        return datetime.combine(since.date, at), max(now, datetime.combine(since.date, time()) - timedelta(seconds=1))
    is_plain = "BY" not in rule.replace("BYHOUR", "").replace("BYMINUTE", "")
    if is_plain and not rule.startswith("FREQ=DAILY") and datetime.combine(day, at) != now:
        return _one_later(rule, datetime.combine(day, at), phrase), now
    if is_plain and "INTERVAL" in rule and len(hours) == 1 and datetime.combine(day, at) <= now:
        return datetime.combine(day, at) + timedelta(days=1), now
    return datetime.combine(_first_week(rule, day, datetime.combine(day, at), now), at), now


def _one_later(rule: str, local: datetime, phrase: Phrase) -> datetime:
    """ "Every week" begins in a week."""
    return first_time(rule, local, local) or local


def _first_week(rule: str, day: date, local: datetime, now: datetime) -> date:
    """Every second Tuesday begins on the next one: the weeks are counted from where that lies."""
    if "FREQ=WEEKLY;INTERVAL" not in rule:
        return day
    every_week = re.sub(r";INTERVAL=\d+", "", rule)
    first = first_time(every_week, local, now)
    return first.date() if first else day


def _is_used(rule: str, day: Day | None) -> bool:
    """Whether the day is in the rule already, as its weekday or its day of the month."""
    return day is not None and ("BYDAY" in rule or "BYMONTHDAY" in rule)


def _end(phrase: Phrase, moment: Moment) -> datetime | None:
    if phrase.until and phrase.until.date:
        return datetime.combine(phrase.until.date, time(23, 59, 59))
    if phrase.duration:
        later, _ = shifted(moment.now, phrase.duration, moment.zone)
        return end_of_day(later.replace(tzinfo=None))
    return None
