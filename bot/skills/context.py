"""The seam of skills, and what a skill is given to answer one message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from bot.clock import Clock
from bot.people import CODE_VALID_SECONDS, Roll
from bot.places import Place, Places, Setting
from bot.protocols import Command, Generator, Reply, Store
from bot.reminding import Reminders
from bot.skills.personas import Personas
from bot.texts import Texts
from bot.types import Address, Conversation, Finished, Message, Role, Sampling, Turn, Understanding


@dataclass(frozen=True, slots=True)
class Models:
    """The way to generators, by the model's name; an empty name is the configured one."""

    load: Callable[[str], Awaitable[Generator]]
    """Gives the generator, loading the model if it is not in memory. Raises ModelError."""
    is_loaded: Callable[[str], bool]
    names: Callable[[], list[str]]
    """Models that can be chosen without downloading anything."""
    check: Callable[[str], str]
    """The name to keep, which goes on naming the model; raises ModelError when it cannot be used."""
    default: str


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How it talks, as configured."""

    sampling: Sampling
    persona: str
    show_reasoning: bool = False
    quiet_hours: str = ""
    """When nothing is to remind anybody, such as `22:00-7:00`, for those who settled none themselves."""


@dataclass(frozen=True, slots=True)
class SkillContext:
    """One message, what was understood of it, and everything a skill may use."""

    message: Message
    conversation: Conversation
    understanding: Understanding
    texts: Texts
    clock: Clock
    store: Store
    models: Models
    personas: Personas
    settings: ChatSettings
    commands: Mapping[str, Command]
    answer: Callable[[], Reply]
    """Lets the model answer what the conversation ends with, and stores the answer."""
    stop: Callable[[], bool]
    """Stops the reply that is running at the address; False where there is none."""
    note: Callable[[Finished], None] = lambda known: None
    """Takes what is known of the answer's making as soon as it is: that is kept if the answer is cut short."""
    language: str = "en"
    """What is spoken where nobody's own language is known."""
    place: Place = field(default_factory=Place)
    """What was settled where the message was said."""
    places: Places | None = None
    """Settles more; None where nothing can be."""
    until: int | None = None
    """The turn to answer, where that is not the newest."""
    # who may speak
    is_owner: bool = False
    """Whether the person may let others in."""
    roll: Roll | None = None
    """None where nobody has to be let in."""
    code_valid_seconds: float = CODE_VALID_SECONDS
    # others than the one who wrote
    tell: Callable[[Address, str], Awaitable[None]] | None = None
    """Says something somewhere else, in Markdown, through the outbox; None where no channel runs."""
    reminders: Reminders | None = None
    """None where nothing is kept that comes later."""

    @property
    def model(self) -> str:
        """The model that answers here; empty is the configured one."""
        return self.conversation.model or self.place.get(Setting.MODEL)

    @property
    def persona(self) -> str:
        """The persona that answers here."""
        return self.conversation.persona or self.place.get(Setting.PERSONA) or self.settings.persona

    @property
    def argument(self) -> str:
        """What followed the command."""
        return str(self.understanding.slots.get("argument", ""))

    async def remember_current(self, conversation_id: int) -> None:
        """Make it the conversation that the address goes on with."""
        await self.store.set_setting(self.message.address.key, CURRENT_CONVERSATION, str(conversation_id))


class Skill(Protocol):
    """An ability. It answers the commands and intents that it names."""

    @property
    def commands(self) -> Sequence[Command]:
        """The commands it answers."""

    def respond(self, context: SkillContext) -> Reply:
        """The reply to the message of `context`."""


CURRENT_CONVERSATION = "current_conversation"


def questions_of(turns: Sequence[Turn]) -> list[list[Turn]]:
    """What people said, the newest first; several turns of a person that were answered together are one question."""
    groups = groupby(reversed(turns), key=lambda turn: (turn.role, turn.author.id if turn.author else None))
    return [list(group) for (role, _), group in groups if role is Role.USER]
