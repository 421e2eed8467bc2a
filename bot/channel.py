"""What passes between a channel's adapter and the core: what arrives, what is sent, what the channel can do.

Frozen values and the two seams `Adapter` and `Intake`; knows no platform.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from typing import Protocol, runtime_checkable

from bot.types import Address, Attachment, Message

# -- what arrives -------------------------------------------------------------------------------------------


class UpdateKind(StrEnum):
    """What happened on the platform."""

    MESSAGE = "message"
    EDIT = "edit"
    """A message that was said before now reads as `message.text`."""
    DELETION = "deletion"
    """The message `message.id` is no longer there."""
    CHOICE = "choice"
    """A button was pressed: `message.id` is the message that it stands under, `detail` what it sends."""
    REACTION = "reaction"
    """Somebody reacted to the message `message.id`; `detail` is the emoji, empty where it was taken back."""
    MOVED = "moved"
    """The chat goes on under another id, `detail`."""
    GONE = "gone"
    """The assistant was blocked or removed there: nothing can be sent until BACK."""
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Update:
    """One thing that happened on the platform, as the inbox keeps it."""

    kind: UpdateKind
    message: Message
    """Who, where, when, and what was said; in updates of other kinds only as far as their kind says."""
    id: str = ""
    """The platform's id of the update, unique on the account; empty where there is none."""
    detail: str = ""

    @property
    def key(self) -> str:
        """Names what happened, however often the platform tells it; empty where only `id` can tell."""
        place = f"{self.message.address.chat}/{self.message.id}"
        if self.kind is UpdateKind.MESSAGE and self.message.id:
            return f"message:{place}"
        if self.kind is UpdateKind.EDIT and self.message.id:
            return f"edit:{place}/{self.message.at.timestamp():.0f}/{self.detail}"
        if self.kind is UpdateKind.DELETION:
            return f"deletion:{place}"
        return ""


class Intake(Protocol):
    """Where an adapter puts what arrives."""

    async def accept(self, updates: Sequence[Update]) -> None:
        """Keep the updates durably. Only when this has returned may the platform be told that they were received.

        Accepting one twice is harmless.

        Raises:
            StorageError: they could not be kept; the platform must not be told, and they are to be tried again.
        """

    # for platforms that do not tell later what was said while nobody listened, but let it be read

    async def since(self) -> datetime | None:
        """From when on what was said may not all be kept; None where nothing ever was, as at the first start."""

    async def note_reading(self, since: datetime | None) -> None:
        """Remember that what was said since then is being read: `since` says so until all of it is kept (None)."""

    async def private_chats(self) -> Sequence[Address]:
        """Where people have talked with the assistant in private: those of the last weeks, latest first, bounded."""


