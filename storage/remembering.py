"""What was read of a database, kept for as long as it surely holds, so that it need not be read for every message.

It holds until it is written to: through the same `Database`, which is told here at once, or by others, which the
`Database` notices with its next write (see `grouping.GroupCommit`). So nothing is trusted long after such a look.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

from bot.types import Turn

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CAPACITY_BYTES: Final = 16_000_000
"""Of one `Remembered`, about."""
VALUE_BYTES: Final = 2_000
"""What any value takes, about; so does a turn."""


class Remembered(Generic[K, V]):
    """Values by key. Used from one event loop; what was not asked for longest is forgotten when there is too much."""

    def __init__(self, epoch: Callable[[], int | None], *, more_bytes: Callable[[V], int] = lambda _: 0) -> None:
        """
        Args:
            epoch: changes with every write of others; None where it is not known whether there was one.
            more_bytes: what a value takes besides VALUE_BYTES.
        """
        self._epoch_now = epoch
        self._epoch: int | None = None
        self._more_bytes = more_bytes
        self._bytes = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._reading: dict[K, object] = {}

    def get(self, key: K) -> V | None:
        """The value, if it is known and surely holds."""
        if not self._is_sure() or key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    async def find(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """The value; it is read where it is not known."""
        if not self._is_sure():
            return await read()
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]
        reading = self._reading[key] = object()
        try:
            value = await read()
            # what was written meanwhile, here or by others, may not be in it
            if self._is_sure() and self._reading.get(key) is reading:
                self.know(key, value)
        finally:
            self._reading.pop(key, None)
        return value

    def know(self, key: K, value: V) -> None:
        """Remember what is stored now."""
        self._is_sure()
        self.forget(key)
        size = VALUE_BYTES + self._more_bytes(value)
        self._values[key] = value, size
        self._bytes += size
        while self._bytes > CAPACITY_BYTES:
            self._bytes -= self._values.popitem(last=False)[1][1]

    def forget(self, key: K) -> None:
        """The value is another now, or may be."""
        self._reading.pop(key, None)
        if key in self._values:
            self._bytes -= self._values.pop(key)[1]

    def _is_sure(self) -> bool:
        """Whether what is remembered holds; what is of another epoch is forgotten."""
        epoch = self._epoch_now()
        if epoch is not None and epoch != self._epoch:
            self._epoch = epoch
            self._values.clear()
            self._reading.clear()
            self._bytes = 0
        return epoch is not None


@dataclass(frozen=True, slots=True)
class Way:
    """A conversation's turns to its head, from turn `since` where that is on the way, else from the first."""

    since: int | None
    turns: tuple[Turn, ...]
    bytes: int
    """What it takes, about."""

    @classmethod
    def of(cls, since: int | None, turns: Iterable[Turn]) -> Self:
        """The way that these turns are."""
        turns = tuple(turns)
        return cls(since, turns, sum(map(_bytes_of, turns)))

    def starting(self, since: int | None) -> Way | None:
        """The way from another turn; None where this one does not tell."""
        if since == self.since:
            return self
        for index, turn in enumerate(self.turns):
            if turn.id == since:
                return Way.of(since, self.turns[index:])
        return None

    def going_on(self, turn: Turn) -> Way | None:
        """The way with a turn at its end; None where that does not come after it."""
        if turn.parent_id != (self.turns[-1].id if self.turns else None):
            return None
        return Way(self.since, (*self.turns, turn), self.bytes + _bytes_of(turn))


def _bytes_of(turn: Turn) -> int:
    return VALUE_BYTES + len(turn.text)
