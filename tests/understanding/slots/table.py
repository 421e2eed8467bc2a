"""The tables of phrases and what they mean, in `utterances/`: text, value, and what the text says besides.

Everything is said on a Wednesday, at two in the afternoon, in Berlin. A value ends with `?` where it is ambiguous, and
with `!` and the problem where it cannot be used; `-` is that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.understanding.slots.extract import extract
from bot.understanding.slots.values import Amount, Duration, Known, Recurrence, SlotKind, Value

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 11, 14, 0, tzinfo=ZONE)
KNOWN = Known(
    people=("Anna", "Benjamin", "小王", "李雷"),
    choices={"small": ("little", "小杯"), "medium": ("中杯", "middle"), "large": ("big", "大的", "大杯")},
)


@dataclass(frozen=True, slots=True)
class Line:
    """One phrase, and what it means."""

    number: int
    language: str
    text: str
    kind: SlotKind
    value: str
    rest: str | None


def lines() -> Iterator[Line]:
    """Every line of every language."""
    for path in sorted((Path(__file__).parent / "utterances").glob("*.tsv")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            text, meaning, *rest = line.split("\t")
            kind, _, value = meaning.partition("=")
            yield Line(number, path.stem, text, SlotKind(kind), value, rest[0] if rest else None)


def found(line: Line) -> tuple[str, str]:
    """What is found in the phrase, as the table writes it, and what is left of it."""
    wanted = [line.kind] if line.rest is None else [line.kind, SlotKind.TEXT]
    future = line.kind is SlotKind.DATETIME
    result = extract(line.text, wanted, now=NOW, zone=ZONE, language=line.language, known=KNOWN, future=future)
    return told(result.first(line.kind)), result.rest


def is_right(line: Line) -> bool:
    """Whether what is found is what the table says."""
    value, rest = found(line)
    return value == line.value and line.rest in (None, rest)


def told(value: Value | None) -> str:
    """A value as the table writes it."""
    if value is None:
        return "-"
    problem = f"!{value.problem.value}" if value.problem else ""
    return _plain(value) + ("?" if value.is_ambiguous and not problem else "") + problem


def _plain(value: Value) -> str:
    match value.value:
        case None:
            return ""
        case datetime() as at:
            return _local(at)
        case date() as day:
            return day.isoformat()
        case time() as at:
            return at.isoformat("minutes")
        case Duration() as duration:
            return duration.iso
        case Recurrence(rule, start):
            return f"{rule}@{_local(start)}"
        case Decimal() as number:
            return _figures(number)
        case Amount(number, unit):
            return f"{_figures(number)} {unit}"
        case str() as text:
            return text


def _local(at: datetime) -> str:
    local = at.astimezone(ZONE).replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if local.second else "minutes")


def _figures(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
