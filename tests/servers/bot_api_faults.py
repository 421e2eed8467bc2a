"""What can go wrong between a bot and the Bot API: scripted one by one, or at random from a seed.

    server.faults.next("sendMessage", Drop(after_execution=True))     the next one is executed, and its answer lost
    server.faults.always("getUpdates", Fail(502))                     until `clear()`
    server.faults.random(seed=7, rates={"drop_after": 0.02, "flood": 0.01, "duplicate_update": 0.05})

Knows nothing of sockets: the server asks `pick` before it executes a method and does what the fault says, and asks
`pick_update` for each update that it queues.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

Json = dict[str, Any]
EVERY = "*"


@dataclass(frozen=True, slots=True)
class Drop:
    """The socket is reset without an answer."""

    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Flood:
    """429 with `retry_after` seconds."""

    retry_after: int = 1
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Fail:
    """A server error: 502 comes as HTML from a proxy in between, everything else as JSON."""

    status: int = 500
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Any refusal, in the API's form."""

    code: int
    description: str
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """The method is executed after `seconds`, or it is executed at once and only its answer comes late."""

    seconds: float
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    """The method is executed, and its answer is half a JSON object."""

    after_execution: bool = True


Fault = Drop | Flood | Fail | Refuse | Delay | Truncate
FAULTS: Mapping[str, type[Any]] = {kind.__name__.lower(): kind for kind in (Drop, Flood, Fail, Refuse, Delay, Truncate)}


class UpdateFault(Enum):
    """What can happen to an update on its way into the queue."""

    DUPLICATE = "duplicate_update"
    """It comes again under the same update_id, also after it was confirmed."""
    RENUMBERED = "renumbered_update"
    """The same message comes again under a new update_id."""
    OUT_OF_ORDER = "out_of_order_update"
    """It comes before the one queued before it, with its higher update_id."""


RATES: Mapping[str, Fault] = {
    "drop_before": Drop(),
    "drop_after": Drop(after_execution=True),
    "flood": Flood(1),
    "long_flood": Flood(60),
    "server_error": Fail(500),
    "server_error_after": Fail(500, after_execution=True),
    "bad_gateway": Fail(502),
    "bad_gateway_after": Fail(502, after_execution=True),
    "delay": Delay(0.2),
    "late_answer": Delay(0.2, after_execution=True),
    "truncated": Truncate(),
}


class Faults:
    """The faults to come; `happened` counts those that came."""

    def __init__(self) -> None:
        self.happened: Counter[str] = Counter()
        self._next: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._updates: deque[UpdateFault | None] = deque()
        self._rates: dict[str, float] = {}
        self._methods: frozenset[str] | None = None
        self._random = random.Random(0)

    def next(self, method: str, *faults: Fault | None) -> None:
        """The next calls of `method` (or of any, with EVERY), one fault each; None lets one pass."""
        self._next[method.lower()].extend(faults)

    def always(self, method: str, fault: Fault) -> None:
        """Every call of `method` (or of any, with EVERY), until `clear`."""
        self._always[method.lower()] = fault

    def next_update(self, *faults: UpdateFault | None) -> None:
        """The next updates that are queued, one fault each; None lets one pass."""
        self._updates.extend(faults)

    def random(self, *, seed: int, rates: Mapping[str, float], methods: Collection[str] | None = None) -> None:
        """Faults at random: the probability of each, by its name in RATES or the value of an UpdateFault.

        Args:
            seed: the same seed gives the same faults for the same sequence of calls.
            rates: probabilities between 0 and 1; their sum should stay below 1.
            methods: only these, or all of them.
        """
        unknown = set(rates) - set(RATES) - {fault.value for fault in UpdateFault}
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
        self._random = random.Random(seed)
        self._rates = dict(rates)
        self._methods = None if methods is None else frozenset(name.lower() for name in methods)

    def clear(self) -> None:
        """Nothing goes wrong any more; what happened stays counted."""
        self._next.clear()
        self._always.clear()
        self._updates.clear()
        self._rates = {}

    def pick(self, method: str) -> Fault | None:
        """What happens to this call."""
        fault = self._pick(method.lower())
        if fault is not None:
            self.happened[type(fault).__name__.lower()] += 1
        return fault

    def _pick(self, method: str) -> Fault | None:
        for name in (method, EVERY):
            if waiting := self._next.get(name):
                return waiting.popleft()
        if always := self._always.get(method) or self._always.get(EVERY):
            return always
        if self._rates and (self._methods is None or method in self._methods):
            return RATES.get(self._draw(RATES))
        return None

    def pick_update(self) -> UpdateFault | None:
        """What happens to this update."""
        fault = self._updates.popleft() if self._updates else None
        if fault is None and self._rates:
            drawn = self._draw([kind.value for kind in UpdateFault])
            fault = UpdateFault(drawn) if drawn else None
        if fault is not None:
            self.happened[fault.value] += 1
        return fault

    def _draw(self, names: Collection[str]) -> str:
        place = self._random.random()
        for name in names:
            place -= self._rates.get(name, 0.0)
            if place < 0:
                return name
        return ""


def fault_from_json(value: Mapping[str, Any]) -> Fault:
    """`{"kind": "drop", "after_execution": true}` and the like, as the control API has it."""
    options = dict(value)
    fault: Fault = FAULTS[str(options.pop("kind")).lower()](**options)
    return fault


def malformed_updates(chat: Json, person: Json, date: int) -> dict[str, Json]:
    """Updates that no bot should fall over, by what is wrong with them; without their update_id."""
    message = {"message_id": 900_001, "date": date, "chat": chat, "from": person, "text": "Hello"}

    def without(*names: str, **changes: Any) -> Json:
        return {"message": {key: value for key, value in message.items() if key not in names} | changes}

    return {
        "no sender": without("from"),
        "no text": without("text"),
        "no date": without("date"),
        "no chat": without("chat"),
        "unknown content": without("text", hologram={"depth": 3}),
        "unknown kind of update": {"telepathy": {"from": person, "thought": "Hello"}},
        "unknown kind of chat": without(chat={"id": chat["id"], "type": "sphere"}),
        "text of the wrong type": without(text=42),
        "date of the wrong type": without(date="yesterday"),
        "sender of the wrong type": without(**{"from": "Ann"}),
        "message of the wrong type": {"message": ["Hello"]},
        "nothing at all": {},
        "two kinds at once": without() | {"edited_message": message},
        "entity outside the text": without(entities=[{"type": "bold", "offset": 3, "length": 90}]),
        "entity of an unknown kind": without(entities=[{"type": "wobbly", "offset": 0, "length": 5}]),
        "button press without message and data": {
            "callback_query": {"id": "1", "from": person, "chat_instance": "1"},
        },
    }
