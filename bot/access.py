"""Decides who is answered on a channel, who gets a pairing code, and who has to slow down.

Policy alone: it sends nothing, and knows no platform, no database and no clock of its own. What it remembers itself
(who was told what, who wrote how much) is bounded, and forgotten with the process.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from bot.config import AccessMode
from bot.pairing import draw_code, has_owner, open_requests, standing_of
from bot.people import Roll, Standing
from bot.places import Place, Setting, roles_in
from bot.speakers import harmless
from bot.texts import Texts
from bot.types import Address, Message
from bot.understanding.commands import command_name

logger = logging.getLogger(__name__)

WINDOW = timedelta(minutes=1)
REPEAT_AFTER = timedelta(minutes=5)
"""How long somebody who was told their code is left without an answer."""
MOST_OPEN_CODES = 20
"""Of one account at once, so that strangers can neither fill the roll nor keep the assistant busy."""
TURNED_AWAY_APART = timedelta(hours=1)
"""How long somebody who was told that others are answered in a place is left without an answer there."""
REMEMBERED_PEOPLE = 4096
ANY_PLACE = Place()

K = TypeVar("K")
V = TypeVar("V")


# -- what is decided by, and what is decided ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who is answered, as configured: the fields are the keys of `[access]`.

    A person is written `channel:id`, a chat `channel/id`.
    """

    mode: AccessMode = "pairing"
    owners: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    modes: Mapping[str, AccessMode] = field(default_factory=dict)
    """By channel, or by chat, which wins."""
    messages_per_minute: int = 20
    """Of one person; 0 is no limit. An owner's commands do not count."""
    longest_message: int = 16_000
    """In characters; 0 is no limit."""
    pairing_minutes: int = 60

    def mode_of(self, channel: str, chat: str = "") -> AccessMode:
        """The mode in force there."""
        return self.modes.get(f"{channel}/{chat}") or self.modes.get(channel) or self.mode

    def names_owner(self, channel: str) -> bool:
        """Whether an owner is configured on the channel."""
        return any(owner.startswith(f"{channel}:") for owner in self.owners)


class Reason(StrEnum):
    """Why somebody is not answered; for the log."""

    BOT = "bot"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    NOT_ADDRESSED = "not_addressed"
    TOLD_ALREADY = "told_already"
    TOO_MANY_REQUESTS = "too_many_requests"
    NOT_AMONG = "not_among"
    """Not among those who are answered in this place, and told so already."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The message may be answered."""

    is_owner: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing is to be said."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """The message is not answered, and its sender is told why, and what to do."""

    key: str
    values: Mapping[str, object]

    def told(self, texts: Texts) -> str:
        """The sentence."""
        return texts.get(self.key, **self.values)


@dataclass(frozen=True, slots=True)
class Pairing:
    """The sender is unknown, and is told a code that an owner can let them in by."""

    code: str
    first: bool
    """Whether the code is new; else it is told again."""
    minutes: int
    """How long it is still good."""
    is_owned: bool = True
    """Whether there is an owner; else whoever confirms it in the terminal becomes one."""

    def told(self, texts: Texts) -> str:
        """What the sender is told."""
        if self.is_owned:
            key = "access.pairing" if self.first else "access.pairing_again"
        else:
            key = "access.pairing_unowned" if self.first else "access.pairing_unowned_again"
        return texts.get(key, code=self.code, minutes=self.minutes)


Verdict = Allowed | Silent | Refused | Pairing


# -- what is remembered -------------------------------------------------------------------------------------


class _Recent(Generic[K, V]):
    """A mapping that forgets what was not used for longest once it is full."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._capacity:
            self._values.popitem(last=False)

    def forget(self, key: K) -> None:
        self._values.pop(key, None)


@dataclass(slots=True)
class _Window:
    """When one person wrote lately."""

    times: deque[datetime] = field(default_factory=deque)
    told_at: datetime | None = None
    promised_seconds: int = 0
    """How long after being told the person may go on."""

    def wait(self, now: datetime, limit: int) -> timedelta | None:
        """Count a message; if there were `limit` of them already, how long until there is room."""
        while self.times and not _is_recent(self.times[0], now, WINDOW):
            self.times.popleft()
        if len(self.times) < limit:
            self.times.append(now)
            return None
        return self.times[0] + WINDOW - now

    def is_promised(self, now: datetime) -> bool:
        """Whether the person knows that what they write now is not answered."""
        return _is_recent(self.told_at, now, timedelta(seconds=self.promised_seconds))


def _is_recent(then: datetime | None, now: datetime, span: timedelta) -> bool:
    """Whether `then` lies within the last `span`. The clock may have been set back, so that it lies ahead."""
    return then is not None and timedelta() <= now - then < span


# -- deciding -----------------------------------------------------------------------------------------------


