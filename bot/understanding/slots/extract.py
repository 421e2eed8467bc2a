"""Finds what a message says of times, amounts, people and the like. Knows no platform and no model.

    extract("remind me to call mum tomorrow at six", [DATETIME, TEXT], now=..., zone=...)

gives tomorrow's 18:00, with a doubt about the half of the day, and "call mum".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, tzinfo

from bot.understanding.slots.amounts import amounts_of, numbers_of
from bot.understanding.slots.calendar import Moment
from bot.understanding.slots.grouping import Phrase, phrases_of, resolve, resolve_recurrence
from bot.understanding.slots.lexicon import lexicon
from bot.understanding.slots.names import choices_of, people_of, places_of
from bot.understanding.slots.scanning import Token, normalised, tokens_of
from bot.understanding.slots.values import Doubt, Found, Known, Problem, SlotKind, Value
from bot.understanding.slots.wording import anchor_of, rest_of

NOTHING_KNOWN = Known()
TEMPORAL = (SlotKind.RECURRENCE, SlotKind.DATETIME, SlotKind.DATE, SlotKind.TIME, SlotKind.DURATION)
"""In the order in which a phrase becomes one of them."""
DAY_FIRST_EXCEPTIONS = ("US", "PH", "CN", "TW", "JP", "KR", "")
"""Regions that write the month before the day; without a region, English does, too."""


def extract(
    text: str,
    wanted: Sequence[SlotKind],
    *,
    now: datetime,
    zone: tzinfo,
    language: str = "en",
    known: Known = NOTHING_KNOWN,
    future: bool = False,
) -> Found:
    """The wanted values, as many of each kind as it is named in `wanted`, and what the text says besides.

    Args:
        text: what was said, in any of the languages of `prompts/slots/`, or several.
        wanted: the kinds; of phrases that could be several of them, the first of `TEMPORAL` is taken.
        now: when it was said; aware.
        zone: the time zone of who said it.
        language: theirs, as an IETF tag; its region tells whether 3/4 begins with the month.
        known: names that may be said.
        future: whether a moment must still be to come; one that is over has the problem PAST.
    """
    plain = normalised(text)
    tokens = tokens_of(plain)
    moment = Moment(now, zone, day_first=_is_day_first(language), hint=_hint(plain))
    candidates = [*_temporal(tokens, text, wanted, moment, future), *_others(tokens, text, plain, wanted, known)]
    taken: list[Value] = []
    for kind in dict.fromkeys(wanted):
        free = [each for each in candidates if each.kind is kind and not any(_overlap(each, other) for other in taken)]
        taken += _best(free, wanted.count(kind), plain)
    rest = rest_of(text, list(_spans(taken)))
    if SlotKind.TEXT in wanted and rest:
        place = max(text.find(rest), 0)
        taken.append(Value(SlotKind.TEXT, rest, place, min(place + len(rest), len(text)), rest))
    return Found(tuple(sorted(taken, key=lambda value: value.start)), rest)


def _spans(taken: Sequence[Value]) -> Iterator[tuple[int, int]]:
    """What is taken out of the text; people stay in it."""
    for value in taken:
        if value.kind is not SlotKind.PERSON:
            yield value.start, value.end
            if value.besides:
                yield value.besides


def _is_day_first(language: str) -> bool:
    parts = language.replace("_", "-").split("-")
    region = next((part.upper() for part in parts[1:] if len(part) == 2), "")
    return region not in DAY_FIRST_EXCEPTIONS


def _hint(plain: str) -> str:
    return next((half for half, pattern in lexicon().hints.items() if pattern.search(plain)), "")


def _overlap(one: Value, other: Value) -> bool:
    return one.start < other.end and other.start < one.end


def _best(candidates: list[Value], count: int, plain: str) -> list[Value]:
    """The values that belong to the request: the one beside it, else the last; without a request, the first."""
    if len(candidates) <= count or not candidates or candidates[0].kind not in TEMPORAL:
        return candidates[:count]
    anchor = anchor_of(plain)
    if anchor is None:
        return candidates[:count]
    beside = [each for each in candidates if _is_beside(each, anchor, plain)]
    return beside[:count] or candidates[-count:]


def _is_beside(value: Value, anchor: tuple[int, int], plain: str) -> bool:
    between = plain[anchor[1] : value.start] if value.start >= anchor[1] else plain[value.end : anchor[0]]
    return len(between.strip(" ,，")) <= 3 and " to " not in f" {between} "


# -- times --------------------------------------------------------------------------------------------------


def _temporal(
    tokens: Sequence[Token], text: str, wanted: Sequence[SlotKind], moment: Moment, future: bool
) -> list[Value]:
    kinds = [kind for kind in TEMPORAL if kind in wanted]
    if not kinds:
        return []
    found = []
    for phrase in phrases_of(tokens, moment):
        start, end = tokens[phrase.first].start, tokens[phrase.last].end
        besides = phrase.besides and (tokens[phrase.besides[0]].start, tokens[phrase.besides[1]].end)
        values = (_if_any(phrase, kind, moment, future, (start, end, text[start:end])) for kind in kinds)
        if value := next((value for value in values if value), None):
            found.append(replace(value, besides=besides))
    return found


def _if_any(phrase: Phrase, kind: SlotKind, moment: Moment, future: bool, place: tuple[int, int, str]) -> Value | None:
    try:
        return _as_kind(phrase, kind, moment, future, place)
    except OverflowError:  # in a million weeks
        return Value(kind, None, *place, problem=Problem.NO_SUCH_DATE)


def _as_kind(phrase: Phrase, kind: SlotKind, moment: Moment, future: bool, place: tuple[int, int, str]) -> Value | None:
    """The phrase as a value of that kind, if it is one."""
    if kind is SlotKind.RECURRENCE:
        if not phrase.is_recurrence:
            return None
        recurrence, doubts, problem = resolve_recurrence(phrase, moment)
        return Value(kind, recurrence, *place, doubts, problem)
    if kind is SlotKind.DURATION:
        duration = phrase.duration or (phrase.shift.duration if phrase.shift else None)
        return Value(kind, duration, *place) if duration and not phrase.repeat else None
    if not phrase.is_moment or (kind is SlotKind.TIME and not phrase.clocks):
        return None
    has_day = phrase.day or phrase.shift
    if kind is SlotKind.DATE and not has_day:
        return None
    resolved = resolve(phrase, moment)
    problem, at, doubts = resolved.problem, resolved.at, resolved.doubts
    if future and at and not problem and at <= moment.now:
        problem = Problem.PAST
    if kind is SlotKind.DATETIME or at is None:
        return Value(kind, at, *place, doubts, problem)
    if kind is SlotKind.TIME:
        return Value(kind, at.time().replace(fold=0), *place, _only(doubts, Doubt.HALF_OF_DAY), problem)
    said: date = phrase.day.date if phrase.day and phrase.day.date and not phrase.shift else at.date()
    return Value(kind, said, *place, _only(doubts, Doubt.WHICH_WEEK, Doubt.DAY_OR_MONTH), problem)


def _only(doubts: tuple[Doubt, ...], *kept: Doubt) -> tuple[Doubt, ...]:
    return tuple(doubt for doubt in doubts if doubt in kept)


# -- everything else ----------------------------------------------------------------------------------------


def _others(tokens: Sequence[Token], text: str, plain: str, wanted: Sequence[SlotKind], known: Known) -> list[Value]:
    found: list[Value] = []
    if SlotKind.NUMBER in wanted:
        found += numbers_of(tokens, plain)
    if SlotKind.AMOUNT in wanted:
        found += amounts_of(plain, tokens)
    if SlotKind.PERSON in wanted:
        found += people_of(text, known.people)
    if SlotKind.PLACE in wanted:
        found += places_of(text, known.places)
    if SlotKind.CHOICE in wanted:
        found += choices_of(text, known.choices)
    return found
