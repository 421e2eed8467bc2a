"""When something goes wrong between a client and a test server: scripted one by one, or at random from a seed.

    faults.next("sendMessage", Drop(after_execution=True))     the next one is executed, and its answer lost
    faults.always("getUpdates", Fail(502))                     until `clear()`
    faults.random(seed=7, rates={"drop_after": 0.02, "duplicate": 0.05})

Knows nothing of sockets and of what a fault means: the server asks `pick` before it executes a call and does what the
fault says, and asks `pick_delivery` for each update or event that it hands to the client.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

EVERY = "*"


@dataclass(frozen=True, slots=True)
class Drop:
    """The socket is reset without an answer."""

    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """A server error: 502 comes as HTML from a proxy in between, everything else as JSON."""

    status: int = 500
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """The call is executed after `seconds`, or it is executed at once and only its answer comes late."""

    seconds: float
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    """The call is executed, and its answer is half a JSON object."""

    after_execution: bool = True


F = TypeVar("F")
D = TypeVar("D", bound=Enum)


class Schedule(Generic[F, D]):
    """The faults to come; `happened` counts those that came.

    Args:
        rates: the faults of calls that can come at random, by name.
        deliveries: the faults of updates or events; each goes by its value.
        known: the names of calls that there are; None: any.
    """

    def __init__(self, rates: Mapping[str, F], deliveries: type[D], *, known: Collection[str] | None = None) -> None:
        self.happened: Counter[str] = Counter()
        self._kinds = rates
        self._delivery_kinds = deliveries
        self._known = None if known is None else {EVERY, *known}
        self._next: defaultdict[str, deque[F | None]] = defaultdict(deque)
        self._always: dict[str, F] = {}
        self._deliveries: deque[D | None] = deque()
        self._rates: dict[str, float] = {}
        self._only: frozenset[str] | None = None
        self._random = random.Random(0)

    def next(self, name: str, *faults: F | None) -> None:
        """The next calls of this name (or of any, with EVERY), one fault each; None lets one pass."""
        self._next[self._checked(name)].extend(faults)

    def always(self, name: str, fault: F) -> None:
        """Every call of this name (or any, with EVERY), until `clear`."""
        self._always[self._checked(name)] = fault

    def next_delivery(self, *faults: D | None) -> None:
        """The next updates or events, one fault each; None lets one pass."""
        self._deliveries.extend(faults)

    def random(self, *, seed: int, rates: Mapping[str, float], methods: Collection[str] | None = None) -> None:
        """Faults at random: the probability of each, by its name.

        Args:
            seed: the same seed gives the same faults for the same sequence of calls.
            rates: probabilities between 0 and 1; their sum should stay below 1.
            methods: only calls of these names, or all of them.
        """
        unknown = set(rates) - set(self._kinds) - {str(kind.value) for kind in self._delivery_kinds}
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
        self._random = random.Random(seed)
        self._rates = dict(rates)
        self._only = None if methods is None else frozenset(self._checked(name) for name in methods)

    def clear(self) -> None:
        """Nothing goes wrong any more; what happened stays counted."""
        self._next.clear()
        self._always.clear()
        self._deliveries.clear()
        self._rates = {}

    def pick(self, name: str) -> F | None:
        """What happens to this call."""
        fault = self._pick(name.lower())
        if fault is not None:
            self.happened[type(fault).__name__.lower()] += 1
        return fault

    def _pick(self, name: str) -> F | None:
        for each in (name, EVERY):
            if waiting := self._next.get(each):
                return waiting.popleft()
        if always := self._always.get(name) or self._always.get(EVERY):
            return always
        if self._rates and (self._only is None or name in self._only):
            return self._kinds.get(self._draw(self._kinds))
        return None

    def pick_delivery(self) -> D | None:
        """What happens to this update or event."""
        fault = self._deliveries.popleft() if self._deliveries else None
        if fault is None and self._rates:
            drawn = self._draw([str(kind.value) for kind in self._delivery_kinds])
            fault = self._delivery_kinds(drawn) if drawn else None
        if fault is not None:
            self.happened[str(fault.value)] += 1
        return fault

    def _checked(self, name: str) -> str:
        if self._known is not None and name not in self._known:
            raise ValueError(f"no call is named {name!r}; there are {', '.join(sorted(self._known))}")
        return name.lower()

    def _draw(self, names: Collection[str]) -> str:
        place = self._random.random()
        for name in names:
            place -= self._rates.get(name, 0.0)
            if place < 0:
                return name
        return ""


def by_name(*kinds: type[Any]) -> Mapping[str, type[Any]]:
    """Kinds of faults by the names that a control API gives them."""
    return {kind.__name__.lower(): kind for kind in kinds}


def made_from_json(kinds: Mapping[str, type[F]], value: Mapping[str, Any]) -> F:
    """`{"kind": "drop", "after_execution": true}` and the like, as a control API has it."""
    options = dict(value)
    return kinds[str(options.pop("kind")).lower()](**options)