class Access:
    """Judges messages as they come; any number at once."""

    def __init__(
        self,
        roll: Roll,
        settings: AccessSettings,
        *,
        now: Callable[[], datetime],
        draw: Callable[[], str] = draw_code,
        remembered_people: int = REMEMBERED_PEOPLE,
    ) -> None:
        self._roll = roll
        self._settings = settings
        self._now = now
        self._draw = draw
        self._told: _Recent[tuple[str, str, str], datetime] = _Recent(remembered_people)
        self._windows: _Recent[tuple[str, str, str], _Window] = _Recent(remembered_people)
        self._turned_away: _Recent[tuple[str, str, str, str], datetime] = _Recent(remembered_people)
        self._opening = asyncio.Lock()

    async def decide(self, message: Message, place: Place = ANY_PLACE, *, counts: bool = True) -> Verdict:
        """Whether the message is answered. If it `counts`, it does against the sender's limit: each is asked for once.

        What was settled for the `place` narrows who is answered there; it never lets anybody in.

        Raises:
            StorageError: the roll cannot be read.
        """
        address, settings = message.address, self._settings
        chat = f"{address.channel}/{address.chat}"
        if message.person.is_bot:
            return Silent(Reason.BOT)
        if chat in settings.blocked:
            return Silent(Reason.BLOCKED)
        standing = await self._standing(address, message.person.id)
        if standing is Standing.BLOCKED:
            return Silent(Reason.BLOCKED)
        is_for_all = chat in settings.allowed or settings.mode_of(address.channel, address.chat) == "open"
        if standing is None and not is_for_all:
            return await self._meet(message)
        allowed = Allowed(is_owner=standing is Standing.OWNER)
        if not allowed.is_owner and not place.may_ask(message):
            return self._turn_away(message, place)
        if message.is_private or message.is_addressed or place.listens:
            is_order = allowed.is_owner and command_name(message.text) is not None
            return (self._limit(message) if counts and not is_order else None) or allowed
        return allowed if is_for_all else Silent(Reason.NOT_ADDRESSED)

    async def _standing(self, address: Address, person_id: str) -> Standing | None:
        """What is configured wins over the roll, except that somebody who is blocked on either is blocked."""
        entry = f"{address.channel}:{person_id}"
        if entry in self._settings.owners:
            return Standing.OWNER
        if entry in self._settings.blocked:
            return Standing.BLOCKED
        found = await standing_of(self._roll, address.channel, address.account, person_id) if person_id else None
        return found or (Standing.ALLOWED if entry in self._settings.allowed else None)

    # -- strangers ------------------------------------------------------------------------------------------

    async def _meet(self, message: Message) -> Verdict:
        """Somebody unknown writes: in private they may get a code, and anywhere else nothing."""
        mode = self._settings.mode_of(message.address.channel, message.address.chat)
        if mode != "pairing" or not message.is_private or not message.person.id:
            return Silent(Reason.UNKNOWN)
        who, now = _who(message), self._now()
        if _is_recent(self._told.get(who), now, REPEAT_AFTER):
            return Silent(Reason.TOLD_ALREADY)
        self._told.put(who, now)  # before anything is awaited: more of their messages may be on the way
        try:
            async with self._opening:
                return await self._open_code(message, now)
        except BaseException:
            self._told.forget(who)
            raise

    async def _open_code(self, message: Message, now: datetime) -> Verdict:
        address, person, valid = message.address, message.person, timedelta(minutes=self._settings.pairing_minutes)
        requests = [
            request
            for request in await open_requests(self._roll, at=now, valid_seconds=valid.total_seconds())
            if (request.channel, request.account) == (address.channel, address.account)
        ]
        mine = next((request for request in requests if request.person_id == person.id), None)
        if mine is None and len(requests) >= MOST_OPEN_CODES:
            logger.warning("%s: %d people wait to be let in; another one gets no code", address.channel, len(requests))
            return Silent(Reason.TOO_MANY_REQUESTS)
        while True:
            drawn = self._draw()
            try:
                code = await self._roll.open_code(
                    drawn,
                    address.channel,
                    address.account,
                    person.id,
                    person.name,
                    address.chat,
                    at=now,
                    valid_seconds=valid.total_seconds(),
                    language=message.language or person.language,
                )
            except ValueError:  # somebody else has that one
                continue
            left = (mine.created_at if mine else now) + valid - now
            minutes = math.ceil(left / timedelta(minutes=1))
            return Pairing(code, code == drawn, minutes, is_owned=await self._is_owned(address))

    async def _is_owned(self, address: Address) -> bool:
        named = self._settings.names_owner(address.channel)
        return named or await has_owner(self._roll, address.channel, address.account)

    def _turn_away(self, message: Message, place: Place) -> Verdict:
        """Others are answered here: who asked is told so once in a while, and who spoke to nobody never."""
        where, now = (*_who(message), message.address.chat), self._now()
        if not message.is_addressed or _is_recent(self._turned_away.get(where), now, TURNED_AWAY_APART):
            return Silent(Reason.NOT_AMONG)
        self._turned_away.put(where, now)
        roles = ", ".join(filter(None, map(harmless, roles_in(place.get(Setting.WHO)))))
        return Refused("access.not_among" if roles else "access.only_admins", {"roles": roles} if roles else {})

    # -- limits ---------------------------------------------------------------------------------------------

    def _limit(self, message: Message) -> Verdict | None:
        """What stands in the way of the message: too many, or too long."""
        return self._limit_rate(message) or self._limit_length(message)

    def _limit_rate(self, message: Message) -> Verdict | None:
        limit = self._settings.messages_per_minute
        if not limit:
            return None
        # what was written while the program was away comes all at once, and was not
        who, now = _who(message), min(self._now(), message.at)
        window = self._windows.get(who) or _Window()
        self._windows.put(who, window)
        wait = window.wait(now, limit)
        if wait is None:
            return None
        if window.is_promised(now):
            return Silent(Reason.TOLD_ALREADY)
        window.told_at, window.promised_seconds = now, math.ceil(wait.total_seconds())
        return _refused("access.too_fast", limit=limit, seconds=window.promised_seconds)

    def _limit_length(self, message: Message) -> Verdict | None:
        limit, length = self._settings.longest_message, len(message.text)
        if not limit or length <= limit:
            return None
        return _refused("access.too_long", length=length, limit=limit)


def _refused(key: str, /, **values: object) -> Refused:
    return Refused(key, values)


def _who(message: Message) -> tuple[str, str, str]:
    return message.address.channel, message.address.account, message.person.id
