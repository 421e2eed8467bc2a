"""What a question asks for, as far as its words tell: whom, when, and whether a date or a name would answer it.

English and Chinese; in other languages its terms and its meaning alone count. Knows nothing of turns.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.memory.index import Mark
from bot.memory.terms import STOP_WORDS, asked_terms, terms_of

_MONTHS = """
january february march april may june july august september october november december
"""
_NUMBERED = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
_NUMBERED |= {name[:3]: number for name, number in _NUMBERED.items()} | {"sept": 9}
_CHINESE = dict(
    zip(("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"), range(1, 13), strict=True)
)
_ANY_MONTH = "|".join(sorted(_NUMBERED, key=len, reverse=True))

_WORD_MONTH = re.compile(
    rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?)?\b(?P<month>{_ANY_MONTH})\b\.?"
    r"(?:\s+(?P<later_day>\d{1,2})(?:st|nd|rd|th)?\b(?!\s*:))?(?:,?\s+(?P<year>\d{4})\b)?",
    re.IGNORECASE,
)
_AMBIGUOUS = {"may", "march", "mar"}
_LEADS_TO_A_MONTH = re.compile(r"\b(in|of|on|since|last|this|during|until|by|early|late|mid)\s+$", re.IGNORECASE)
_CHINESE_MONTH = re.compile(
    r"(?:(?P<year>\d{4})年)?(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月(?:(?P<day>\d{1,2})[日号])?"
)
_ISO = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?\b")
_YEAR = re.compile(
    r"\b(?:in|of|during|since)\s+(?P<year>(?:19|20)\d{2})\b|(?P<chinese>(?:19|20)\d{2})年(?!\d)", re.IGNORECASE
)
_RELATIVE = (
    (re.compile(r"\btoday\b|今天", re.IGNORECASE), "day", 0),
    (re.compile(r"\byesterday\b|昨天", re.IGNORECASE), "day", 1),
    (re.compile(r"\bthis week\b|[这本](?:个?星期|周)", re.IGNORECASE), "week", 0),
    (re.compile(r"\blast week\b|上(?:个?星期|周)", re.IGNORECASE), "week", 1),
    (re.compile(r"\bthis month\b|这个月|本月", re.IGNORECASE), "month", 0),
    (re.compile(r"\blast month\b|上个?月", re.IGNORECASE), "month", 1),
    (re.compile(r"\bthis year\b|今年", re.IGNORECASE), "year", 0),
    (re.compile(r"\blast year\b|去年", re.IGNORECASE), "year", 1),
)
YEARS_BACK = 30
"""How far back a month without a year may be meant."""

_WHEN = re.compile(
    r"^\W*(when|how long|how recently|(in )?(which|what) (year|month|day|date|week))\b"
    r"|什么时候|何时|哪[天年]|几[号点月]|多久",
    re.IGNORECASE,
)
_WHO = re.compile(r"^\W*(who|where|which)\b|\bname[ds]?\b|谁|哪[里儿个位些]|什么地方|名字", re.IGNORECASE)
_ASKER = re.compile(r"\b(i|my|me|mine|i'm|i've)\b|我", re.IGNORECASE)
_ASSISTANT = re.compile(
    r"\b(did|have|had|were|do|what|that) you\b|\byour (answer|advice|suggestion|reply)\b|你(?:说|建议|回答|告诉)",
    re.IGNORECASE,
)

_DATED = re.compile(
    r"\b(yesterday|today|tonight|tomorrow|ago|last|next|week|weekend|month|years?|morning|recently|since"
    rf"|(mon|tues|wednes|thurs|fri|satur|sun)day|{'|'.join(_MONTHS.split())}|\d{{4}})\b"
    r"|[昨今明前后]天|[去今明前]年|[上下这]个?(?:月|周|星期)|星期|\d[年月日号]",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![.!?:\n]\s)(?<!^)\b(?!I\b)[A-Z][a-z]+")
_ENDS_ASKING = re.compile(r"[?？]\W*$")


Span = tuple[int, int]
"""From a minute to before another, since 1970 in UTC."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for."""

    terms: tuple[str, ...]
    """As `asked_terms` gives them, without the names of those who speak."""
    meaning: str
    """The question without those names: they are in half of all turns, and would draw the vector to them."""
    names: frozenset[str]
    """Those who speak and are named in it."""
    spans: tuple[Span, ...]
    """The times that it names."""
    wanted: Mark
    """What a turn that answers it has."""
    of_asker: bool
    """It asks what the one who asks said or did."""
    of_assistant: bool
    """It asks what the assistant said."""


