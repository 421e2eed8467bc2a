"""Who may speak with the assistant on a channel, and who has asked to: the roll.

Values and the seam that a store fulfils; decides nothing, knows no SQL and no platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

CODE_VALID_SECONDS = 3600.0
"""How long a pairing code is good."""


class Standing(StrEnum):
    """How a person stands with the assistant. Somebody who is not on the roll has none."""

    OWNER = "owner"
    """May everything, and lets others in."""
    ALLOWED = "allowed"
    BLOCKED = "blocked"
    """Is not answered, and gets no pairing code."""


@dataclass(frozen=True, slots=True)
class Member:
    """A person on the roll."""

    channel: str
    account: str
    person_id: str
    name: str
    standing: Standing
    at: datetime
    """When they got this standing."""


@dataclass(frozen=True, slots=True)
class PairingRequest:
    """Somebody asks to be let in: whoever tells an owner the code is the person on the channel."""

    code: str
    channel: str
    account: str
    person_id: str
    name: str
    chat: str
    """Where to tell them that they were let in."""
    created_at: datetime
    language: str = ""
    """What they speak; empty where that is not known."""


class Roll(Protocol):
    """People and pairing codes. Values in, values out; every method is one transaction.

    Raises `StorageError` and its kin, whose texts a person can act on.
    """

    # -- people ---------------------------------------------------------------------------------------------

    async def standing(self, channel: str, account: str, person_id: str) -> Standing | None:
        """How the person stands; None where they are not on the roll."""

    async def set_standing(
        self, channel: str, account: str, person_id: str, name: str, standing: Standing | None, *, at: datetime
    ) -> None:
        """Put the person on the roll, or change their name and standing there; None takes them off it."""

    async def people(self, channel: str | None = None) -> list[Member]:
        """Everybody on the roll, or everybody of one channel: owners first, then by name."""

    async def has_owner(self, channel: str, account: str) -> bool:
        """Whether the account has an owner."""

    # -- pairing codes --------------------------------------------------------------------------------------

    async def open_code(
        self,
        code: str,
        channel: str,
        account: str,
        person_id: str,
        name: str,
        chat: str,
        *,
        at: datetime,
        valid_seconds: float = CODE_VALID_SECONDS,
        language: str = "",
    ) -> str:
        """Keep `code` for the person, unless they have one that is still good; the code that is good now.

        Raises:
            ValueError: `code` is somebody else's, and still good; draw another.
        """

    async def take_code(
        self, code: str, *, at: datetime, valid_seconds: float = CODE_VALID_SECONDS
    ) -> PairingRequest | None:
        """The request of that code, which is good no more; None where there is none, or it is too old."""

    async def codes(self) -> list[PairingRequest]:
        """The requests that are open, oldest first; also those that have become too old since."""
