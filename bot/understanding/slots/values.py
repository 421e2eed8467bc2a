"""What is found in a text: frozen values, each with its place, its doubts, and what makes it impossible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum


class SlotKind(StrEnum):
    """What may be asked for."""

    DATETIME = "datetime"
    """A moment: an aware datetime. A day without a time counts, too, and so does "in two hours"."""
    DATE = "date"
    TIME = "time"
    DURATION = "duration"
    RECURRENCE = "recurrence"
    NUMBER = "number"
    AMOUNT = "amount"
    PERSON = "person"
    PLACE = "place"
    CHOICE = "choice"
    """One of a list, by its name or another word for it."""
    TEXT = "text"
    """What is left when everything else is taken out."""


class Doubt(StrEnum):
    """Where what was said has another reading; the value is the likelier one."""

    HALF_OF_DAY = "half_of_day"
    """`at six`: morning or evening."""
    ASSUMED_TIME = "assumed_time"
    """A day or a part of it was said, and no time."""
    WHICH_WEEK = "which_week"
    """`next Friday`, or today's weekday."""
    DAY_OR_MONTH = "day_or_month"
    """`3/4`."""
    SKIPPED = "skipped"
    """The clocks jump over that time: it is as much later as they jump."""
    DOUBLED = "doubled"
    """The clocks show that time twice: it is the first of both."""


class Problem(StrEnum):
    """Why a value cannot be used."""

    NO_SUCH_DATE = "no_such_date"
    NO_SUCH_TIME = "no_such_time"
    PAST = "past"
    """It is over, and only what is to come was asked for."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A stretch of time. Months and days are counted on the calendar, seconds on the clock."""

    months: int = 0
    days: int = 0
    seconds: float = 0

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.months + other.months, self.days + other.days, self.seconds + other.seconds)

    def times(self, factor: float) -> Duration:
        """So many times as long; parts of days and months are rounded to days and seconds."""
        months, part = divmod(self.months * factor, 1)
        days, rest = divmod(self.days * factor + part * 30, 1)
        return Duration(int(months), int(days), self.seconds * factor + rest * 86_400)

    @property
    def clock(self) -> timedelta:
        """The duration where a month is thirty days."""
        return timedelta(days=self.days + 30 * self.months, seconds=self.seconds)

    @property
    def iso(self) -> str:
        """The duration as ISO 8601 writes it: `P2DT3H`."""
        hours, rest = divmod(self.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        day = "".join(f"{count}{sign}" for count, sign in ((self.months, "M"), (self.days, "D")) if count)
        clock = "".join(f"{count:g}{sign}" for count, sign in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
        return f"P{day}T{clock}" if clock else f"P{day or 'T0S'}"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What comes again and again: a rule of RFC 5545 and the first time."""

    rule: str
    """Such as `FREQ=WEEKLY;BYDAY=MO,WE`. UNTIL is told in local time."""
    start: datetime
    """Aware; its local time is that of every further one."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many of a unit: `kg`, `EUR`, `%`."""

    number: Decimal
    unit: str


SlotValue = datetime | date | time | Duration | Recurrence | Decimal | Amount | str


@dataclass(frozen=True, slots=True)
class Value:
    """Something that was found."""

    kind: SlotKind
    value: SlotValue | None
    """None where there is no such thing, as with 31 February."""
    start: int
    """Where its words begin in the text."""
    end: int
    text: str
    """Its words."""
    doubts: tuple[Doubt, ...] = ()
    problem: Problem | None = None
    besides: tuple[int, int] | None = None
    """Where more of its words are: "tomorrow remind me to call at six"."""

    @property
    def is_ambiguous(self) -> bool:
        """Whether it may have been meant otherwise."""
        return bool(self.doubts)


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was found."""

    values: tuple[Value, ...]
    """At most as many of a kind as were wanted, in the order of the text."""
    rest: str
    """What the text says besides, without the words that only ask for something."""

    def first(self, kind: SlotKind) -> Value | None:
        """The first value of the kind."""
        return next((value for value in self.values if value.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Known:
    """Names that may be said: people, places, and the lists to choose from, each name with other words for it."""

    people: Sequence[str] = ()
    places: Sequence[str] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
