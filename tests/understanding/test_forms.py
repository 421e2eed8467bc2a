"""What is missing is asked for, what was said counts, and nothing hard to undo is done without a yes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.understanding.forms import (
    MOST_TRIES,
    Abandon,
    Ability,
    Answer,
    Aside,
    Ask,
    Confirm,
    Form,
    Parameter,
    Perform,
    Reading,
    Step,
    begin,
    go_on,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
REMIND = Ability(
    "reminder.create", (Parameter("text", "text"), Parameter("at", "moment"), Parameter("every", "recurrence", False))
)
CLEAR = replace(REMIND, name="list.clear", parameters=(Parameter("list", "text"),), is_confirmed=True)
SIX, SEVEN = "18:00", "19:00"


def talk(ability: Ability, first: dict[str, object], *readings: Reading) -> Step:
    """The last step of a dialogue."""
    step = begin(ability, first, at=NOON)
    for reading in readings:
        assert isinstance(step, Ask | Confirm | Aside)
        step = go_on(ability, step.form, reading, at=LATER)
    return step


def test_what_is_said_at_once_is_done_at_once() -> None:
    assert talk(REMIND, {"text": "call mum", "at": SIX}) == Perform("reminder.create", {"text": "call mum", "at": SIX})


def test_what_is_missing_is_asked_for_in_order() -> None:
    step = talk(REMIND, {})
    assert isinstance(step, Ask)
    assert step.form.asked == "text"
    step = talk(REMIND, {}, Reading({"text": "call mum"}))
    assert isinstance(step, Ask)
    assert (step.form.asked, step.is_again, step.form.at) == ("at", False, LATER)


def test_several_things_may_be_said_in_one_answer() -> None:
    step = talk(REMIND, {}, Reading({"text": "call mum", "at": SIX, "every": "FREQ=DAILY"}))
    assert step == Perform("reminder.create", {"text": "call mum", "at": SIX, "every": "FREQ=DAILY"})


def test_an_answer_beside_the_question_is_kept_and_the_question_asked_again() -> None:
    step = talk(REMIND, {}, Reading({"at": SIX}))
    assert isinstance(step, Ask)
    assert (step.form.asked, step.form.slots) == ("text", {"at": SIX})


def test_a_correction_changes_what_was_said_before() -> None:
    step = talk(REMIND, {"at": SIX}, Reading({"at": SEVEN}, is_correction=True), Reading({"text": "call mum"}))
    assert step == Perform("reminder.create", {"at": SEVEN, "text": "call mum"})


def test_what_merely_resembles_a_known_thing_does_not_change_it() -> None:
    step = talk(REMIND, {"at": SIX}, Reading({"at": SEVEN}))
    assert isinstance(step, Ask)
    assert step.form.slots == {"at": SIX}


def test_cancelling_ends_it_whatever_else_was_said() -> None:
    assert talk(REMIND, {}, Reading({"text": "call mum"}, is_cancel=True)) == Abandon("reminder.create")
    assert talk(CLEAR, {"list": "shopping"}, Reading(answer=Answer.YES, is_cancel=True)) == Abandon("list.clear")


def test_something_else_is_dealt_with_and_the_form_waits() -> None:
    step = talk(REMIND, {"text": "call mum"}, Reading(is_other=True))
    assert isinstance(step, Aside)
    assert talk(REMIND, {"text": "call mum"}, Reading(is_other=True), Reading({"at": SIX})) == Perform(
        "reminder.create", {"text": "call mum", "at": SIX}
    )


def test_what_answers_the_question_is_an_answer_even_if_it_looks_like_something_else() -> None:
    step = talk(REMIND, {"at": SIX}, Reading({"text": "what is the weather"}, is_other=True))
    assert isinstance(step, Perform)


def test_after_some_answers_that_are_none_it_is_given_up() -> None:
    readings = [Reading()] * (MOST_TRIES - 1)
    step = talk(REMIND, {}, *readings)
    assert isinstance(step, Ask)
    assert step.is_again
    assert talk(REMIND, {}, *readings, Reading()) == Abandon("reminder.create", is_wanted=False)


# -- what is hard to undo -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "step"),
    [
        (Reading(answer=Answer.YES), Perform("list.clear", {"list": "shopping"})),
        (Reading(answer=Answer.NO), Abandon("list.clear")),
        (Reading(is_other=True), Aside(Form("list.clear", {"list": "shopping"}, at=NOON))),
        (Reading(), Confirm(Form("list.clear", {"list": "shopping"}, tries=1, at=LATER))),
    ],
)
def test_it_is_done_only_after_a_yes(reading: Reading, step: Step) -> None:
    assert talk(CLEAR, {"list": "shopping"}, reading) == step


def test_a_yes_with_a_change_is_asked_once_more() -> None:
    step = talk(CLEAR, {"list": "shopping"}, Reading({"list": "books"}, answer=Answer.YES))
    assert isinstance(step, Confirm)
    assert step.form.slots == {"list": "books"}


READINGS = st.builds(
    Reading,
    st.dictionaries(st.sampled_from(["list", "other"]), st.just("x")),
    st.sampled_from([Answer.NO, Answer.NEITHER]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(READINGS, max_size=8))
def test_whatever_is_said_nothing_is_done_without_a_yes(readings: list[Reading]) -> None:
    step = begin(CLEAR, {}, at=NOON)
    for reading in readings:
        if isinstance(step, Abandon):
            break
        assert not isinstance(step, Perform)
        step = go_on(CLEAR, step.form, reading, at=LATER)
    assert not isinstance(step, Perform)


def test_what_nobody_went_on_with_is_forgotten() -> None:
    form = Form("reminder.create", at=NOON)
    assert not form.is_stale(NOON + timedelta(minutes=9), timeout=timedelta(minutes=10))
    assert form.is_stale(NOON + timedelta(minutes=11), timeout=timedelta(minutes=10))
