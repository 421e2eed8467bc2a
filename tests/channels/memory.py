"""A platform in memory with menus, answers for one person alone, and messages that are known by a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from bot.app import App, open_app
from bot.channel import Budget, Capabilities, CommandInfo, Content, Format, Intake, Receipt, Update, UpdateKind
from bot.channels import serve
from bot.config import load
from bot.errors import ChannelError, OutcomeUnknown, Rejected
from bot.exchange import Exchange
from bot.types import Address, Attachment, Message, Person

ANY = Budget(None)
ABILITIES: dict[str, Any] = dict.fromkeys(("can_edit", "can_delete", "can_choose"), True)
CAPABILITIES = Capabilities(Format.PLAIN, account_budget=ANY, private_budget=ANY, group_budget=ANY, **ABILITIES)
ANN = Person("ann", "Ann")
HELD = "held/"
"""How handles of places for answers begin."""


@dataclass(slots=True)
class Shown:
    """One message on the screen."""

    chat: str
    text: str
    is_for_one: bool = False
    buttons: tuple[tuple[str, str], ...] = ()


@dataclass
class MemoryAdapter:
    """An adapter whose platform is a list of messages; groups have names with a `#`."""

    capabilities: Capabilities = CAPABILITIES
    name: str = "memory"
    account: str = "1"
    screen: dict[str, Shown] = field(default_factory=dict)
    """Messages by id. A place that is held shows an ellipsis."""
    announced: list[CommandInfo] = field(default_factory=list)
    failures: list[tuple[ChannelError, bool]] = field(default_factory=list)
    """What the next sends raise, and whether the message is shown all the same."""
    keepers: dict[str, Address] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(1))
    _keys: dict[str, str] = field(default_factory=dict)

    def is_private(self, address: Address) -> bool:
        return not address.chat.startswith("#")

    async def run(self, intake: Intake) -> None:
        await asyncio.Event().wait()

    async def send(self, address: Address, content: Content) -> Receipt:
        error, is_shown = self.failures.pop(0) if self.failures else (None, True)
        known = self._keys.get(content.key, "") if self.capabilities.key_seconds else ""
        message_id = known or str(next(self._ids))
        if is_shown and not known:
            for_one = content.reply_to.startswith(HELD)
            self.screen[message_id] = Shown(address.chat, content.text, for_one, content.choices)
            self._keys[content.key] = message_id
        if error:
            raise error
        return Receipt(address, message_id)

    async def edit(self, receipt: Receipt, content: Content) -> Receipt | None:
        shown = self.screen.get(receipt.id)
        if shown is None:
            raise Rejected("unknown message")
        shown.text, shown.buttons = content.text, content.choices
        return None

    async def delete(self, receipt: Receipt) -> None:
        self.screen.pop(receipt.id, None)

    async def preview(self, address: Address, key: str, content: Content) -> None:
        raise NotImplementedError

    async def typing(self, address: Address) -> None:
        raise NotImplementedError

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        return self.hold(update.message.address.chat) if is_answered else ""

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def remarks(self) -> Sequence[str]:
        return ()

    async def announce(self, commands: Sequence[CommandInfo]) -> None:
        self.announced = list(commands)

    async def keeper(self, address: Address) -> Address | None:
        return self.keepers.get(address.chat)

    # -- what people do, and see ----------------------------------------------------------------------------

    def hold(self, chat: str) -> str:
        """Hold a place for an answer that one person will see, as the platform does for a command of its menus."""
        handle = f"{HELD}{next(self._ids)}"
        self.screen[handle] = Shown(chat, "…", is_for_one=True)
        return handle

    def said(self, text: str, *, chat: str = "ann", person: Person = ANN, placeholder: str = "") -> Update:
        """A message."""
        address, number = Address(self.name, chat, self.account), str(next(self._ids))
        private = self.is_private(address)
        message = Message(address, person, text, datetime.now(UTC), number, is_private=private, placeholder=placeholder)
        return Update(UpdateKind.MESSAGE, message)

    def pressed(self, message_id: str, data: str) -> Update:
        """A press of a button under a message."""
        under = self.said("", chat=self.screen[message_id].chat).message
        return Update(UpdateKind.CHOICE, replace(under, id=message_id), f"press/{next(self._ids)}", data)

    def texts(self, chat: str = "ann") -> list[str]:
        """What stands there."""
        return [shown.text for shown in self.screen.values() if shown.chat == chat]

    async def until(self, text: str, chat: str = "ann") -> Shown:
        """The message that holds the text, once it is there."""
        async with asyncio.timeout(10):
            while not (found := [each for each in self.screen.values() if each.chat == chat and text in each.text]):
                await asyncio.sleep(0.01)
        return found[0]


def lost(*, after: bool) -> tuple[ChannelError, bool]:
    """A failure whose outcome nobody knows: `after` the message was shown, or before."""
    return OutcomeUnknown("the answer was lost"), after


@asynccontextmanager
async def talking(adapter: MemoryAdapter, home: Path, *, blocked: str = "") -> AsyncIterator[tuple[Exchange, App]]:
    """The program with that channel, and a model that repeats what was said; `blocked` is not answered."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "parley.toml"
    file.write_text(
        'model = { name = "echo", generator = "echo" }\n'
        f'access = {{ mode = "open", messages_per_minute = 0, blocked = {[blocked] if blocked else []} }}\n'
    )
    configuration = load(file)
    async with open_app(configuration) as app, serve(adapter, app, configuration) as exchange:
        yield exchange, app
