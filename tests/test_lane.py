"""Which arrivals make up one turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.channel import Update, UpdateKind
from bot.lane import Lane
from bot.ledger import Arrival
from bot.types import Address, Message, Person

AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def arrival(number: int, text: str, *, who: str = "ann", kind: UpdateKind = UpdateKind.MESSAGE, of: int = 0) -> Arrival:
    message = Message(Address("test", "1"), Person(who), text, AT, id=str(of or number))
    return Arrival(number, Update(kind, message), AT)


def lane_with(*arrivals: Arrival) -> Lane:
    lane = Lane(lambda text: text.startswith("/"))
    for each in arrivals:
        lane.add(each)
    return lane


def turns_of(lane: Lane) -> list[list[str]]:
    """The texts of each turn, until nothing waits."""
    turns = []
    while lane.waiting:
        turns.append([each.update.message.text for each in lane.next_turn()])
        lane.end_turn()
    return turns


def test_a_burst_of_one_person_is_one_turn() -> None:
    assert turns_of(lane_with(arrival(1, "a"), arrival(2, "b"), arrival(3, "c"))) == [["a", "b", "c"]]


def test_people_are_answered_one_by_one() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "b", who="bob"), arrival(3, "c"))
    assert lane.turns == 3
    assert turns_of(lane) == [["a"], ["b"], ["c"]]


def test_a_suspect_is_a_turn_of_its_own() -> None:
    suspect = replace(arrival(2, "b"), is_suspect=True)
    assert turns_of(lane_with(arrival(1, "a"), suspect, arrival(3, "c"), arrival(4, "d"))) == [["a"], ["b"], ["c", "d"]]


def test_a_command_is_a_turn_of_its_own() -> None:
    assert turns_of(lane_with(arrival(1, "a"), arrival(2, "/new"), arrival(3, "b"))) == [["a"], ["/new"], ["b"]]


def test_a_message_that_replies_to_something_begins_a_turn() -> None:
    reply = arrival(2, "b")
    message = replace(reply.update.message, reply_to="9")
    lane = lane_with(arrival(1, "a"), replace(reply, update=replace(reply.update, message=message)))
    assert turns_of(lane) == [["a"], ["b"]]


def test_an_edit_of_what_waits_changes_it_in_its_place() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "teh"))
    assert lane.edit(arrival(3, "the", kind=UpdateKind.EDIT, of=2))
    lane.next_turn()
    assert [each.update.message.text for each in lane.running] == ["a", "the"]
    assert lane.end_turn() == [1, 2, 3]


def test_an_edit_of_what_does_not_wait_is_not_taken() -> None:
    assert not lane_with(arrival(1, "a")).edit(arrival(3, "the", kind=UpdateKind.EDIT, of=9))


def test_an_edit_that_was_taken_up_ends_with_the_message_and_not_before() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "/teh"))
    lane.next_turn()
    lane.edit(arrival(3, "/the", kind=UpdateKind.EDIT, of=2))
    assert lane.end_turn() == [1]
    lane.next_turn()
    assert lane.end_turn() == [2, 3]


def test_the_answer_to_a_burst_is_not_cut_short_for_what_becomes_of_its_beginning() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "b"))
    lane.next_turn()
    assert not lane.is_running(arrival(3, "A", kind=UpdateKind.EDIT, of=1))
    assert lane.is_running(arrival(4, "B", kind=UpdateKind.EDIT, of=2))


def test_an_edit_of_what_is_answered_now_comes_before_what_others_asked_meanwhile() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "b", who="bob"))
    lane.next_turn()
    lane.add(arrival(3, "A", kind=UpdateKind.EDIT, of=1))
    assert turns_of(lane) == [["A"], ["b"]]


def test_a_message_that_was_edited_and_then_deleted_is_forgotten() -> None:
    lane = lane_with(arrival(1, "a"))
    lane.next_turn()
    lane.add(arrival(2, "A", kind=UpdateKind.EDIT, of=1))
    assert not lane.withdraw(arrival(3, "", kind=UpdateKind.DELETION, of=1))


def test_what_was_begun_before_a_crash_is_edited_and_deleted_by_turns_of_their_own() -> None:
    lane = lane_with(arrival(1, "a"))
    lane.next_turn()
    lane.return_turn()
    assert not lane.edit(arrival(2, "b", kind=UpdateKind.EDIT, of=1))
    assert not lane.withdraw(arrival(3, "", kind=UpdateKind.DELETION, of=1))


def test_what_is_deleted_before_its_turn_is_not_answered() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "b"))
    assert lane.withdraw(arrival(3, "", kind=UpdateKind.DELETION, of=2))
    lane.next_turn()
    assert [each.update.message.text for each in lane.running] == ["a"]
    assert lane.end_turn() == [1, 2, 3]


def test_what_joins_a_running_turn_makes_it_begin_anew_with_both() -> None:
    lane = lane_with(arrival(1, "a"))
    lane.next_turn()
    late = arrival(2, "b")
    assert lane.joins(late)
    lane.take_up(late)
    assert lane.restarts
    assert [each.update.message.is_resumed for each in lane.running] == [True, False]


def test_nothing_joins_a_command_or_overtakes_what_waits() -> None:
    lane = lane_with(arrival(1, "/new"))
    lane.next_turn()
    assert not lane.joins(arrival(2, "b"))
    lane = lane_with(arrival(1, "a"), arrival(2, "/new"))
    lane.next_turn()
    assert not lane.joins(arrival(3, "b"))


def test_a_turn_that_could_not_be_stored_waits_again_at_the_front() -> None:
    lane = lane_with(arrival(1, "a"), arrival(2, "b", who="bob"))
    lane.next_turn()
    lane.return_turn()
    assert turns_of(lane) == [["a"], ["b"]]
