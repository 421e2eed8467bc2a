"""What can go wrong between a bot and Discord: with calls of the REST API, and with events of the gateway.

    server.faults.next("create_message", Drop(after_execution=True))   the next one is executed, and its answer lost
    server.faults.next("edit_message", Limited(2.5), Cloudflare())     429 of the API, then 429 of the proxy before it
    server.faults.next_event(EventFault.DUPLICATE)                     the next event comes twice
    server.faults.random(seed=7, rates={"drop_after": 0.02, "duplicate_event": 0.05})

Calls go by the names of routes (see discord_routes). What happens to the connection itself (closes, silence, refused
connects) is asked of the gateway.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.servers.faults import EVERY, Delay, Drop, Fail, Schedule, Truncate, by_name, made_from_json

__all__ = [
    "EVERY",
    "Cloudflare",
    "Delay",
    "Drop",
    "EventFault",
    "Fail",
    "Fault",
    "Faults",
    "Limited",
    "Refuse",
    "Truncate",
]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limited:
    """429 of the API itself, which discord.py waits for and tries again; `everywhere` is the global limit."""

    retry_after: float = 1.0
    everywhere: bool = False
    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Cloudflare:
    """429 of the proxy before the API: HTML, without `Via`, which clients take for a ban."""

    after_execution: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Any refusal, in the API's form."""

    status: int
    code: int
    message: str
    after_execution: bool = False


Fault = Drop | Limited | Cloudflare | Fail | Refuse | Delay | Truncate
FAULTS: Mapping[str, type[Any]] = by_name(Drop, Limited, Cloudflare, Fail, Refuse, Delay, Truncate)


class EventFault(Enum):
    """What can happen to an event on its way to a bot."""

    DUPLICATE = "duplicate_event"
    """It comes twice, with two sequence numbers."""
    LATE = "late_event"
    """It comes after the next one."""
    LOST = "lost_event"
    """It never comes."""


RATES: Mapping[str, Fault] = {
    "drop_before": Drop(),
    "drop_after": Drop(after_execution=True),
    "limited": Limited(0.2),
    "cloudflare": Cloudflare(),
    "server_error": Fail(500),
    "server_error_after": Fail(500, after_execution=True),
    "bad_gateway": Fail(502),
    "bad_gateway_after": Fail(502, after_execution=True),
    "unavailable": Fail(503),
    "delay": Delay(0.2),
    "late_answer": Delay(0.2, after_execution=True),
    "truncated": Truncate(),
}


class Faults(Schedule[Fault, EventFault]):
    """The faults to come; `happened` counts those that came. `routes` are the names that calls go by."""

    def __init__(self, routes: Collection[str]) -> None:
        super().__init__(RATES, EventFault, known=routes)

    def next_event(self, *faults: EventFault | None) -> None:
        """The next events, one fault each; None lets one pass."""
        self.next_delivery(*faults)


def fault_from_json(value: Mapping[str, Any]) -> Fault:
    """`{"kind": "drop", "after_execution": true}` and the like, as the control API has it."""
    fault: Fault = made_from_json(FAULTS, value)
    return fault


def malformed_events(message: Json) -> dict[str, Json]:
    """MESSAGE_CREATE and others as no bot should fall over, by what is wrong with them, made of a good message.

    discord.py 2.7.1 itself falls over many: what a test shows with these is how the bot around it gets up again.
    """

    def without(*names: str, **changes: Any) -> Json:
        body = {key: value for key, value in message.items() if key not in names} | changes
        return {"t": "MESSAGE_CREATE", "d": body}

    return {
        "no author": without("author"),
        "no content": without("content"),
        "no channel": without("channel_id"),
        "no id": without("id"),
        "no type": without("type"),
        "content of the wrong type": without(content=42),
        "author of the wrong type": without(author="Ann"),
        "unknown type of message": without(type=999),
        "unknown component": without(components=[{"type": 1, "components": [{"type": 99, "id": 1}]}]),
        "unknown channel": without(channel_id="1"),
        "unknown guild": without(guild_id="1"),
        "unknown event": {"t": "TELEPATHY_CREATE", "d": {"thought": message["content"]}},
        "message of the wrong type": {"t": "MESSAGE_CREATE", "d": ["Hello"]},
        "nothing at all": {"t": "MESSAGE_CREATE", "d": {}},
        "deletion without id": {"t": "MESSAGE_DELETE", "d": {"channel_id": message["channel_id"]}},
        "interaction without token": {"t": "INTERACTION_CREATE", "d": {"id": "1", "type": 2, "version": 1}},
    }
