"""The seams: what a generator, a recognizer, a store and the partner of an adapter are; for skills see `bot.skills`.

Each is a structural type. A class that has the methods is one; nothing has to be inherited. Whatever holds
resources is an async context manager: `__aenter__` acquires, `__aexit__` releases, nothing happens before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.types import (
    Address,
    Conversation,
    GenerationEvent,
    Message,
    Prompt,
    ReplyEvent,
    Sampling,
    Turn,
    TurnDraft,
    Understanding,
)

Reply = AsyncGenerator[ReplyEvent, None]
"""Any number of TextDelta, ReasoningDelta, Media, Choices, Status; then exactly one Finished or Failed."""


class Generator(Protocol):
    """A language model that is ready to answer.

    `stream` may be called many times at once; closing the stream (`aclose`, or cancelling the task that reads it)
    stops the generation within one token and frees what it held. Text arrives in whole characters, without special
    tokens and without the stop string. The last event is a GenerationEnd.

    Raises, before or between events: `PromptTooLong` where the prompt does not fit `context_length`,
    `GeneratorUnavailable` where it cannot be reached or died, `GenerationFailed` for what it reports itself.
    """

    @property
    def kind(self) -> str:
        """The name in the table of generators: `llamacpp`, `transformers`, `openai`, `echo`."""

    @property
    def model(self) -> str:
        """The model's name, as people know it."""

    @property
    def context_length(self) -> int:
        """Tokens that prompt and reply may have together."""

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[GenerationEvent, None]: ...

    async def count(self, prompt: Prompt) -> int:
        """Tokens of the prompt as the model sees it, chat template included."""


class Immediate(StrEnum):
    """When a command is answered at once, beside a reply that is running."""

    ALWAYS = "always"
    ALONE = "alone"
    """Where it is given alone: it only shows something then."""
    REPLYING = "replying"
    """Where it replies to what it is about."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a skill answers, such as `/persona tutor`. What it does stands in the texts as `commands.NAME`."""

    name: str
    argument: str = ""
    """What may follow, as shown by /help: `[NAME]`."""
    immediate: Immediate | None = None
    """When it needs no model, changes nothing that runs, and is true whatever is answered before it."""
    unlimited: bool = False
    """Whether it is answered however much was said before."""
    hidden: bool = False
    """Whether no list shows it."""
    discreet: bool = False
    """Whether only the one who gives it should read the answer, where a platform can do that."""
    goes_back: bool = False
    """Whether the conversation goes on from the turn that the message replies to, as it does where it is talk."""
    told: str = ""
    """The key of another text that tells what it does: where a channel has more ways to do it, say."""

    def is_immediate(self, message: Message) -> bool:
        """Whether the message, which gives it, is answered beside a reply that is running."""
        match self.immediate:
            case Immediate.ALONE:
                return len(message.text.split()) == 1
            case Immediate.REPLYING:
                return bool(message.reply_to)
        return self.immediate is Immediate.ALWAYS

    @property
    def summary(self) -> str:
        """The key of the text that tells what it does."""
        return self.told or f"commands.{self.name}"


@dataclass(frozen=True, slots=True)
class DialogueState:
    """What a recognizer may know besides the message itself."""

    conversation: Conversation
    commands: Mapping[str, Command] = field(default_factory=dict)


class Recognizer(Protocol):
    """Tells what a message asks for. Returns None where it has nothing to say; the next one is then asked."""

    async def recognize(self, message: Message, state: DialogueState) -> Understanding | None: ...


