"""Dialogues of several turns: what is still missing of what somebody wants done, and what their next words make of it.

A form holds an ability and what is known of its parameters. Each message takes it a step further: something is asked
for, it is confirmed, it is done, it is given up, or the message is about something else and the form waits. Pure; knows
no store, no clock and no language: what a message says is handed in, already read (`Reading`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

MOST_TRIES = 3
"""Times that one thing is asked for, before the form is given up."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that an ability needs or takes."""

    name: str
    kind: str
    """What it is, as `bot.understanding.slots` reads it: text, moment, duration …"""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that can be done."""

    name: str
    """As its act is called: `reminder.create`."""
    parameters: tuple[Parameter, ...] = ()
    is_confirmed: bool = False
    """Whether it is done only when the person has said yes, since it is hard to undo."""


class Answer(StrEnum):
    """What a message says to a question of yes or no."""

    YES = "yes"
    NO = "no"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message, as far as a form can use it."""

    slots: Mapping[str, object] = field(default_factory=dict)
    """What it says of the ability's parameters, by their names."""
    answer: Answer = Answer.NEITHER
    is_cancel: bool = False
    is_correction: bool = False
    """Whether it takes back something said before ("no, at six")."""
    is_other: bool = False
    """Whether it surely is about something else: another intent, a command, a question to the model."""


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody wants done, as far as it is known."""

    ability: str
    slots: Mapping[str, object] = field(default_factory=dict)
    asked: str = ""
    """The parameter that was asked for last; empty while the whole waits to be confirmed."""
    tries: int = 0
    """How often in a row that was asked for in vain."""
    at: datetime | None = None
    """When it last went a step further."""

    def is_stale(self, now: datetime, *, timeout: timedelta) -> bool:
        """Whether nobody has gone on with it for so long that it is forgotten."""
        return self.at is None or now - self.at > timeout


# -- steps --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for one parameter."""

    form: Form
    is_again: bool = False
    """Whether the last answer was none."""


@dataclass(frozen=True, slots=True)
class Confirm:
    """Say what would be done, and ask whether it shall be."""

    form: Form


@dataclass(frozen=True, slots=True)
class Perform:
    """Do it."""

    ability: str
    slots: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give it up."""

    ability: str
    is_wanted: bool = True
    """Whether the person said so; otherwise nothing they said could be understood."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Deal with the message by itself; the form waits, and is asked about again after that."""

    form: Form


Step = Ask | Confirm | Perform | Abandon | Aside


def begin(ability: Ability, slots: Mapping[str, object], *, at: datetime) -> Step:
    """The first step, with what the first message already said."""
    known = {name: value for name, value in slots.items() if name in _names(ability)}
    return _next(ability, Form(ability.name, known, at=at))


def go_on(ability: Ability, form: Form, reading: Reading, *, at: datetime) -> Step:
    """What the next message makes of the form.

    Args:
        ability: the one that the form is about.
        form: as it stands.
        reading: the message.
        at: when it was said.
    """
    if reading.is_cancel:
        return Abandon(form.ability)
    said = {name: value for name, value in reading.slots.items() if name in _names(ability)}
    if form.asked:
        return _filled(ability, form, reading, said, at)
    return _confirmed(ability, form, reading, said, at)


def _filled(ability: Ability, form: Form, reading: Reading, said: Mapping[str, object], at: datetime) -> Step:
    """It was asked for a parameter."""
    if reading.is_other and form.asked not in said:
        return Aside(form)
    if not said:
        if form.tries + 1 >= MOST_TRIES:
            return Abandon(form.ability, is_wanted=False)
        return Ask(replace(form, tries=form.tries + 1, at=at), is_again=True)
    taken = said if reading.is_correction or form.asked in said else _unknown(form, said)
    return _next(ability, replace(form, slots={**form.slots, **taken}, tries=0, at=at))


def _confirmed(ability: Ability, form: Form, reading: Reading, said: Mapping[str, object], at: datetime) -> Step:
    """It was asked whether that shall be done."""
    if said:  # "yes, but at six" is a correction: what it would do now is asked again
        return _next(ability, replace(form, slots={**form.slots, **said}, tries=0, at=at))
    if reading.answer is Answer.YES:
        return Perform(form.ability, form.slots)
    if reading.answer is Answer.NO:
        return Abandon(form.ability)
    if reading.is_other:
        return Aside(form)
    if form.tries + 1 >= MOST_TRIES:
        return Abandon(form.ability, is_wanted=False)
    return Confirm(replace(form, tries=form.tries + 1, at=at))


def _unknown(form: Form, said: Mapping[str, object]) -> Mapping[str, object]:
    """What was said beside the point fills what is empty; it changes nothing that is known, unless it corrects."""
    return {name: value for name, value in said.items() if name not in form.slots}


def _next(ability: Ability, form: Form) -> Step:
    missing = _missing(ability, form.slots)
    if missing:
        return Ask(replace(form, asked=missing[0]))
    if ability.is_confirmed:
        return Confirm(replace(form, asked=""))
    return Perform(form.ability, form.slots)


def _missing(ability: Ability, slots: Mapping[str, object]) -> Sequence[str]:
    return [each.name for each in ability.parameters if each.is_required and each.name not in slots]


def _names(ability: Ability) -> set[str]:
    return {each.name for each in ability.parameters}