# -- what is sent -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text that is shown in some way. Offsets and lengths count code points."""

    kind: str
    """bold, italic, strikethrough, code, pre, link, quote, spoiler."""
    start: int
    end: int
    value: str = ""
    """The URL of a link, the language of `pre`."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of text that is sent, in UTF-8."""

    name: str
    text: str
    media_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Content:
    """One message that is sent, ready for the platform: it fits, and is formatted as the channel declared."""

    text: str
    spans: tuple[Span, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    """Buttons under it: (what is shown, what is sent back); at most 64 bytes are sent back."""
    reply_to: str = ""
    """The platform's id of the message that it answers."""
    file: TextFile | None = None
    """A file that goes with it; `text` then has at most a thousand signs. Such a message is sent, never edited."""
    key: str = ""
    """Names the message: see `Capabilities.key_seconds`."""


def in_utf16(content: Content) -> list[Span]:
    """The spans of the content, counted in UTF-16 units."""
    units = [0, *accumulate(2 if sign > "\uffff" else 1 for sign in content.text)]
    return [replace(span, start=units[span.start], end=units[span.end]) for span in content.spans]


def in_rows(content: Content) -> list[tuple[tuple[str, str], ...]]:
    """The buttons under the content in rows: three of a few letters in each, or two."""
    width = 3 if all(len(shown) <= 12 for shown, _ in content.choices) else 2
    return [content.choices[start : start + width] for start in range(0, len(content.choices), width)]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a message stands that was sent."""

    address: Address
    id: str


# -- what the channel can do --------------------------------------------------------------------------------


class Format(StrEnum):
    """How formatted text travels."""

    SPANS = "spans"
    """As plain text with `Content.spans`."""
    MARKDOWN = "markdown"
    """As Markdown source."""
    PLAIN = "plain"


class PreviewStyle(StrEnum):
    """How a reply is shown while it is being made."""

    NONE = "none"
    DRAFT = "draft"
    """By `Adapter.preview`: it vanishes by itself, and costs no message."""
    EDIT = "edit"
    """As a message that is edited until it is whole."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A rate: `burst` at once, then `per_second`; None is no limit."""

    per_second: float | None = None
    burst: float = 1.0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the channel can do, as its adapter declares it."""

    format: Format = Format.PLAIN
    longest: int = 4096
    """Of one message, in units of `measure`."""
    utf16: bool = False
    """Whether lengths count UTF-16 units instead of code points."""
    table_columns: int = 34
    """How wide a table may be, to be shown as one."""
    can_edit: bool = False
    can_delete: bool = False
    can_type: bool = False
    can_choose: bool = False
    can_send_files: bool = False
    key_seconds: float = 0.0
    """For how long the platform knows `Content.key` again: what is sent a second time with the same key is not shown
    a second time, and the receipt names the message that is there. 0 is never."""
    private_preview: PreviewStyle = PreviewStyle.NONE
    group_preview: PreviewStyle = PreviewStyle.NONE
    # how much may be sent
    account_budget: Budget = field(default_factory=Budget)
    private_budget: Budget = field(default_factory=Budget)
    group_budget: Budget = field(default_factory=Budget)

    def measure(self, text: str) -> int:
        """The length of a text as the platform counts it."""
        return len(text.encode("utf-16-le", "surrogatepass")) // 2 if self.utf16 else len(text)


@dataclass(frozen=True, slots=True)
class CommandInfo:
    """A command, as the menus of a platform show it."""

    name: str
    summaries: Mapping[str, str]
    """What it does, by language; that of "" stands for every other."""
    argument: str = ""
    """What may follow, as help shows it; empty where nothing may."""
    is_discreet: bool = False
    """Whether only the one who gives it should read the answer."""


def by_language(commands: Sequence[CommandInfo]) -> dict[str, list[tuple[str, str]]]:
    """The names and summaries of commands, in each language."""
    languages = {language: None for command in commands for language in command.summaries}
    return {language: [(command.name, command.summaries[language]) for command in commands] for language in languages}


async def no_keeper(self: object, address: Address) -> Address | None:
    """What `Adapter.keeper` is on platforms that do not tell whom to ask."""


class Adapter(Protocol):
    """One account on one platform: translates, and nothing more. It is entered before anything else is called.

    What sends raises, all from `bot.errors`: `RateLimited` (the platform names a time to wait), `Rejected` (it will not
    have it, now or later), `NotPermitted` (until somebody grants a permission), `AccountRefused` (nor anything else
    from this account), `Gone` (nobody is there any more), `Moved` (the chat has another id), `Unreachable` (it surely
    did not arrive), `OutcomeUnknown` (it may have arrived).
    """

    @property
    def name(self) -> str:
        """The channel: the first part of its addresses."""

    @property
    def account(self) -> str:
        """Which account of the channel this is, stable over restarts; known once it is entered."""

    @property
    def capabilities(self) -> Capabilities: ...

    def is_private(self, address: Address) -> bool:
        """Whether only one person and the assistant read there."""

    async def run(self, intake: Intake) -> None:
        """Receive until cancelled, putting everything into `intake` before the platform is told.

        Raises:
            Rejected: the account cannot be used (a wrong or revoked token); nothing but its owner can mend that.
            Unreachable: the connection broke in a way that it could not mend itself; it may be run again.
        """

    async def send(self, address: Address, content: Content) -> Receipt: ...

    async def edit(self, receipt: Receipt, content: Content) -> Receipt | None:
        """Make the message read as `content`; a message that does so already is no error.

        Returns where it stands from now on, if that is elsewhere: a placeholder is another message once it is edited.
        """

    async def delete(self, receipt: Receipt) -> None:
        """Take the message away; one that is gone already is no error."""

    async def preview(self, address: Address, key: str, content: Content) -> None:
        """Show a reply that is not whole yet, until the next message; `key` (digits) names the reply."""

    async def typing(self, address: Address) -> None:
        """Show for some seconds that an answer is being made."""

    async def acknowledge(self, update: Update, text: str = "", *, is_answered: bool = False) -> str:
        """Tell the platform that a CHOICE was noticed, showing `text` briefly; too late is no error.

        Where it `is_answered` later, returns a placeholder (`Message.placeholder`) for an answer that only who pressed
        will read; empty where the platform has no such thing.
        """

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        """The content of an attachment, in chunks."""

    async def remarks(self) -> Sequence[str]:
        """What its owner should know about the account, as keys of texts or in words: a switch that is off, say."""

    async def announce(self, commands: Sequence[CommandInfo]) -> None:
        """Tell the platform which commands there are."""

    async def keeper(self, address: Address) -> Address | None:
        """The private chat of somebody who can grant permissions there; None where the platform does not tell."""


@runtime_checkable
class Findable(Protocol):
    """An adapter whose account people find by a name, on a platform that has such names."""

    @property
    def handle(self) -> str:
        """Such as `@parley_bot`; known once the adapter is entered."""


def called(adapter: Adapter) -> str:
    """The account as people find it: by its name, or else as the platform numbers it."""
    return (adapter.handle if isinstance(adapter, Findable) else "") or adapter.account
