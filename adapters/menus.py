"""What people choose in the menus of a platform, and the places that it holds for the answers. Knows no platform.

Such a place has a token, with which messages can be sent there for a while; some of them are read by one person alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from bot.channel import Content, Receipt, Update, UpdateKind
from bot.errors import Gone, NotPermitted, Rejected
from bot.types import Address, Message

SIGN = "@"
"""Begins the handles of places, and no id of a message."""


class Held(NamedTuple):
    """A place, or a message that was sent with its token."""

    person: str
    """Who alone reads it; empty is everybody."""
    token: str
    message: str = ""
    """Empty is the first one, which takes the place."""

    @property
    def handle(self) -> str:
        """What stands for it where an id of a message is expected."""
        return SIGN + "/".join(self)


def held(handle: str) -> Held | None:
    """The place that a handle stands for; None where it is the id of a message."""
    return Held(*handle.removeprefix(SIGN).split("/")) if handle.startswith(SIGN) else None


class Hold(Protocol):
    """Has a platform hold a place."""

    async def __call__(self, *, alone: bool) -> None: ...


@dataclass(slots=True)
class Menus:
    """Those of one account, and what is sent on it."""

    send_message: Callable[[Address, Content], Awaitable[Receipt]]
    """Sends an ordinary message."""
    send_there: Callable[[Held, Content], Awaitable[str]]
    """Sends a message with a place's token; the message's id."""
    private: Callable[[str], Awaitable[Address]]
    """The private chat of a person."""
    discreet: set[str] = field(default_factory=set)
    """The commands whose answers only who gives them is to read."""
    _begun: dict[str, asyncio.Event] = field(default_factory=dict)

    async def take(
        self,
        said: Message,
        command: str,
        token: str,
        *,
        keep: Callable[[Iterable[Update]], Awaitable[None]],
        hold: Hold,
    ) -> None:
        """Somebody chose something: keep it, then hold a place for the answer.

        Args:
            said: what, and by whom; its id is unique.
            command: its name, if it is one.
            token: of the place.
            keep: keeps updates.
            hold: has the platform hold the place, for that person alone or for everybody.
        """
        place = Held(said.person.id if command in self.discreet else "", token)
        self._begun[token] = asyncio.Event()
        try:
            await keep([Update(UpdateKind.MESSAGE, replace(said, placeholder=place.handle), said.id)])
            await hold(alone=bool(place.person))
        finally:
            self._begun.pop(token).set()

    async def wait(self, receipt: Receipt) -> Held | None:
        """The place that is meant, if any, once it is held or surely will not be."""
        place = held(receipt.id)
        if place and (begun := self._begun.get(place.token)):
            await begun.wait()
        return place

    async def send(self, address: Address, content: Content) -> Receipt:
        """Send a message that answers at a place, or any other.

        Where everybody may read it, it is an ordinary one if possible: those are known again by their key. When the
        place is no longer held, it is one in any case, in private where only one person is to read it.
        """
        place, ordinary = held(content.reply_to), replace(content, reply_to="")
        if place is None:
            return await self.send_message(address, content)
        if not place.person:
            with suppress(NotPermitted, Gone):
                return await self.send_message(address, ordinary)
        try:
            number = await self.send_there(place, content)
        except Rejected:
            return await self.send_message(await self.private(place.person) if place.person else address, ordinary)
        return Receipt(address, replace_message(place, number))


def replace_message(place: Held, number: str) -> str:
    """The id of a message that was sent at a place: a handle where only one person reads it."""
    return Held(place.person, place.token, number).handle if place.person else number


def localized(what: str, texts: Mapping[str, str], locales: Iterable[str]) -> dict[str, object]:
    """A text as menus take it, of a hundred signs at most: by itself that for every language, and, under
    `…_localizations`, that of each variety (`zh-TW`) of a language that there is."""
    told = {each: texts[each.partition("-")[0]][:100] for each in locales if each.partition("-")[0] in texts}
    return {what: texts[""][:100], f"{what}_localizations": told}
