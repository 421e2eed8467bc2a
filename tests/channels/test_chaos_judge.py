"""What the crash test takes for a violation, and what it excuses."""

from __future__ import annotations

from benchmarks.chaos_judge import GIVEN_UP, REPEAT, Question, Seen, judge, worded

ONE, TWO = (worded(number, 1, pieces=2, filler="la") for number in (1, 2))
ASKED = [Question(1, 1), Question(2, 2)]


def told(*seen: Seen, questions: list[Question] | None = None) -> list[str]:
    return judge(questions or ASKED, seen).told


def test_answers_in_order_are_well() -> None:
    assert told(Seen(3, (ONE,)), Seen(4, (TWO,))) == []


def test_what_was_never_answered_is_lost_unless_it_was_given_up() -> None:
    assert told(Seen(3, (ONE,))) == ["lost: : q2"]
    assert told(Seen(3, (ONE,)), Seen(4, (GIVEN_UP,))) == []


def test_an_edit_that_was_given_up_is_excused_and_another_is_not() -> None:
    questions = [Question(1, 1, version=2), Question(2, 2, version=2)]
    seen = [Seen(3, (ONE,)), Seen(5, (GIVEN_UP,)), Seen(4, (TWO,))]
    assert told(*seen, questions=questions) == ["edits_lost: : q2 shows [1] instead of 2"]


def test_a_preview_that_only_names_who_asked_is_superseded_by_the_marked_repeat() -> None:
    preview, repeat = Seen(3, ("P1:",), has_stop=True), Seen(4, (REPEAT, f"{REPEAT}\nP1: {ONE}"))
    assert told(preview, repeat, Seen(5, (TWO,))) == []


def test_what_was_stopped_and_marked_as_a_repeat_may_be_rewritten_then() -> None:
    stopped = "P1:\n\n(stopped)"
    repeat = Seen(4, (REPEAT, f"{REPEAT}\n{stopped}", f"P1: {ONE}"))
    assert told(Seen(3, (stopped,)), repeat, Seen(5, (TWO,))) == []


def test_a_preview_that_nothing_supersedes_is_half_shown() -> None:
    preview = Seen(3, ("P1:",), has_stop=True)
    assert told(preview, Seen(4, (f"P1: {ONE}",)), Seen(5, (TWO,))) == ["half_shown: : 3 is still a preview"]
    assert told(preview, Seen(4, (f"{REPEAT}\nP2: {ONE}",)), Seen(5, (TWO,))) == ["half_shown: : 3 is still a preview"]


def test_an_answer_that_stands_there_twice_is_a_duplicate_unless_it_is_marked() -> None:
    assert told(Seen(3, (ONE,)), Seen(4, (ONE,)), Seen(5, (TWO,))) == ["unmarked_duplicates: : q1 as [1, 1]"]
    assert told(Seen(3, (ONE,)), Seen(4, (f"{REPEAT}\n{ONE}",)), Seen(5, (TWO,))) == []
