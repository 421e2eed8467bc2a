"""What the contract kit plays: the platform, as an adapter's author scripts it, and an intake that fails on demand.

Knows no platform and not the engine. `adapters.contract` offers all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.channel import Adapter, Update, UpdateKind
from bot.errors import StorageError, Unreachable
from bot.types import Address, Message

DEADLINE_SECONDS = 10.0
PROMPT_SECONDS = 5.0
"""How long `run` may take to end once it is cancelled."""
KEEPING_SECONDS = 20.0
"""The same while something is just being kept: it may wait for that to succeed."""
AGAIN_SECONDS = 0.05
"""Until an adapter that ended because of a broken connection is run again."""
TEXTS = {
    "plain": "Hello, how are you?",
    "lines": 'one\n\n  two "three" \\n four',
    "astral": "𝔘 👋🏽 👨‍👩‍👧‍👦 🇨🇭 end",
    "combining": "e\u0301 and Z\u0351\u036b\u0343\u032a",
    "right-to-left": "שלום, world, مرحبا",
    "ideographs": "你好，世界。",
    "markup": "*so* _it_ <b>stays</b> &amp; [this](way) `too` # 1.",
}
KINDS = ("bold", "italic", "strikethrough", "code", "pre", "link", "quote", "spoiler")
VALUES = {"pre": "python", "link": "https://example.org/"}
CHOICES = (("Yes", "choice:1"), ("No", "n" * 64))

# -- the platform, scripted ---------------------------------------------------------------------------------


class Place(StrEnum):
    """Where people talk to the assistant."""

    ANN = "ann"
    """Ann's private chat with it."""
    BEN = "ben"
    """Ben's."""
    GROUP = "group"
    """Both and the assistant; here it is Ann who speaks."""


class Failure(StrEnum):
    """What the platform does with something that is sent or edited."""

    RATE_LIMITED = "rate limited"
    """It refuses for now, and names a time to wait."""
    REJECTED = "rejected"
    """It refuses for good: what is sent is at fault."""
    GONE = "gone"
    """It refuses, since the person has blocked the assistant, or has left."""
    OUTCOME_UNKNOWN = "outcome unknown"
    """It does it, and the answer is lost on the way."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One of the assistant's messages, as a person sees it."""

    id: str
    text: str
    """Without marks; as its source where the channel takes Markdown."""
    marks: tuple[tuple[str, str, str], ...] = ()
    """What is formatted, in order: (kind and value of a `Span`, the text under it); where the channel takes spans."""
    buttons: tuple[str, ...] = ()


class Platform(Protocol):
    """What the author of an adapter scripts. A method for what the platform does not have calls `pytest.skip`."""

    def adapter(self) -> AbstractAsyncContextManager[Adapter]:
        """A new adapter of the same account each time, as after a restart; its pauses before it tries again short."""

    def unreachable(self) -> AbstractAsyncContextManager[None]:
        """While it is entered no connection comes about, and those that were are broken."""

    async def say(self, text: str, *, place: Place = Place.ANN, addressed: bool = True, reply_to: str = "") -> str:
        """Write a message, in a group with whatever makes it `addressed` to the assistant; its id."""

    async def edit(self, message_id: str, text: str) -> None:
        """Ann edits what she said in private. Skip where adapters are not told."""

    async def delete(self, message_id: str) -> None:
        """Ann deletes what she said in private. Skip where adapters are not told."""

    async def press(self, message_id: str, button: str) -> None:
        """Ann presses the button that shows `button`, under one of the assistant's messages."""

    async def share(self, content: bytes) -> None:
        """Ann sends a file in private."""

    async def move(self) -> None:
        """The group goes on as a chat with another id, of which adapters are told."""

    async def repeat(self) -> None:
        """Tell the newest update once more, whether or not the adapter has confirmed it."""

    async def babble(self) -> None:
        """Tell something that no adapter can make sense of."""

    async def shown(self, place: Place = Place.ANN) -> Sequence[Seen]:
        """The messages that the assistant has standing there, oldest first."""

    async def file(self, message_id: str) -> bytes:
        """The content of the file that came with one of them, as Ann opens it."""

    async def fail_next(self, failure: Failure, *, seconds: float) -> None:
        """Fail so at the next thing that is sent or edited, once; `seconds` is the time to wait of RATE_LIMITED."""


class ScriptedIntake:
    """Keeps what arrives, and what it knows already only once; fails and blocks on demand."""

    def __init__(self, *, failures: int = 0, blocks: bool = False) -> None:
        self.offered: list[Update] = []
        """Everything that it was given, also what it did not keep."""
        self.kept: list[Update] = []
        self._failures = failures
        self.blocks = blocks
        self._changed = asyncio.Condition()

    async def accept(self, updates: Sequence[Update]) -> None:
        """See `bot.channel.Intake`."""
        async with self._changed:
            self.offered.extend(updates)
            self._changed.notify_all()
            if updates and self._failures:
                self._failures -= 1
                raise StorageError("storage.locked", place="parley.db")
            if updates and self.blocks:
                await self._changed.wait_for(lambda: False)
            self.kept.extend(update for update in updates if not any(_is_same(update, known) for known in self.kept))
            self._changed.notify_all()

    async def since(self) -> datetime | None:
        """When the newest message was said that was kept."""
        return max((update.message.at for update in self._of(UpdateKind.MESSAGE)), default=None)

    async def note_reading(self, since: datetime | None) -> None:
        """Where reading begins, should it be broken off."""

    async def private_chats(self) -> list[Address]:
        """Where something was said in private, latest first."""
        said = [update.message for update in self._of(UpdateKind.MESSAGE)]
        return list(dict.fromkeys(message.address for message in reversed(said) if message.is_private))

    async def messages(self, count: int = 1, kind: UpdateKind = UpdateKind.MESSAGE) -> list[Update]:
        """What was kept of one kind, once there is so much of it."""
        await self.until(lambda: len(self._of(kind)) >= count)
        return self._of(kind)

    async def said(self, text: str) -> Message:
        """The first message with this in its text, once it was kept."""
        await self.until(lambda: any(text in update.message.text for update in self._of(UpdateKind.MESSAGE)))
        return next(update.message for update in self._of(UpdateKind.MESSAGE) if text in update.message.text)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it is so; TimeoutError where that takes too long."""
        async with asyncio.timeout(DEADLINE_SECONDS), self._changed:
            await self._changed.wait_for(condition)

    def _of(self, kind: UpdateKind) -> list[Update]:
        return [update for update in self.kept if update.kind is kind]


def _is_same(one: Update, other: Update) -> bool:
    return bool((one.id and one.id == other.id) or (one.key and one.key == other.key))


@asynccontextmanager
async def receiving(adapter: Adapter, intake: ScriptedIntake | None = None) -> AsyncIterator[ScriptedIntake]:
    """Run the adapter as the core does, then stop it as the core does."""
    intake = intake or ScriptedIntake()
    task = asyncio.create_task(_keep_running(adapter, intake))
    try:
        yield intake
    finally:
        await asyncio.sleep(0)  # a task that was never begun would end without having run
        task.cancel()
        await asyncio.wait([task], timeout=KEEPING_SECONDS if intake.blocks else PROMPT_SECONDS)
    assert task.done(), "run() did not end when it was cancelled"
    assert task.cancelled() or task.result(), "run() ended by itself, or swallowed its cancellation"


async def _keep_running(adapter: Adapter, intake: ScriptedIntake) -> bool:
    while True:
        try:
            await adapter.run(intake)
            return False
        except Unreachable:
            await asyncio.sleep(AGAIN_SECONDS)
