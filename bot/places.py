"""What was settled for a place: for its chat, and for the server that it belongs to. Knows no platform and no policy.

Asked for with every message, so it is read once and kept until something is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.protocols import Store
from bot.types import Address, Message

REMEMBERED_PLACES = 10_000
ON, OFF = "on", "off"
EVERYONE, ADMINS = "everyone", "admins"


class Setting(StrEnum):
    """What can be settled for a place."""

    PERSONA = "persona"
    MODEL = "model"
    LANGUAGE = "language"
    LISTEN = "listen"
    """Whether what is addressed to nobody is answered, too."""
    WHO = "who"
    """Who is answered: everyone, the admins, or those of some roles, separated by commas; the admins always are."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was settled for a place, by name of the setting; what was not is absent."""

    chat: Mapping[str, str] = field(default_factory=dict)
    server: Mapping[str, str] = field(default_factory=dict)

    def get(self, setting: Setting) -> str:
        """The chat's wins over the server's; empty where neither is there."""
        return self.chat.get(setting) or self.server.get(setting, "")

    @property
    def listens(self) -> bool:
        """Whether what is addressed to nobody is answered there, too."""
        return self.get(Setting.LISTEN) == ON

    def may_ask(self, message: Message) -> bool:
        """Whether its sender is among those who are answered there."""
        who = self.get(Setting.WHO)
        if message.is_private or who in ("", EVERYONE) or message.is_from_admin:
            return True
        return bool({role.casefold() for role in message.roles} & {role.casefold() for role in roles_in(who)})


def roles_in(who: str) -> list[str]:
    """The names of the roles whose people are answered; none where it is only the admins."""
    return [] if who == ADMINS else [name.strip() for name in who.split(",") if name.strip()]


class Places:
    """The settings of places, over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], Place] = {}
        self._changes = 0

    async def of(self, message: Message) -> Place:
        """What was settled where the message was said.

        Raises:
            StorageError: it cannot be read.
        """
        scopes = (_chat_of(message.address), _server_of(message))
        if (known := self._known.get(scopes)) is not None:
            return known
        changes = self._changes
        chat, server = [await self._settled(scope) if scope else {} for scope in scopes]
        place = Place(chat, server)
        if changes == self._changes:  # else it may be outdated already
            self._known[scopes] = place
        if len(self._known) > REMEMBERED_PLACES:
            del self._known[next(iter(self._known))]
        return place

    async def settle(self, message: Message, setting: Setting, value: str | None, *, for_server: bool = False) -> None:
        """Settle it where the message was said, for the chat or the whole server; None takes it back."""
        scope = _server_of(message) if for_server else _chat_of(message.address)
        try:
            await self._store.set_setting(scope, setting, value)
        finally:
            self.forget()

    def forget(self) -> None:
        """Read everything anew: something was changed."""
        self._changes += 1
        self._known.clear()

    async def _settled(self, scope: str) -> dict[str, str]:
        found = await self._store.settings(scope)
        return {name: found[name] for name in Setting if name in found}


def _chat_of(address: Address) -> str:
    """That of the chat itself, so that it moves along with it."""
    return Address(address.channel, address.chat, address.account).key


def _server_of(message: Message) -> str:
    """No chat has such a key, since they end with a slash."""
    address = message.address
    return f"{address.channel}/{address.account}/{message.server}" if message.server else ""
