"""What waits and what runs at one address, and which arrivals make up one turn; pure, knows no time and no task.

A burst from one person is one turn: consecutive messages of theirs are answered together. A command is a turn of its
own; so is an edit, and a message that replies to something.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bot.channel import UpdateKind
from bot.ledger import Arrival
from bot.types import Message

IsCommand = Callable[[str], bool]


@dataclass(slots=True)
class Lane:
    """One address. `running` is the turn that is being answered; `waiting` is what comes after it."""

    is_command: IsCommand
    waiting: deque[Arrival] = field(default_factory=deque)
    running: list[Arrival] = field(default_factory=list)
    superseded: dict[int, int] = field(default_factory=dict)
    """Arrivals that need no answer of their own, and the arrival that has taken them up: they end with its turn, and
    not before, so that after a crash they are taken up again."""
    withdrawn: list[int] = field(default_factory=list)
    """Arrivals that came to nothing; they end with the running turn."""
    began_at: float = 0.0
    restarts: bool = False
    """Whether the running turn was stopped in order to begin anew."""
    is_full: bool = False
    """Whether somebody was told that too much waits."""

    # -- what arrives ---------------------------------------------------------------------------------------

    def add(self, arrival: Arrival) -> None:
        """Let it wait: in order, but what is about the running turn comes before all that is about others."""
        if arrival.update.kind is not UpdateKind.MESSAGE and self.is_running(arrival):
            self.waiting.appendleft(arrival)
        else:
            self.waiting.append(arrival)

    def joins(self, arrival: Arrival) -> bool:
        """Whether it would be one turn with what is running."""
        return bool(self.running) and not self.waiting and self._are_one(self.running[-1], arrival)

    def take_up(self, arrival: Arrival) -> None:
        """Make it part of the running turn, which begins anew."""
        self.running = [_resumed(each) for each in self.running] + [arrival]
        self.restarts = True

    def edit(self, arrival: Arrival) -> bool:
        """Let an edited message that is not answered yet read as it does now; False if it is neither waiting nor
        running. A running turn begins anew, if it was not about to end."""
        for index, each in enumerate(self.waiting):
            # what is resumed was remembered as it read then: what becomes of it is a turn of its own
            if _is_about(each, arrival) and not each.update.message.is_resumed:
                self.waiting[index] = _edited(each, arrival)
                self.superseded[arrival.id] = each.id
                return True
        return False

    def withdraw(self, arrival: Arrival) -> bool:
        """Drop a message that was deleted before it was answered; False if it is not waiting."""
        for index, each in enumerate(self.waiting):
            # of what was begun a preview may stand there, which its own turn takes up
            is_begun = each.is_left_over or each.update.message.is_resumed
            if each.update.kind is UpdateKind.MESSAGE and not is_begun and _is_about(each, arrival):
                del self.waiting[index]
                self.withdrawn += [each.id, *self._taken_up_by({each.id}), arrival.id]
                return True
        return False

    def is_running(self, arrival: Arrival) -> bool:
        """Whether it is about the message that the running turn replies to: the last one of a burst."""
        return bool(self.running) and _is_about(self.running[-1], arrival)

    def is_overtaken_by(self, arrival: Arrival) -> bool:
        """Whether it is about a message of the running turn, and waits for that to end."""
        return arrival in self.waiting and self.is_running(arrival)

    @property
    def turns(self) -> int:
        """How many turns wait."""
        count, last = 0, None
        for arrival in self.waiting:
            if last is None or not self._are_one(last, arrival):
                count += 1
            last = arrival
        return count

    # -- what is next ---------------------------------------------------------------------------------------

    def next_turn(self) -> list[Arrival]:
        """Take the arrivals of the next turn out of what waits."""
        turn = [self.waiting.popleft()]
        while self.waiting and self._are_one(turn[-1], self.waiting[0]):
            turn.append(self.waiting.popleft())
        self.running, self.restarts = turn, False
        return turn

    def end_turn(self) -> list[int]:
        """The turn is over; the arrivals that end with it."""
        ended = [each.id for each in self.running]
        ended += self._taken_up_by(set(ended)) + self.withdrawn
        self.running, self.withdrawn = [], []
        return ended

    def return_turn(self) -> None:
        """Let the running turn wait again, at the front."""
        self.waiting.extendleft(_resumed(each) for each in reversed(self.running))
        self.running = []

    def _taken_up_by(self, arrival_ids: set[int]) -> list[int]:
        taken_up = [each for each, by in self.superseded.items() if by in arrival_ids]
        for each in taken_up:
            del self.superseded[each]
        return taken_up

    def _are_one(self, first: Arrival, second: Arrival) -> bool:
        one, other = first.update, second.update
        return (
            one.kind is other.kind is UpdateKind.MESSAGE
            and not (first.is_suspect or second.is_suspect)
            and one.message.person.id == other.message.person.id
            and not other.message.reply_to
            and not (one.message.placeholder or other.message.placeholder)
            and not self.is_command(one.message.text)
            and not self.is_command(other.message.text)
            # what an earlier run began to answer is answered by itself, so that its answer is found again
            and not (first.update.message.is_resumed and not second.update.message.is_resumed)
        )


def _is_about(arrival: Arrival, other: Arrival) -> bool:
    return bool(other.update.message.id) and arrival.update.message.id == other.update.message.id


def with_message(arrival: Arrival, message: Message) -> Arrival:
    """The arrival, about this message."""
    return replace(arrival, update=replace(arrival.update, message=message))


def _edited(arrival: Arrival, edit: Arrival) -> Arrival:
    return with_message(arrival, replace(arrival.update.message, text=edit.update.message.text))


def _resumed(arrival: Arrival) -> Arrival:
    return with_message(arrival, replace(arrival.update.message, is_resumed=True))