def understood(text: str, *, names: Collection[str], now: datetime) -> Question:
    """What the question asks for.

    Args:
        text: the question, of any length and in any language.
        names: of those who speak where it looks for an answer.
        now: with the zone in which days begin.
    """
    words = set(terms_of(text))
    named = frozenset(name for name in names if _is_named(name, words, text))
    meaning = _without(text, named)
    return Question(
        terms=tuple(asked_terms(meaning)),
        meaning=meaning or text,
        names=named,
        spans=tuple(_spans(text, now)),
        wanted=Mark.DATED if _WHEN.search(text) else Mark.NAMES if _WHO.search(text) else Mark(0),
        of_asker=bool(_ASKER.search(text)),
        of_assistant=bool(_ASSISTANT.search(text)),
    )


def marks_of(text: str, *, besides: Collection[str] = ()) -> Mark:
    """What can be told from a text without a question; `besides` are those who talk, whose names are in many."""
    marks = Mark.ASKS if _ENDS_ASKING.search(text[-50:]) else Mark(0)
    if _DATED.search(text):
        marks |= Mark.DATED
    talking = {word for name in besides for word in name.split()}
    return marks | Mark.NAMES if any(found[0] not in talking for found in _NAME.finditer(text)) else marks


# -- names --------------------------------------------------------------------------------------------------


def _is_named(name: str, words: set[str], text: str) -> bool:
    first = next(iter(terms_of(name)), "")
    if first in STOP_WORDS or first in _AMBIGUOUS:  # people are called Will and May
        return re.search(rf"\b{re.escape(name)}\b", text) is not None
    return first in words


def _without(text: str, names: Collection[str]) -> str:
    for word in {word for name in names for word in name.split()}:
        text = re.sub(rf"\b{re.escape(word)}\b(?:['’]s\b)?", "", text, flags=re.IGNORECASE)
    return " ".join(text.split())


# -- times --------------------------------------------------------------------------------------------------


def _spans(text: str, now: datetime) -> list[Span]:
    """The times that are named; where one lies in another ("May" and "last year"), the narrower ones."""
    spans: list[Span] = []
    for pattern in (_ISO, _WORD_MONTH, _CHINESE_MONTH):
        for found in pattern.finditer(text):
            spans += _month_or_day(found, now)
    spans += [_relative(unit, back, now) for pattern, unit, back in _RELATIVE if pattern.search(text)]
    for found in _YEAR.finditer(text):
        year = int(found["year"] or found["chinese"])
        spans.append(_span(_first(now, year, 1), _first(now, year + 1, 1)))
    return [span for span in spans if _is_within_another(span, spans)] or spans


def _is_within_another(span: Span, spans: Iterable[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end and (start, end) != span for start, end in spans)


def _month_or_day(found: re.Match[str], now: datetime) -> list[Span]:
    named = found["month"].lower()
    leads = _LEADS_TO_A_MONTH.search(found.string[: found.start()])
    if named in _AMBIGUOUS and not (found["month"][0].isupper() or leads):
        return []
    number = _NUMBERED.get(named) or _CHINESE.get(named) or (int(named) if named.isdecimal() else 0)
    groups = found.groupdict()
    return _days(groups.get("year"), number, groups.get("day") or groups.get("later_day"), now)


def _days(year: str | None, month: int, day: str | None, now: datetime) -> list[Span]:
    """The month, or the day in it; of every year that may be meant where none is named."""
    spans = []
    for each in [int(year)] if year else range(now.year - YEARS_BACK, now.year + 1):
        try:
            if day:
                start = _first(now, each, month).replace(day=int(day))
                spans.append(_span(start, start + timedelta(days=1)))
            else:
                spans.append(_span(_first(now, each, month), _first(now, each + month // 12, month % 12 + 1)))
        except ValueError:  # there is no such day
            continue
    return spans


def _relative(unit: str, back: int, now: datetime) -> Span:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "day":
            return _span(today - timedelta(days=back), today - timedelta(days=back - 1))
        case "week":
            start = today - timedelta(days=today.weekday() + 7 * back)
            return _span(start, start + timedelta(days=7))
        case "month":
            months = now.year * 12 + now.month - 1 - back
            later = months + 1
            return _span(_first(now, months // 12, months % 12 + 1), _first(now, later // 12, later % 12 + 1))
        case _:
            return _span(_first(now, now.year - back, 1), _first(now, now.year - back + 1, 1))


def _first(now: datetime, year: int, month: int) -> datetime:
    return now.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)


def _span(start: datetime, end: datetime) -> Span:
    return int(start.timestamp() // 60), int(end.timestamp() // 60)