class Store(Protocol):
    """Conversations, turns and settings. Values in, values out; every method is one transaction.

    Raises `StorageError` and its kin, whose texts a person can act on.
    """

    async def create_conversation(
        self, address: Address, *, at: datetime, name: str = "", persona: str = "", model: str = ""
    ) -> Conversation: ...

    async def branch_off(self, turn_id: int, address: Address, *, at: datetime) -> Conversation | None:
        """A new conversation at the address that goes on from the turn of another, with that one's persona, model and
        window. The turns are not copied: what becomes of them there becomes of them here. None without such a turn.
        """

    async def conversation(self, conversation_id: int) -> Conversation | None: ...

    async def find_conversation(self, address: Address, name: str) -> Conversation | None:
        """The newest conversation of that name at the address."""

    async def conversations(self, address: Address, *, limit: int = 50) -> list[Conversation]:
        """The address's conversations, last used first."""

    async def rename_conversation(self, conversation_id: int, name: str) -> None: ...

    async def set_persona(self, conversation_id: int, persona: str) -> None: ...

    async def set_model(self, conversation_id: int, model: str) -> None: ...

    async def set_window_start(self, conversation_id: int, turn_id: int | None) -> None: ...

    async def set_head(self, conversation_id: int, turn_id: int | None) -> None:
        """Move the conversation to another of its turns, also one that it inherited, or before the first (None).

        Nothing is deleted.
        """

    async def append_turn(self, draft: TurnDraft) -> Turn:
        """Store a turn after the head that the conversation has at this moment, and make it the head."""

    async def turn(self, turn_id: int) -> Turn | None: ...

    async def path(self, conversation_id: int, *, since: int | None = None, until: int | None = None) -> list[Turn]:
        """The turns from the first (or from turn `since`, if it is on the path) to the head, oldest first.

        Where `until` is given, that turn of the conversation stands for the head.
        """

    async def find_turn(self, address: Address, platform_id: str) -> Turn | None:
        """The newest of the people's turns with that platform id, in any conversation of the address."""

    async def speakers(self, conversation_id: int) -> dict[str, str]:
        """What people are called that were named in turns of the conversation, also inherited ones, by their ids."""

    async def answers(self, turn_id: int) -> list[Turn]:
        """The assistant's turns that answer that turn in its conversation, oldest first."""

    async def revise_turn(self, turn_id: int, *, text: str, at: datetime) -> Turn:
        """Let the turn say `text`; what it said is not kept. Its evidence tells when, as `edited_at`."""

    async def replace_answer(self, turn_id: int, draft: TurnDraft) -> Turn:
        """Let a turn of the assistant say what the draft says; it keeps its id, its place and its platform id."""

    async def delete_exchange(self, turn_id: int) -> list[int]:
        """Delete a turn of a person and the answers to it; the ids of what was deleted, none where it is no such turn.

        What came after them now comes after what was before them, as do the head and the start of the window, of every
        conversation that had them.
        """

    async def attachments(self) -> set[str]:
        """The names of all files that turns came with."""

    async def rate(self, turn_id: int, person: str, value: int | None, *, at: datetime) -> None:
        """Remember what a person thinks of a turn; None takes it back."""

    async def ratings(self, turn_id: int) -> dict[str, int]:
        """What people think of the turn, by person."""

    async def count_turns(self, conversation_id: int) -> int:
        """The number of turns on the path."""

    async def setting(self, scope: str, key: str) -> str | None: ...

    async def settings(self, scope: str) -> dict[str, str]:
        """Every setting of the scope, by its key."""

    async def set_setting(self, scope: str, key: str, value: str | None) -> None:
        """Store the setting; None removes it."""


class Partner(Protocol):
    """Whom an adapter talks to."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """Every command there is, by name."""

    def respond(self, message: Message, earlier: Sequence[Message] = ()) -> Reply:
        """The reply to a message, and to what the same person said just before it (`earlier`), if that waits, too.

        Closing it stops it; what was said until then is remembered.
        """

    async def stop(self, address: Address) -> bool:
        """Stop the reply that is running there; False where there is none."""

    async def recall(self, message: Message) -> tuple[Turn, Turn | None] | None:
        """The question that a message became, and its answer, be it to a whole burst; None where it became none."""

    def revise(self, message: Message) -> Reply:
        """The reply to a message that was edited, in the place of the one to what it said before."""

    async def forget(self, message: Message) -> list[int]:
        """Take a message that was deleted, and its answer, out of the memory. The turns that are gone."""

    async def leave_out(self, message: Message) -> None:
        """Let what a message says be read by nobody any more; that it was there, and its answer, is remembered."""
