"""What can go wrong between a bot and the Bot API: scripted one by one, or at random from a seed.

    server.faults.next("sendMessage", Drop(after_execution=True))     the next one is executed, and its answer lost
    server.faults.always("getUpdates", Fail(502))                     until `clear()`
    server.faults.random(seed=7, rates={"drop_after": 0.02, "flood": 0.01, "duplicate_update": 0.05})

How faults are scheduled stands in faults; here is what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.servers.faults import EVERY, Delay, Drop, Fail, Schedule, Truncate, by_name, made_from_json

__all__ = ["EVERY", "Delay", "Drop", "Fail", "Fault", "Faults", "Flood", "Refuse", "Truncate", "UpdateFault"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flood:
    """429 with `retry_after` seconds."""

    retry_after: int = 1
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Any refusal, in the API's form."""

    code: int
    description: str
    after_execution: bool = False


Fault = Drop | Flood | Fail | Refuse | Delay | Truncate
FAULTS: Mapping[str, type[Any]] = by_name(Drop, Flood, Fail, Refuse, Delay, Truncate)


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


class Faults(Schedule[Fault, UpdateFault]):
    """The faults to come; `happened` counts those that came."""

    def __init__(self) -> None:
        super().__init__(RATES, UpdateFault)

    def next_update(self, *faults: UpdateFault | None) -> None:
        """The next updates that are queued, one fault each; None lets one pass."""
        self.next_delivery(*faults)

    def pick_update(self) -> UpdateFault | None:
        """What happens to this update."""
        return self.pick_delivery()


def fault_from_json(value: Mapping[str, Any]) -> Fault:
    """`{"kind": "drop", "after_execution": true}` and the like, as the control API has it."""
    fault: Fault = made_from_json(FAULTS, value)
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
